"""Intercom's account, called.

Addresses: https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io/conversations/searchconversations,
…/conversations/retrieveconversation, …/admins/listadmins, …/admins/identifyadmin
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from helpdesk.transcripts import Transcript
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Check, Client, Found, Malformed, Page, Person, Rating, Unreadable
from helpdesk.vendors.errors import Forbidden, Garbled, NotFound, VendorError
from helpdesk.vendors.intercom import events

VERSION = "2.14"
REPLIED, UPDATED = "conversation_rating.replied_at", "updated_at"  # what conversations are searched by, in this order
WATCHED = timedelta(days=31)  # runs that go back further search by replies only


class IntercomClient(Client):
    page_size = 150  # the most that a search gives
    rest = events.rest

    def __init__(self, wire, credentials: Mapping[str, str]):
        super().__init__(wire, credentials)
        self.listed: set[Rating | Unreadable] = set()

    @classmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        return {"authorization": f"Bearer {credentials['access_token']}", "intercom-version": VERSION}

    # --- What is there ---

    def checks(self) -> Iterator[Check]:
        me = reading.an_object(self.wire.get("/me"), "The answer")
        if not reading.maybe_id(me.get("id")):
            sentence = "Intercom does not say whose this token is. Copy it again from the Developer Hub."
            yield Check("Sign-in", is_ok=False, sentence=sentence)
            return
        yield Check("Sign-in", is_ok=True, sentence="Intercom knows this token.")
        try:
            reading.a_list(self.wire.get("/admins"), "admins")
        except Forbidden:
            sentence = "The app may not read teammates. Give it the permission “Read admins” in the Developer Hub."
            yield Check("Teammates", is_ok=False, sentence=sentence)
            return
        yield Check("Teammates", is_ok=True, sentence="Teammates can be read.")
        try:
            reading.a_list(self._search({"field": UPDATED, "operator": ">", "value": 0}, size=1), "conversations")
        except Forbidden:
            sentence = (
                "The app may not read conversations. Give it the permission “Read conversations” in the Developer Hub; the "
                "workspace needs an active subscription."
            )
            yield Check("Conversations", is_ok=False, sentence=sentence)
            return
        yield Check("Conversations", is_ok=True, sentence="Conversations and their ratings can be read.")
        told = "There is a client secret: what the webhook sends is taken in at once."
        missing = (
            "There is no client secret, so ratings are read every few minutes only. It stands in the Developer Hub."
        )
        yield Check("Webhook", is_ok=True, sentence=told if self.credentials.get("client_secret") else missing)

    def people(self) -> Iterator[Person]:
        """The teammates, and Fin where it ever took part in a conversation."""
        try:
            yield from map(events.person, reading.a_list(self.wire.get("/admins"), "admins"))
            answer = self._search({"field": "ai_agent_participated", "operator": "=", "value": True}, size=1)
        except NotFound:
            return  # ratings are read without names as well
        if any(map(events.took_part, reading.a_list(answer, "conversations"))):
            yield events.FIN

    def deep_link_keys(self) -> dict[str, str]:
        app = reading.an_object(self.wire.get("/me"), "The answer").get("app")
        app_id = reading.maybe_id(app.get("id_code")) if isinstance(app, dict) else ""
        return {"appId": app_id} if app_id else {}

    # --- Ratings ---

    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        """Two searches, one after the other; the cursor says in JSON which one and where in it.

        By `conversation_rating.replied_at`: what customers answered in the window, and nothing else, so a first reading of
        months costs a call for 150 ratings. By `updated_at`: whatever happened to conversations in the window. That finds ratings
        that were given before it and changed or taken back since, and what Fin alone was rated, but reads every conversation
        for it, rated or not. So it is left to runs over a few weeks: the one of every few minutes, and the daily one. Nothing is
        stored before the first reading that could be wrong.

        Both are sorted by the last change, oldest first: a conversation that changes while pages are turned comes again at the
        end, where another order would have it slip by. No rating is handed on twice while the same client reads.
        """
        if not cursor:
            self.listed = set()
        state: dict | None = json.loads(cursor) if cursor else {"by": REPLIED}
        ratings: list[Rating] = []
        withdrawn: list[str] = []
        unreadable: list[Unreadable] = []
        total, n_read = None, 0
        while state is not None:
            by = state["by"]
            try:
                answer = self._search(_between(by, since, until), after=state.get("after"))
                items = reading.a_list(answer, "conversations")
            except (VendorError, Malformed):
                if not n_read:
                    raise
                break  # what was read is handed on, the next call meets the fault again
            n_read += 1
            told, faults = reading.each(items, events.rating)
            ratings += [one for one in told if by == REPLIED or one.rated_at <= until]
            unreadable += faults
            if by == UPDATED:
                withdrawn += _unrated(items)
            elif until - since > WATCHED:
                total = events.total(answer)
            if after := events.following(answer):
                state = {"by": by, "after": after}
                break
            state = {"by": UPDATED} if by == REPLIED and until - since <= WATCHED else None
        cursor = json.dumps(state, sort_keys=True) if state else ""
        return Page(self._new(ratings), cursor, tuple(withdrawn), self._new(unreadable), total)

    def _new(self, told: list) -> tuple:
        """Those that this client did not hand on yet."""
        new = [one for one in dict.fromkeys(told) if one not in self.listed]
        self.listed.update(new)
        return tuple(new)

    def _search(self, query: Mapping[str, Any], *, after: str | None = None, size: int | None = None) -> Any:
        paging: dict[str, Any] = {"per_page": size or self.page_size}
        if after:
            paging["starting_after"] = after
        order = {"field": UPDATED, "order": "ascending"}
        return self.wire.post("/conversations/search", {"query": query, "sort": order, "pagination": paging})

    # --- One conversation ---

    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        told = self._conversation(conversation_id)
        return Found(events.conversation(told), events.rating(told))

    def transcript(self, conversation_id: str) -> Transcript:
        return Transcript(tuple(events.turns(self._conversation(conversation_id))))

    def last_reply(self, conversation_id: str) -> str:
        return events.last_replier(self._conversation(conversation_id))

    def _conversation(self, conversation_id: str) -> Any:
        told = self.wire.get(f"/conversations/{reading.in_path(conversation_id)}", display_as="plaintext")
        if events.conversation_id(told) != conversation_id:
            raise Garbled("Intercom answered with another conversation than the one it was asked for.")
        return told


def _between(field: str, since: datetime, until: datetime) -> dict[str, Any]:
    """Both bounds included; Intercom counts in whole seconds and leaves out the bound itself."""
    after = {"field": field, "operator": ">", "value": int(since.timestamp()) - 1}
    before = {"field": field, "operator": "<", "value": int(until.timestamp()) + 1}
    return {"operator": "AND", "value": [after, before]}


def _unrated(items) -> list[str]:
    """The conversations that have no rating; what cannot be read has one, for all that is known."""
    found = []
    for item in items:
        try:
            if events.rating(item) is None and "conversation_rating" in item:
                found.append(events.conversation_id(item))
        except Malformed:
            continue
    return found
