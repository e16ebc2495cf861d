"""Help Scout's account, called."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from helpdesk.transcripts import MOST_TURNS, Transcript
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Check, Client, Conversation, Found, Json, Page, Person, Rating
from helpdesk.vendors.errors import CredentialsRefused, Forbidden, Garbled, Moved, NotFound, NotUnderstood
from helpdesk.vendors.helpscout import events
from helpdesk.vendors.wire import Rest, Wire

TOKEN = "/v2/oauth2/token"  # noqa: S105 (an address)
CONVERSATIONS = "/v2/conversations"
RATINGS = "/v2/reports/happiness/ratings"
MOST_PAGES = 500  # of a list that is read in one go
MOST_LOOKED_THROUGH = 20  # of the report, for the rating of one conversation

UNKNOWN_APP = (
    "Help Scout does not accept this App ID and App secret. Copy both again: your picture › Your Profile › My Apps."
)
NO_REPORTS = (
    "This app may not read the happiness report. Reports need a Plus or Pro plan, and the user who made the app must be allowed "
    "to see them: an owner or administrator."
)
NO_USERS = "This app may not list users, so ratings cannot be credited by email. Let an owner or administrator make it."


class HelpScoutClient(Client):
    """Signs in with the app's own credentials, and keeps the token for as long as the account is open, in memory only."""

    page_size = 50  # decided by Help Scout
    rest: ClassVar[Rest | None] = events.rest

    def __init__(self, wire: Wire, credentials: Mapping[str, str]):
        super().__init__(wire, credentials)
        self._before: list = []  # the page of the report that was read last

    @classmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        """None before the first call: it fetches a token."""
        return {}

    def checks(self) -> Iterator[Check]:
        self._sign_in()
        yield Check("Sign-in", is_ok=True, sentence="Help Scout knows this app.")
        now = datetime.now(UTC)
        try:
            self._report(now - timedelta(days=30), now, 1)
        except (Forbidden, NotFound):
            yield Check("Ratings", is_ok=False, sentence=NO_REPORTS)
            return
        yield Check("Ratings", is_ok=True, sentence="It may read the happiness report.")
        try:
            events.embedded(self._get("/v2/users", page=1), "users")
        except Forbidden:
            yield Check("Users", is_ok=False, sentence=NO_USERS)
            return
        yield Check("Users", is_ok=True, sentence="It may list users.")

    def people(self) -> Iterator[Person]:
        """Users, and the AI agents where the account has a list of them."""
        try:
            users = self._all(lambda page: self._get("/v2/users", page=page), "users")
            yield from filter(None, map(events.person, users))
        except Forbidden:
            raise Forbidden(NO_USERS) from None
        try:
            agents = self._all(lambda page: self._get("/v3/system-users", page=page), "system_users")
            yield from filter(None, map(events.person, agents))
        except (NotFound, Forbidden):
            return

    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        """The report, in the order of its changes, so that what comes in meanwhile lengthens its end.

        Only ratings that name nobody cost a call of their own, for their conversation.
        """
        page = int(cursor or 1)
        answer = self._report(since, until, page)
        items = reading.a_list(answer, "results")
        if page > 1 and items and items == self._before:
            raise Garbled("Help Scout's report goes in circles: a page is the same as the one before.")
        self._before = items
        read, unreadable = reading.each(items, events.listed)
        ratings = tuple(one if one.person_id else self._completed(one) for one in read)
        more = bool(items) and page < events.n_pages(answer.get("pages"))
        return Page(ratings, str(page + 1) if more else "", (), unreadable, events.total(answer.get("count")))

    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        """A conversation that was merged into another is that other: its rating went along."""
        rating = self._by_id(rating_id)
        conversation = self._conversation(conversation_id or (rating.conversation_id if rating else ""))
        places = {conversation_id, conversation.id if conversation else conversation_id}
        if rating is not None and conversation_id and rating.conversation_id not in places:
            rating = None  # the id is of a rating elsewhere
        if conversation is None:
            if rating is None:
                raise NotFound("Help Scout has no such conversation.")
            conversation = Conversation(rating.conversation_id)
        rating = rating or self._of(conversation)
        return Found(conversation, rating and rating.within(conversation))

    def transcript(self, conversation_id: str) -> Transcript:
        turns = [turn for turn in map(events.turn, self._threads(conversation_id)) if turn is not None]
        turns = turns[:MOST_TURNS][::-1]
        if all(turn.at is not None for turn in turns):
            turns.sort(key=lambda turn: turn.at or 0)
        return Transcript(tuple(turns))

    def last_reply(self, conversation_id: str) -> str:
        return next(filter(None, map(events.replier, self._threads(conversation_id))), "")

    # --- What is asked -------------------------------------------------------------------------------------------------

    def _report(self, since: datetime, until: datetime, page: int) -> Json:
        """A page of the report: {results, page, pages, count}."""
        told = {"start": reading.iso(since), "end": reading.iso(until), "page": page, "rating": "all"}
        try:
            answer = self._get(RATINGS, **told, sortField="modifiedAt", sortOrder="ASC")
        except Forbidden:
            raise Forbidden(NO_REPORTS) from None
        return reading.an_object(answer, "The report")

    def _completed(self, rating: Rating) -> Rating:
        """The rating with its conversation's assignee, as it is where the conversation is gone."""
        conversation = self._conversation(rating.conversation_id)
        return rating.within(replace(conversation, id=rating.conversation_id)) if conversation else rating

    def _by_id(self, rating_id: str) -> Rating | None:
        if not rating_id:
            return None
        try:
            return events.rating(self._get(f"/v2/ratings/{reading.in_path(rating_id)}"))
        except NotFound:
            return None

    def _conversation(self, conversation_id: str) -> Conversation | None:
        if not conversation_id:
            return None
        try:
            return events.conversation(self._wherever(conversation_id))
        except NotFound:
            return None

    def _wherever(self, conversation_id: str, *steps: str, **params: Any) -> Json:
        """What is told of a conversation, also of one that was merged: Help Scout answers 301 with where it went.

        https://developer.helpscout.com/mailbox-api/endpoints/conversations/update/
        """
        try:
            return self._get("/".join((CONVERSATIONS, reading.in_path(conversation_id), *steps)), **params)
        except Moved as moved:
            target = re.search(rf"{CONVERSATIONS}/(\d+)(/|$)", moved.path)
            if target is None:
                raise
            return self._get("/".join((CONVERSATIONS, target[1], *steps)), **params)

    def _of(self, conversation: Conversation) -> Rating | None:
        """The latest rating of a conversation by the report, None where it has none."""
        since, until, page = conversation.opened_at or reading.FIRST, datetime.now(UTC), 0
        rated: list[Rating] = []
        while True:
            page += 1
            answer = self._report(since, until + timedelta(hours=1), page)
            items = reading.a_list(answer, "results")
            theirs = [
                item for item in items if isinstance(item, dict) and reading.maybe_id(item.get("id")) == conversation.id
            ]
            rated += map(events.listed, theirs)
            if not items or page >= events.n_pages(answer.get("pages")):
                return max(rated, key=lambda one: one.rated_at, default=None)
            if page == MOST_LOOKED_THROUGH:
                raise Garbled("Help Scout's report is too long to look for one conversation in it.")

    def _threads(self, conversation_id: str) -> Iterator[Json]:
        """The newest first."""
        return self._all(lambda page: self._wherever(conversation_id, "threads", page=page), "threads")

    def _all(self, ask: Callable[[int], Json], key: str) -> Iterator[Json]:
        """Every item of a list in HAL; `ask` fetches a page of it, counted from 1."""
        page, pages = 1, 1
        before: list = []
        while page <= pages:
            items, pages = events.embedded(ask(page), key)
            if page > MOST_PAGES or (page > 1 and items and items == before):
                raise Garbled("Help Scout's list goes in circles, or has no end.")
            if not items:
                return
            yield from items
            page, before = page + 1, items

    # --- Signing in ----------------------------------------------------------------------------------------------------

    def _get(self, path: str, **params: Any) -> Json:
        """As the wire's, signed in. A token that is not accepted any more is renewed once."""
        if "authorization" in self.wire.headers:
            try:
                return self.wire.get(path, **params)
            except Forbidden:
                raise
            except CredentialsRefused:
                pass
        self._sign_in()
        return self.wire.get(path, **params)

    def _sign_in(self) -> None:
        """https://developer.helpscout.com/mailbox-api/overview/authentication/: the client credentials flow of OAuth 2."""
        self.wire.headers.pop("authorization", None)
        told = {"client_id": self.credentials["app_id"], "client_secret": self.credentials["app_secret"]}
        try:
            answer = self.wire.post(TOKEN, form={"grant_type": "client_credentials", **told})
        except (CredentialsRefused, NotUnderstood):
            raise CredentialsRefused(UNKNOWN_APP) from None
        self.wire.headers["authorization"] = f"Bearer {events.token(answer)}"
