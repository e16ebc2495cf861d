"""How a conversation is opened in its helpdesk: patterns, what they may be, and the link made from one.

A pattern is an http or https address with names in braces, such as `https://{subdomain}.desk.example/tickets/{id}`. The
values are percent-encoded, so that none can leave its place in the address.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from agents import history
from agents.access import Right, require
from helpdesk.models import Conversation, DeepLink

LONGEST = 500  # characters of a pattern, and of a link
PLACE = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,39})\}")
HOST_LABELS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
NOT_IN_AN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f\\<>\"^`|]")
ID = "id"
MOST_KEYS = 20


class NotAPattern(ValueError):
    """The pattern cannot be used; the message says why."""


def check(pattern: str, *, needs: str = "") -> None:
    """Raise NotAPattern, with the reason, unless the pattern is usable. `needs` names a place that must be in it."""
    if len(pattern) > LONGEST:
        raise NotAPattern(f"A pattern has at most {LONGEST} characters.")
    if NOT_IN_AN_ADDRESS.search(pattern):
        raise NotAPattern("A pattern holds no spaces, line breaks, backslashes, quotes or angle brackets.")
    bare = PLACE.sub("x", pattern)
    if "{" in bare or "}" in bare:
        raise NotAPattern("What stands in braces is a name of letters, digits and _, such as {id}.")
    if not re.match(r"https?://", pattern):
        raise NotAPattern("A pattern begins with https:// or http://.")
    host = _host(bare)
    if host is None:
        raise NotAPattern("A pattern names a host, and no user or password.")
    if ID in PLACE.findall(_authority(pattern)):
        raise NotAPattern("{id} comes from conversations, so it cannot be part of the host.")
    if needs and needs not in PLACE.findall(pattern):
        raise NotAPattern(f"A pattern says with {{{needs}}} where the id belongs.")


def render(pattern: str, values: Mapping[str, str]) -> str:
    """The address with each name in braces replaced by its value, percent-encoded.

    Empty where the pattern is empty, a value is missing, or what came out is not an address that can be opened.
    """
    names = PLACE.findall(pattern)
    if not pattern or not all(values.get(name) for name in names):
        return ""
    # In the host nothing can be encoded: a value there must be one plain label.
    if not all(HOST_LABELS.fullmatch(values[name]) for name in PLACE.findall(_authority(pattern))):
        return ""
    if any(values[name] in (".", "..") for name in names):
        return ""  # browsers take these for steps up, even encoded
    link = PLACE.sub(lambda place: quote(values[place[1]], safe=""), pattern)
    return link if len(link) <= LONGEST and _host(link) else ""


def conversation_url(conversation: Conversation) -> str:
    """The link that opens the conversation in its helpdesk; empty where no pattern is set or a value is missing."""
    link = DeepLink.objects.filter(workspace=conversation.workspace_id, source=conversation.source).first()
    if link is None:
        return ""
    return render(link.conversation_pattern, link.keys | {ID: conversation.external_id})


def save(workspace, *, source: str, conversation_pattern: str, account_pattern: str = "", keys=None, by) -> DeepLink:
    """Set the patterns of one source; `keys` ({name: value}) stay as they are where none are given.

    Raises NotAllowed, ValidationError.
    """
    require(by, Right.MANAGE_WORKSPACE)
    errors = {}
    for field, pattern, needs in (
        ("conversation_pattern", conversation_pattern, ID),
        ("account_pattern", account_pattern, ""),
    ):
        try:
            if pattern or needs:
                check(pattern, needs=needs)
        except NotAPattern as error:
            errors[field] = str(error)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", source):
        errors["source"] = "It is a short name of letters, digits, - and _ (at most 50)."
    if keys is not None and (
        len(keys) > MOST_KEYS
        or not all(
            PLACE.fullmatch(f"{{{name}}}") and name != ID and 0 < len(value) <= 200 for name, value in keys.items()
        )
    ):
        errors["keys"] = (
            f"These are at most {MOST_KEYS} names, as they stand in braces, each with its value; id is taken."
        )
    if errors:
        raise ValidationError(errors)
    given = {"conversation_pattern": conversation_pattern, "account_pattern": account_pattern}
    if keys is not None:
        given["keys"] = keys
    link = DeepLink(workspace=workspace, source=source, **given)
    link._history_user = by.user  # type: ignore[attr-defined]  # simple-history reads it
    try:
        with transaction.atomic():
            link.save(force_insert=True)
    except IntegrityError:
        link = DeepLink.objects.get(workspace=workspace, source=source)
        history.change(link, DeepLink.objects.all(), by=by, **given)
    return link


def remove(link, *, by) -> None:
    """Forget the patterns of one source. Links that were rendered with them stay. Raises NotAllowed."""
    require(by, Right.MANAGE_WORKSPACE)
    link._history_user = by.user  # simple-history reads it
    link.delete()


def _authority(pattern):
    return re.split(r"[/?#]", pattern.partition("://")[2], maxsplit=1)[0]


def _host(address):
    """The host of an address, or None where it has none that can be opened safely."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or "%" in parts.netloc or port == 0:
        return None
    return parts.hostname
