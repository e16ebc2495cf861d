"""What is in a Slack that is played: teams with apps, people, channels, messages and forms, and what people do there."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.slack import told
from tests.slack.deliveries import Answer, deliver

if TYPE_CHECKING:
    from tests.slack.server import Slack

SCOPES = [
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:write",
    "users:read",
    "users:read.email",
]

_numbers = itertools.count(1)
_clock = threading.Lock()
_last = 0


def new_id(kind: str) -> str:
    return f"{kind}0{next(_numbers):08X}"


def new_ts() -> str:
    """A message's name and time: never twice, and in the order of asking."""
    global _last
    with _clock:
        _last = max(time.time_ns() // 1_000, _last + 1)
        return f"{_last // 1_000_000}.{_last % 1_000_000:06}"


@dataclass
class Message:
    """One message as it is now; `shown` is what it showed before, the oldest first."""

    channel: "Channel"
    ts: str
    text: str
    user: str
    blocks: list[dict] = field(default_factory=list)
    thread_ts: str | None = None
    metadata: dict | None = None
    bot_id: str = ""
    app_id: str = ""
    is_edited: bool = False
    is_deleted: bool = False
    shown: list[tuple[str, list[dict]]] = field(default_factory=list)
    arguments: dict = field(default_factory=dict)  # those of the call that posted it


@dataclass
class Ephemeral:
    """A message that only one person sees. It cannot be read or changed afterwards."""

    channel: "Channel"
    text: str
    blocks: list[dict]
    thread_ts: str | None = None


@dataclass
class View:
    """A form in front of somebody."""

    id: str
    user: "User"
    app: "App"
    content: dict
    hash: str
    is_open: bool = True
    errors: dict[str, str] = field(default_factory=dict)


@dataclass
class App:
    """An app that is installed in a team."""

    team: "Team"
    app_id: str
    signing_secret: str
    bot_token: str
    app_token: str
    name: str
    bot_user_id: str
    bot_id: str
    scopes: list[str]
    is_revoked: bool = False
    url: str | Callable | None = None
    via: str = "http"
    told: list[tuple[dict, Answer]] = field(default_factory=list)

    def events_to(self, url: "str | Callable | None", via: str = "http") -> None:
        """Where this app is told things, as Team.events_to()."""
        self.url, self.via = url, via

    def tell(self, payload: dict, **weather: Any) -> Answer:
        answer = deliver(self, payload, **weather)
        self.told.append((payload, answer))
        return answer

    def tell_event(self, event: dict, **weather: Any) -> Answer:
        return self.tell(told.event(self, event), **weather)

    def revoke(self, *, tells: bool = True) -> None:
        """The app is taken out of the team: its token is worth nothing any more."""
        self.is_revoked = True
        if tells:
            self.tell_event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self.bot_user_id]}})
            self.tell_event({"type": "app_uninstalled"})


