"""The tools that propose. Every rule that must hold whatever a model says holds here: quotes, focus, edits, repetition."""

import hashlib
import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from agents.models import Procedure
from coaching.actions import proposals
from coaching.coach.evidence import Edit, Quote, apply_edits, find_quote
from coaching.coach.protocol import ToolError, ToolResult
from coaching.coach.tools.repeating import Repeating, made_before
from coaching.coach.tools.rows import instant, require_current, row_id
from coaching.models import Proposal, Turn, TurnEvent
from coaching.talks import quick
from coaching.texts.verbatim import RUN, Guard
from helpdesk.models import Conversation
from memories.models import Memory

Type = Proposal.Type

QUOTES_SHOWN = 2_000  # characters of a quote that is kept, where the body is ours to keep


class Proposing(Repeating):
    """What the coach may suggest: one pending proposal a call, `proposal_limit` a turn."""

    def __init__(self, turn: Turn, guard: Guard, proposal_limit: int):
        super().__init__(turn, guard)
        self.proposal_limit = proposal_limit
        self.announced = {
            event.data.get("proposal") for event in TurnEvent.objects.filter(turn=turn, type=TurnEvent.Type.PROPOSAL)
        }
        self.made_before = list(made_before(turn))

    def propose_memory_entry_create(
        self,
        summary: str,
        text: str,
        expires_at: str | None = None,
        different_from: Iterable[str] = (),
        **why: Any,
    ) -> ToolResult:
        known = set(different_from)
        self.refuse_near_memory(summary, known)
        change = {"summary": summary, "text": text, "expires_at": _expiry(expires_at)}
        made = self._propose(Type.MEMORY_CREATE, change, known=known, **why)
        return self.with_contradictions(made, summary, text)

    def propose_memory_entry_update(
        self, memory: str, base_version: int, summary: str, text: str, **why: Any
    ) -> ToolResult:
        target = self.current(Memory, memory, base_version)
        change: dict[str, Any] = {"summary": summary, "text": text}
        if "expires_at" in why:
            change["expires_at"] = _expiry(why.pop("expires_at"))
        made = self._propose(Type.MEMORY_UPDATE, change, target=target, **why)
        return self.with_contradictions(made, summary, text, besides=target)

    def propose_memory_entry_delete(self, memory: str, base_version: int, **why: Any) -> ToolResult:
        return self._propose(Type.MEMORY_DELETE, {}, target=self.current(Memory, memory, base_version), **why)

    def propose_prompt_change(self, base_version: int, edits: list[dict[str, str]], **why: Any) -> ToolResult:
        prompt = self.agent.prompt
        prompt.refresh_from_db()
        require_current(prompt, base_version)
        changed = apply_edits(prompt.system_prompt, [Edit(**each) for each in edits])
        return self._propose(Type.PROMPT_CHANGE, {"system_prompt": changed}, target=prompt, **why)

    def propose_procedure_create(self, name: str, trigger: str, content: str, **why: Any) -> ToolResult:
        if self.agent.procedures.filter(name__iexact=name.strip()).exists():
            raise ToolError("The agent has a procedure of that name already. Update that one, or choose another name.")
        return self._propose(Type.PROCEDURE_CREATE, {"name": name, "trigger": trigger, "content": content}, **why)

    def propose_procedure_update(
        self, procedure: str, base_version: int, edits: list[dict[str, str]], **why: Any
    ) -> ToolResult:
        target = self.current(Procedure, procedure, base_version)
        change = {}
        for field in dict.fromkeys(each["field"] for each in edits):
            of_field = [Edit(each["old"], each["new"]) for each in edits if each["field"] == field]
            change[field] = apply_edits(getattr(target, field), of_field)
        return self._propose(Type.PROCEDURE_UPDATE, change, target=target, **why)

    def propose_procedure_delete(self, procedure: str, base_version: int, **why: Any) -> ToolResult:
        return self._propose(Type.PROCEDURE_DELETE, {}, target=self.current(Procedure, procedure, base_version), **why)

    def _propose(
        self,
        kind: Type,
        change: dict[str, Any],
        *,
        rationale: str,
        evidence: list[dict[str, Any]],
        target: Any = None,
        replaces: str | None = None,
        known: Collection[str] = (),
    ) -> ToolResult:
        """Check evidence, focus and wording, then store a pending proposal. Raises ToolError."""
        kept, quotes = self._evidence(evidence)
        self._keep_focus(quotes)
        for text in [rationale, *(value for value in change.values() if isinstance(value, str))]:
            if self.guard.finds_run(text):
                raise ToolError(
                    f"Say it in your own words: no {RUN} words in a row may be copied from this conversation."
                )
        fingerprint = self._fingerprint(kind, target, change)
        there = Proposal.objects.filter(session=self.session, fingerprint=fingerprint).first()
        rejected = None
        if there is None:
            refined = self._replaced(replaces)
            rejected = self.rejected_before(kind, target, change)
            if rejected is not None and not any("message" in item for item in kept):
                raise ToolError(_rejected(rejected))
            self.refuse_second_run(self.made_before, kind, target, change, replaces)
            self.refuse_waiting(kind, target, change, replaces, known)
            if Proposal.objects.filter(turn=self.turn).count() >= self.proposal_limit:
                raise ToolError(
                    f"One turn proposes at most {self.proposal_limit} changes. Stop here and say what is left."
                )
            there = self._store(kind, change, rationale, kept, quotes, target, refined, fingerprint)
        is_announced = str(there.pk) in self.announced
        self.announced.add(str(there.pk))
        told = {"proposal": str(there.pk), "status": there.status, "risk": there.risk_level}
        if rejected is not None:
            told["rejected_before"] = rejected.decision_note or "without a reason"
        return ToolResult(told, proposal=None if is_announced else str(there.pk))

    def _store(
        self,
        kind: Type,
        change: dict[str, Any],
        rationale: str,
        kept: list[dict[str, Any]],
        quotes: list[tuple[Conversation, Quote]],
        target: Any,
        refined: Proposal | None,
        fingerprint: str,
    ) -> Proposal:
        try:
            return proposals.create(
                self.agent,
                type=kind,
                rationale=rationale,
                change=change,
                target_id=target.pk if target else None,
                base_version=target.version if target else None,
                evidence=kept,
                told=self.question.text if any("message" in item for item in kept) else "",
                quotes=[quote.of(self.texts(conversation)) for conversation, quote in quotes],
                planted=sorted(self.planted),
                session=self.session,
                turn=self.turn,
                replaces=refined,
                fingerprint=fingerprint,
            )
        except ValidationError as error:
            raise ToolError(f"This cannot be proposed: {_in_words(error)}") from None
        except proposals.NotAPossibleTarget as error:
            raise ToolError(str(error)) from None
        except proposals.AlreadyDecided:
            raise ToolError(
                "The proposal to replace has just been decided. Read it again with earlier_proposals."
            ) from None

    def _evidence(self, given: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[tuple[Conversation, Quote]]]:
        """The evidence as it is stored, and the quotes in it with their conversations.

        Words are stored only where the body is ours to keep; otherwise turn, offsets and hash, to be read again.
        """
        kept: list[dict[str, Any]] = []
        quotes = []
        for item in given:
            if item.get("message"):
                self._require_told()
                kept.append({"message": str(self.question.pk)})
                continue
            conversation = self.conversation(item.get("conversation"))
            quote = find_quote(self.texts(conversation), item["quote"], item["turn"])
            quotes.append((conversation, quote))
            reference = {
                "conversation": str(conversation.pk),
                "turn": quote.turn,
                "start": quote.start,
                "end": quote.end,
                "sha256": quote.sha256,
            }
            if conversation.is_ours:
                reference["quote"] = quote.of(self.texts(conversation))[:QUOTES_SHOWN]
            kept.append(reference)
        return kept, quotes

    def _require_told(self) -> None:
        """The leader's message is evidence where it is the leader's: neither a suggestion of the coach nor a button's."""
        if self.question.suggested:
            raise ToolError(
                "This question is a suggestion of your own that the leader clicked, so it asks for no change. Quote a turn as "
                "evidence, or ask the leader to say it in their own words."
            )
        if quick.is_quick(self.question.text):
            raise ToolError("The leader's message only asks a question. Quote the turns that show what is to change.")

    def _keep_focus(self, quotes: list[tuple[Conversation, Quote]]) -> None:
        focus = set(self.question.focus)
        if not focus:
            return
        if not any(each.pk == self.session.conversation_id and quote.turn in focus for each, quote in quotes):
            raise ToolError(
                f"The question is about turn {', '.join(map(str, sorted(focus)))} only, and this proposal's evidence does not "
                "quote it. If it is another matter, do not propose it: mention it as a follow-up."
            )

    def _fingerprint(self, kind: Type, target: Any, change: dict[str, Any]) -> str:
        """What makes a proposal the same one when the same question is run again."""
        question = str(self.turn.retry_of_id or self.turn.pk)
        base = [str(target.pk), target.version] if target else []
        return hashlib.sha256(
            json.dumps([question, kind, base, change], sort_keys=True, default=str).encode()
        ).hexdigest()

    def _replaced(self, proposal: str | None) -> Proposal | None:
        if proposal is None:
            return None
        row = self.agent.proposals.filter(pk=row_id(proposal, "proposal")).first()
        if row is None:
            raise ToolError("There is no such proposal to replace. Look it up with earlier_proposals.")
        if row.status != Proposal.Status.PENDING:
            raise ToolError(
                f"That proposal is {row.status} and cannot be replaced. Propose a change of what is there now."
            )
        return row


def _rejected(row: Proposal) -> str:
    reason = f"with the reason {row.decision_note!r}" if row.decision_note else "without a reason"
    return (
        f"A person rejected this on {row.decided_at:%Y-%m-%d}, {reason} ({row.pk}: {row.title!r}). Do not propose it again "
        "unless the leader asks for it in their own message; say that it was rejected and why."
    )


def _expiry(given: str | None) -> datetime | None:
    return None if given is None else instant(given, "expires_at")


def _in_words(error: ValidationError) -> str:
    if hasattr(error, "error_dict"):
        return " ".join(f"{name}: {' '.join(words)}" for name, words in error.message_dict.items())
    return " ".join(error.messages)
