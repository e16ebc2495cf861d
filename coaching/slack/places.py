"""Whose a channel is, and what is owed an answer there before: what following any message asks."""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from coaching.actions.slack import threads
from coaching.models import SlackConnection, SlackPost, SlackReceipt, SlackTrigger
from coaching.slack.following import Wait

IN_ORDER = timedelta(seconds=1)  # until it is looked again whether the message before is followed
HELD_UP_FOR = timedelta(seconds=30)  # at most, by a message before that cannot be followed yet


def calls_bot(text: str, connection: SlackConnection) -> bool:
    """Whether the bot's name stands in a message."""
    bot = connection.bot_user_id
    return bool(bot) and (f"<@{bot}>" in text or f"<@{bot}|" in text)


def siblings(connection: SlackConnection) -> list[SlackConnection]:
    """All connections to the same app in the same Slack workspace, of whichever workspace of ours: what one is told, all are."""
    rows = SlackConnection.objects.connected().filter(team_id=connection.team_id, app_id=connection.app_id)
    return list(rows.order_by("created_at"))


def triggers_of(connections):
    rows = SlackTrigger.objects.kept().filter(connection__in=connections)
    return rows.select_related("agent", "connection", "workspace")


def thread_of(facts: dict[str, Any]) -> str:
    """The thread that a message is in, or that it may begin; "" for direct messages outside a thread, which are one talk."""
    return facts["thread_ts"] or ("" if facts["is_direct"] else facts["ts"])


def post_above(connection: SlackConnection, facts: dict[str, Any]) -> SlackPost | None:
    """The answer or proposal of the coach under which a message is written: to go on there needs no mention."""
    if not facts["thread_ts"]:
        return None
    return _above(connection, facts).select_related("proposal__session", "turn__session").first()


def _above(connection, facts):
    talk = SlackPost.objects.filter(
        connection=connection, channel_id=facts["channel"], pieces__0__ts=facts["thread_ts"]
    )
    return talk.exclude(kind=SlackPost.Kind.FLAG)


def may_go_on(connection: SlackConnection, facts: dict[str, Any]) -> bool:
    """Whether a reply is in a thread of the coach, under a message of it, or where one may come: something is owed there yet."""
    place = connection.pk, facts["channel"], facts["thread_ts"]
    begins = Q(payload__ts=facts["thread_ts"]) | Q(payload__thread_ts=facts["thread_ts"])
    # Asked once more after what is owed: that may have been followed in between, and then the thread is there.
    return (
        threads.is_owned(*place)
        or _owed_in(connection.pk, facts["channel"]).filter(begins).exists()
        or threads.is_owned(*place)
        or _above(connection, facts).exists()
    )


def wait_for_earlier(receipt: SlackReceipt, facts: dict[str, Any]) -> None:
    """Messages of a thread are asked in the order in which they were written, replies after what began it. Raises Wait."""
    if timezone.now() - receipt.received_at > HELD_UP_FOR:
        return
    for pk, other in _owed_in(receipt.connection_id, facts["channel"]).values_list("pk", "payload"):
        if pk == receipt.pk or other is None or "ts" not in other or "offered" in other:
            continue
        if other["ts"] < facts["ts"] and thread_of(other) == thread_of(facts):
            raise Wait(IN_ORDER, facts)


def _owed_in(connection_id, channel_id: str):
    """The receipts of what happened in a channel and is not followed yet."""
    owed = SlackReceipt.objects.owed().filter(connection=connection_id, kind=SlackReceipt.Kind.EVENT)
    return owed.filter(payload__channel=channel_id)
