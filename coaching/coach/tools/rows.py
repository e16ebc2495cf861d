"""The rows a turn of the coach may see: those of its agent, and the transcripts it has read."""

import contextlib
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from coaching.coach.protocol import ToolError
from coaching.models import Message, Turn
from coaching.texts import risk
from coaching.texts.verbatim import Guard
from helpdesk import sources, transcripts
from helpdesk.models import Conversation, Rating


class Rows:
    """What belongs to the agent of one claimed turn. Every look-up of a tool goes through here.

    `guard` learns every body that is not ours to keep as it is read.
    """

    def __init__(self, turn: Turn, guard: Guard):
        self.turn = turn
        self.session = turn.session
        self.agent = turn.session.agent
        self.guard = guard
        self.question = turn.messages.get(role=Message.Role.USER)
        self.transcripts: dict[uuid.UUID, transcripts.Transcript] = {}
        self.shown: set[uuid.UUID] = set()  # whose transcripts the model has seen in this turn
        self.planted: set[str] = set()  # what was read in this turn that holds words like instructions to the coach

    def own(self, model: Any, pk: str) -> Any:
        row = model.objects.filter(agent=self.agent, pk=row_id(pk, model.KIND)).first()
        if row is None:
            raise ToolError(f"This agent has no such {model.KIND}.")
        return row

    def current(self, model: Any, pk: str, base_version: int) -> Any:
        row = self.own(model, pk)
        require_current(row, base_version)
        return row

    def conversation(self, pk: str | None) -> Conversation:
        if pk is None:
            if self.session.conversation is None:
                if self.session.about:
                    raise ToolError(
                        "This session is about several conversations. List them with find_conversations and in_session, "
                        "and give the id of one."
                    )
                raise ToolError(
                    "This session is not about one conversation. Find one with find_conversations and give its id."
                )
            pk = str(self.session.conversation_id)  # it may have been credited to another agent since
        row = self.agent.conversations.filter(pk=row_id(pk, "conversation")).first()
        if row is None:
            raise ToolError("This agent has no such conversation.")
        return row

    def guard_what_it_is_about(self) -> None:
        """Learn the body that this session is about before the first word of an answer: what was read in an earlier turn, or
        pasted by somebody, could be repeated without reading it again. Nothing where it cannot be read now.
        """
        about = self.session.conversation
        if about is not None and not about.is_ours:
            with contextlib.suppress(ToolError):
                self._fetched(about)

    def transcript(self, conversation: Conversation) -> transcripts.Transcript:
        """The transcript, read once per turn of the coach and kept in memory only."""
        transcript = self._fetched(conversation)
        if conversation.pk not in self.shown:
            self.shown.add(conversation.pk)
            for turn in transcript:
                self.note_planted("a conversation", [turn.text, turn.name or ""] if turn.role != "system" else [])
        return transcript

    def _fetched(self, conversation):
        if conversation.pk not in self.transcripts:
            try:
                transcript = sources.read(conversation)
            except transcripts.TranscriptUnavailable as error:
                raise ToolError(str(error)) from None
            self.transcripts[conversation.pk] = transcript
            if not conversation.is_ours:
                self.guard.know({number: turn.text for number, turn in enumerate(transcript)})
        return self.transcripts[conversation.pk]

    def note_planted(self, source: str, texts: Iterable[str], *, told: str = "") -> None:
        """Remember where words like instructions to the coach were read: what is proposed after them is looked at twice.

        What the texts repeat from `told`, a leader's message, does not count."""
        if source not in self.planted and any(risk.planted(text, told) for text in texts):
            self.planted.add(source)

    def texts(self, conversation: Conversation) -> dict[int, str]:
        return {number: turn.text for number, turn in enumerate(self.transcript(conversation))}

    def rating(self, conversation: Conversation) -> Rating | None:
        return Rating.objects.counting().filter(conversation=conversation).first()


def require_current(row: Any, base_version: int) -> None:
    if row.version != base_version:
        raise ToolError(
            f"The {row.KIND} is at version {row.version} now, not {base_version}. Read it again, then propose."
        )


def instant(given: str, name: str) -> datetime:
    """An ISO 8601 date or time as an instant; without a zone it is UTC."""
    try:
        day = parse_date(given)
        at = datetime(day.year, day.month, day.day) if day else parse_datetime(given)
    except ValueError:
        at = None
    if at is None:
        raise ToolError(f"{name} is not a date or time. Write it like 2027-01-31 or 2027-01-31T12:00:00Z.")
    return at if timezone.is_aware(at) else at.replace(tzinfo=UTC)


def row_id(given: str, kind: str) -> uuid.UUID:
    try:
        return uuid.UUID(given)
    except ValueError:
        raise ToolError(f"{given[:80]!r} is not the id of a {kind}.") from None
