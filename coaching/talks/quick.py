"""The questions that stand on buttons above the composer. One click asks them, so they tell nobody what to change."""

OF_ONE = ("What went wrong?", "How can the agent improve?", "Is this a pattern?")
OF_A_SET = ("Is this a pattern?", "What do they have in common?", "What went wrong most often?")
OF_AN_AGENT = ("How can the agent improve?", "Is there a pattern?")

ALL = frozenset(each.casefold() for each in (*OF_ONE, *OF_A_SET, *OF_AN_AGENT))


def is_quick(text: str) -> bool:
    """Whether the text is one of them, word for word."""
    return text.strip().casefold() in ALL
