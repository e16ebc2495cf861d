"""Evidence and edits: what a proposal claims, checked against what is really there. Pure functions."""

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from coaching.coach.protocol import ToolError

SHORTEST_QUOTE = 8  # characters; less is found everywhere and shows nothing

# Models write other quotes, dashes and spaces than they read. These differ in form only, one character for one.
SAME_CHARACTER = str.maketrans("‘’‚‛′“”„‟″«»‐‑‒–—―\u00a0\u202f\u2009\t\n\r", '\'\'\'\'\'"""""""------      ')


@dataclass(frozen=True)
class Quote:
    """Where the words of a quote stand: the turn, the characters from start up to end of its text, and their hash."""

    turn: int
    start: int
    end: int
    sha256: str

    def of(self, turns: dict[int, str]) -> str:
        """The quoted words, read from the source again; empty where the source has changed since."""
        text = turns.get(self.turn, "")[self.start : self.end]
        return text if _hash(text) == self.sha256 else ""


def find_quote(turns: dict[int, str], quote: str, turn: int) -> Quote:
    """Find a verbatim quote in the texts of a transcript, by turn number.

    Differences of white space and of typographic characters do not count. A true quote under a wrong turn is put
    under the right one, if it occurs in only one. Raises ToolError.
    """
    folded, _ = _fold(quote)
    if not folded:
        raise ToolError("The quote is empty. Quote the words of the turn that show the problem.")
    found = _find(turns.get(turn, ""), folded)
    if found is None:
        elsewhere = [(other, at) for other, text in turns.items() if (at := _find(text, folded)) is not None]
        if not elsewhere:
            raise ToolError(
                f"The quote for turn {turn} is not in the transcript. Read the turn again and quote it word for word."
            )
        if len(elsewhere) > 1:
            listed = ", ".join(str(other) for other, _ in elsewhere)
            raise ToolError(f"The quote is not in turn {turn} but in turns {listed}. Say which turn you mean.")
        turn, found = elsewhere[0]
    start, end = found
    text = turns[turn]
    if end - start < SHORTEST_QUOTE and text[start:end] != text.strip():
        raise ToolError(f"The quote for turn {turn} is too short to show anything. Quote a whole phrase.")
    return Quote(turn, start, end, _hash(text[start:end]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _find(text: str, folded_quote: str) -> tuple[int, int] | None:
    """The first place of a folded quote in a text, as characters of the text itself."""
    folded, places = _fold(text)
    at = folded.find(folded_quote)
    return None if at < 0 else (places[at][0], places[at + len(folded_quote) - 1][1])


def _fold(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text with runs of white space as one blank and plain characters, and where each character came from.

    A letter and the marks on it are one, however they are written; marks of direction and of width count for nothing.
    """
    characters: list[str] = []
    places: list[tuple[int, int]] = []
    for start, end, cluster in _clusters(text.translate(SAME_CHARACTER)):
        if cluster == " " and (not characters or characters[-1] == " "):
            continue
        for character in cluster:
            characters.append(character)
            places.append((start, end))
    if characters and characters[-1] == " ":
        characters.pop()
        places.pop()
    return "".join(characters), places


def _clusters(text: str) -> Iterator[tuple[int, int, str]]:
    """The letters of a text with the marks that follow each, composed; where each starts and ends."""
    if text.isascii():
        yield from ((at, at + 1, character) for at, character in enumerate(text))
        return
    start = end = 0
    cluster = ""
    for at, character in enumerate(text):
        if unicodedata.category(character) == "Cf":
            continue
        if cluster and not unicodedata.combining(character):
            yield start, end, unicodedata.normalize("NFC", cluster)
            cluster = ""
        if not cluster:
            start = at
        cluster, end = cluster + character, at + 1
    if cluster:
        yield start, end, unicodedata.normalize("NFC", cluster)


@dataclass(frozen=True)
class Edit:
    """Replace `old`, which must stand in the text exactly once, by `new`. An empty `old` fills an empty text."""

    old: str
    new: str


def apply_edits(text: str, edits: list[Edit]) -> str:
    """The text with every edit made. All of them are found in the text as it is, so their order does not matter.

    Raises ToolError where an old text is missing or not unique, where two edits touch, and where nothing changes.
    """
    if not edits:
        raise ToolError("There is no edit. Give at least one, with the old text and the new one.")
    spans: list[tuple[int, int, str]] = []
    for number, edit in enumerate(edits, start=1):
        start = _place(text, edit, number)
        spans.append((start, start + len(edit.old), edit.new))
    spans.sort()
    for (_, end, _), (start, _, _) in pairwise(spans):
        if start < end or len(text) == 0:
            raise ToolError("Two edits touch the same text. Put them into one edit.")
    changed = text
    for start, end, new in reversed(spans):
        changed = changed[:start] + new + changed[end:]
    if changed == text:
        raise ToolError("The edits change nothing.")
    return changed


def _place(text: str, edit: Edit, number: int) -> int:
    if not edit.old:
        if text:
            raise ToolError(f"The old text of edit {number} is empty. Give the exact text that is to be replaced.")
        return 0
    count = text.count(edit.old)
    # str.count skips overlapping places, and an old text that overlaps itself is as ambiguous as one that is repeated
    if count == 1 and text.find(edit.old, text.find(edit.old) + 1) >= 0:
        count = 2
    if count == 0:
        raise ToolError(
            f"The old text of edit {number} is not there. Read the current text again and copy it exactly, with its "
            "line breaks."
        )
    if count > 1:
        raise ToolError(f"The old text of edit {number} is there {count} times. Copy more of what is around it.")
    return text.find(edit.old)
