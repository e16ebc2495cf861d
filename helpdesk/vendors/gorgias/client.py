"""Gorgias' account, called.

https://developers.gorgias.com/reference: a leaky bucket of 40 calls that empties within 20 seconds, lists by cursor.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from helpdesk.transcripts import MOST_TURNS, Transcript
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Check, Client, Conversation, Found, Json, Malformed, Page, Person, Rating
from helpdesk.vendors.errors import CredentialsRefused, Garbled, NotFound
from helpdesk.vendors.gorgias import events

MOST_PAGES = 200  # of a list that is read as a whole
ANSWERED_WITHIN = timedelta(days=3), timedelta(days=30)  # least and most that surveys may be older than their answers

KEY = "Both stand in Gorgias at Settings › Account › REST API."


class GorgiasClient(Client):
    page_size = 100
    oldest_first = False
    rest = events.rest

    @classmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        return {"authorization": reading.basic(credentials["email"], credentials["api_key"])}

    def checks(self) -> Iterator[Check]:
        yield self._tried(
            "Sign-in",
            lambda: self.wire.get("/api/users", limit=1),
            "Gorgias knows this email and API key.",
            f"Gorgias does not accept this email and API key. {KEY}",
        )
        surveys = self._tried(
            "Ratings",
            lambda: _listed(self.wire.get("/api/satisfaction-surveys", limit=1)),
            "Satisfaction surveys can be read.",
            "This user may not read satisfaction surveys. Take the API key of an admin.",
        )
        yield surveys
        if surveys.is_ok:
            yield self._tried(
                "Tickets",
                lambda: self.wire.get("/api/tickets", limit=1),
                "Tickets can be read: who answered, and the words when a coach asks for them.",
                "This user may not read tickets. Take the API key of an admin.",
            )

    def _tried(self, name: str, call: Callable[[], Any], fine: str, refused: str) -> Check:
        try:
            call()
        except CredentialsRefused:
            return Check(name, is_ok=False, sentence=refused)
        except NotFound:
            return Check(
                name, is_ok=False, sentence="There is no Gorgias at this address. It is https://YOUR-NAME.gorgias.com."
            )
        return Check(name, is_ok=True, sentence=fine)

    def people(self) -> Iterator[Person]:
        for user in self._all("/api/users"):
            try:
                yield events.person(user)
            except Malformed:
                continue

    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        """Surveys are listed by when they were made, newest first, and cannot be asked for by when they were answered.

        So those that are older than `since` are read as well: by as much as the window is long, within ANSWERED_WITHIN.
        """
        answer = self.wire.get(
            "/api/satisfaction-surveys",
            limit=self.page_size,
            order_by="created_datetime:desc",
            cursor=cursor or None,
        )
        surveys = _listed(answer)
        found, unreadable = reading.each(surveys, events.rating)
        found = tuple(rating for rating in found if since <= rating.rated_at <= until)
        tickets = self._tickets({rating.conversation_id for rating in found})
        least, most = ANSWERED_WITHIN
        oldest = since - min(max(until - since, least), most)
        made = [reading.maybe_moment(one.get("created_datetime")) for one in surveys if isinstance(one, dict)]
        is_through = any(at is not None and at < oldest for at in made)
        return Page(
            tuple(_with(rating, tickets.get(rating.conversation_id)) for rating in found),
            cursor="" if is_through else _next(answer),
            withdrawn=tuple(filter(None, map(events.unanswered, surveys))),
            unreadable=unreadable,
        )

    def _tickets(self, ids: set[str]) -> dict[str, Conversation]:
        """{id: ticket}, all in one call; those that the list leaves out one by one. What is gone is missing."""
        if not ids:
            return {}
        found: dict[str, Conversation] = {}
        try:
            answer = self.wire.get("/api/tickets", ticket_ids=sorted(ids), limit=self.page_size)
            for item in _listed(answer):
                ticket = events.ticket(item)
                found[ticket.id] = ticket
        except (NotFound, Malformed):
            pass
        for id in sorted(ids - found.keys()):
            try:
                found[id] = events.ticket(self.wire.get(_ticket(id)))
            except NotFound:
                continue
        return found

    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        told = reading.an_object(self.wire.get(_ticket(conversation_id)), "The ticket")
        ticket = events.ticket(told)
        survey = told.get("satisfaction_survey")
        if "satisfaction_survey" not in told:
            listed = self._all("/api/satisfaction-surveys", ticket_id=conversation_id)
            survey = next((one for one in listed if _is_of(one, ticket.id)), None)
        if survey is None:
            return Found(ticket, None)
        rating = events.rating({"ticket_id": ticket.id, **reading.an_object(survey, "The survey")})
        return Found(ticket, rating and rating.within(ticket))

    def transcript(self, conversation_id: str) -> Transcript:
        turns = [turn for one in self._messages(conversation_id) if (turn := events.turn(one))]
        return Transcript(tuple(turns[-MOST_TURNS:]))

    def last_reply(self, conversation_id: str) -> str:
        replies = map(events.replied, reversed(self._messages(conversation_id)))
        return next(filter(None, replies), "")

    def _messages(self, id: str) -> list[Json]:
        """A ticket's messages, oldest first.

        The ticket's own list is announced to go one day; then they come from the list of all messages.
        """
        try:
            found = list(self._all(f"{_ticket(id)}/messages"))
        except NotFound:
            self.wire.get(_ticket(id))  # not found either, where the ticket is what is missing
            found = list(self._all("/api/messages", ticket_id=id, order_by="created_datetime:asc"))
        return sorted(found, key=_sent_at)

    def _all(self, path: str, **params: Any) -> Iterable[Json]:
        cursor = ""
        for _ in range(MOST_PAGES):
            answer = self.wire.get(path, limit=self.page_size, cursor=cursor or None, **params)
            yield from _listed(answer)
            following = _next(answer)
            if not following:
                return
            if following == cursor:
                raise Garbled("A list of Gorgias goes in circles: a page points back to itself.")
            cursor = following


def _listed(answer: Json) -> list[Json]:
    """A page's items; the reference shows some lists bare, without what is said of them."""
    return answer if isinstance(answer, list) else reading.a_list(answer, "data")


def _next(answer: Json) -> str:
    """Where a list goes on, "" at its end."""
    meta = answer.get("meta") if isinstance(answer, dict) else None
    return reading.text(meta.get("next_cursor"), 2_000) if isinstance(meta, dict) else ""


def _ticket(id: str) -> str:
    return f"/api/tickets/{reading.in_path(id)}"


def _with(rating: Rating, ticket: Conversation | None) -> Rating:
    """The rating with its ticket, where that is known."""
    return rating.within(ticket) if ticket else rating


def _is_of(survey: Json, ticket_id: str) -> bool:
    return isinstance(survey, dict) and reading.maybe_id(survey.get("ticket_id")) == ticket_id


def _sent_at(message: Json) -> float:
    at = events.sent_at(message) if isinstance(message, dict) else None
    return at.timestamp() if at else 0.0
