"""Zendesk's account, called.

Addresses: https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings/,
…/csat_survey_responses/, …/incremental_exports/, …/tickets/tickets/, …/tickets/ticket_comments/, …/users/users/
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from helpdesk.transcripts import MOST_TURNS, Transcript, TranscriptTurn
from helpdesk.vendors import reading
from helpdesk.vendors.contract import (
    Check,
    Client,
    Conversation,
    Found,
    Malformed,
    Page,
    Person,
    Rating,
    Unreadable,
)
from helpdesk.vendors.errors import CredentialsRefused, Forbidden, Garbled, NotFound, VendorError
from helpdesk.vendors.zendesk import events

SURVEY, RATINGS, EXPORT = "survey", "ratings", "export"  # the lists, in the order in which they are read
PATHS = {SURVEY: "/api/v2/guide/survey_responses", RATINGS: "/api/v2/satisfaction_ratings"}
KEYS = {SURVEY: "survey_responses", RATINGS: "satisfaction_ratings"}
WATCHED = timedelta(days=31)  # runs that go back further do not read the export
BULK = 100  # ids that one question may name
EXPORTED = 500  # tickets in a page of the export: a thousand may be too long an answer
YOUNGEST = timedelta(minutes=2)  # the export refuses a beginning within the last minute


@dataclass
class _Gathered:
    """What one call of `ratings` has brought so far."""

    ratings: list[Rating] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    n_pages: int = 0

    def page(self, state: dict | None) -> Page:
        cursor = json.dumps(state, sort_keys=True) if state else ""
        return Page(tuple(self.ratings), cursor, tuple(self.withdrawn), tuple(self.unreadable))


class ZendeskClient(Client):
    page_size = 100
    oldest_first = True
    rest = events.rest

    def __init__(self, wire, credentials: Mapping[str, str]):
        super().__init__(wire, credentials)
        self.listed: set[tuple[str, str, str]] = (
            set()
        )  # (ticket, rating, value) that were handed on, also with "" for the rating
        self.exported: set[tuple[str, datetime | None]] = set()
        self.has_bulk = True

    @classmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        return {"authorization": reading.basic(f"{credentials['email']}/token", credentials["api_token"])}

    # --- What is there ---

    def checks(self) -> Iterator[Check]:
        me = reading.an_object(self.wire.get("/api/v2/users/me"), "The answer").get("user")
        me = me if isinstance(me, dict) else {}
        if not reading.maybe_id(me.get("id")):  # Zendesk greets a stranger as "Anonymous user", with 200
            sentence = "Zendesk does not know this email and token. Is API token access allowed in the Admin Center?"
            yield Check("Sign-in", is_ok=False, sentence=sentence)
            return
        yield Check("Sign-in", is_ok=True, sentence="Zendesk knows this email and token.")
        ratings = self._checked_ratings()
        yield ratings
        if not ratings.is_ok:
            return
        try:
            reading.a_list(self.wire.get("/api/v2/tickets", **{"page[size]": 1}), "tickets")
        except Forbidden:
            sentence = "This email may not read tickets, so there would be no transcripts. Use the token of an admin."
            yield Check("Tickets", is_ok=False, sentence=sentence)
            return
        sentence = "Tickets can be read."
        if me.get("role") != "admin":
            sentence += " This email is no admin's: a rating that is changed or taken back later may not be noticed."
        yield Check("Tickets", is_ok=True, sentence=sentence)
        told = "There is a signing secret: what the webhook sends is taken in at once."
        missing = (
            "There is no signing secret, so ratings are read every few minutes only. It stands on the webhook's page."
        )
        yield Check("Webhook", is_ok=True, sentence=told if self.credentials.get("webhook_secret") else missing)

    def _checked_ratings(self) -> Check:
        answering = [part for part in PATHS if self._answers(part)]
        if not answering:
            sentence = (
                "Zendesk shows no satisfaction ratings to this email. Switch customer satisfaction on in the Admin Center under "
                "Objects and rules › Business rules, or use the token of an admin."
            )
            return Check("Ratings", is_ok=False, sentence=sentence)
        names = {RATINGS: "good and bad", SURVEY: "the survey of one to five"}
        sentence = f"Satisfaction ratings can be read ({' and '.join(names[part] for part in answering)})."
        return Check("Ratings", is_ok=True, sentence=sentence)

    def _answers(self, part) -> bool:
        try:
            reading.a_list(self.wire.get(PATHS[part], **{"page[size]": 1}), KEYS[part])
        except (Forbidden, NotFound):
            return False
        return True

    def people(self) -> Iterator[Person]:
        try:
            for answer in self._pages("/api/v2/users", **{"role[]": ["agent", "admin"]}):
                yield from map(events.person, reading.a_list(answer, "users"))
        except NotFound:
            return  # ratings are read without names as well

    # --- Ratings ---

    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        """Three lists, one after the other; the cursor says in JSON which one and where in it.

        1. The responses to the survey of one to five. 2. The satisfaction ratings, good and bad. An account has one of both
        switched on, and may have old ratings of the other, so both are asked; one that says 403 or 404 has none. Both lists
        go by when a rating was offered: one that was answered, changed or taken back later stands outside their window.
        3. For that there is the export of the tickets that changed in the window. Those that carry a rating which was not
        listed are looked up: a survey's by a hundred, a satisfaction rating each by itself, since the ticket tells neither
        when it was given nor whom it was about. Those that are offered one have none any more; of those that say nothing of
        ratings (`null`: a plan without them) nothing is concluded.

        The export holds every ticket that anybody touched, and ten calls a minute are allowed, so a first reading of
        months leaves it out: whatever its lists say is as of now, and nothing is stored yet that could be wrong. The daily run
        over two weeks reads it.

        Nothing is handed on twice while the same client reads: the export, above all the one by time, repeats tickets of the
        same second, and tickets whose rating was listed. A client that goes on from a cursor may repeat some, which changes
        nothing. Lists that fit into a page are read in one call, so that a run that finds little costs three questions.
        """
        if not cursor:
            self.listed, self.exported = set(), set()
        state: dict | None = json.loads(cursor) if cursor else {"part": SURVEY, "answering": []}
        gathered = _Gathered()
        while state is not None:
            part = state["part"]
            try:
                state = (self._export if part == EXPORT else self._list)(state, since, until, gathered)
            except VendorError:
                if not gathered.n_pages:
                    raise
                break  # what was read is handed on, the next call meets the fault again
            if state is not None and state["part"] == part:
                break
        return gathered.page(state)

    def _list(self, state, since, until, gathered) -> dict | None:
        """A page of satisfaction ratings or of the survey. Returns where it goes on."""
        part, following = state["part"], state.get("next")
        if part == RATINGS:
            window = {"start_time": int(since.timestamp()), "end_time": int(until.timestamp())}
        else:  # https://developer.zendesk.com/…/csat_survey_responses/: in milliseconds
            window = {
                "filter[created_at_start]": int(since.timestamp() * 1000),
                "filter[created_at_end]": int(until.timestamp() * 1000),
            }
        is_numbered = bool(following) and "page" in following
        size = {"per_page" if is_numbered else "page[size]": self.page_size}
        try:
            answer = self.wire.get(PATHS[part], **window, **size, **(following or {}))
        except (Forbidden, NotFound):
            if following:
                raise
            return self._onward(part, state["answering"], since, until)
        read = events.rating if part == RATINGS else events.survey_rating
        items = reading.a_list(answer, KEYS[part])
        ratings, unreadable = reading.each(items, read)
        gathered.unreadable.extend(unreadable)
        offered = events.offered(items) if part == RATINGS else []
        tickets = self._tickets(ratings, offered)
        self._hand_on([_with(one, _told(tickets, one.conversation_id)) for one in ratings], gathered)
        unrated = [one for one in offered if self._is_unrated(one, tickets.get(one))]
        surveyed = self._surveyed(unrated) if SURVEY in state["answering"] else {}
        gathered.withdrawn.extend(one for one in unrated if one not in surveyed)
        gathered.n_pages += 1
        answering = sorted({*state["answering"], part})
        if following := events.following(answer):
            return {"part": part, "answering": answering, "next": following}
        return self._onward(part, answering, since, until)

    def _onward(self, part, answering, since, until) -> dict | None:
        if part == SURVEY:
            return {"part": RATINGS, "answering": answering}
        if not answering:
            raise CredentialsRefused(
                "Zendesk shows no satisfaction ratings with these credentials: customer satisfaction is switched off, or the "
                "email is not an admin's."
            )
        return {"part": EXPORT, "answering": answering} if until - since <= WATCHED else None

    def _hand_on(self, ratings, gathered):
        for rating in ratings:
            known = rating.conversation_id, rating.id, rating.value
            if known not in self.listed:
                self.listed |= {known, (rating.conversation_id, "", rating.value)}
                gathered.ratings.append(rating)

    def _is_unrated(self, ticket_id: str, ticket: events.Ticket | None) -> bool:
        """Whether a ticket that was offered a rating has none: it says so itself, or none was listed where it cannot be asked."""
        if any((ticket_id, "", value) in self.listed for value in events.ANSWERED):
            return False
        return ticket is None or ticket.is_offered

    def _export(self, state, since, until, gathered) -> dict | None:
        """A page of tickets that changed, by cursor, or by time where the account knows no cursors. Returns where it goes on."""
        began = int(min(since, until - YOUNGEST).timestamp())
        after, start = state.get("cursor"), state.get("start")
        try:
            if start is None:
                query = {"cursor": after} if after else {"start_time": began}
                answer = self.wire.get("/api/v2/incremental/tickets/cursor", **query, per_page=EXPORTED)
            else:
                answer = self.wire.get("/api/v2/incremental/tickets", start_time=start, per_page=EXPORTED)
        except NotFound:
            if after or start is not None:
                return None
            return {"part": EXPORT, "answering": state["answering"], "start": began}
        except Forbidden:
            return None
        touched = [one for one in events.tickets(answer) if (one.conversation.id, one.updated_at) not in self.exported]
        self.exported |= {(one.conversation.id, one.updated_at) for one in touched}
        self._take_touched(touched, state["answering"], until, gathered)
        gathered.n_pages += 1
        going_on = {"part": EXPORT, "answering": state["answering"]}
        if answer.get("end_of_stream") is True:
            return None
        if start is None:
            further = answer.get("after_cursor")
            is_new = isinstance(further, str) and further and further != after
            return going_on | {"cursor": further} if is_new else None
        ended = answer.get("end_time")
        if isinstance(ended, bool) or not isinstance(ended, int) or not start <= ended <= until.timestamp():
            return None
        return going_on | {"start": max(ended, start + 1)}  # a page holds all tickets of its last second

    def _take_touched(self, touched: list[events.Ticket], answering, until, gathered) -> None:
        """What became of the ratings of tickets that changed."""
        about = {one.conversation.id: one for one in touched if one.status != "deleted"}
        surveyed, asked = {}, set()
        if SURVEY in answering:
            asked = {id for id, one in about.items() if one.is_rated or one.status in events.SOLVED}
            surveyed = self._surveyed(sorted(asked))
        found = []
        for ticket_id, one in about.items():
            if ticket_id in surveyed:
                found.append(_with(surveyed[ticket_id], one.conversation))
            elif one.is_rated and RATINGS in answering:
                if (ticket_id, one.rating_id, one.score) not in self.listed:
                    found.extend(self._rated(one, gathered))
            elif self._is_unrated(ticket_id, one) and (SURVEY not in answering or ticket_id in asked):
                gathered.withdrawn.append(ticket_id)
        self._hand_on([rating for rating in found if rating.rated_at <= until], gathered)

    def _surveyed(self, ticket_ids: list[str]) -> dict[str, Rating]:
        """{ticket: the last answer to its survey}."""
        found: dict[str, Rating] = {}
        for start in range(0, len(ticket_ids), BULK):
            names = ",".join(f"zen:ticket:{one}" for one in ticket_ids[start : start + BULK])
            for answer in self._pages(PATHS[SURVEY], **{"filter[subject_zrns]": names}):
                ratings, _ = reading.each(reading.a_list(answer, KEYS[SURVEY]), events.survey_rating)
                for rating in ratings:
                    former = found.get(rating.conversation_id)
                    if former is None or former.rated_at <= rating.rated_at:
                        found[rating.conversation_id] = rating
        return {one: rating for one, rating in found.items() if one in ticket_ids}

    def _rated(self, on: events.Ticket, gathered: _Gathered) -> list[Rating]:
        """The satisfaction rating that a ticket carries, as a list of at most one."""
        try:
            rating = self._satisfaction_rating(on)
        except Malformed as fault:
            gathered.unreadable.append(Unreadable(on.rating_id or on.conversation.id, str(fault)))
            return []
        return [] if rating is None else [rating]

    def _satisfaction_rating(self, on: events.Ticket, rating_id: str = "") -> Rating | None:
        """Looked up by its id. Where Zendesk does not show it, the ticket's own word is taken: its last change for when it was
        given, and its assignee.
        """
        rating_id = on.rating_id or rating_id
        if rating_id:
            try:
                answer = self.wire.get(f"{PATHS[RATINGS]}/{reading.in_path(rating_id)}")
            except (Forbidden, NotFound):
                pass
            else:
                rating = events.rating(reading.an_object(answer, "The answer").get("satisfaction_rating"))
                if rating is None or rating.conversation_id != on.conversation.id:
                    return None
                return _with(rating, on.conversation)
        if not on.is_rated:
            return None
        rating = events.carried(on)
        return rating and _with(rating, on.conversation)

    def _tickets(self, ratings, offered) -> dict[str, events.Ticket]:
        """{id: ticket} of ratings and offers, a hundred a call. Where there is no such call only those that name nobody."""
        wanted = list(dict.fromkeys([*(one.conversation_id for one in ratings), *offered]))
        found: dict[str, events.Ticket] = {}
        for start in range(0, len(wanted) if self.has_bulk else 0, BULK):
            ids = wanted[start : start + BULK]
            try:
                answer = self.wire.get("/api/v2/tickets/show_many", ids=",".join(ids), include="metric_sets")
            except (Forbidden, NotFound):
                self.has_bulk = False
                break
            found |= {one.conversation.id: one for one in events.tickets(answer)}
        if not self.has_bulk:
            for ticket_id in dict.fromkeys(one.conversation_id for one in ratings if not one.person_id):
                try:
                    found[ticket_id] = self._ticket(ticket_id)
                except (Forbidden, NotFound):
                    continue
        return found

    def _ticket(self, ticket_id: str) -> events.Ticket:
        answer = self.wire.get(_address(ticket_id), include="metric_sets")
        ticket = events.ticket(reading.an_object(answer, "The answer").get("ticket"), events.solved_at(answer))
        if ticket.conversation.id != ticket_id:
            raise Garbled("Zendesk answered with another ticket than the one it was asked for.")
        return ticket

    # --- One conversation ---

    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        ticket = self._ticket(conversation_id)
        try:
            rating = self._surveyed([conversation_id]).get(conversation_id)
        except (Forbidden, NotFound):
            rating = None
        if rating is not None:
            return Found(ticket.conversation, _with(rating, ticket.conversation))
        if ticket.is_rated or (rating_id and not ticket.score):
            return Found(ticket.conversation, self._satisfaction_rating(ticket, rating_id))
        return Found(ticket.conversation, None)

    def transcript(self, conversation_id: str) -> Transcript:
        ticket = self._ticket(conversation_id)
        turns: list[TranscriptTurn] = []
        for answer in self._pages(_address(conversation_id, "comments"), include="users"):
            users = events.authors(answer)
            told = (events.turn(item, ticket, users) for item in reading.a_list(answer, "comments"))
            turns.extend(turn for turn in told if turn is not None)
            if len(turns) >= MOST_TURNS:
                break
        return Transcript(tuple(sorted(turns, key=lambda turn: turn.at or 0)[:MOST_TURNS]))

    def last_reply(self, conversation_id: str) -> str:
        ticket = self._ticket(conversation_id)
        for answer in self._pages(_address(conversation_id, "comments"), include="users", sort="-created_at"):
            users = events.authors(answer)
            for item in reading.a_list(answer, "comments"):
                if person_id := events.replier(item, ticket, users):
                    return person_id
        return ""

    def _pages(self, path: str, **query: Any) -> Iterator[Any]:
        """The answers of a list to its end. Raises Garbled where it goes in circles."""
        following: dict[str, str] = {}
        seen: set[tuple] = set()
        while True:
            size = {"per_page" if "page" in following else "page[size]": self.page_size}
            answer = self.wire.get(path, **query, **size, **following)
            yield answer
            following = events.following(answer)
            if not following:
                return
            if (place := tuple(following.items())) in seen:
                raise Garbled("A list of Zendesk goes in circles: a page points back to one that was read.")
            seen.add(place)


def _address(ticket_id: str, *steps: str) -> str:
    return "/".join(("/api/v2/tickets", reading.in_path(ticket_id), *steps))


def _told(tickets: Mapping[str, events.Ticket], ticket_id: str) -> Conversation | None:
    return tickets[ticket_id].conversation if ticket_id in tickets else None


def _with(rating: Rating, conversation: Conversation | None) -> Rating:
    """The rating with what its ticket tells, where that is known."""
    return rating if conversation is None else rating.within(conversation)
