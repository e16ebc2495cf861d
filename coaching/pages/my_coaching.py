"""What somebody sees of their own coaching: their numbers, their samples, the notes that were shared with them.

Nothing here tells whether there are notes that were not shared: a note is as old as its being shared, and edited only if its
words were changed since.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from agents.models import Agent
from agents.paging import Paged, n_pages_of, page_asked
from coaching.actions.notes import UNREAD_WITHIN
from coaching.models import Note, Sample
from coaching.pages import drawer
from coaching.pages.sharing import as_shared

NOTES = 20  # on one page


def words_of(note) -> str:
    """A mark of the note's words, so that saying "I have read this" is about those that were shown. Not a version: that would
    count what the note's author does with it."""
    return hashlib.sha256(note.body.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Question:
    """What the address asks for. Values that mean nothing are taken as not given."""

    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        return cls(page=page_asked(query))

    def query(self, **changes):
        """The query string, with its question mark, after `changes`; empty for the first page."""
        page = changes.get("page", self.page)
        return f"?page={page}" if page > 1 else ""


@dataclass(frozen=True)
class SharedNote:
    """A note as it reads to the person it is about. `is_just` marks the one that was acted on a moment ago."""

    note: Note
    shared_at: datetime
    words_at: datetime
    words: str
    is_just: bool

    @property
    def edited_at(self) -> datetime | None:
        """When its words were changed last since it was shared; None where they never were."""
        return self.words_at if self.words_at > self.shared_at else None

    @property
    def may_take_back(self):
        """Whether "I have read this" can still be taken back."""
        return self.note.acknowledged_at is not None and self.note.acknowledged_at >= timezone.now() - UNREAD_WITHIN


@dataclass(frozen=True)
class MyCoaching(Paged):
    """The page of the member who is `agent`. `n_unread` counts the shared notes that wait for "I have read this".

    `n_pages` are pages of notes; `question.page` is the one that is shown.
    """

    question: Question
    n_pages: int

    agent: Agent
    standing: drawer.Standing
    samples: list[drawer.SampleLine]
    notes: list[SharedNote]
    n_notes: int
    n_unread: int

    @property
    def change(self):
        """Points from the four weeks before to the last four; None where either has too few ratings."""
        now, before = self.standing.csat, self.standing.before
        return now.mean - before.mean if now.enough and before.enough else None


def load(member, question, just=None):
    """The page for a member who is linked to an agent. `just` is the id of the note that was acted on a moment ago."""
    agent = member.agent
    shared = shared_notes(member)
    n_notes = shared.count()
    n_pages = n_pages_of(n_notes, NOTES)
    page = min(question.page, n_pages)
    newest = as_shared(shared).select_related("author__user", "sample__conversation").order_by("-shared_at", "pk")
    samples = Sample.objects.visible_to(member).kept().filter(agent=agent).select_related("conversation")
    return MyCoaching(
        question=Question(page),
        n_pages=n_pages,
        agent=agent,
        standing=drawer.standing(member, agent),
        samples=drawer.sample_lines(samples),
        notes=[
            SharedNote(note, note.shared_at, note.words_at, words=words_of(note), is_just=note.pk == just)
            for note in newest[(page - 1) * NOTES : page * NOTES]
        ],
        n_notes=n_notes,
        n_unread=unread_notes(member).count(),
    )


def shared_notes(member):
    """The notes that were shared with the agent who is the member: for leaders, too, only these."""
    return Note.objects.visible_to(member).current().filter(agent=member.agent_id, shared_with_agent=True)


def unread_notes(member):
    """Those of them that wait for "I have read this"."""
    return shared_notes(member).filter(acknowledged_at=None)
