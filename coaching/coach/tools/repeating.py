"""What the coach may not suggest again: what waits already, what a memory says already, what a person has rejected."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from agents.versions import fields_of
from coaching.actions import hygiene, proposals
from coaching.coach.protocol import ToolError, ToolResult
from coaching.coach.tools.rows import Rows
from coaching.hygiene import Relation
from coaching.models import Proposal, Turn
from coaching.texts.alike import Text

Type = Proposal.Type

REJECTED = 200  # rejections, the newest, that are looked at
NEAR_SHOWN = 10


class Repeating(Rows):
    """Finds what was there before, and refuses to say it again."""

    def near_memories(self, summary: str, known: Collection[str], text: str = "") -> list[dict[str, Any]]:
        """The agent's memories that say nearly this, expired ones too, without those in `known`; none where as many as are
        ever shown are known: there can be more than anybody could name."""
        now = timezone.now()
        found = {str(each.memory.pk): each for each in hygiene.near(self.agent, summary, text)}
        if len(found.keys() & set(known)) >= NEAR_SHOWN:
            return []
        return [_near(pk, each, now) for pk, each in found.items() if pk not in known][:NEAR_SHOWN]

    def with_contradictions(self, made: ToolResult, summary: str, text: str, besides: Any = None) -> ToolResult:
        """The result of a proposal, with the memories that what is proposed contradicts, without `besides`, its target."""
        found = hygiene.near(self.agent, summary, text, besides=[besides.pk] if besides else [])
        told = [
            {"memory": str(each.memory.pk), "summary": each.memory.summary, "why": each.why.reason}
            for each in found[:NEAR_SHOWN]
            if each.relation == Relation.CONTRADICTION
        ]
        return ToolResult(made.value | {"contradicts": told}, made.proposal) if told else made

    def refuse_near_memory(self, summary: str, known: Collection[str]) -> None:
        if near := self.near_memories(summary, known):
            raise ToolError(
                f"The memory base says nearly this already: {_told(near)}. Update that one, with a new expiry where it has "
                "expired; or, if yours is another fact, call again with these ids in different_from."
            )

    def refuse_waiting(
        self, kind: Type, target: Any, change: dict[str, Any], replaces: str | None, known: Collection[str]
    ) -> None:
        """While a proposal waits, the same is not added beside it, nor in one session another one for its target."""
        name, asked = Text(_name(change)), proposals.stored(change)
        for row in self.agent.proposals.pending().filter(type__startswith=kind.split("_")[0]).order_by("-created_at"):
            if str(row.pk) == replaces:
                continue
            same_kind = row.type == kind and row.target_id == (target.pk if target else None)
            if same_kind and all(row.change.get(field) == value for field, value in asked.items()):
                raise ToolError(f"The very same proposal waits for a decision already: {row.pk}. Nothing was added.")
            if row.session_id != self.session.pk:
                continue
            if target is not None and row.target_id == target.pk:
                raise ToolError(
                    f"This session has a proposal for the same {target.KIND} that waits: {row.pk} ({row.title!r}). To refine "
                    "it, or to add to it, give that id in replaces and the whole change, with what stays of the earlier one."
                )
            if row.type == kind == Type.PROCEDURE_CREATE and _name(row.change).casefold() == _name(change).casefold():
                raise ToolError(
                    f"This session has a new procedure of that name that waits: {row.pk}. To refine it, give that id in "
                    "replaces and the whole procedure."
                )
            if row.type == kind == Type.MEMORY_CREATE and str(row.pk) not in known and name.like(_titled(row)):
                raise ToolError(
                    f"A proposal of this session that waits says nearly this: {row.pk} ({row.title!r}). To refine it, give "
                    "that id in replaces; if yours is another fact, call again with it in different_from."
                )

    def refuse_second_run(
        self, made_before: Iterable[Proposal], kind: Type, target: Any, change: dict[str, Any], replaces: str | None
    ) -> None:
        """A question that is run again proposes nothing twice, even in other words."""
        name = Text(_name(change))
        for made in made_before:
            same_target = target is not None and made.target_id == target.pk
            if made.type != kind or replaces == str(made.pk):
                continue
            if same_target or (made.is_create and name.like(_titled(made))):
                raise ToolError(
                    f"The first run of this question proposed this already: {made.pk} ({made.status}). Do not repeat it; to "
                    "refine it, give its id in replaces."
                )

    def rejected_before(self, kind: Type, target: Any, change: dict[str, Any]) -> Proposal | None:
        """The newest proposal a person rejected that said the same, or, of memories, nearly the same."""
        rows = self.agent.proposals.filter(type=kind, status=Proposal.Status.REJECTED)
        if target is not None:
            rows = rows.filter(target_id=target.pk)
        base = fields_of(target) if target is not None else {}
        return next(
            (row for row in rows.order_by("-decided_at")[:REJECTED] if _same_again(row, kind, target, base, change)),
            None,
        )


def made_before(turn: Turn) -> Any:
    """What earlier runs of the same question proposed: this turn before its worker died, and the turns it retries."""
    same = [turn.pk]
    if turn.retry_of_id:
        same.append(turn.retry_of_id)
        same += Turn.objects.filter(retry_of=turn.retry_of_id).values_list("pk", flat=True)
    return Proposal.objects.filter(turn__in=same).order_by("created_at")


def _near(pk: str, near: hygiene.Near, now: datetime) -> dict[str, Any]:
    told: dict[str, Any] = {"memory": pk, "summary": near.memory.summary}
    if near.memory.expires_at and near.memory.expires_at <= now:
        told["expired"] = True
    if near.relation == Relation.CONTRADICTION:
        told["contradicts"] = near.why.reason
    return told


def _same_again(row: Proposal, kind: Type, target: Any, base: dict[str, Any], change: dict[str, Any]) -> bool:
    if kind.endswith("_delete"):
        return row.base_version == target.version  # what it says has not changed since somebody wanted to keep it
    if kind in (Type.MEMORY_CREATE, Type.MEMORY_UPDATE):
        if row.change.get("expires_at") != proposals.stored(change).get("expires_at", row.change.get("expires_at")):
            return False
        if kind == Type.MEMORY_UPDATE:
            return Text(_said(row.change)).claims(Text(_said(change)))
        return Text(_said(row.change)).claims(Text(_said(change))) or _titled(row).claims(Text(_name(change)))
    if kind == Type.PROCEDURE_CREATE:
        return row.change.get("content", "").split() == change.get("content", "").split()
    # The rest of the text has often moved on since; what counts is which lines come and which go.
    return _moved(row.base, row.change) == _moved(base, {**base, **change})


def _moved(before: dict[str, Any], after: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The lines that are new, and the lines that are gone."""
    old, new = ({line.strip() for value in fields.values() if isinstance(value, str) for line in value.splitlines()}
                for fields in (before, after))  # fmt: skip
    return new - old, old - new


def _said(change: dict[str, Any]) -> str:
    return f"{change.get('summary', '')}\n{change.get('text', '')}"


def _titled(row: Proposal) -> Text:
    return Text(_name(row.change))


def _name(change: dict[str, Any]) -> str:
    return change.get("summary") or change.get("name") or ""


def _told(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
