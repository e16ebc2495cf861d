"""Summaries of worst-rated conversations: one to three sentences that a model writes and code checks.

The body is in memory only while this runs. What comes out holds no run of it and no identifier of a person; what a
model writes against these rules is asked for again once, then refused.
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings

from coaching import llm
from coaching.coach import drafts
from coaching.models import Sample
from coaching.texts.verbatim import RUN, shares_run
from helpdesk.transcripts import Transcript
from memories.actions import ABBREVIATIONS, SENTENCE_END

LONGEST = 600  # characters
MOST_SENTENCES = 3
ANSWER_TOKENS = 400
BODY_CHARACTERS = 200_000
TURN_CHARACTERS = 2_000

State = Sample.Summary


@dataclass(frozen=True)
class Summary:
    """The text of a summary and the state of the sample it makes: captured, metadata, or refused with no text."""

    text: str
    state: State


def write(
    transcript: Transcript,
    connection: llm.Connection,
    *,
    channel: str = "",
    closed_on: date | None = None,
    score: float | None = None,
) -> Summary:
    """Summarise a conversation from its transcript and metadata; `score` is 0 to 100.

    The practice model is not shown the transcript: it writes one sentence from the metadata. Raises llm.ModelError where
    no model answers; then the sample stays pending.
    """
    known = {
        "channel": channel,
        "closed_on": closed_on.isoformat() if closed_on else None,
        "score": score,
        "turns": len(transcript),
    }
    drafter = drafts.Drafter(
        connection, "summary", ANSWER_TOKENS, settings.COACH_TURN_SECONDS, settings.COACH_STALL_SECONDS
    )
    if connection.is_practice:
        return Summary(drafter.draft(json.dumps(known)), State.METADATA)
    body = "\n".join(turn.text for turn in transcript)
    told = json.dumps({**known, "conversation": _shown(transcript)}, ensure_ascii=False)
    text = drafter.checked(told, lambda drafted: faults_of(drafted, body))
    return Summary("", State.REFUSED) if text is None else Summary(text, State.CAPTURED)


def _shown(transcript: Transcript) -> list[dict[str, Any]]:
    """The turns as the model sees them; of a very long conversation the first and the last."""
    shown = [{"role": turn.role, "text": turn.text[:TURN_CHARACTERS]} for turn in transcript]
    most = BODY_CHARACTERS // TURN_CHARACTERS
    return shown if len(shown) <= most else [*shown[: most // 2], *shown[-most // 2 :]]


def faults_of(text: str, body: str) -> list[str]:
    """What keeps a summary from being stored, in sentences; empty if nothing does."""
    faults = []
    sentences = [each for each in SENTENCE_END.split(ABBREVIATIONS.sub("", text).strip()) if re.search(r"\w", each)]
    if not 1 <= len(sentences) <= MOST_SENTENCES or "\n" in text.strip():
        faults.append(f"It is not one to {MOST_SENTENCES} sentences of plain text.")
    if len(text) > LONGEST:
        faults.append(f"It is longer than {LONGEST} characters.")
    faults += drafts.faults_of(text)
    if shares_run(text, body):
        faults.append(f"It copies {RUN} or more words in a row.")
    return faults
