"""Chatwoot's account, called.

https://developers.chatwoot.com/api-reference. The list of CSAT responses comes in pages by number, 25 each, without a word on
how many there are; it is open to administrators only.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from helpdesk.transcripts import MOST_TURNS, Transcript
from helpdesk.vendors import reading
from helpdesk.vendors.chatwoot import events
from helpdesk.vendors.contract import Check, Client, Conversation, Found, Json, Malformed, Page, Person
from helpdesk.vendors.errors import CredentialsRefused, NotFound, RateLimited, VendorError

MOST_MESSAGES = 2_000  # of one conversation that are read, the newest
MOST_PAGES = 40  # of the list, in which one response is looked for
BOTS = {"agent_bot": "agent_bots", "captain_assistant": "captain/assistants"}

ADMINISTRATOR = "The owner of this token has to be an administrator of the account: only they may read CSAT reports."


class ChatwootClient(Client):
    page_size = 25
    joins = True  # until a search for conversations has failed
    oldest_first = True

    @classmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        return {"api_access_token": credentials["api_token"]}

    @property
    def _account(self) -> str:
        return f"/api/v1/accounts/{reading.in_path(self.credentials['account_id'])}"

    def _get(self, path: str, **params: Any) -> Json:
        return self.wire.get(f"{self._account}/{path}", **params)

    # --- Is everything there? --------------------------------------------------------------------------------------------

    def checks(self) -> Iterator[Check]:
        sign_in, account = self._profile()
        yield sign_in
        if not sign_in.is_ok:
            return
        if account is not None:
            yield account
            if not account.is_ok:
                return
        try:
            _listed(self._get("csat_survey_responses", page=1))
        except CredentialsRefused:  # with 401, although the token is right
            yield Check("Ratings", is_ok=False, sentence=ADMINISTRATOR)
            return
        except NotFound:
            yield Check(
                "Ratings", is_ok=False, sentence="This Chatwoot has no CSAT reports. It takes version 2 or later."
            )
            return
        yield Check("Ratings", is_ok=True, sentence="CSAT answers can be read.")
        _listed(self._get("agents"))
        yield Check("Agents", is_ok=True, sentence="The list of agents can be read.")

    def _profile(self) -> tuple[Check, Check | None]:
        """Whether the token is right, and whether its owner is in the account."""
        try:
            profile = reading.an_object(self.wire.get("/api/v1/profile"), "The profile")
        except CredentialsRefused:
            sentence = "Chatwoot does not know this access token. It stands at the end of your profile settings."
            return Check("Sign-in", is_ok=False, sentence=sentence), None
        except NotFound:
            sentence = "There is no Chatwoot at this address. Give the part of the dashboard's address before /app."
            return Check("Sign-in", is_ok=False, sentence=sentence), None
        known = Check("Sign-in", is_ok=True, sentence="Chatwoot knows this token.")
        accounts = profile.get("accounts")
        if not isinstance(accounts, list):
            return known, None
        own = self.credentials["account_id"]
        mine = next((one for one in accounts if isinstance(one, dict) and reading.maybe_id(one.get("id")) == own), None)
        if mine is None:
            sentence = (
                "The owner of this token is not in the account of this number. The number stands in the address of the "
                "dashboard, behind /app/accounts/."
            )
            return known, Check("Account", is_ok=False, sentence=sentence)
        return known, Check("Account", is_ok=True, sentence="The token's owner is in this account.")

    # --- People ----------------------------------------------------------------------------------------------------------

    def people(self) -> Iterator[Person]:
        yield from _each(_listed(self._get("agents")), "user")
        for kind, path in BOTS.items():
            try:
                told = _listed(self._get(path))
            except (NotFound, CredentialsRefused, Malformed):
                continue  # not every edition has them, not everybody may list them
            yield from _each(told, kind)

    # --- Ratings ---------------------------------------------------------------------------------------------------------

    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        """Oldest first, from a second on: the page that follows begins with the last second of this one.

        So nothing is skipped when responses vanish meanwhile and all later pages shift. What the border repeats is left out.
        Only where a page holds nothing but that second, or the list heeds neither bounds nor order, it goes on by number.
        """
        place = Place.read(cursor) if cursor else Place(math.floor(since.timestamp()))
        items = self._responses(place.second, until, place.page)
        if place.ids and not place.by_number and any(at < place.second for at in _seconds(items)):
            place = Place(math.floor(since.timestamp()), page=2, ids=_ids(items), by_number=True)
            items = self._responses(place.second, until, place.page)
        new = [item for item in items if _id(item) not in place.ids]
        is_last = not items or (not new and place.page > 1)
        found, unreadable = reading.each(new, events.rating)
        found = tuple(rating for rating in found if since <= rating.rated_at <= until)
        talks = self._conversations({rating.conversation_id for rating in found})
        return Page(
            tuple(replace(rating, conversation=talks.get(rating.conversation_id)) for rating in found),
            cursor="" if is_last else place.behind(items).text(),
            unreadable=unreadable,
        )

    def _responses(self, since: int, until: datetime, page: int, **filters: str) -> list[Json]:
        """A page of the list; both bounds are whole seconds, the second is not in it."""
        told = self._get(
            "csat_survey_responses",
            since=since,
            until=math.floor(until.timestamp()) + 1,
            page=page,
            sort="created_at",
            **filters,
        )
        return _listed(told)

    def _conversations(self, ids: set[str]) -> dict[str, Conversation]:
        """{id: conversation}, all in one call. Ratings are read without where there is no such search.

        https://developers.chatwoot.com/api-reference/conversations/conversations-filter
        """
        wanted = sorted(int(id) for id in ids if id.isdecimal())
        if not wanted or not self.joins:
            return {}
        numbers = {
            "attribute_key": "display_id",
            "filter_operator": "equal_to",
            "values": wanted,
            "query_operator": None,
        }
        try:
            told = self.wire.post(f"{self._account}/conversations/filter", {"payload": [numbers]})
            told = told.get("data", told) if isinstance(told, dict) else told
            found = [events.conversation(one) for one in _listed(told)]
        except RateLimited:
            raise
        except (VendorError, Malformed):
            self.joins = False
            return {}
        return {one.id: one for one in found}

    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        conversation = events.conversation(self._get(_conversation(conversation_id)))
        surveys = [one for one in self._messages(conversation_id) if events.is_survey(one)]
        for survey in surveys:
            if events.given(survey):
                return _found(conversation, self._answer(conversation.id, survey))
        if surveys or conversation.opened_at is None:
            return _found(conversation, None)
        # No message asks for a rating: an older Chatwoot does not show which do. The list knows.
        return _found(conversation, self._response(conversation.opened_at, "conversation_id", conversation.id))

    def _answer(self, conversation_id: str, survey: dict) -> Json:
        """The response that a message got. It does not say when; the list does."""
        asked = reading.moment(survey.get("created_at"), "The message")
        inbox_id = reading.maybe_id(survey.get("inbox_id"))
        filters = {"rating": events.given(survey)} | ({"inbox_id": inbox_id} if inbox_id else {})
        response = self._response(asked, "message_id", _id(survey), **filters)
        return response or events.response(conversation_id, survey)

    def _response(self, since: datetime, key: str, value: str, **filters: str) -> Json:
        """The response with a value, of those since a time; None where it is not among the first MOST_PAGES pages."""
        place, until = Place(math.floor(since.timestamp())), datetime.now(UTC) + timedelta(days=1)
        for _ in range(MOST_PAGES):
            items = self._responses(place.second, until, place.page, **filters)
            for item in items:
                if isinstance(item, dict) and reading.maybe_id(item.get(key)) == value:
                    return item
            if place.page > 1 and _ids(items) <= place.ids:
                break
            place = place.behind(items)
        return None

    # --- Words -----------------------------------------------------------------------------------------------------------

    def transcript(self, conversation_id: str) -> Transcript:
        turns = [turn for one in self._messages(conversation_id) if (turn := events.turn(one))]
        return Transcript(tuple(reversed(turns[:MOST_TURNS])))

    def last_reply(self, conversation_id: str) -> str:
        return next(filter(None, map(events.replied, self._messages(conversation_id))), "")

    def _messages(self, conversation_id: str) -> Iterator[Json]:
        """The newest first; a page has 20 of them and ends where the one before began."""
        seen: set[str] = set()
        before = None
        while len(seen) < MOST_MESSAGES:
            told = self._get(f"{_conversation(conversation_id)}/messages", before=before)
            page = [one for one in reading.a_list(told, "payload") if isinstance(one, dict) and _id(one) not in seen]
            page = sorted((one for one in page if _id(one)), key=_age, reverse=True)
            if not page:
                return
            yield from page
            seen |= {_id(one) for one in page}
            before = min(seen, key=_number)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the list of responses goes on: a page of those since a second.

    `ids` are those that were read and may come again: of that second, or `by_number` of the page before.
    """

    second: int
    page: int = 1
    ids: frozenset[str] = frozenset()
    by_number: bool = False

    @classmethod
    def read(cls, cursor: str) -> "Place":
        second, page, how, *ids = cursor.split(" ")
        return cls(int(second), int(page), frozenset(ids), how == "number")

    def text(self) -> str:
        how = "number" if self.by_number else "second"
        return " ".join([str(self.second), str(self.page), how, *sorted(self.ids)])

    def behind(self, items: list[Json]) -> "Place":
        """Where it goes on after a page."""
        seconds = _seconds(items)
        is_in_order = 0 < len(seconds) == len(items) and seconds == sorted(seconds) and seconds[0] >= self.second
        if self.by_number or not is_in_order:
            return Place(self.second, self.page + 1, _ids(items), by_number=True)
        last = seconds[-1]
        ids = frozenset(_id(item) for item, second in zip(items, seconds, strict=True) if second == last)
        if last == self.second:
            return Place(last, self.page + 1, self.ids | ids)
        return Place(last, ids=ids)


