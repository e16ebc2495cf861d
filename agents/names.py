"""What somebody or something is called: one line in which something shows. And how several of one name are told apart."""

import unicodedata
import uuid
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from django.core.exceptions import ValidationError

# Marks that scripts and emoji are written with; all others of their kind hide, or turn around what stands beside them.
WRITTEN = frozenset("\u061c\u200c\u200d\u200e\u200f") | {chr(code) for code in range(0xE0020, 0xE0080)}
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing
NOTHING_SHOWS = "Nothing of this name can be seen."
HIDES = "A name has no control characters in it."


def in_one_line(name: str) -> str:
    """A name as it is kept: line breaks in it could pretend to be something else in a mail or a list."""
    return " ".join(name.split())


def shows(text: str) -> bool:
    """Whether anything of a text can be seen: blanks and invisible characters alone cannot."""
    return any(sign.isprintable() and not sign.isspace() and sign not in BLANK for sign in text)


@lru_cache(maxsize=4_096)
def fault(name: str) -> str:
    """Why a name that is not empty will not do, as a sentence; "" where it will."""
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Cs") and sign not in WRITTEN for sign in name):
        return HIDES
    return "" if not name or shows(name) else NOTHING_SHOWS


def check(name: str, field: str = "name") -> None:
    """Raise ValidationError, beside `field`, unless the name will do. That one is needed is for others to say."""
    if why := fault(name):
        raise ValidationError({field: why})


def labels(rows: Iterable[tuple[uuid.UUID, str, str | None]]) -> list[str]:
    """A label for each (id, name, team), no two alike: where several have the name, with its team or the beginning of its id."""
    rows = list(rows)
    names = Counter(name for _, name, _ in rows)
    teams = Counter((name, team) for _, name, team in rows)
    return [
        name if names[name] == 1 else f"{name} ({team if team and teams[name, team] == 1 else str(pk)[:8]})"
        for pk, name, team in rows
    ]


class AmbiguousAgent(Exception):
    """The name fits several agents; `candidates` are they, or those of them that whoever asks may see."""

    def __init__(self, name: str, candidates: list):
        super().__init__(f"{len(candidates)} agents are called {name}. Use an id.")
        self.name, self.candidates = name, candidates

    @property
    def with_ids(self) -> str:
        """The same in one sentence that holds the ids, for who is told nothing beside it."""
        return f"Several agents are called {self.name}; use one of the ids {', '.join(str(one.pk) for one in self.candidates)}."
