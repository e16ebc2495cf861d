"""What to talk about in a 1:1 on a flag: five points, drafted once from the summaries of its samples, never from bodies.

The workspace's model drafts and code checks. What breaks the rules is asked for once more; after that, and where no model can be
reached, the practice model drafts from the numbers alone, and the agenda says so.
"""

import json
import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents.models import Agent
from coaching import llm
from coaching.actions import connections
from coaching.coach import drafts
from coaching.models import Agenda, Flag, Sample
from coaching.practice.agendas import AN_AI
from coaching.texts.risk import planted
from memories.actions import ABBREVIATIONS, SENTENCE_END

POINTS = 5
LONGEST = 200  # characters of a point
PATIENCE = timedelta(minutes=10)  # since the flag was raised: for so long its samples are waited for
MOST_SUMMARIES = 20
ANSWER_TOKENS = 600
SECONDS = 45.0  # for one draft
STALL_SECONDS = 20.0
MARK = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
State = Sample.Summary


def of(flag: Flag) -> Agenda | None:
    """The agenda of the flag, where it was drafted."""
    return Agenda.objects.filter(flag=flag).first()


def is_to_come(flag: Flag) -> bool:
    """Whether an agenda is worth waiting for: summaries of the flag's samples are on their way."""
    if flag.status != Flag.Status.OPEN or timezone.now() - flag.opened_at >= PATIENCE:
        return False
    return Sample.objects.kept().filter(flag=flag, summary_state=State.PENDING).exists()


def heading(agent: Agent) -> str:
    """What the points are for."""
    return "To go through with its coach" if agent.is_ai else "For your 1:1"


def drafted_words(agenda: Agenda) -> str:
    """Who drafted it, as people are told."""
    if agenda.drafted_by == llm.PRACTICE_MODEL:
        return "Agenda from the numbers alone: no model wrote it"
    return f"Agenda drafted by {agenda.drafted_by}"


def draft(flag: Flag) -> Agenda:
    """Draft the agenda and keep it. The one that is there first stays. No transaction may be open: a model may be asked."""
    known = known_of(flag)
    connection = connections.of(flag.workspace_id)
    said, drafted_by = None, connection.model_name
    if not connection.is_practice:
        try:
            said = _drafter(connection).checked(json.dumps(known, ensure_ascii=False), faults_of)
        except llm.ModelError:
            said = None
    if said is None:
        practice = llm.Connection()
        said, drafted_by = _drafter(practice).draft(json.dumps(known)), practice.model_name
    agenda, _ = Agenda.objects.get_or_create(
        flag=flag, defaults={"workspace_id": flag.workspace_id, "points": _points(said), "drafted_by": drafted_by[:100]}
    )
    return agenda


def known_of(flag: Flag) -> dict[str, Any]:
    """What whoever drafts is told: the flag's numbers and the summaries, no name and no body."""
    e = flag.evidence
    samples = Sample.objects.kept().filter(agent=flag.agent_id).order_by("score_hundredths", "pk")
    summarised = samples.filter(summary_state=State.CAPTURED)[:MOST_SUMMARIES]
    numbers = {
        key: e.get(key) for key in ("ratings", "observed", "expected", "weeks", "weeks_below", "weeks_rated", "scale")
    }
    return {
        "flag": {
            "raised": flag.get_kind_display().lower(),
            "agent": AN_AI if flag.agent.is_ai else "a person",
            "reason": flag.reason,
            "cause": flag.get_cause_display() if flag.cause else None,
            **(numbers if e else {}),
        },
        "samples": {"kept": samples.count(), "channels": _channels(samples)},
        "summaries": [one.summary for one in summarised],
    }


def _channels(samples) -> list[str]:
    found = samples.exclude(conversation__channel="").order_by().values_list("conversation__channel", flat=True)
    return sorted(set(found))


def _drafter(connection: llm.Connection) -> drafts.Drafter:
    return drafts.Drafter(connection, "agenda", ANSWER_TOKENS, SECONDS, STALL_SECONDS)


def faults_of(said: str) -> list[str]:
    """What keeps a draft from being kept, in sentences; empty if nothing does."""
    points, faults = _points(said), []
    if len(points) != POINTS:
        faults.append(f"It is not {POINTS} lines of one point each.")
    if any(len(point) > LONGEST for point in points):
        faults.append(f"A point is longer than {LONGEST} characters.")
    if any(SENTENCE_END.search(ABBREVIATIONS.sub("", point)) for point in points):
        faults.append("A point is more than one sentence.")
    faults += drafts.faults_of(said)
    if planted(said):
        faults.append("It holds words like instructions to whoever reads it.")
    return faults


def _points(said: str) -> list[str]:
    lines = (MARK.sub("", line).strip() for line in said.splitlines())
    return [line for line in lines if line]
