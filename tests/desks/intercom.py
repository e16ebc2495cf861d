"""Intercom on loopback."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import datetime

from helpdesk.vendors import reading
from helpdesk.vendors.contract import Credit
from helpdesk.vendors.intercom.events import FIN
from tests.desks.server import Answer, Asked, Desk
from tests.desks.world import Person, Talk, World

CREDENTIALS = {"access_token": "right", "client_secret": "cs"}
MOST_PARTS = 500


class Intercom(Desk):
    """A workspace. Its bots are no teammates: a rating of theirs names nobody, and whoever asks is told that Fin took part."""

    vendor = "intercom"
    list_path = "/conversations/search"
    list_mark = "conversation_rating.replied_at"  # its bots are found by a search as well
    credentials = CREDENTIALS
    linked = ("https://api.intercom.io", "https://app.intercom.com/a/inbox/abc123/conversation/1001")
    credit = Credit.RATED
    dates_webhooks = False
    hidden: tuple[str, ...] = ()
    """Beginnings of paths that this app may not read."""

    def __init__(self, world: World, port: int = 0):
        world.people = [replace(one, name=FIN.name) if one.is_bot else one for one in world.people]
        super().__init__(world, port)
        self.untold: set[str] = set()  # conversations whose rating does not name the teammate

    def person_id(self, person: Person) -> str:
        return FIN.id if person.is_bot else person.id

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != "Bearer right":
            return Answer(401, wrong("unauthorized", "Access Token Invalid"))
        if asked.path.startswith(tuple(self.hidden)):
            return Answer(403, wrong("api_plan_restricted", "Active subscription needed."))
        found = self.found(asked)
        if found is None:
            return Answer(404, wrong("not_found", "Resource not found"))
        told = {"x-ratelimit-limit": "1667", "x-ratelimit-remaining": "1666", "x-ratelimit-reset": "1734537243"}
        return Answer(body=found, headers=told)

    def found(self, asked: Asked):
        match asked.path.strip("/").split("/"):
            case ["me"]:
                return {"type": "admin", "id": "1", "app": {"type": "app", "id_code": "abc123", "region": "US"}}
            case ["admins"]:
                return {"type": "admin.list", "admins": [admin(one) for one in self.world.people if not one.is_bot]}
            case ["conversations", "search"]:
                return self.search(asked.body)
            case ["conversations", id] if id in self.world.talks:
                return self.conversation(self.world.talks[id], whole=True)
        return None

    def search(self, body: dict) -> dict:
        rows = [t for t in self.world.talks.values() if fits(body["query"], self.fields(t))]
        rows.sort(key=lambda t: (changed_at(t), t.id), reverse=body.get("sort", {}).get("order") != "ascending")
        paging = body.get("pagination", {})
        first = json.loads(b64decode(paging["starting_after"]))[0] if paging.get("starting_after") else 0
        size = min(self.page_size, paging.get("per_page", 20))
        further = first + size
        pages = {"type": "pages", "page": first // size + 1, "per_page": size}
        if further < len(rows):
            pages["next"] = {"per_page": size, "starting_after": b64encode(json.dumps([further]).encode()).decode()}
        told = [self.conversation(one) for one in rows[first:further]]
        return {"type": "conversation.list", "pages": pages, "total_count": len(rows), "conversations": told}

    def fields(self, talk: Talk) -> dict:
        return {
            "updated_at": changed_at(talk),
            "conversation_rating.replied_at": talk.answer and int(talk.answer.at.timestamp()),
            "ai_agent_participated": self.has_fin(talk),
        }

    def has_fin(self, talk: Talk) -> bool:
        bots = {one.id for one in self.world.people if one.is_bot}
        return any(said.role == "agent" and said.person in bots for said in talk.said)

    def conversation(self, talk: Talk, *, whole: bool = False) -> dict:
        bots = {one.id for one in self.world.people if one.is_bot}
        first = next((said for said in talk.said if said.role != "note"), None)
        told = {
            "type": "conversation",
            "id": talk.id,
            "created_at": int(talk.opened_at.timestamp()),
            "updated_at": changed_at(talk),
            "source": {
                "type": "conversation",
                "id": "403918334",
                "delivered_as": "customer_initiated",
                "subject": "",
                "body": first.text if first else "",
                "author": self.author(first) if first else None,
                "redacted": False,
            },
            "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": f"c{talk.id}"}]},
            "admin_assignee_id": int(talk.assignee) if talk.assignee and talk.assignee not in bots else None,
            "team_assignee_id": None,
            "open": talk.closed_at is None,
            "state": "closed" if talk.closed_at else "open",
            "statistics": {"last_close_at": talk.closed_at and int(talk.closed_at.timestamp())},
            "conversation_rating": self.rating(talk, bots),
            "ai_agent": None,
            "ai_agent_participated": self.has_fin(talk),
        }
        if whole:
            parts = [self.part(number, said) for number, said in enumerate(talk.said) if said is not first]
            told["conversation_parts"] = {
                "type": "conversation_part.list",
                "conversation_parts": parts[-MOST_PARTS:],
                "total_count": len(parts),
            }
        return told

    def rating(self, talk: Talk, bots) -> dict | None:
        if talk.answer is None:
            return None
        person = talk.answer.person
        is_told = person and person not in bots and talk.id not in self.untold
        return {
            "rating": round(talk.answer.happy * 4) + 1,
            "remark": talk.said[0].text if talk.said else "",
            "created_at": int((talk.closed_at or talk.opened_at).timestamp()),
            "updated_at": int(talk.answer.at.timestamp()),
            "contact": {"type": "contact", "id": f"c{talk.id}"},
            "teammate": {"type": "admin", "id": int(person)} if is_told else None,
        }

    def part(self, number: int, said) -> dict:
        return {
            "type": "conversation_part",
            "id": str(number),
            "part_type": "note" if said.role == "note" else "comment",
            "body": said.text,
            "created_at": int(said.at.timestamp()),
            "updated_at": int(said.at.timestamp()),
            "author": self.author(said),
            "redacted": False,
        }

    def author(self, said) -> dict:
        person = next((one for one in self.world.people if one.id == said.person), None)
        if said.role == "customer" or (person is None and said.role != "system"):
            return {
                "type": "user",
                "id": "6762f1261bb69f9f2193bba7",
                "name": "Customer",
                "email": "customer@example.com",
            }
        if person is None:
            return {"type": "system", "id": None, "name": None}
        if person.is_bot:
            return {"type": "bot", "id": person.id, "name": "Fin", "email": "operator+abcd1234@intercom.io"}
        return {"type": "admin", "id": person.id, "name": person.name, "email": person.email}

    def webhook(self, talk: Talk, at: datetime) -> tuple[bytes, dict[str, str]]:
        told = notification("conversation.rating.added", self.conversation(talk), at)
        return signed(told, self.credentials["client_secret"])


def notification(topic: str, item: dict, at: datetime, **changes) -> dict:
    return {
        "type": "notification_event",
        "app_id": "abc123",
        "topic": topic,
        "id": f"notif_{item.get('id')}_{int(at.timestamp())}",
        "created_at": int(at.timestamp()),
        "delivery_attempts": 1,
        "data": {"type": "notification_event_data", "item": item},
    } | changes


def signed(told: dict, secret: str = CREDENTIALS["client_secret"]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(told).encode()
    return body, {
        "content-type": "application/json",
        "x-hub-signature": f"sha1={reading.hex_hmac(body, secret, 'sha1')}",
    }


def fits(query: dict, fields: dict) -> bool:
    """Whether a conversation is found by a query, {field, operator, value} or {operator: AND, value: [queries]}."""
    if query["operator"] == "AND":
        return all(fits(one, fields) for one in query["value"])
    value, wanted = fields[query["field"]], query["value"]
    if value is None:
        return False
    return {"=": value == wanted, ">": value > wanted, "<": value < wanted}[query["operator"]]


def changed_at(talk: Talk) -> int:
    return int((talk.updated_at or talk.opened_at).timestamp())


def admin(person: Person) -> dict:
    told = {"type": "admin", "id": person.id, "name": person.name, "email": person.email}
    return told | {"away_mode_enabled": False, "has_inbox_seat": True, "team_ids": []}


def wrong(code: str, message: str) -> dict:
    return {"type": "error.list", "request_id": "45b30bd1-75d2", "errors": [{"code": code, "message": message}]}
