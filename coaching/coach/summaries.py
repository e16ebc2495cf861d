"""Summaries of worst-rated conversations: one to three sentences that a model writes and code checks.

The body is in memory only while this runs. What comes out holds no run of it and no identifier of a person; what a
model writes against these rules is asked for again once, then refused.
"""

import json
import re
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

import anthropic
from django.conf import settings

from coaching import llm, prompts
from coaching.models import Sample
from coaching.texts.risk import links
from coaching.texts.verbatim import RUN, shares_run
from helpdesk.masking import personal_data_in
from helpdesk.transcripts import Transcript
from memories.actions import ABBREVIATIONS, SENTENCE_END

LONGEST = 600  # characters
MOST_SENTENCES = 3
ANSWER_TOKENS = 400
BODY_CHARACTERS = 200_000
TURN_CHARACTERS = 2_000
WHOLE = ("end_turn", "stop_sequence")

State = Sample.Summary


@dataclass(frozen=True)
class Summary:
    """The text of a summary and the state of the sample it makes: captured, metadata, or refused with no text."""

    text: str
    state: State


@dataclass(frozen=True)
class _Model:
    client: anthropic.Anthropic
    connection: llm.Connection


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
    with llm.client(connection) as client:
        model = _Model(client, connection)
        if connection.is_practice:
            return Summary(_ask(model, [json.dumps(known)]), State.METADATA)
        return _written(model, transcript, known)


def _written(model: _Model, transcript: Transcript, known: dict[str, Any]) -> Summary:
    asked = [json.dumps({**known, "conversation": _shown(transcript)}, ensure_ascii=False)]
    body = "\n".join(turn.text for turn in transcript)
    for _ in range(2):
        text = _ask(model, asked)
        faults = faults_of(text, body)
        if not faults:
            return Summary(text, State.CAPTURED)
        asked = [asked[0], text or "(nothing)", f"This breaks the rules: {' '.join(faults)} Write it again."]
    return Summary("", State.REFUSED)


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
    if kinds := personal_data_in(text):
        faults.append(f"It holds personal data ({', '.join(kinds)}).")
    if links(text):
        faults.append("It holds a web address.")
    if shares_run(text, body):
        faults.append(f"It copies {RUN} or more words in a row.")
    return faults


def _ask(model: _Model, said: list[str]) -> str:
    """One answer to a talk given as texts, the first of ours, the next of the model, and so on; empty where the model
    declined or was cut, for half a summary is none."""
    request = model.connection.request(
        max_tokens=ANSWER_TOKENS,
        system=prompts.read("summary"),
        messages=[{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(said)],
    )
    watch = llm.Watch(settings.COACH_STALL_SECONDS, time.monotonic() + settings.COACH_TURN_SECONDS)
    answer = llm.ask(model.client, request, watch=watch)
    return answer.text.strip() if answer.stop_reason in WHOLE else ""
