"""Three-way merge: what two people made of the same text, put together where their edits do not touch. Pure.

First by lines; where edits meet on the same or neighbouring lines, by the words in them. Two edits touch where no unchanged
line or word lies between them: "2 days" made "3 days" by one and "2 weeks" by the other is a question, not "3 weeks". The
same edit made twice is one. What touches is never guessed: it is told, and a person decides.

The method is that of diff3 (Khanna, Kunal, Pierce, "A formal investigation of diff3", 2007), over the matches that the
pages' diffs show.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coaching.texts.diffs import TOKEN, matches


class Touch(Exception):
    """Both sides changed the same place of a text."""


@dataclass(frozen=True)
class Merged:
    """`fields` are the merged values, complete; `touching` names the fields that could not be merged, empty where all could."""

    fields: dict[str, Any]
    touching: tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """Tokens [start:end] of the base become `tokens`."""

    start: int
    end: int
    tokens: tuple[str, ...]


def merge_fields(base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Merged:
    """Merge two changes of {field: value}. A field that touches keeps the value of `ours`. The order of sides does not matter
    for what can be merged."""
    merged, touching = {}, []
    for field, current in ours.items():
        before, wanted = base.get(field), theirs.get(field, base.get(field))
        try:
            merged[field] = merge_value(before, current, wanted)
        except Touch:
            merged[field] = current
            touching.append(field)
    return Merged(merged, tuple(touching))


def begin_fields(base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What a person begins with who has to settle two changes that touch: both put together, and `ours` where they touch."""
    begun = dict(merge_fields(base, ours, theirs).fields)
    for field, current in ours.items():
        before, wanted = base.get(field), theirs.get(field, base.get(field))
        if isinstance(before, str) and isinstance(current, str) and isinstance(wanted, str):
            begun[field] = merge_text(before, current, wanted, ours_where_touching=True)
    return begun


def merge_value(base: Any, ours: Any, theirs: Any) -> Any:
    """One value: whichever side changed it; both sides' edits where it is text. Raises Touch."""
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    if not all(isinstance(value, str) for value in (base, ours, theirs)):
        raise Touch
    return merge_text(base, ours, theirs)


def merge_text(base: str, ours: str, theirs: str, *, ours_where_touching: bool = False) -> str:
    """Both sides' edits of `base`. Raises Touch, or with `ours_where_touching` keeps that side's lines there."""
    lines, ours_lines, theirs_lines = (text.splitlines(keepends=True) for text in (base, ours, theirs))
    told: list[str] = []
    at = 0
    for start, end, mine, yours in _regions(lines, edits(lines, ours_lines), edits(lines, theirs_lines)):
        told += lines[at:start]
        part = "".join(lines[start:end])
        ours_part = _applied(lines, start, end, mine)
        try:
            told.append(_region(part, ours_part, _applied(lines, start, end, yours)))
        except Touch:
            if not ours_where_touching:
                raise
            told.append(ours_part)
        at = end
    return "".join([*told, *lines[at:]])


def edits(base: list[str], changed: list[str]) -> list[Edit]:
    """What turns the tokens `base` into `changed`, in order, unchanged tokens between any two."""
    found, i, j = [], 0, 0
    for start, other, n in [*matches(base, changed), (len(base), len(changed), 0)]:
        if start > i or other > j:
            found.append(Edit(i, start, tuple(changed[j:other])))
        i, j = start + n, other + n
    return found


def _region(base: str, ours: str, theirs: str) -> str:
    """One region of lines that at least one side changed, merged by its words where both did. Raises Touch."""
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    words, mine, yours = (TOKEN.findall(text) for text in (base, ours, theirs))
    told: list[str] = []
    at = 0
    for start, end, left, right in _regions(words, edits(words, mine), edits(words, yours)):
        if left and right and left != right:
            raise Touch
        told += [*words[at:start], _applied(words, start, end, left or right)]
        at = end
    return "".join([*told, *words[at:]])


def _regions(
    base: list[str], ours: Iterable[Edit], theirs: Iterable[Edit]
) -> list[tuple[int, int, list[Edit], list[Edit]]]:
    """The edits of both sides gathered into regions [start:end] of the base that nothing else touches."""
    regions: list[tuple[int, int, list[Edit], list[Edit]]] = []
    both = [(edit, 0) for edit in ours] + [(edit, 1) for edit in theirs]
    for edit, side in sorted(both, key=lambda each: (each[0].start, each[0].end, each[1])):
        if regions and not _parts(base[regions[-1][1] : edit.start]):
            start, end, *sides = regions.pop()
        else:
            start, end, sides = edit.start, edit.end, [[], []]
        sides[side] = [*sides[side], edit]
        regions.append((start, max(end, edit.end), sides[0], sides[1]))
    return regions


def _applied(base: list[str], start: int, end: int, changes: Iterable[Edit]) -> str:
    told: list[str] = []
    at = start
    for edit in changes:
        told += [*base[at : edit.start], *edit.tokens]
        at = edit.end
    return "".join([*told, *base[at:end]])


def _parts(between: list[str]) -> bool:
    """Whether these unchanged tokens keep two edits apart: a line or a word does, a space or a comma does not."""
    return any(token[0].isalnum() or "\n" in token for token in between)
