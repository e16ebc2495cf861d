"""The turns of a conversation, in memory only; where they are read from is helpdesk.sources' business.

A transcript cannot be pickled (so it never travels in a queue or a cache) and its repr shows no text (so it never
stands in a log, a traceback or an error report).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from helpdesk.masking import mask

ROLES = ("customer", "agent", "tool", "system")
MOST_TURNS = 5_000
MOST_BYTES = 2_000_000  # of all texts and names, in UTF-8


class TranscriptUnavailable(Exception):
    """The transcript cannot be read; the message is a sentence for the person who asked."""


class TranscriptUnreachable(TranscriptUnavailable):
    """It cannot be read now, and it makes sense to ask again after `pause` (None: whenever the asker thinks fit)."""

    def __init__(self, sentence: str, pause: timedelta | None = None):
        super().__init__(sentence)
        self.pause = pause


class _Unpicklable:
    __slots__ = ()

    def __reduce_ex__(self, protocol):
        raise TypeError(f"A {type(self).__name__} stays in memory: it is never pickled.")


@dataclass(frozen=True, slots=True, repr=False)
class TranscriptTurn(_Unpicklable):
    """What one side said. `role` is one of ROLES; `at` is epoch milliseconds; `name` is who, or which tool."""

    role: str
    text: str
    at: int | None = None
    name: str = ""

    def __repr__(self):
        return f"<TranscriptTurn {self.role}, {len(self.text)} characters>"

    def as_json(self) -> dict:
        """The turn as it is stored: without the keys that it has no value for."""
        told = {"role": self.role, "text": self.text, "at": self.at, "name": self.name}
        return {key: value for key, value in told.items() if value not in (None, "") or key == "text"}

    def masked(self) -> "TranscriptTurn":
        """The turn without personal data. A customer's name is left out, for it is one by definition."""
        return TranscriptTurn(self.role, mask(self.text), self.at, "" if self.role == "customer" else mask(self.name))


@dataclass(frozen=True, slots=True, repr=False)
class Transcript(_Unpicklable):
    """The turns of one conversation; a turn is known by its place, counted from 0."""

    turns: tuple[TranscriptTurn, ...]

    def __repr__(self):
        return f"<Transcript of {len(self.turns)} turns>"

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[TranscriptTurn]:
        return iter(self.turns)

    def __getitem__(self, turn: int) -> TranscriptTurn:
        return self.turns[turn]

    def masked(self) -> "Transcript":
        return Transcript(tuple(turn.masked() for turn in self.turns))

    def as_json(self) -> list[dict]:
        return [turn.as_json() for turn in self.turns]

    @classmethod
    def from_json(cls, turns: Iterable[dict]) -> "Transcript":
        """The inverse of as_json."""
        return cls(tuple(TranscriptTurn(**turn) for turn in turns))