class Team:
    """A Slack workspace, with one app at first; its app's fields are to be had here as well (`team.bot_token`)."""

    def __init__(self, slack: "Slack", name: str, id: str):
        self.slack, self.name, self.id = slack, name, id
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.apps: list[App] = []

    def add_app(
        self,
        app_id: str = "",
        signing_secret: str = "",
        bot_token: str = "",
        app_token: str = "",
        name: str = "Touchline",
        scopes: list[str] | None = None,
    ) -> App:
        bot = User(self, f"{name.lower()}", email="", is_bot=True)
        self.users[bot.id] = bot
        number = next(_numbers)
        app = App(
            team=self,
            app_id=app_id or new_id("A"),
            signing_secret=signing_secret or f"{number:032x}",
            bot_token=bot_token or f"xoxb-{number}-played",
            app_token=app_token,
            name=name,
            bot_user_id=bot.id,
            bot_id=new_id("B"),
            scopes=SCOPES if scopes is None else scopes,
        )
        self.apps.append(app)
        return app

    @property
    def app(self) -> App:
        return self.apps[0]

    def __getattr__(self, name: str) -> Any:
        if name in App.__dataclass_fields__:
            return getattr(self.apps[0], name)
        raise AttributeError(name)

    def add_user(self, email: str = "", name: str = "", confirmed: bool = True, **flags: Any) -> "User":
        """`flags`: is_bot, is_deleted, is_restricted, is_ultra_restricted, or the team_id of another team."""
        number = next(_numbers)
        user = User(self, name or f"Person {number}", email or f"person{number}@acme.example", confirmed, **flags)
        self.users[user.id] = user
        return user

    def add_channel(
        self, name: str = "", is_private: bool = False, is_archived: bool = False, bot_is_member: bool = True
    ) -> "Channel":
        channel = Channel(self, name or f"channel-{next(_numbers)}", is_private=is_private, is_archived=is_archived)
        if bot_is_member:
            channel.members |= {app.bot_user_id for app in self.apps}
        self.channels[channel.id] = channel
        return channel

    def events_to(self, url: "str | Callable | None", via: str = "http") -> None:
        """Tell all apps of this team what happens: at /hooks/slack/… below an address, or by Socket Mode (`via="socket"`).

        A function (path, body, headers) -> (status, body) may stand for a server: a test's own client. None: nobody is told.
        """
        for app in self.apps:
            app.events_to(url, via)

    def deliver(self, payload: dict, **weather: Any) -> Answer:
        """Tell the first app this, whatever it is. `weather`: retry_num, at (the signature's time), secret, envelope_id."""
        return self.app.tell(payload, **weather)

    @property
    def told(self) -> list[tuple[dict, Answer]]:
        """What the first app was told, and what it answered."""
        return self.app.told


class User:
    """Somebody in a team, and what they do there. `ephemerals` and `views` are what they alone were shown."""

    def __init__(self, team: Team, name: str, email: str, confirmed: bool = True, **flags: Any):
        self.team, self.name, self.email, self.confirmed = team, name, email, confirmed
        self.id = new_id("U")
        self.team_id = flags.pop("team_id", team.id)
        self.flags = {
            "is_bot": False,
            "is_deleted": False,
            "is_restricted": False,
            "is_ultra_restricted": False,
        } | flags
        self.ephemerals: list[Ephemeral] = []
        self.views: list[View] = []
        self._direct: dict[str, Channel] = {}

    @property
    def direct(self) -> "Channel":
        """Where this person and the team's first app write to each other."""
        return self.direct_with(self.team.app)

    def direct_with(self, app: App) -> "Channel":
        if app.bot_user_id not in self._direct:
            channel = Channel(self.team, "", of=self)
            channel.members = {self.id, app.bot_user_id}
            self._direct[app.bot_user_id] = self.team.channels[channel.id] = channel
        return self._direct[app.bot_user_id]

    def says(
        self, text: str, channel: "Channel", thread_ts: str | None = None, mentions_bot: bool = True, **extra
    ) -> str:
        """Post a message; the apps in the channel are told of it, and of the mention too. Returns its ts.

        `extra` goes into the event: subtype, bot_id, files …
        """
        app = self.team.app
        if mentions_bot and channel.of is None:
            text = f"<@{app.bot_user_id}> {text}"
        message = channel.add(Message(channel, new_ts(), text, self.id, thread_ts=thread_ts))
        for each in channel.apps:
            if channel.of is None and f"<@{each.bot_user_id}>" in text:
                each.tell_event(told.mentioned(message, self, **extra))
            each.tell_event(told.said(message, self, **extra))
        return message.ts

    def edits(self, message: Message, text: str) -> None:
        before = told.said(message, self)
        message.text, message.is_edited = text, True
        for app in message.channel.apps:
            app.tell_event(told.changed(message, self, before))

    def deletes(self, message: Message) -> None:
        message.is_deleted = True
        for app in message.channel.apps:
            app.tell_event(told.deleted(message, self))

    def clicks(self, message: Message, action_id: str, *, value: str | None = None, **weather: Any) -> Answer:
        """Press a button, or choose the option `value` of a select. A button's `value` is one that was seen earlier, or forged.

        Raises LookupError where the message shows no such thing and no value is given.
        """
        app = self._app_of(message)
        action = told.action(message.blocks, action_id, value)
        return app.tell(told.click(app, self, message, action, self.team.slack.trigger(self)), **weather)

    def submits(self, view: View, values: dict[str, dict[str, str]] | None = None, **weather: Any) -> Answer:
        """Send a form with `values` as {block_id: {action_id: text}}. It closes unless the answer says otherwise."""
        answer = view.app.tell(told.submission(view, values or {}, self.team.slack.trigger(self)), **weather)
        if answer.status == 200:
            told_back = answer.json() or {}
            view.errors = told_back.get("errors", {}) if told_back.get("response_action") == "errors" else {}
            view.is_open = told_back.get("response_action") in ("errors", "update", "push")
            if told_back.get("response_action") == "update":
                view.content = told_back["view"]
        return answer

    def closes(self, view: View) -> Answer | None:
        """Close a form; its app is told where it wanted to be."""
        view.is_open = False
        return view.app.tell(told.closing(view)) if view.content.get("notify_on_close") else None

    def _app_of(self, message: Message) -> App:
        return next((app for app in self.team.apps if app.app_id == message.app_id), self.team.app)


