"""How a conversation is opened in its helpdesk: patterns, what they may be, and the link made from one.

A pattern is an http or https address with names in braces, such as `https://{subdomain}.desk.example/tickets/{id}`. The
values are percent-encoded, so that none can leave its place in the address.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote, urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from agents import history
from agents.access import Refusal, Right, require
from agents.models import Workspace
from helpdesk.models import Conversation, DeepLink

LONGEST = 500  # characters of a pattern, and of a link
PLACE = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,39})\}")
HOST_LABELS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
NOT_IN_AN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f\\<>\"^`|]")
ID = "id"
MOST_KEYS = 20
LONGEST_VALUE = 200  # characters of a further key's value
NEWEST = 500  # conversations among which each source's newest id is looked for
CHANGED = "Somebody changed this source's patterns while this page was open, so nothing was saved. Look at what is stored now."


class NotAPattern(ValueError):
    """The pattern cannot be used; the message says why."""


class ChangedMeanwhile(Refusal):
    """Somebody else changed the patterns of this source since they were read."""


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


def conversation_at(workspace, address: str) -> Conversation | None:
    """The conversation that a link to its helpdesk opens: `conversation_url` backwards, whatever follows the id. None where
    no pattern fits or no such conversation is known.
    """
    for link in DeepLink.objects.filter(workspace=workspace).order_by("source"):
        fixed = [re.escape(part) for part in PLACE.sub("\0", link.conversation_pattern).split("\0")]
        names = PLACE.findall(link.conversation_pattern)
        places = ["([^/?#&]+)" if name == ID else re.escape(quote(link.keys.get(name, ""), safe="")) for name in names]
        pattern = "".join(part + place for part, place in zip(fixed, [*places, ""], strict=True))
        found = re.fullmatch(rf"{pattern}(?:[/?#&].*)?", address)
        if found and (id := unquote(found[1])):
            same = Conversation.objects.filter(workspace=workspace, source=link.source, external_id=id).first()
            if same is not None:
                return same
    return None


def keys_of(*patterns: str) -> list[str]:
    """The names in the patterns whose values a workspace gives, in their order, each once: all but {id}."""
    found = (name for pattern in patterns for name in PLACE.findall(pattern))
    return [name for name in dict.fromkeys(found) if name != ID]


def wrong_values(patterns: Iterable[str], values: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the values of the further keys, as {name: sentence}; a pattern without them makes no link."""
    in_host = {name for pattern in patterns for name in PLACE.findall(_authority(pattern))}
    wrong = {}
    for name in keys_of(*patterns):
        value = values.get(name, "")
        if not value:
            wrong[name] = "Without it no link can be made."
        elif len(value) > LONGEST_VALUE:
            wrong[name] = f"A value has at most {LONGEST_VALUE} characters."
        elif value in (".", ".."):
            wrong[name] = "This is a step in an address, not a value."
        elif name in in_host and not HOST_LABELS.fullmatch(value):
            wrong[name] = "It is part of the host: letters, digits and - only, without dots."
    return wrong


def sources(workspace) -> dict[str, str]:
    """Where the workspace's conversations come from, each with an id of one of them: {source: external id}.

    The newest where it is among the last that came in. Two queries, which read no more than an index has, however many
    conversations there are: the sources are found by leaping from one to the next.
    """
    table, pk = Conversation._meta.db_table, Workspace._meta.pk.get_db_prep_value(workspace.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE leaps(source) AS (
                SELECT MIN(source) FROM {table} WHERE workspace_id = %s
                UNION ALL
                SELECT (SELECT MIN(source) FROM {table} WHERE workspace_id = %s AND source > leaps.source)
                FROM leaps WHERE leaps.source IS NOT NULL
            )
            SELECT source, (SELECT MAX(external_id) FROM {table} WHERE workspace_id = %s AND source = leaps.source)
            FROM leaps WHERE source IS NOT NULL
            """,  # noqa: S608 (the table's name is ours)
            [pk, pk, pk],
        )
        found = dict(cursor.fetchall())
    newest = Conversation.objects.filter(workspace=workspace, closed_at__isnull=False).order_by("-closed_at")
    for source, external_id in reversed(list(newest.values_list("source", "external_id")[:NEWEST])):
        found[source] = external_id
    return found


def save(
    workspace, *, source: str, conversation_pattern: str, account_pattern: str = "", keys=None, by, version=None
) -> DeepLink:
    """Set the patterns of one source; `keys` ({name: value}) stay as they are where none are given.

    `version` is the one that the change was typed against, 0 for none; without it the last word counts. Where everything is
    so already, no version is made. Raises NotAllowed, ChangedMeanwhile, ValidationError.
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
            PLACE.fullmatch(f"{{{name}}}") and name != ID and 0 < len(value) <= LONGEST_VALUE
            for name, value in keys.items()
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
    if not version:
        try:
            with transaction.atomic():
                link.save(force_insert=True)
            return link
        except IntegrityError:
            if version == 0:
                raise ChangedMeanwhile(CHANGED) from None
    found = DeepLink.objects.filter(workspace=workspace, source=source).first()
    if found is None or version not in (None, found.version):
        raise ChangedMeanwhile(CHANGED)
    if any(getattr(found, name) != value for name, value in given.items()):
        as_read = DeepLink.objects.all() if version is None else DeepLink.objects.filter(version=version)
        if not history.change(found, as_read, by=by, **given):
            raise ChangedMeanwhile(CHANGED)
    return found


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
