"""Texts that a model drafts and code checks: what breaks the rules is asked for again once, then refused.

Half a text is none: an answer that was cut, or declined, is empty.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from coaching import llm, prompts
from coaching.texts.risk import links
from helpdesk.masking import personal_data_in

WHOLE = ("end_turn", "stop_sequence")


@dataclass(frozen=True)
class Drafter:
    """A model with the prompt it drafts by, and how long its answer may be and take. No transaction may be open where it
    is asked."""

    connection: llm.Connection
    prompt: str
    answer_tokens: int
    seconds: float
    stall_seconds: float

    def draft(self, told: str) -> str:
        """The one draft of a model whose words need no check."""
        return self._answer([told])

    def checked(self, told: str, faults_of: Callable[[str], list[str]]) -> str | None:
        """The first of two drafts without faults; None where both had some. Raises llm.ModelError."""
        said = [told]
        for _ in range(2):
            text = self._answer(said)
            faults = faults_of(text)
            if not faults:
                return text
            said = [told, text or "(nothing)", f"This breaks the rules: {' '.join(faults)} Write it again."]
        return None

    def _answer(self, said: list[str]) -> str:
        """The answer to a talk given as texts, the first of ours, the next of the model, and so on."""
        request = self.connection.request(
            max_tokens=self.answer_tokens,
            system=prompts.read(self.prompt),
            messages=[{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(said)],
        )
        watch = llm.Watch(self.stall_seconds, time.monotonic() + self.seconds)
        with llm.client(self.connection) as client:
            answer = llm.ask(client, request, watch=watch)
        return answer.text.strip() if answer.stop_reason in WHOLE else ""


def faults_of(text: str) -> list[str]:
    """What no draft may hold, in sentences; empty if it holds none of it."""
    faults = []
    if kinds := personal_data_in(text):
        faults.append(f"It holds personal data ({', '.join(kinds)}).")
    if links(text):
        faults.append("It holds a web address.")
    return faults
