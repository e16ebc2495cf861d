"""What the coach says to ask next: a list at the very end of its answer, taken off it and shown as buttons.

    Ask next:
    - Does this happen to other customers too?
    - …

Pure functions. What a button asks are the coach's words and nobody's instruction: a transcript may have put them there.
"""

import re
from dataclasses import dataclass

MOST = 3
LONGEST = 300  # characters of one question

HEADING = re.compile(r"[ \t]*(?:#{1,6}[ \t]*)?[*_]{0,2}ask next[*_]{0,2}:?[*_]{0,2}:?[ \t]*", re.IGNORECASE)
ITEM = re.compile(r"[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]+(.+)")
QUOTED = ("“”", "„“", "«»", '""', "''", "``", "**", "__")


@dataclass(frozen=True)
class Answer:
    """An answer as it is shown, and at most MOST questions to ask next."""

    shown: str
    suggestions: tuple[str, ...] = ()


def split(text: str) -> Answer:
    """Take the list off the end of an answer. A heading that more than a list follows stays where it is: it is prose."""
    lines = text.splitlines()
    at = next((n for n in range(len(lines) - 1, -1, -1) if HEADING.fullmatch(lines[n])), None)
    if at is None:
        return Answer(text)
    items = [ITEM.fullmatch(line) for line in lines[at + 1 :] if line.strip()]
    if not all(items):
        return Answer(text)
    questions = (_question(item[1]) for item in items if item)
    kept = list(dict.fromkeys(each for each in questions if each and len(each) <= LONGEST))
    return Answer("\n".join(lines[:at]).rstrip(), tuple(kept[:MOST]))


def _question(said: str) -> str:
    words = " ".join("".join(character for character in said if character.isprintable()).split())
    for marks in QUOTED:
        if len(words) > 2 and words[0] == marks[0] and words[-1] == marks[1]:
            words = words.strip(marks).strip()
    return words
