"""Zendesk's account, called."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from helpdesk.transcripts import Transcript
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Check, Client, Found, Page, Person
from helpdesk.vendors.zendesk import events


class ZendeskClient(Client):
    page_size = 100

    @classmethod
    def headers(cls, credentials: Mapping[str, str]) -> dict[str, str]:
        return {"authorization": reading.basic(f"{credentials['email']}/token", credentials["api_token"])}

    def checks(self) -> Iterator[Check]:
        self.wire.get("/api/v2/users/me")
        yield Check("Sign-in", is_ok=True, sentence="Zendesk knows this token.")

    def people(self) -> Iterator[Person]:
        yield from ()

    def ratings(self, since: datetime, until: datetime, cursor: str) -> Page:
        answer = self.wire.get(
            "/api/v2/satisfaction_ratings",
            start_time=int(since.timestamp()),
            end_time=int(until.timestamp()),
            **{"page[size]": self.page_size, "page[after]": cursor or None},
        )
        ratings, unreadable = reading.each(reading.a_list(answer, "satisfaction_ratings"), events.rating)
        meta = answer.get("meta") or {}
        return Page(ratings, meta.get("after_cursor") or "" if meta.get("has_more") else "", unreadable=unreadable)

    def found(self, conversation_id: str, rating_id: str = "") -> Found:
        raise NotImplementedError

    def transcript(self, conversation_id: str) -> Transcript:
        raise NotImplementedError
