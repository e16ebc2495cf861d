"""What can be done to memories. Every door calls these; versions, numbers and the log are made by agents.actions, which also
removes and restores them, as it does procedures."""

import re
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents import actions as configuration
from agents import names
from memories.models import SUMMARY_LIMIT, Memory

ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|etc|approx|no|vs|mr|mrs|ms|dr|st|a\.m|p\.m)\.", re.IGNORECASE)
A_DAY = timedelta(days=1)
SENTENCE_END = re.compile(r"[.!?…؟।]+[\"'”’)\]]*\s+(?=\S)|[。！？｡]+\s*(?=[^\s。！？｡」』”’）])")


def create(agent, *, by, door, source=Memory.Source.MANUAL, reason="", proposal=None, id=None, **fields):
    """Add an entry (summary, text, expires_at) to an AI agent's memory base. Raises NotAllowed, ValidationError."""
    memory = Memory(workspace_id=agent.workspace_id, agent=agent, source=source, **checked(fields))
    if id is not None:
        memory.id = id
    return configuration.create(memory, by=by, door=door, reason=reason, proposal=proposal)


def revise(memory, *, changes, base_version, by, door, reason="", proposal=None, reverts=None):
    """A new version with `changes` of summary, text, expires_at; `reverts` as in agents.actions.revise.

    Raises NotAllowed, versions.Conflict, ValidationError.
    """
    unchanged_expiry = "expires_at" in changes and changes["expires_at"] == memory.expires_at
    return configuration.revise(
        memory, changes=checked(changes, past_expiry_is_fine=unchanged_expiry), base_version=base_version, by=by, door=door,
        reason=reason, proposal=proposal, reverts=reverts,
    )  # fmt: skip


def mark_served(agent_id, ids, at):
    """Note that the agent was given these of its memories at `at`, or now if that lies ahead: to the day, and no version.

    Nothing is written for those that were noted within the day before, nor for ids that are no memory of it. A search does
    not wait for whoever is changing one: False then, and it can be called again.
    """
    at = min(at, timezone.now())
    unnoted = Q(last_served_at=None) | Q(last_served_at__lt=at - A_DAY)
    rows = Memory.objects.filter(unnoted, agent_id=agent_id, pk__in=ids)
    n_unnoted = rows.count() if ids else 0  # reading takes no lock, and most of the time there is nothing to write
    if not n_unnoted:
        return True
    with transaction.atomic():
        free = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
        Memory.objects.filter(pk__in=free).update(last_served_at=at)
    return len(free) >= n_unnoted


def checked(fields, *, past_expiry_is_fine=False):
    """The fields, trimmed, if they make a memory. Raises ValidationError that names the field and the rule."""
    fields = dict(fields)
    if "summary" in fields:
        fields["summary"] = summary = " ".join((fields["summary"] or "").split())
        if not names.shows(summary):
            raise ValidationError(
                {"summary": "A memory needs a summary: one sentence, worded as somebody would search for it."}
            )
        if len(summary) > SUMMARY_LIMIT:
            raise ValidationError({"summary": f"A summary is one sentence of at most {SUMMARY_LIMIT} characters."})
        if SENTENCE_END.search(ABBREVIATIONS.sub("", summary)):
            raise ValidationError({"summary": "A summary is one sentence; the rest belongs in the text."})
    if "text" in fields:
        fields["text"] = (fields["text"] or "").strip()
    expires_at = fields.get("expires_at")
    if expires_at is not None and not past_expiry_is_fine:
        now = timezone.now()
        if expires_at <= now:
            raise ValidationError({"expires_at": "An expiry lies ahead."})
        if expires_at.year > now.year + 10:
            raise ValidationError({"expires_at": "An expiry lies within ten years."})
    return fields
