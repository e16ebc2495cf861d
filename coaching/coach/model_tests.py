"""A test of a workspace's model connection: the requests that a coach makes, small, and what their failure says."""

import logging
import time
from typing import Any

import httpx2
from django.utils import timezone

from agents import outbound, work
from coaching import llm
from coaching.actions import connections
from coaching.models import ModelTest

SECONDS = 30.0  # for the whole test
STALL_SECONDS = 15.0  # without any part of an answer
ATTEMPTS = 3
ANSWER_TOKENS = 1024

TOOL = {
    "name": "report_ready",
    "description": "Report that the connection works.",
    "input_schema": {
        "type": "object",
        "properties": {"ready": {"type": "boolean", "description": "Always true."}},
        "required": ["ready"],
        "additionalProperties": False,
    },
}

FINE = {
    "address": "A server that speaks the Messages API answers there.",
    "key": "The key is accepted.",
    "model": "The model is known there.",
    "effort": "The request is accepted as the coach makes it.",
    "answer": "The answer comes as a stream, and whole.",
    "tools": "The model uses tools.",
}
NAME_NOT_FOUND = "The name of the server was not found. Look at the spelling of the address."
REFUSED = "Nothing answers at this address and port. Is the server running, and is the port right?"
NO_ANSWER = "Nobody answered at this address in time. Is the address right, and can this machine reach it?"
TLS = (
    "The server's certificate was not accepted, or it does not speak TLS on this port. Use the name the certificate is made "
    "for, or have it renewed."
)
BROKEN = "The connection broke before an answer began. Is it an https server, and is it up?"
MOVED = "The server sends requests on to another address, which is not followed. Put in the address it leads to."
STRANGER = "Something answers there, but it is no server of the Messages API. Put in the address without /v1/messages."
KEY_WRONG = "The server does not accept the key (401). Put in a valid one."
KEY_EMPTY = "The account behind the key has no credit left (402). Add some, or put in another key."
KEY_LIMITED = "The key is not allowed to use this (403). See what the key may do, and from which networks."
MODEL_UNKNOWN = "The server does not know the model {model} (404). Look at its spelling, or leave it empty."
EFFORT_REFUSED = "This model does not take the effort “{effort}”. Choose another one, or leave it to the model."
REQUEST_REFUSED = (
    "The server refuses the request as the coach makes it ({status}). The model may lack something the coach needs: system "
    "prompt, streaming and prompt caching marks of the Messages API."
)
TOO_MANY = "The server takes no more requests with this key just now (429). Test again in a minute."
OVERLOADED = (
    "The model's service is overloaded just now ({status}). Nothing here needs to change; test again in a minute."
)
FAULT = "The server had a fault of its own ({status}). If it stays so, ask whoever runs it."
NO_STREAM = "The server answers, but not as a stream of events. The coach needs streaming."
CUT = (
    "The stream ended before the answer was whole. The connection broke, perhaps at a proxy between, or what the server streams "
    "is not the Messages API."
)
STALLED = (
    "The answer stopped coming for {seconds} seconds. Test again; if it stays so, the server is too slow for a coach."
)
UNREADABLE = "An answer came that cannot be read as one of the Messages API."
OUT_OF_TIME = (
    "The test was ended after {seconds} seconds, before the answer was whole. The server is too slow for a coach."
)
REFUSED_LATE = "The server ended its answer with an error. Test again; if it stays so, ask whoever runs it."
NO_TOOLS = "This model answers but does not use tools; the coach needs them. Choose another model."
TOOL_BROKEN = "The model calls a tool, but not with what the tool asks for. Choose another model."
LOST = "The worker that tested it was lost several times. Test again."

_BY_STATUS = {401: ("key", KEY_WRONG), 402: ("key", KEY_EMPTY), 403: ("key", KEY_LIMITED)}

log = logging.getLogger(__name__)


def run(test_id) -> ModelTest | None:
    """Do the test that is owed and store what came of it. Returns it, or None where it is not due or another worker has it.

    No transaction is open while the server is asked. A test ends after SECONDS, whatever the server does.
    """
    test = work.claim(ModelTest.objects.unfinished(), test_id)
    if test is None:
        return None
    try:
        _Test(test).run()
    except work.LeaseLost:
        log.info("The test %s was begun anew or taken over.", test.pk)
    except Exception as error:
        # Its words could hold what a server said: only its kind is kept.
        log.error("The test %s was interrupted by %s.", test.pk, type(error).__name__)
        _put_off(test, type(error).__name__)
    return ModelTest.objects.filter(pk=test.pk).first()


def _put_off(test, error):
    try:
        work.put_off(test, error=error)
    except work.LeaseLost:
        log.info("The test %s was begun anew or taken over.", test.pk)


class _Failed(Exception):
    """A check failed: its name and what to say. `proven` is how many checks before it this leaves no doubt about."""

    def __init__(self, check: str, sentence: str, *, proven: int | None = None):
        super().__init__(check)
        self.check, self.sentence = check, sentence
        self.proven = connections.CHECKS.index(check) if proven is None else proven


