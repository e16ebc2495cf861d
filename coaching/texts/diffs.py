"""What changed between two texts: by words for short ones, by lines with folding for long ones. Pure.

Both texts are cut into tokens, and the tokens that stay are found between anchors that occur once in each, so that a prompt
of 50,000 characters takes milliseconds whatever stands in it. What cannot be matched cheaply is told as removed and added.
"""

import dataclasses
import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

CHEAP = 4_000  # comparisons up to which difflib may look at every pair of tokens
CONTEXT = 3  # unchanged lines that stay around a change
ALIKE = 0.4  # share of two lines that must stay for their words to be compared
LONG_WORDS = 4_000  # characters of two lines together beyond which their words are not compared
MANY_LINES = 60  # lines of one change beyond which nobody compares words, and neither do we

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
LABELS = {
    "summary": "Summary",
    "text": "Text",
    "expires_at": "Served until",
    "system_prompt": "System prompt",
    "name": "Name",
    "trigger": "When it is followed",
    "content": "Steps",
    "active": "In use",
    "folder": "Folder",
}
BY_LINES = {"system_prompt", "content"}


@dataclass(frozen=True)
class Piece:
    """A run of text and its `sign`: "+" added, "-" removed, "" unchanged."""

    sign: str
    text: str


@dataclass(frozen=True)
class Line:
    """One line: its `sign`, its number in the old and in the new text (from 1; None where it is not in it), its pieces."""

    sign: str
    old_no: int | None
    new_no: int | None
    pieces: tuple[Piece, ...]

    @property
    def number(self):
        """The number to show: of the old text for a removed line, else of the new."""
        return self.old_no if self.sign == "-" else self.new_no


@dataclass(frozen=True)
class Gap:
    """`count` unchanged lines that are folded away: `lines`, for where the fold is opened."""

    count: int
    lines: tuple[Line, ...] = dataclasses.field(default=(), compare=False)


@dataclass(frozen=True)
class LineDiff:
    """The lines of a changed text, folded, with how many lines were added and removed."""

    rows: tuple[Line | Gap, ...]
    added: int
    removed: int

    @property
    def runs(self):
        """Where it changed, as (first, last) line of the new text, of the old one where lines only went."""
        runs, numbers, olds = [], [], []
        for row in [*self.rows, None]:
            if isinstance(row, Line) and row.sign:
                (olds if row.sign == "-" else numbers).append(row.number)
            elif olds or numbers:
                named = numbers or olds
                runs.append((named[0], named[-1]))
                numbers, olds = [], []
        return runs

    @property
    def pairs(self):
        """The rows side by side: (old Line or None, new Line or None), or (Gap, Gap)."""
        pairs, old, new = [], [], []
        for row in self.rows:
            if isinstance(row, Line) and row.sign:
                (old if row.sign == "-" else new).append(row)
                continue
            pairs += zip_longest(old, new)
            pairs.append((row, row))
            old, new = [], []
        return [*pairs, *zip_longest(old, new)]


@dataclass(frozen=True)
class FieldDiff:
    """One changed field. `style` is "words" (then `words`), "lines" (then `lines`), or "value" (old and new as they are)."""

    field: str
    label: str
    style: str
    old: object
    new: object
    words: tuple[Piece, ...] = ()
    lines: LineDiff | None = None


def fields(old, new):
    """The FieldDiffs between two versions of one thing, {field: value} each; `new` may leave fields out as unchanged.

    An empty `old` is something new, an empty `new` something removed: then every field that says anything is told.
    """
    told = []
    for field in [*LABELS, *sorted({*old, *new} - LABELS.keys())]:
        before, after = old.get(field), new.get(field, old.get(field) if new else None)
        if before == after or (not before and not after and field != "active"):
            continue
        told.append(field_diff(field, before, after))
    return told


def created(new):
    """The FieldDiffs of something new, {field: value}: a memory of one sentence, its own summary, is not told twice."""
    return [one for one in fields({}, new) if one.field != "text" or new["text"] != new.get("summary")]


def field_diff(field, before, after):
    """The FieldDiff of one field's two values."""
    label = LABELS.get(field, field)
    if field in BY_LINES:
        return FieldDiff(field, label, "lines", before, after, lines=lines(before or "", after or ""))
    if isinstance(before, str) and isinstance(after, str) and before and after:
        return FieldDiff(field, label, "words", before, after, words=words(before, after))
    return FieldDiff(field, label, "value", before, after)


def words(old, new):
    """The pieces that turn `old` into `new`, removed words before added ones; one of each where little is alike."""
    a, b = TOKEN.findall(old), TOKEN.findall(new)
    blocks = _joined(a, matches(a, b))
    same = sum(len("".join(a[i : i + n])) for i, _, n in blocks)
    if 2 * same < ALIKE * (len(old) + len(new)):
        blocks = []
    pieces, i, j = [], 0, 0
    for start, other, n in [*blocks, (len(a), len(b), 0)]:
        gone, come = "".join(a[i:start]), "".join(b[j:other])
        pieces += [Piece("-", gone)] * bool(gone) + [Piece("+", come)] * bool(come)
        if n:
            pieces.append(Piece("", "".join(a[start : start + n])))
        i, j = start + n, other + n
    return tuple(pieces)


