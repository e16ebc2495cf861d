"""Freshdesk's account, called."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from helpdesk.transcripts import MOST_TURNS, Transcript
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Check, Client, Conversation, Found, Json, Page, Person, Rating
from helpdesk.vendors.errors import CredentialsRefused, Forbidden, Garbled, NotFound
from helpdesk.vendors.freshdesk import events
from helpdesk.vendors.wire import Rest, Wire

RATINGS = "/api/v2/surveys/satisfaction_ratings"
MOST_PAGES = 500  # of a list that is read in one go
LATELY = timedelta(days=30)  # in which ratings are looked for of a ticket that is not told
MOST_LOOKED_THROUGH = 20  # of the list of all ratings, for those of one ticket

UNKNOWN_KEY = "Freshdesk does not know this API key. Copy it again: your picture › Profile settings › View API key."
NO_SURVEYS = (
    "This key may not read satisfaction ratings. Either surveys are not part of the account's plan, or its owner is no "
    "administrator: see Admin › Workflows › Customer satisfaction, and take an administrator's key."
)
NO_AGENTS = "This key may not list agents, so ratings cannot be credited by email. Take an administrator's key."
OWN_TICKETS = (
    "Whoever owns this key sees only some of the tickets, and so only some of the ratings. In Freshdesk, under Admin › Team › "
    "Agents, give them the scope “All tickets”, or take another's key."
)
HIDDEN = (NotFound, Forbidden)  # a ticket that was deleted for good, or is not shown to whoever owns the key

TOO_MANY = "Freshdesk's list is too long to be read in one go."


class FreshdeskClient(Client):
    page_size = 100  # the most Freshdesk gives
    rest: ClassVar[Rest | None] = events.rest

    def __init__(self, wire: Wire, credentials: Mapping[str, str]):
        super().__init__(wire, credentials)
        self._before: list = []  # the page that was read last

    @classmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        """The key is the name, and the password anything: https://developers.freshdesk.com/api/#authentication"""
        return {"authorization": reading.basic(credentials["api_key"], "X")}

    def checks(self) -> Iterator[Check]:
        try:
            me = self._me()
        except CredentialsRefused:
            yield Check("Sign-in", is_ok=False, sentence=UNKNOWN_KEY)
            return
        yield Check("Sign-in", is_ok=True, sentence="Freshdesk knows this key.")
        try:
            reading.a_list({"ratings": self.wire.get(RATINGS, per_page=1)}, "ratings")
        except (Forbidden, NotFound):
            yield Check("Ratings", is_ok=False, sentence=NO_SURVEYS)
            return
        yield Check("Ratings", is_ok=True, sentence="It may read satisfaction ratings.")
        try:
            reading.a_list({"agents": self.wire.get("/api/v2/agents", per_page=1)}, "agents")
        except Forbidden:
            yield Check("Agents", is_ok=False, sentence=NO_AGENTS)
            return
        yield Check("Agents", is_ok=True, sentence="It may list agents.")
        if events.sees_all_tickets(me):
            yield Check("Tickets", is_ok=True, sentence="It sees all tickets.")
        else:
            yield Check("Tickets", is_ok=False, sentence=OWN_TICKETS)

    def people(self) -> Iterator[Person]:
        try:
            yield from map(events.person, self._all("/api/v2/agents"))
        except Forbidden:
            raise Forbidden(NO_AGENTS) from None

    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        """The list is bounded by creation, and only below: what was given after `until` is left for the next run.

        Only ratings that name nobody cost a call of their own, for their ticket.
        """
        try:
            items, following = self._page(RATINGS, int(cursor or 1), created_since=reading.iso(since))
        except Forbidden:
            raise Forbidden(NO_SURVEYS) from None
        given = [item for item in items if (events.created_at(item) or until) <= until]
        read, unreadable = reading.each(given, events.rating)
        ratings = tuple(one if one.person_id else self._completed(one) for one in read)
        return Page(ratings, str(following or ""), unreadable=unreadable)

    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        """A ticket that was merged into another, or deleted, is still there; one that was deleted for good is not found."""
        try:
            conversation = events.conversation(self.wire.get(_ticket(conversation_id), include="stats"))
        except HIDDEN:
            conversation = None
        rating = self._rating_of(conversation_id, conversation)
        if conversation is None:
            if rating is None:
                raise NotFound("Freshdesk has no such ticket.")
            return Found(Conversation(conversation_id), rating)
        return Found(conversation, rating and rating.within(conversation))

    def transcript(self, conversation_id: str) -> Transcript:
        turns = [events.opening(self.wire.get(_ticket(conversation_id)))]
        for entry in self._all(_ticket(conversation_id, "conversations")):
            turns.append(events.turn(entry))
            if len(turns) >= MOST_TURNS:
                break
        told = [turn for turn in turns if turn is not None]
        if all(turn.at is not None for turn in told):
            told.sort(key=lambda turn: turn.at or 0)
        return Transcript(tuple(told))

    def last_reply(self, conversation_id: str) -> str:
        try:
            entries = list(self._all(_ticket(conversation_id, "conversations")))
        except Forbidden:
            return ""
        return next(filter(None, map(events.replier, reversed(entries))), "")

    # --- What is asked -------------------------------------------------------------------------------------------------

    def _me(self) -> Json:
        """The agent whose key it is, None where that is not told: only the scope of their tickets hangs on it."""
        try:
            return self.wire.get("/api/v2/agents/me")
        except NotFound:
            return None

    def _completed(self, rating: Rating) -> Rating:
        """The rating with its ticket's agent, as it is where the ticket is gone."""
        try:
            ticket = self.wire.get(_ticket(rating.conversation_id), include="stats")
        except HIDDEN:
            return rating
        return rating.within(replace(events.conversation(ticket), id=rating.conversation_id))

    def _rating_of(self, conversation_id: str, conversation: Conversation | None) -> Rating | None:
        """The rating of a ticket that counts, None where it has none."""
        try:
            items = list(self._all(_ticket(conversation_id, "satisfaction_ratings")))
        except HIDDEN:
            since = datetime.now(UTC) - LATELY if conversation is None else conversation.opened_at or reading.FIRST
            listed = self._all(RATINGS, most=MOST_LOOKED_THROUGH, created_since=reading.iso(since))
            items = [item for item in listed if _ticket_of(item) == conversation_id]
        ratings, unreadable = reading.each(items, events.rating)
        if unreadable and not ratings:
            raise Garbled(f"Freshdesk's rating of this ticket cannot be read: {unreadable[0].detail}")
        return events.latest(ratings)

    def _all(self, path: str, *, most: int = MOST_PAGES, **params: str) -> Iterator[Json]:
        """Every item of a list, page by page; a list of more than `most` pages is given up."""
        page: int | None = 1
        while page is not None:
            if page > most:
                raise Garbled(TOO_MANY)
            items, page = self._page(path, page, **params)
            yield from items

    def _page(self, path: str, page: int, **params: str) -> tuple[list, int | None]:
        """The items of a page and the number of the next, None after the last.

        The header Link names the next: https://developers.freshdesk.com/api/#pagination. Where something on the way took the
        header off, a page that is full has a next.
        """
        answer, headers = self.wire.get_with_headers(path, page=page, per_page=self.page_size, **params)
        items = reading.a_list({"items": answer}, "items")
        following = events.next_page(headers)
        if following is None and "link" not in headers and len(items) >= self.page_size:
            following = page + 1
        if (following is not None and following <= page) or (page > 1 and items and items == self._before):
            raise Garbled("Freshdesk's list goes in circles: a page points back to one that was read.")
        self._before = items
        return items, following


def _ticket(conversation_id: str, *steps: str) -> str:
    return "/".join(("/api/v2/tickets", reading.in_path(conversation_id), *steps))


def _ticket_of(item: Json) -> str:
    return reading.maybe_id(item.get("ticket_id")) if isinstance(item, dict) else ""