class _Test:
    def __init__(self, test: ModelTest):
        self.test = test
        self.told = [connections.tried(test.workspace)]
        self.connection = connections.of(test.workspace_id)
        self.witness = outbound.Witness()
        self.watch = llm.Watch(stall_seconds=STALL_SECONDS, deadline=time.monotonic() + SECONDS)
        self.passed: list[str] = []

    def run(self) -> None:
        self.keep()
        if self.test.attempts > ATTEMPTS:
            self.end(_Failed("address", LOST))
        elif self.connection.is_practice:  # it was disconnected since
            self.test.delete()
        else:
            self.end(self.try_all())

    def try_all(self) -> _Failed | None:
        try:
            with llm.client(self.connection, witness=self.witness) as client:
                first = self.ask_for_text(client)
                self.fine("address", "key", "model", "effort", "answer")
                self.ask_for_a_call(client)
                self.fine("tools")
        except _Failed as failed:
            return failed
        self.took = {"check": "took", "ms": first.usage.latency_ms, "tokens": first.usage.total_tokens}
        return None

    def ask_for_text(self, client) -> llm.Answer:
        try:
            return self.ask(client, self.request())
        except llm.ModelError as error:
            failed = self.failed(error)
        if failed.check == "effort" and self.connection.effort:
            self.fine("address", "key", "model")
            plain = self.request()
            del plain["output_config"]
            try:
                self.ask(client, plain)
            except llm.ModelError:
                raise failed from None
            raise _Failed("effort", EFFORT_REFUSED.format(effort=self.connection.effort))
        raise failed

    def ask_for_a_call(self, client) -> None:
        chosen = {"type": "tool", "name": TOOL["name"]}
        try:
            answer = self.ask(client, self.request(tools=[TOOL], tool_choice=chosen))
        except llm.ModelRefused:
            raise _Failed("tools", NO_TOOLS) from None
        except llm.ModelError as error:
            raise _Failed("tools", self.failed(error).sentence) from None
        if not answer.calls:
            raise _Failed("tools", NO_TOOLS)
        if answer.calls[0].name != TOOL["name"] or (answer.calls[0].input or {}).get("ready") is not True:
            raise _Failed("tools", TOOL_BROKEN)

    def request(self, **more: Any) -> dict[str, Any]:
        """A request with everything in it that the coach's have."""
        system = {
            "type": "text",
            "text": "This is a test of a connection. Answer with one word.",
            "cache_control": {"type": "ephemeral"},
        }
        return self.connection.request(
            max_tokens=ANSWER_TOKENS,
            system=[system],
            messages=[{"role": "user", "content": [{"type": "text", "text": "Are you there?"}]}],
            **more,
        )

    def ask(self, client, request) -> llm.Answer:
        return llm.ask(client, request, watch=self.watch)

    def failed(self, error: llm.ModelError) -> _Failed:
        """What the failure of the last request says, by what was seen of it."""
        seen = self.witness
        if seen.failure is not None or not seen.status:
            return _Failed("address", self.unreached(error))
        if 300 <= seen.status < 400:
            return _Failed("address", MOVED)
        if seen.status >= 400:
            return self.refused(seen)
        if seen.media_type != "text/event-stream":
            spoke = seen.media_type == "application/json"
            return _Failed("answer", NO_STREAM) if spoke else _Failed("address", STRANGER)
        return _Failed("answer", self.half_answered(error))

    def unreached(self, error: llm.ModelError) -> str:
        known: list[tuple[type[Exception], str]] = [
            (outbound.NameNotFound, NAME_NOT_FOUND),
            (outbound.NotTrusted, TLS),
            (httpx2.TimeoutException, NO_ANSWER),
            (httpx2.ConnectError, REFUSED),
        ]
        failure = self.witness.failure
        if isinstance(failure, outbound.NotCalled):
            return failure.sentence
        for kind, sentence in known:
            if isinstance(failure, kind):
                return sentence
        return NO_ANSWER if isinstance(error, llm.ModelStalled | llm.TimeIsUp) else BROKEN

    def refused(self, seen: outbound.Witness) -> _Failed:
        if seen.status in _BY_STATUS:
            return _Failed(*_BY_STATUS[seen.status])
        if seen.status in (404, 405):
            if seen.says_not_found:
                return _Failed("model", MODEL_UNKNOWN.format(model=self.connection.model_name))
            return _Failed("address", STRANGER)
        if seen.status == 429:
            return _Failed("answer", TOO_MANY, proven=1)
        if seen.status in (503, 529):
            return _Failed("answer", OVERLOADED.format(status=seen.status), proven=1)
        if seen.status >= 500:
            return _Failed("answer", FAULT.format(status=seen.status), proven=1)
        return _Failed("effort", REQUEST_REFUSED.format(status=seen.status))

    def half_answered(self, error: llm.ModelError) -> str:
        known: list[tuple[type[Exception], str]] = [
            (llm.TimeIsUp, OUT_OF_TIME.format(seconds=round(SECONDS))),
            (llm.ModelStalled, STALLED.format(seconds=round(STALL_SECONDS))),
            (llm.ModelUnreachable, CUT),
            (llm.AnswerBroken, UNREADABLE),
        ]
        return next((sentence for kind, sentence in known if isinstance(error, kind)), REFUSED_LATE)

    def fine(self, *checks: str) -> None:
        for check in checks:
            if check not in self.passed:
                self.passed.append(check)
                self.told.append({"check": check, "state": "ok", "sentence": FINE[check]})
        self.keep()

    def keep(self) -> None:
        """Show on the page how far the test is. Raises LeaseLost."""
        held = ModelTest.objects.unfinished().filter(pk=self.test.pk, claim=self.test.claim)
        if not held.update(checks=self.told):
            raise work.LeaseLost

    def end(self, failed: _Failed | None) -> None:
        """Store the whole result."""
        if failed is None:
            self.told.append(self.took)
        else:
            self.tell_rest(failed)
        work.settle(self.test, checks=self.told, finished_at=timezone.now())

    def tell_rest(self, failed: _Failed) -> None:
        at = connections.CHECKS.index(failed.check)
        for number, check in enumerate(connections.CHECKS):
            if check in self.passed:
                continue
            if number == at:
                told = {"state": "failed", "sentence": failed.sentence}
            elif number < failed.proven:
                told = {"state": "ok", "sentence": FINE[check]}
            else:
                told = {"state": "not_reached", "sentence": ""}
            self.told.append({"check": check, **told})
