"""The transcript of a conversation as its page shows it: who said what and when, what is folded, what is quoted."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from helpdesk import transcripts

ROLES = {"customer": "Customer", "agent": "Agent", "tool": "Tool", "system": "System"}
TOOL_LINE = 90  # characters of a folded turn that stay in sight
ONLY_CALLS = re.compile(
    r"\[calls .+\]", re.DOTALL
)  # a turn in which the agent says nothing and calls tools, as imported


@dataclass(frozen=True)
class Span:
    """A run of a turn's text; `cited` where a proposal of this session quotes it."""

    text: str
    cited: bool = False


@dataclass(frozen=True)
class TurnLine:
    """One turn of the transcript. `label` says who spoke, `glimpse` what stays in sight of a folded one."""

    number: int
    role: str
    label: str
    at: object
    spans: tuple[Span, ...]
    glimpse: str
    is_folded: bool

    @property
    def key(self):
        """The number as text: a long transcript shows it many times, and numbers are dear to render."""
        return str(self.number)

    @property
    def is_empty(self):
        return not any(span.text.strip() for span in self.spans)


def read(conversation):
    """The turns of a conversation, read from its source, and the sentence to show where there are none."""
    try:
        turns = transcripts.read(conversation)
    except transcripts.TranscriptUnavailable as trouble:
        return (), str(trouble)
    return turns, "" if len(turns) else "This conversation has no turns."


def lines(turns, cited):
    """The turns as lines; `cited` are the places of `places`."""
    return [_line(number, turn, cited.get(number, [])) for number, turn in enumerate(turns)]


def _line(number, turn, cited):
    label, glimpse = ROLES[turn.role], " ".join(turn.text.split())
    if turn.name and turn.role == "tool":
        glimpse = f"{turn.name} · {glimpse}" if glimpse else turn.name
    elif turn.name:
        label = f"{turn.name} ({label.lower()})"
    spans, at = [], 0
    for start, end in cited:
        spans += [Span(turn.text[at:start])] * (start > at) + [Span(turn.text[start:end], cited=True)]
        at = end
    spans += [Span(turn.text[at:])] * (at < len(turn.text))
    return TurnLine(
        number=number,
        role=turn.role,
        label=label,
        at=None if turn.at is None else datetime.fromtimestamp(turn.at / 1000, UTC),
        spans=tuple(spans),
        glimpse=glimpse if len(glimpse) <= TOOL_LINE else f"{glimpse[:TOOL_LINE].rstrip()} …",
        is_folded=turn.role in ("tool", "system") or bool(ONLY_CALLS.fullmatch(turn.text.strip())),
    )


def places(texts, quotes):
    """{turn: where its quotes stand in it, as (start, end) that do not overlap}; `texts` and `quotes` are by turn."""
    return {turn: _places(texts[turn], found) for turn, found in quotes.items() if turn in texts}


def _places(text, quotes):
    places = sorted((text.find(quote), text.find(quote) + len(quote)) for quote in quotes if quote in text)
    kept = []
    for start, end in places:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
