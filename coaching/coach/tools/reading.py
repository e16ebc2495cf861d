"""The tools that read."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Prefetch

from agents.models import Procedure
from coaching.actions import sessions
from coaching.coach.protocol import ToolError
from coaching.coach.tools.rows import Rows, instant
from coaching.csat.figures import said
from coaching.models import Message, Proposal
from helpdesk import transcripts
from helpdesk.models import Conversation, Rating
from memories.models import Memory
from memories.search.reading import search

Type = Proposal.Type

PAGE_TURNS = 200
PAGE_CHARACTERS = 60_000
TURN_CHARACTERS = 20_000
ITEMS, MOST_ITEMS = 20, 50  # of a list, where no limit is given, and at most


class Reading(Rows):
    """What the coach may look at, each answer a JSON value."""

    def read_prompt(self) -> dict[str, Any]:
        prompt = self.agent.prompt
        prompt.refresh_from_db()
        return {"version": prompt.version, "prompt": prompt.system_prompt}

    def search_memories(self, query: str, limit: int = 10) -> dict[str, Any]:
        hits = search(self.agent, query, limit=limit)
        return {"items": [{"memory": str(hit.id), "version": hit.version, "summary": hit.summary} for hit in hits]}

    def read_memory(self, memory: str) -> dict[str, Any]:
        return _memory(self.own(Memory, memory))

    def list_procedures(self) -> dict[str, Any]:
        rows = self.agent.procedures.order_by("name")
        return {"items": [_procedure(row, whole=False) for row in rows]}

    def read_procedure(self, procedure: str) -> dict[str, Any]:
        return _procedure(self.own(Procedure, procedure), whole=True)

    def read_conversation(
        self, conversation: str | None = None, first_turn: int = 0, last_turn: int | None = None
    ) -> dict[str, Any]:
        row = self.conversation(conversation)
        turns = self.transcript(row)
        end = len(turns) if last_turn is None else min(last_turn + 1, len(turns))
        page: list[dict[str, Any]] = []
        room = PAGE_CHARACTERS
        following = None
        for number in range(first_turn, end):
            shown = _shown(number, turns[number])
            if page and (len(page) == PAGE_TURNS or len(shown["text"]) > room):
                following = number
                break
            page.append(shown)
            room -= len(shown["text"])
        return {
            **_conversation(row, rating=self.rating(row)),
            "turn_count": len(turns),
            "turns": page,
            "next_turn": following,
        }

    def find_conversations(
        self,
        score_below: float | None = None,
        closed_after: str | None = None,
        limit: int | None = None,
        in_session: bool = False,
    ) -> dict[str, Any]:
        rows = self.agent.conversations.all()
        numbers: dict[Any, int] = {}
        if in_session:
            ids = sessions.members([self.session])[self.session.pk]
            if not ids:
                raise ToolError(
                    "This session is about no conversations. Leave in_session out to look among all of them."
                )
            numbers = {pk: number for number, pk in enumerate(ids, start=1)}
            rows = rows.filter(pk__in=ids)
        if score_below is not None:
            rows = rows.filter(ratings__counts=True, ratings__score_hundredths__lt=round(score_below * 100))
        if closed_after is not None:
            rows = rows.filter(closed_at__gte=instant(closed_after, "closed_after"))
        limit = limit or (MOST_ITEMS if in_session else ITEMS)
        counting = Prefetch("ratings", Rating.objects.counting(), to_attr="counting")
        newest = rows.order_by(F("closed_at").desc(nulls_last=True), "pk").prefetch_related(counting)
        found = sorted(newest, key=lambda row: numbers[row.pk])[:limit] if in_session else newest[:limit]
        items = []
        for row in found:
            item = _conversation(row, rating=row.counting[0] if row.counting else None)
            items.append({"number": numbers[row.pk], **item} if in_session else item)
        return {"items": items, "total": rows.count()}

    def earlier_proposals(self, status: str | None = None, limit: int = 20) -> dict[str, Any]:
        rows = self.agent.proposals.order_by("-created_at")
        if status is not None:
            rows = rows.filter(status=status)
        found = list(rows[:limit])
        self._note_planted(found)
        return {"items": [self._proposal(row) for row in found]}

    def _note_planted(self, rows: Iterable[Proposal]) -> None:
        """A rationale may repeat the leader's message that asked for the change: those words were planted by nobody."""
        ids = {item["message"] for row in rows for item in row.evidence if isinstance(item.get("message"), str)}
        said = {str(pk): message.text for pk, message in Message.objects.in_bulk(ids).items()}
        for row in rows:
            told = "\n".join(said.get(str(item.get("message")), "") for item in row.evidence)
            texts = [row.title, row.decision_note, *(row.change.values() if self._shows_change(row) else ())]
            self.note_planted("an earlier proposal", (text for text in texts if isinstance(text, str)))
            self.note_planted("an earlier proposal", [row.rationale], told=told)

    def _proposal(self, row: Proposal) -> dict[str, Any]:
        return {
            "proposal": str(row.pk),
            "type": row.type,
            "status": row.status,
            "title": row.title,
            "target": str(row.target_id) if row.target_id else None,
            "base_version": row.base_version,
            "change": row.change if self._shows_change(row) else {},
            "rationale": row.rationale,
            "reason": row.decision_note,
            "this_session": row.session_id == self.session.pk,
            "created_on": row.created_at.date().isoformat(),
        }

    def _shows_change(self, row: Proposal) -> bool:
        """A prompt is long: its change is told while it waits in this session, to be refined."""
        waits_here = row.session_id == self.session.pk and row.status == Proposal.Status.PENDING
        return waits_here or row.type in (Type.MEMORY_CREATE, Type.MEMORY_UPDATE)


def _memory(row: Memory) -> dict[str, Any]:
    expires_at = row.expires_at.isoformat() if row.expires_at else None
    return {
        "memory": str(row.pk), "version": row.version, "summary": row.summary, "text": row.text, "expires_at": expires_at,
    }  # fmt: skip


def _procedure(row: Procedure, *, whole: bool) -> dict[str, Any]:
    told = {
        "procedure": str(row.pk), "version": row.version, "name": row.name, "trigger": row.trigger, "active": row.active,
    }  # fmt: skip
    return {**told, "content": row.content} if whole else told


def _conversation(row: Conversation, *, rating: Rating | None) -> dict[str, Any]:
    return {
        "conversation": str(row.pk),
        "source": row.source,
        "status": row.status,
        "channel": row.channel,
        "closed_on": row.closed_at.date().isoformat() if row.closed_at else None,
        "csat": {"score": rating.score, "said": said(rating.value, rating.scale)} if rating else None,
        "turn_count": row.turn_count,
    }


def _shown(number: int, turn: transcripts.TranscriptTurn) -> dict[str, Any]:
    """A turn as the model sees it; a very long text is cut, and says so."""
    shown = {"turn": number, "role": turn.role, "text": turn.text[:TURN_CHARACTERS]}
    if turn.name:
        shown["name"] = turn.name
    if turn.at is not None:
        shown["at"] = datetime.fromtimestamp(turn.at / 1000, UTC).isoformat(timespec="seconds")
    if len(turn.text) > TURN_CHARACTERS:
        shown["cut_after"] = TURN_CHARACTERS
    return shown