def _seconds(items: list[Json]) -> list[int]:
    moments = (reading.maybe_moment(item.get("created_at")) for item in items if isinstance(item, dict))
    return [math.floor(at.timestamp()) for at in moments if at]


def _id(item: Json) -> str:
    return reading.maybe_id(item.get("id")).replace(" ", "") if isinstance(item, dict) else ""


def _ids(items: list[Json]) -> frozenset[str]:
    return frozenset(map(_id, items))


def _listed(told: Json) -> list[Json]:
    """A list, which some versions wrap."""
    return reading.a_list(told, "payload") if isinstance(told, dict) else reading.a_list({"payload": told}, "payload")


def _number(id: str) -> tuple[int, str]:
    return (int(id), "") if id.isdecimal() else (0, id)


def _age(message: dict) -> tuple:
    at = reading.maybe_moment(message.get("created_at"))
    return (at.timestamp() if at else 0.0, _number(_id(message)))


def _found(conversation: Conversation, response: Json) -> Found:
    rating = events.rating(response) if response else None
    return Found(conversation, rating and replace(rating, conversation=conversation))


def _conversation(id: str) -> str:
    return f"conversations/{reading.in_path(id)}"


def _each(items: list[Json], kind: str) -> Iterator[Person]:
    for item in items:
        try:
            yield events.person(item, kind)
        except Malformed:
            continue
