"""What came of following something that Slack told, and who is told a sentence about it."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from coaching.models import SlackConnection
from coaching.slack import client
from coaching.slack.blocks import notices


@dataclass(frozen=True)
class Notice:
    """A sentence for one person alone, with a link to a page of ours, or a choice of one of `options` (value, words)."""

    sentence: str
    channel: str
    user: str
    thread_ts: str = ""
    words: str = ""
    url: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def loaded(cls, stored: dict[str, Any]) -> "Notice":
        return cls(**stored | {"options": tuple((value, words) for value, words in stored["options"])})


@dataclass(frozen=True)
class Followed:
    """What became of it, in words; the turn that is to be answered now; what somebody is to be told."""

    outcome: str
    turn_id: str = ""
    notice: Notice | None = None


class Wait(Exception):
    """It cannot be followed yet: look again after `pause`. What is to be kept until then stands in `facts`."""

    def __init__(self, pause: timedelta, facts: dict[str, Any]):
        super().__init__()
        self.pause, self.facts = pause, facts


def tell(connection: SlackConnection, notice: Notice) -> None:
    """Show it to that person. Raises errors.SlackError.

    In a thread only where there is one: Slack shows nobody what is said in a thread that has not begun.
    https://docs.slack.dev/reference/methods/chat.postEphemeral
    """
    if notice.options:
        piece = notices.choice(notice.sentence, list(notice.options))
    else:
        piece = notices.notice(notice.sentence, words=notice.words, url=notice.url)
    place = {"thread_ts": notice.thread_ts} if notice.thread_ts else {}
    client.call(
        connection,
        "chat.postEphemeral",
        channel_id=notice.channel,
        user=notice.user,
        text=piece.text,
        blocks=piece.blocks,
        **place,
    )


def to_whom(facts: dict[str, Any], sentence: str, *, words: str = "", url: str = "") -> Notice:
    """A notice to whoever wrote or clicked this, where they did; `words` lead to `url`."""
    return Notice(sentence, facts["channel"], facts["user"], facts.get("thread_ts", ""), words, url)
