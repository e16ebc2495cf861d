"""What became of agents after notes, kept as the sweep measures it: pages read it and measure nothing."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
from django.db.models.fields.json import KeyTextTransform

from coaching.csat import effects
from coaching.models import Note, NoteEffect
from coaching.trajectory import HISTORY_DAYS

# Of a note that is measured: what lies before it is still in the history.
OLDEST = timedelta(days=HISTORY_DAYS - effects.BEFORE_DAYS - 1)
PART = "part"  # the verdict of a note that belongs to the coaching an earlier one began


class Written(NamedTuple):
    """A note as far as it counts here. `first` is the note that began its spell, as stored; `seen` the day last taken in."""

    pk: UUID
    agent: UUID
    on: date
    archived: bool
    seen: date | None
    first: str | None

    @property
    def began(self) -> bool:
        """Whether it was stored as the first note of its spell."""
        return self.seen is not None and self.first is None


def measure(workspace, history, day):
    """Measure what is due of the workspace's notes as of `day` (a date); `history` is its daily.History up to that day.

    A note is looked at every week from the second to the twelfth after it, once all the days of that week are over. Notes of an
    agent within twelve weeks of the first are one spell of coaching: it is measured from that one, and the others refer to it.
    A note that was put away has no measurement, but whoever it was about is still nobody's control. Two queries where nothing
    is due, however many notes there are. Returns how many notes were measured.
    """
    NoteEffect.objects.filter(workspace=workspace, note__archived_at__isnull=False).delete()
    row_of = {agent: row for row, agent in enumerate(history.agents)}
    written = [note for note in _written(workspace, day) if note.agent in row_of]  # not of agents made a moment ago
    firsts = _firsts([note for note in written if not note.archived], day)
    parts = [
        (note, day, {"verdict": PART, "first": str(first.pk), "since": first.on.isoformat()})
        for note, first in firsts
        if first is not note and note.first != str(first.pk)
    ]
    due = [(note, seen) for note, first in firsts if first is note and (seen := _due(note, day))]
    _keep(workspace, [*parts, *_measured(history, row_of, written, due)])
    return len(due)


def _written(workspace, day):
    """Every note whose day lies in the history up to `day`, the oldest first."""
    since = datetime.combine(day - timedelta(days=HISTORY_DAYS), time(), workspace.zone)
    rows = Note.objects.filter(workspace=workspace, created_at__gte=since).order_by("created_at", "pk")
    zone = workspace.zone
    return [
        Written(pk, agent, created_at.astimezone(zone).date(), archived_at is not None, seen, first)
        for pk, agent, created_at, archived_at, seen, first in rows.values_list(
            "pk", "agent_id", "created_at", "archived_at", "effect__day", KeyTextTransform("first", "effect__result")
        )
    ]


def _firsts(notes, day):
    """(note, first note of its spell) of the notes young enough to be measured, the oldest first.

    Which spell an older one belongs to is no longer asked: it began one if it was stored so.
    """
    latest: dict[UUID, Written] = {}
    found = []
    for note in notes:
        first = latest.get(note.agent)
        if note.on < day - OLDEST:
            if note.began:
                latest[note.agent] = note
            continue
        if first is None or (note.on - first.on).days > effects.SPELL_DAYS:
            first = latest[note.agent] = note
        found.append((note, first))
    return found


def _due(note, day):
    """The last day of the look that is due, None where none is."""
    weeks = effects.weeks_since(note.on.toordinal(), day.toordinal() - 1)
    last = note.on + timedelta(days=7 * weeks)
    return last if weeks and not (note.began and note.seen >= last) else None


def _measured(history, row_of, written, due):
    """(note, last day taken in, result) of the notes whose look is `due`."""
    if not due:
        return []
    found = effects.measure(
        history.days,
        history.team,
        ([row_of[note.agent] for note in written], [note.on.toordinal() for note in written]),
        [row_of[note.agent] for note, _ in due],
        np.array([note.on.toordinal() for note, _ in due]),
        np.array([(last - note.on).days // 7 for note, last in due]),
    )
    return [(note, last, vars(effect)) for (note, last), effect in zip(due, found, strict=True)]


def _keep(workspace, found):
    NoteEffect.objects.bulk_create(
        [NoteEffect(workspace=workspace, note_id=note.pk, day=day, result=result) for note, day, result in found],
        update_conflicts=True,
        unique_fields=["note"],
        update_fields=["day", "result"],
        batch_size=1_000,
    )
