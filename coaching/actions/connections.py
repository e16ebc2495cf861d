"""Which model a workspace's coach and summaries ask: read it, connect one, take it away, ask for a test.

What a test stores as `checks` is a list of objects. The first says what was tested, as `tried` gives it:

    {"check": "connection", "version", "base_url", "model", "effort"}     version 0: the environment's connection

then one for each name in CHECKS, in that order, once the test is through with it

    {"check", "state": "ok" | "failed" | "not_reached", "sentence"}       the sentence says what to do about a failure

and, where the model answered, the last says what that took

    {"check": "took", "ms", "tokens"}
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import outbound, work
from agents.access import Refusal, Right, require
from agents.history import save_next
from coaching import llm
from coaching.models import ModelConnection, ModelTest

GIVEN_UP = "It was given up before it came to a result."
CHECKS = ("address", "key", "model", "effort", "answer", "tools")
KEY_LIMIT = 1000  # characters
TAIL = 4
SHORT_KEY = 12  # under so many characters its end would give too much of a key away
HIDDEN = "····"  # the tail of a short key

KEY_MISSING = "Put in the key."
KEY_UNREADABLE = "The stored key cannot be read any more. Put it in again."
KEY_ELSEWHERE = "The stored key is for another address and is not sent to this one. Put in the key again."


class ChangedMeanwhile(Refusal):
    """Somebody else saved after the form was opened."""


class NotConnected(Refusal):
    """There is no connection of the workspace's own to take away, or no model to test."""


class AlreadyTested(Refusal):
    """The test has ended."""


def of(workspace_id) -> llm.Connection:
    """The workspace's own connection where it has a key, else the environment's; without any key the practice model."""
    own = ModelConnection.objects.filter(workspace=workspace_id).first()
    if own is not None and own.key:
        return llm.Connection(key=own.key, base_url=own.base_url, model=own.model, effort=own.effort, guarded=True)
    return from_environment()


def from_environment() -> llm.Connection:
    """What the operator has set for every workspace that has no connection of its own."""
    return llm.Connection(
        key=settings.ANTHROPIC_API_KEY,
        base_url=settings.ANTHROPIC_BASE_URL,
        model=settings.COACH_MODEL,
        effort=settings.COACH_EFFORT,
    )


def stored(workspace) -> ModelConnection:
    """The workspace's own connection; one of defaults with version 0, not stored, where it never had one."""
    return ModelConnection.objects.filter(workspace=workspace).first() or ModelConnection(
        workspace=workspace, version=0
    )


def is_unreadable(own: ModelConnection) -> bool:
    """Whether there is a key that none of FIELD_KEYS opens."""
    return bool(own.key_tail) and not own.key


def connect(workspace, *, by, key, base_url, model, effort, version) -> ModelConnection:
    """Make this the model of the workspace: a new version of its connection, with its author, and a test that a worker owes.

    An empty `key` keeps the stored one. `version` is the one that the change was typed against, 0 for none. Where it is so
    already it is tested, and no version made. Raises NotAllowed, ChangedMeanwhile, ValidationError.
    """
    require(by, Right.MANAGE_WORKSPACE)
    own = stored(workspace)
    key, changes = _checked(own, key, base_url, model, effort)
    if own.version != version:
        raise ChangedMeanwhile(
            "Somebody changed the connection while this page was open, so nothing was saved. What is stored now stands here."
        )
    if key:
        changes |= {"key": key, "key_tail": key[-TAIL:] if len(key) >= SHORT_KEY else HIDDEN}
    if any(getattr(own, name) != value for name, value in changes.items()):
        _store(own, changes, by)
    ask_for_test(workspace, by=by)
    return own


def disconnect(workspace, *, by, version) -> ModelConnection:
    """Forget the workspace's key; the environment's connection, or the practice model, counts from now on.

    Address, model and effort stay for the next time. Raises NotAllowed, NotConnected, ChangedMeanwhile.
    """
    require(by, Right.MANAGE_WORKSPACE)
    own = stored(workspace)
    if not own.key_tail:
        raise NotConnected("This workspace has no connection of its own any more.")
    if own.version != version:
        raise ChangedMeanwhile("Somebody changed the connection while this page was open. Nothing was taken away.")
    _store(own, {"key": "", "key_tail": ""}, by)
    ModelTest.objects.unfinished().filter(workspace=workspace).delete()
    return own


