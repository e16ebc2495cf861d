"""The transcript of a conversation as its page shows it: who said what and when, what is folded, what is quoted."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from coaching.texts import jsontext
from helpdesk import sources, transcripts

ROLES = {"customer": "Customer", "agent": "Agent", "tool": "Tool", "system": "System"}
GLIMPSE = 90  # characters of a folded part that stay in sight
LONG, LONG_LINES = 3_000, 60  # from here on only the beginning of a text is in sight
BEGINNING, BEGINNING_LINES = 1_500, 30

# What an agent calls stands at the end of its turn, a call a line, as imports write it: [calls NAME({…})].
CALLS = re.compile(r"(?:\A|(?<=\n))\s*\[calls [\w.:-]+\(.*\)\]\s*\Z", re.DOTALL)
CALL = re.compile(r"\[calls ([\w.:-]+)\((.*)\)\]", re.DOTALL)
BETWEEN_CALLS = re.compile(r"\n(?=\[calls [\w.:-]+\()")
FAILURE = re.compile(r"(?:\w+)?(?:error|exception)\b|traceback \(", re.IGNORECASE)


# Not frozen, for that makes each of thousands take several times as long to make.
@dataclass(slots=True)
class Span:
    """A run of a turn's text; `proposal` is the id of the one in this session that quotes it."""

    text: str
    proposal: str = ""


@dataclass(slots=True)
class Fold:
    """A part that is folded to one line: a call, a tool's answer or what the system told the agent.

    `words` say what it is ("calls find_order", of a failed answer the tool), `glimpse` is the beginning of its text. `is_open`
    where it holds a quote.
    """

    words: str
    glimpse: str
    spans: tuple[Span, ...]
    is_failure: bool = False

    @property
    def is_open(self):
        return any(span.proposal for span in self.spans)


@dataclass(slots=True)
class TurnLine:
    """One turn of the transcript. `label` says who spoke, `at` when, by the workspace's clock.

    `said` is in sight; `rest` is what follows the beginning of a long text; `folds` come last. `answers` is the number of the
    turn whose call this is the answer to. `day` is set on the first turn of each day where the transcript spans several.
    """

    number: int
    role: str
    label: str
    at: datetime | None
    said: tuple[Span, ...]
    rest: tuple[Span, ...]
    folds: tuple[Fold, ...]
    answers: int | None
    day: datetime | None

    @property
    def is_folded(self):
        return bool(self.folds) and not self.said

    @property
    def is_empty(self):
        return not self.said and not self.folds


def read(conversation):
    """The turns of a conversation, read from its source, and the sentence to show where there are none."""
    try:
        turns = sources.read(conversation)
    except transcripts.TranscriptUnavailable as trouble:
        return (), str(trouble)
    return turns, "" if len(turns) else "This conversation has no turns."


def lines(turns, cited):
    """The turns as lines; `cited` are the places of `places`."""
    zone = timezone.get_current_timezone()
    moments = [None if turn.at is None else datetime.fromtimestamp(turn.at / 1000, zone) for turn in turns]
    spans_days = len({at.date() for at in moments if at is not None}) > 1
    shown, day = [], None
    calls = []  # (tool, turn) that wait for their answers
    for number, (turn, at) in enumerate(zip(turns, moments, strict=True)):
        begins = at if spans_days and at is not None and at.date() != day else None
        day = at.date() if at is not None else day
        shown.append(_line(number, turn, at, begins, cited.get(number, ()), calls))
    return shown


