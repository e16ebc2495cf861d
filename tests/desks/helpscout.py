"""Help Scout on loopback: tokens that end, lists in HAL, and a report with numbers for faces."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import datetime
from hashlib import sha1
from hmac import new as hmac
from html import escape
from urllib.parse import parse_qs

from helpdesk.vendors.contract import Credit
from tests.desks.server import Answer, Asked, Desk
from tests.desks.world import Said, Talk

CREDENTIALS = {"app_id": "app", "app_secret": "right", "webhook_secret": "whs"}


class HelpScout(Desk):
    vendor = "helpscout"
    list_path = "/happiness/ratings"
    credentials = CREDENTIALS
    page_size = 3
    linked = ("https://api.helpscout.net", "https://secure.helpscout.net/conversation/1001")
    credit = Credit.RATED
    dates_webhooks = False
    calls_left = 400
    has_reports = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_tokens = 0
        self.merged: dict[str, str] = {}

    def merge(self, talk: Talk, into: Talk) -> None:
        """Let one conversation go into another, with the rated reply."""
        self.world.add(replace(into, answer=talk.answer, updated_at=talk.updated_at))
        del self.world.talks[talk.id]
        self.merged[talk.id] = into.id

    def answer(self, asked: Asked) -> Answer:
        answer = self.token(asked) if asked.path == "/v2/oauth2/token" else self.signed_in(asked)
        answer.headers |= {
            "X-RateLimit-Limit-Minute": "400",
            "X-RateLimit-Remaining-Minute": str(self.calls_left),
            "content-type": "application/hal+json",
        }
        return answer

    def token(self, asked: Asked) -> Answer:
        told = {name: values[-1] for name, values in parse_qs(asked.body).items()}
        if told != {"grant_type": "client_credentials", "client_id": "app", "client_secret": "right"}:
            return Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        self.n_tokens += 1
        return Answer(body={"token_type": "bearer", "access_token": f"token{self.n_tokens}", "expires_in": 172_800})

    def end_tokens(self) -> None:
        """What was handed out is not accepted any more."""
        self.n_tokens += 1

    def signed_in(self, asked: Asked) -> Answer:
        if not self.n_tokens or asked.headers.get("authorization") != f"Bearer token{self.n_tokens}":
            return Answer(401, {"error": "invalid_token"})
        if asked.path == "/v2/users":
            return self.page(asked, "users", [person for person in self.world.people if not person.is_bot], user)
        if asked.path == "/v3/system-users":
            return self.page(asked, "system_users", [person for person in self.world.people if person.is_bot], user)
        if asked.path == "/v2/reports/happiness/ratings":
            return self.report(asked) if self.has_reports else Answer(403, {"message": "Not in your plan"})
        found = re.fullmatch(r"/v2/ratings/(\d+)", asked.path)
        if found:
            told = [talk for talk in self.world.answered() if talk.answer.id == found[1]]
            return Answer(body=rating(told[0])) if told else Answer(404, {"message": "Not found"})
        found = re.fullmatch(r"/v2/conversations/(\d+)(/threads)?", asked.path)
        if found and found[1] in self.merged:
            return Answer(301, headers={"location": f"{self.url}/v2/conversations/{self.merged[found[1]]}"})
        talk = found and self.world.talks.get(found[1])
        if not talk:
            return Answer(404, {"message": "Not found"})
        if found[2]:
            return self.page(asked, "threads", list(enumerate(talk.said))[::-1], lambda one: thread(talk, *one))
        return Answer(body=conversation(talk))

    def page(self, asked: Asked, key: str, rows: list, shown) -> Answer:
        """A page of a list; `shown` is what a row becomes."""
        number = int(asked.query.get("page", 1))
        told = {
            "size": self.page_size,
            "totalElements": len(rows),
            "totalPages": -(-len(rows) // self.page_size),
            "number": number,
        }
        held = rows[(number - 1) * self.page_size : number * self.page_size]
        return Answer(body={"_embedded": {key: [shown(row) for row in held]}, "_links": {}, "page": told})

    def report(self, asked: Asked) -> Answer:
        start, end, number = asked.query["start"], asked.query["end"], int(asked.query.get("page", 1))
        talks = [talk for talk in self.world.answered() if start <= iso(talk.answer.at) <= end]
        held = [row(talk) for talk in talks[(number - 1) * self.page_size : number * self.page_size]]
        pages = -(-len(talks) // self.page_size)
        return Answer(body={"facets": {}, "results": held, "page": number, "count": len(talks), "pages": pages})

    def webhook(self, talk: Talk, at: datetime) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(rating(talk)).encode()
        proof = b64encode(hmac(self.credentials["webhook_secret"].encode(), body, sha1).digest()).decode()
        return body, {"x-helpscout-event": "satisfaction.ratings", "x-helpscout-signature": proof}


def row(talk: Talk) -> dict:
    told = talk.answer
    return {
        "number": int(talk.id) - 900,
        "threadid": rated_thread(talk),
        "threadCreatedAt": iso(talk.said[-1].at if talk.said else talk.opened_at),
        "id": int(talk.id),
        "type": "email",
        "ratingId": 1 if told.happy > 0.7 else 3 if told.happy < 0.3 else 2,
        "ratingCustomerId": 77,
        "ratingComments": talk.said[0].text if talk.said else "",
        "ratingCreatedAt": iso(told.at),
        "ratingCustomerName": "Customer",
        "ratingUserId": int(told.person) if told.person else None,
        "ratingUserName": "Somebody" if told.person else None,
    }


def rating(talk: Talk) -> dict:
    told = talk.answer
    return {
        "id": int(told.id),
        "customer": {"id": 77, "email": "customer@desk.example", "firstName": "Cus", "lastName": "Tomer"},
        "threadId": rated_thread(talk),
        "conversationId": int(talk.id),
        "conversationNumber": int(talk.id) - 900,
        "mailboxId": 85,
        "rating": "great" if told.happy > 0.7 else "not_good" if told.happy < 0.3 else "okay",
        "user": {"id": int(told.person), "email": "user@desk.example", "firstName": "U"} if told.person else None,
        "comments": talk.said[0].text if talk.said else "",
        "createdAt": iso(min(told.at, talk.closed_at or told.at)).removesuffix("Z"),
        "modifiedAt": iso(told.at).removesuffix("Z"),
    }


def rated_thread(talk: Talk) -> int:
    """The reply that was rated; it goes along when its conversation is merged into another."""
    return int(talk.answer.id) * 1_000 + 999


def conversation(talk: Talk) -> dict:
    return {
        "id": int(talk.id),
        "number": int(talk.id) - 900,
        "type": "email",
        "status": "closed" if talk.closed_at else "active",
        "state": "published",
        "subject": talk.said[0].text[:40] if talk.said else "",
        "preview": talk.said[0].text if talk.said else "",
        "assignee": {"id": int(talk.assignee), "type": "user"} if talk.assignee else None,
        "createdAt": iso(talk.opened_at),
        "closedAt": iso(talk.closed_at) if talk.closed_at else None,
    }


def thread(talk: Talk, number: int, said: Said) -> dict:
    kind = {"customer": "customer", "agent": "message", "note": "note", "system": "lineitem"}[said.role]
    maker = {"id": int(said.person), "type": "user"} if said.person else {"id": 77, "type": "customer"}
    return {
        "id": int(talk.id) * 1_000 + number,
        "type": kind,
        "status": "active",
        "state": "published",
        "body": f"<p>{escape(said.text)}</p>",
        "source": {"type": "email", "via": "customer"},
        "customer": {"id": 77},
        "createdBy": maker,
        "createdAt": iso(said.at),
    }


def user(person) -> dict:
    first, _, last = person.name.partition(" ")
    return {
        "id": int(person.id),
        "firstName": first,
        "lastName": last,
        "email": person.email or None,
        "role": "user",
        "type": "system_user" if person.is_bot else "user",
        "timezone": "UTC",
    }


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
