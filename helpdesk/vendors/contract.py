"""What every helpdesk can be asked, and what it answers with. No database and no network here."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from helpdesk.models import Rating as RatingRow
from helpdesk.transcripts import Transcript
from helpdesk.vendors.wire import Rest, Wire

Credit = RatingRow.Credit
Json = Any  # decoded JSON


# --- What a vendor answers with ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, or something, that answers customers there. `id` is the vendor's own."""

    id: str
    name: str = ""
    email: str = ""
    is_bot: bool = False
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is known of a conversation besides its words; None and "" where the vendor does not tell."""

    id: str
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    is_open: bool | None = None
    channel: str = ""
    assignee_id: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """One answer of a customer. `value` on `scale` as helpdesk.scales reads them; `person_id` is "" where nobody is named.

    `id` is the rating's own id there, the same after the customer changed it, "" where it has none. `rated_at` is when the
    customer gave, or last changed, it.
    """

    conversation_id: str
    value: str
    scale: str
    rated_at: datetime
    id: str = ""
    person_id: str = ""
    credit: str = Credit.RATED
    conversation: Conversation | None = None

    def within(self, conversation: Conversation) -> "Rating":
        """The rating with what is known of its conversation: one that names nobody is credited to who has that now."""
        if self.person_id or not conversation.assignee_id:
            return replace(self, conversation=conversation)
        return replace(self, conversation=conversation, person_id=conversation.assignee_id, credit=Credit.ASSIGNEE)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item that could not be read: its id there and why, in words that repeat nothing a customer wrote."""

    id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list of ratings. `cursor` is where it goes on, "" at its end, and means something to the vendor only.

    `withdrawn` are conversations of which the list says that they have no rating (any more). `total` is how many ratings the
    whole list has, where that is told.
    """

    ratings: tuple[Rating, ...]
    cursor: str = ""
    withdrawn: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a conversation's rating is now: `rating` is None where there is none (any more)."""

    conversation: Conversation
    rating: Rating | None


@dataclass(frozen=True, slots=True)
class Hint:
    """What a webhook says happened, and to what. `event_id` is the same when it is sent again.

    A hint without a conversation is known and of no interest (`is_known`), or of a kind that nobody expected.
    """

    event_id: str
    event: str
    conversation_id: str = ""
    rating_id: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried of a connection; `sentence` says what was found or what to do."""

    name: str
    is_ok: bool
    sentence: str


# --- What a vendor is --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """What somebody types in to connect: `name` as `manage.py connect` calls it."""

    name: str
    label: str
    help: str
    is_secret: bool = True
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """Where a vendor is. With `default` nobody has to type it; `hosts` are the vendor's own, "" among them stands for any.

    A host that begins with a dot stands for every name below it.
    """

    hosts: tuple[str, ...]
    default: str = ""
    example: str = ""


class Forged(Exception):
    """The webhook does not prove who sent it, or is too old."""


class Malformed(ValueError):
    """What came in is not what the vendor sends; the message is a sentence without anybody's words."""


@dataclass(frozen=True)
class Vendor:
    """A helpdesk and how it is spoken with. `name` is that of HelpdeskConnection.Vendor."""

    name: str
    label: str
    address: Address
    fields: tuple[Field, ...]
    client: type["Client"] | None
    """None for desks that are not read: they send their ratings themselves."""
    verify: Callable[[bytes, Mapping[str, str], str, datetime], None]
    """(raw body, headers in lower case, secret, now): raises Forged unless the vendor's secret, never an empty one, made it."""
    hint: Callable[[Json, Mapping[str, str]], Hint]
    """(decoded body, headers in lower case): what it is about. Raises Malformed."""
    webhook_secret: str = "webhook_secret"  # noqa: S105 (the name of a field)
    deep_link: str = ""
    """The default pattern. {subdomain} is the first label of the connection's address where that is the vendor's own, and
    {base} its origin; other names in braces come from the connection's account, {accountId} from `account_id`."""
    signs: bool = True
    """Whether webhooks are signed; else they carry the secret itself in a header."""
    set_up: tuple[str, ...] = ()
    """What a leader does at the vendor's, step by step; {webhook} is replaced by the address of the hook."""

    def link(self, base_url: str, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The deep link of an account, as (pattern, values of its further names); ("", {}) while a value is not known."""
        parts = urlsplit(base_url or self.address.default)
        origin, host = f"{parts.scheme}://{parts.netloc}", parts.hostname or ""
        pattern, values = self.deep_link.replace("{base}", origin), dict(known)
        own = next((one for one in self.address.hosts if one.startswith(".") and host.endswith(one)), None)
        if own is not None:
            values["subdomain"] = host.removesuffix(own)
        else:
            pattern = re.sub(r"^https://\{subdomain\}[^/]*", origin, pattern)
        names = [name for name in re.findall(r"\{(\w+)\}", pattern) if name != "id"]
        found = {name: values.get(name) or values.get(re.sub(r"(?=[A-Z])", "_", name).lower(), "") for name in names}
        return (pattern, found) if all(found.values()) else ("", {})

    @property
    def reads(self) -> bool:
        """Whether ratings are fetched from it."""
        return self.client is not None


class Client(ABC):
    """A vendor's account, open. Made by `registry.open_client`; every call may raise a VendorError."""

    page_size: ClassVar[int]
    rest: ClassVar[Rest | None] = None
    """How the vendor tells of its limits, where `Retry-After` is not all."""
    oldest_first: ClassVar[bool | None] = None
    """Whether its list of ratings begins with the oldest; None where that is not so or not known. Then only the number of
    ratings can say how far a reading is."""

    def __init__(self, wire: Wire, credentials: Mapping[str, str]):
        self.wire, self.credentials = wire, credentials

    @classmethod
    @abstractmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        """What goes with every call and proves whose it is."""

    @abstractmethod
    def checks(self) -> Iterator[Check]:
        """Try what the product needs, one thing after the other, and say what is missing. A fault of the wire is raised."""

    @abstractmethod
    def people(self) -> Iterator[Person]:
        """Everybody who answers customers there, those that were removed left out."""

    @abstractmethod
    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        """One page of what customers answered between the two, in the vendor's order; `cursor` is "" for the first.

        What was changed or withdrawn meanwhile is in it where the vendor can list that. Items that cannot be read are named in
        the page, the others land.
        """

    @abstractmethod
    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        """The conversation and its rating as they are now. Raises NotFound."""

    @abstractmethod
    def transcript(self, conversation_id: str) -> Transcript:
        """The turns of the conversation, oldest first, internal notes left out. Raises NotFound."""

    def last_reply(self, conversation_id: str) -> str:
        """The id of who answered the customer last, "" where nobody did."""
        return ""

    def deep_link_keys(self) -> dict[str, str]:
        """What the vendor's deep link needs beside the conversation's id, {name: value}."""
        return {}