def _line(number, turn, at, day, cited, calls):
    label, text = ROLES[turn.role], turn.text
    if turn.name and turn.role in ("customer", "agent"):
        label = f"{turn.name} ({label.lower()})"
    said, rest, folds, answers = (), (), (), None
    if turn.role == "tool":
        answers = _answered(turn.name, calls)
        is_failure = _is_failure(text)
        words = f"{turn.name} answered" if turn.name and not is_failure else turn.name
        folds = (_fold(words, text, 0, len(text), cited, is_failure),) if text.strip() or turn.name else ()
    elif turn.role == "system":
        folds = (_fold(turn.name, text, 0, len(text), cited),) if text.strip() else ()
    else:
        end = len(text)
        if turn.role == "agent" and "[calls " in text and (found := CALLS.search(text)):
            end = found.start()
            folds = tuple(_calls(text, end, cited))
            calls[:] = [(fold.words.removeprefix("calls "), number) for fold in folds]
        end = len(text[:end].rstrip())
        if end:
            cut = _cut(text, end, cited)
            said, rest = _spans(text, 0, cut, cited), _spans(text, cut, end, cited)
    return TurnLine(number, turn.role, label, at, said, rest, folds, answers, day)


def _answered(name, calls):
    """The turn that called this tool, taken off what waits: the first call of that name, or of any where none is given."""
    at = next((at for at, (tool, _) in enumerate(calls) if not name or tool == name), None)
    return None if at is None else calls.pop(at)[1]


def _calls(text, start, cited):
    for piece in BETWEEN_CALLS.split(text[start:]):
        found = CALL.fullmatch(piece.strip())
        at = start
        start += len(piece) + 1
        if found is None:
            yield _fold("calls", text, at, start - 1, cited)
            continue
        at = text.index(piece, at) + piece.index(found[0]) + found.start(2)
        yield _fold(f"calls {found[1]}", text, at, at + len(found[2]), cited)


def _fold(words, text, start, end, cited, is_failure=False):
    glimpse = " ".join(text[start : min(end, start + 4 * GLIMPSE)].split())
    if len(glimpse) > GLIMPSE:
        glimpse = f"{glimpse[:GLIMPSE].rstrip()} …"
    spans = _spans(text, start, end, cited)
    if len(spans) == 1 and not spans[0].proposal:
        spans = (Span(jsontext.indented(spans[0].text)),)
    return Fold(words, glimpse, spans, is_failure)


def _is_failure(text):
    """Whether a tool's answer says of itself that it is an error."""
    beginning = text[:200].lstrip()
    return bool(FAILURE.match(beginning)) or (beginning.startswith("{") and jsontext.names_an_error(text))


def _cut(text, end, cited):
    """Where the beginning of a text ends: at its end, or for a long one at a space near BEGINNING, never in a quote."""
    if end <= LONG and text.count("\n", 0, end) <= LONG_LINES:
        return end
    cut = min(BEGINNING, end)
    newlines = [found.start() for found in re.finditer("\n", text[:cut])]
    if len(newlines) >= BEGINNING_LINES:
        cut = newlines[BEGINNING_LINES - 1]
    else:
        space = max(text.rfind(" ", 0, cut), text.rfind("\n", 0, cut))
        cut = space if space > cut - 200 and space > 0 else cut
    return next((stop for start, stop, _ in cited if start < cut < stop), cut)


def _spans(text, start, end, cited):
    """The text from `start` to `end` as spans, quotes apart."""
    spans, at = [], start
    for begins, ends, proposal in cited:
        begins, ends = max(begins, at), min(ends, end)
        if begins < ends:
            spans += [Span(text[at:begins])] * (begins > at) + [Span(text[begins:ends], proposal)]
            at = ends
    return (*spans, *[Span(text[at:end])] * (at < end))


def places(texts, quotes):
    """Where quotes stand, as {turn: [(start, end, proposal)]} that do not overlap.

    `texts` is {turn: text}, `quotes` {turn: {quote: id of the proposal}}.
    """
    return {turn: _places(texts[turn], found) for turn, found in quotes.items() if turn in texts}


def _places(text, quotes):
    found = sorted((at, at + len(quote), pk) for quote, pk in quotes.items() if (at := text.find(quote)) >= 0)
    kept = []
    for start, end, proposal in found:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, proposal))
    return kept