def ask_for_test(workspace, *, by) -> ModelTest:
    """A test that a worker owes; the one that waits or runs where there is one, which begins anew if it was testing what does
    not count any more. Raises NotAllowed, NotConnected.
    """
    require(by, Right.MANAGE_WORKSPACE)
    if of(workspace.pk).is_practice:
        raise NotConnected("There is nothing to test: the practice model is part of Touchline.")
    try:
        return _asked(workspace, by)
    except IntegrityError:
        waiting = ModelTest.objects.unfinished().filter(workspace=workspace).first()
        if waiting is None:  # it ended between the two looks
            return _asked(workspace, by)
    if waiting.checks and waiting.checks[0] != tried(workspace):
        anew = {"checks": [], "next_try_at": timezone.now(), "attempts": 0, "claim": None, "claimed_until": None}
        ModelTest.objects.unfinished().filter(pk=waiting.pk).update(**anew)
        waiting.refresh_from_db()
    return waiting


def give_up(test, *, by=None) -> ModelTest:
    """Let a test that waits for its next try end without a result; `by` is None for operators.

    Raises NotAllowed, AlreadyTested.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    told = [test.checks[0] if test.checks else tried(test.workspace)]
    fault = {"check": CHECKS[0], "state": "failed", "sentence": GIVEN_UP}
    if not work.drop(test, finished_at=timezone.now(), checks=[*told, fault]):
        raise AlreadyTested("This test has ended already, or a worker is at it this moment.")
    return test


def _asked(workspace, by):
    with transaction.atomic():
        return ModelTest.objects.create(workspace=workspace, asked_by=by)


def tried(workspace) -> dict:
    """What a test that began now would test: the first of its checks."""
    own = stored(workspace)
    if own.key:
        return _named(own.version, own.base_url, own.model, own.effort)
    given = from_environment()
    return _named(0, given.base_url, given.model, given.effort)


def _named(version, base_url, model, effort):
    return {"check": "connection", "version": version, "base_url": base_url, "model": model, "effort": effort}


def _store(own, changes, by):
    """Keep `changes` as the version after the one that was read. Raises ChangedMeanwhile."""
    if not save_next(own, by=by, **changes):
        raise ChangedMeanwhile(
            "Somebody else saved in this very moment, so nothing of yours was. Look at what is stored now."
        )


def _checked(own, key, base_url, model, effort):
    """(the new key or "", {field: value}). Raises ValidationError with every field that is wrong."""
    wrong: dict[str, str | list[str]] = {}
    model = model.strip()
    address = own.base_url
    try:
        address = _address(base_url)
    except ValidationError as refusal:
        wrong["base_url"] = refusal.messages
    key = "".join(key.split())  # what is pasted comes with blanks and line breaks
    if len(key) > KEY_LIMIT or not all("!" <= letter <= "~" for letter in key):
        wrong["key"] = "This is not a key: keys are letters, digits and signs without accents, at most 1,000 of them."
    elif not key:
        if not own.key_tail:
            wrong["key"] = KEY_MISSING
        elif is_unreadable(own):
            wrong["key"] = KEY_UNREADABLE
        elif _server(address) != _server(own.base_url):
            wrong["key"] = KEY_ELSEWHERE
    if len(model) > 100 or not all("!" <= letter <= "~" for letter in model):
        wrong["model"] = "This is not the name of a model: names have no blanks, and at most 100 characters."
    if effort and effort not in ModelConnection.Effort.values:
        wrong["effort"] = f"Unknown effort. Known: {', '.join(ModelConnection.Effort.values)}."
    if wrong:
        raise ValidationError(wrong)
    return key, {"base_url": address, "model": model, "effort": effort}


def _address(typed):
    """The address without the path of the Messages API itself, which is added to it on each call. Raises ValidationError."""
    address = outbound.cleaned(typed)
    for ending in ("/messages", "/v1"):
        address = address.removesuffix(ending)
    return "" if address == llm.ANTHROPIC else address


def _server(base_url):
    """What a key belongs to: scheme, name and port of an address."""
    parts = urlsplit(base_url or llm.ANTHROPIC)
    return parts.scheme, parts.hostname, parts.port or outbound.PORTS[parts.scheme]
