"""What happened at a helpdesk, told without any vendor's words, so that all vendors can be asked about the same."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    email: str = ""
    is_bot: bool = False


@dataclass(frozen=True)
class Said:
    """`role` is customer, agent, note (internal) or system."""

    role: str
    text: str
    at: datetime
    person: str = ""


@dataclass(frozen=True)
class Answer:
    """A customer's rating; `happy` is 1.0 for the best the vendor's scale has and 0.0 for the worst."""

    id: str
    happy: float
    at: datetime
    person: str = ""


@dataclass(frozen=True)
class Talk:
    """One conversation; `assignee` is "" for nobody."""

    id: str
    opened_at: datetime
    closed_at: datetime | None
    assignee: str = ""
    said: tuple[Said, ...] = ()
    answer: Answer | None = None
    updated_at: datetime | None = None

    def answered(self, **changes) -> "Talk":
        """The same with its rating changed."""
        return replace(self, answer=replace(self.answer, **changes), updated_at=changes.get("at", self.updated_at))


@dataclass
class World:
    people: list[Person] = field(default_factory=list)
    talks: dict[str, Talk] = field(default_factory=dict)

    def add(self, *talks: Talk) -> None:
        self.talks |= {talk.id: talk for talk in talks}

    def answered(self) -> list[Talk]:
        """The rated ones, oldest rating first."""
        return sorted((t for t in self.talks.values() if t.answer), key=lambda t: (t.answer.at, t.id))


def talk(number: int, *, person: str = "11", happy: float | None = 0.0, at: datetime | None = None, words="") -> Talk:
    """A small conversation: a question, a note, an answer; rated unless `happy` is None."""
    closed = at or NOON + timedelta(minutes=number)
    opened = closed - timedelta(hours=1)
    said = (
        Said("customer", f"Where is my order {number}? {words}".strip(), opened),
        Said("note", f"Internal: look at order {number}. {words}".strip(), opened + timedelta(minutes=5), person),
        Said("agent", f"It is on its way, number {number}. {words}".strip(), opened + timedelta(minutes=10), person),
    )
    answer = None if happy is None else Answer(str(900_000 + number), happy, closed, person)
    return Talk(str(1_000 + number), opened, closed, person, said, answer, updated_at=closed)


def small_world(n: int = 7) -> World:
    """Three people, one of them a bot, and `n` rated conversations that go round among them, one a minute from NOON."""
    people = [
        Person("11", "Ada", "ada@desk.example"),
        Person("12", "Brook", "brook@desk.example"),
        Person("13", "Helper bot", "", is_bot=True),
    ]
    world = World(people)
    world.add(*(talk(i, person=people[i % 3].id, happy=float(i % 2)) for i in range(n)))
    return world