class Channel:
    """A channel, or the direct messages `of` a person with an app."""

    def __init__(
        self, team: Team, name: str, is_private: bool = False, is_archived: bool = False, of: User | None = None
    ):
        self.team, self.name, self.of = team, name, of
        self.id = new_id("D" if of else "G" if is_private else "C")
        self.is_private, self.is_archived = is_private, is_archived
        self.members: set[str] = set()
        self.all: list[Message] = []
        self.webhook_url = f"{team.slack.url}/services/{team.id}/{self.id}/played"

    @property
    def kind(self) -> str:
        return "im" if self.of else "group" if self.is_private else "channel"

    @property
    def apps(self) -> list[App]:
        return [app for app in self.team.apps if app.bot_user_id in self.members and not app.is_revoked]

    @property
    def messages(self) -> list[Message]:
        """All that are there, replies too, the oldest first."""
        return [message for message in list(self.all) if not message.is_deleted]

    @property
    def posts(self) -> list[Message]:
        """Those of apps, the oldest first."""
        return [message for message in self.messages if message.bot_id]

    def thread(self, ts: str) -> list[Message]:
        """A message and its replies."""
        return [message for message in self.messages if ts in (message.ts, message.thread_ts)]

    def find(self, ts: str) -> Message | None:
        return next((message for message in self.messages if message.ts == ts), None)

    def add(self, message: Message) -> Message:
        self.all.append(message)
        return message

    def archives(self, by: User | None = None) -> None:
        self.is_archived = True
        self._tell({"type": f"{self.kind}_archive", "channel": self.id, "user": by.id if by else "U0"})

    def unarchives(self) -> None:
        self.is_archived = False
        self._tell({"type": f"{self.kind}_unarchive", "channel": self.id, "user": "U0"})

    def renames(self, name: str) -> None:
        self.name = name
        self._tell({"type": f"{self.kind}_rename", "channel": {"id": self.id, "name": name, "created": 1595926230}})

    def vanishes(self) -> None:
        """The channel is deleted for good."""
        apps = self.apps
        del self.team.channels[self.id]
        for app in apps:
            app.tell_event({"type": f"{self.kind}_deleted", "channel": self.id})

    def drops(self, app: App) -> None:
        """The app is taken out of the channel."""
        self.members.discard(app.bot_user_id)
        app.tell_event({"type": f"{self.kind}_left", "channel": self.id, "actor_id": "U0"})

    def _tell(self, event: dict) -> None:
        for app in self.apps:
            app.tell_event(event)