def lines(old, new, context=CONTEXT):
    """The LineDiff from `old` to `new`, with `context` unchanged lines around each change; None folds nothing."""
    a, b = old.splitlines(), new.splitlines()
    rows, i, j = [], 0, 0
    for start, other, n in [*matches(a, b), (len(a), len(b), 0)]:
        rows += _changed(a, b, i, start, j, other)
        rows += [Line("", start + k + 1, other + k + 1, (Piece("", a[start + k]),)) for k in range(n)]
        i, j = start + n, other + n
    return LineDiff(
        rows=tuple(rows if context is None else _folded(rows, context)),
        added=sum(row.sign == "+" for row in rows),
        removed=sum(row.sign == "-" for row in rows),
    )


def _changed(a, b, i, i_end, j, j_end):
    """The removed lines a[i:i_end], then the added lines b[j:j_end]; where two are alike, the words that differ are marked."""
    gone, come = [], []
    by_words = max(i_end - i, j_end - j) <= MANY_LINES
    for k in range(max(i_end - i, j_end - j)):
        before = a[i + k] if i + k < i_end else None
        after = b[j + k] if j + k < j_end else None
        pieces = ()
        if by_words and before and after and len(before) + len(after) <= LONG_WORDS:
            pieces = words(before, after)
        if all(piece.sign for piece in pieces):
            pieces = ()  # nothing stayed: the sign of the line says it all
        if before is not None:
            shown = tuple(p for p in pieces if p.sign != "+") or (Piece("", before),)
            gone.append(Line("-", i + k + 1, None, shown))
        if after is not None:
            shown = tuple(p for p in pieces if p.sign != "-") or (Piece("", after),)
            come.append(Line("+", None, j + k + 1, shown))
    return gone + come


def _folded(rows, context):
    near = [False] * len(rows)
    for at, row in enumerate(rows):
        if row.sign:
            near[max(0, at - context) : at + context + 1] = [True] * len(near[max(0, at - context) : at + context + 1])
    folded, hidden = [], []
    for row, keep in zip([*rows, None], [*near, True], strict=True):
        if keep:
            folded += hidden if len(hidden) == 1 else [Gap(len(hidden), tuple(hidden))] * bool(hidden)
            hidden = []
            folded += [row] if row is not None else []
        else:
            hidden.append(row)
    return folded


def _joined(tokens, blocks):
    """The blocks without those that are only space or punctuation between two changes: islands nobody reads."""
    last = len(blocks) - 1
    return [
        (i, j, n)
        for at, (i, j, n) in enumerate(blocks)
        if at in (0, last) or any(token[0].isalnum() for token in tokens[i : i + n])
    ]


def matches(a, b):
    """The runs of two lists of tokens that stay, as (start in a, start in b, length), rising in both."""
    runs = []
    _find(a, 0, len(a), b, 0, len(b), runs)
    joined = []
    for i, j, n in runs:
        if joined and joined[-1][0] + joined[-1][2] == i and joined[-1][1] + joined[-1][2] == j:
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + n)
        else:
            joined.append((i, j, n))
    return joined


def _find(a, i, i_end, b, j, j_end, runs):
    """Add the runs of a[i:i_end] in b[j:j_end]: what both start and end with, then what lies between anchors."""
    head = 0
    while i + head < i_end and j + head < j_end and a[i + head] == b[j + head]:
        head += 1
    if head:
        runs.append((i, j, head))
        i, j = i + head, j + head
    tail = 0
    while i_end - tail > i and j_end - tail > j and a[i_end - tail - 1] == b[j_end - tail - 1]:
        tail += 1
    i_end, j_end = i_end - tail, j_end - tail
    if i < i_end and j < j_end:
        if (i_end - i) * (j_end - j) <= CHEAP:
            matcher = SequenceMatcher(None, a[i:i_end], b[j:j_end], autojunk=False)
            runs += [(i + x, j + y, n) for x, y, n in matcher.get_matching_blocks() if n]
        else:
            x, y = i, j
            anchors = _anchors(a, i, i_end, b, j, j_end)
            for at, other in [*anchors, (i_end, j_end)] if anchors else []:
                _find(a, x, at, b, y, other, runs)
                if at < i_end:
                    runs.append((at, other, 1))
                x, y = at + 1, other + 1
    if tail:
        runs.append((i_end, j_end, tail))


def _anchors(a, i, i_end, b, j, j_end):
    """The tokens that occur once in each part, as the longest series of (in a, in b) that rises in both."""
    in_a, in_b = Counter(a[i:i_end]), Counter(b[j:j_end])
    place = {b[y]: y for y in range(j, j_end) if in_b[b[y]] == 1}
    both = [(x, place[a[x]]) for x in range(i, i_end) if in_a[a[x]] == 1 and a[x] in place]
    ends, at, before = [], [], [None] * len(both)
    for k, (_, y) in enumerate(both):
        length = bisect_left(ends, y)
        before[k] = at[length - 1] if length else None
        if length == len(ends):
            ends.append(y)
            at.append(k)
        else:
            ends[length], at[length] = y, k
    series, k = [], at[-1] if at else None
    while k is not None:
        series.append(both[k])
        k = before[k]
    return series[::-1]
