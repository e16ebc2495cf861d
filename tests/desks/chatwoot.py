"""Chatwoot on loopback."""

import json
from datetime import datetime

from helpdesk.vendors.reading import hex_hmac
from tests.desks.server import Answer, Asked, Desk
from tests.desks.world import Person, Said, Talk, World

CREDENTIALS = {"account_id": "7", "api_token": "right", "webhook_secret": "whs"}
KINDS = {"customer": 0, "agent": 1, "note": 1, "system": 2}
REFUSED = Answer(401, {"error": "You are not authorized to do this action"})


class Chatwoot(Desk):
    """`message_page` is how many messages come at once; `role` is that of the token's owner."""

    vendor = "chatwoot"
    list_path = "/csat_survey_responses"
    has_cursors = False
    credentials = CREDENTIALS
    linked = ("https://chat.acme.example/", "https://chat.acme.example/app/accounts/7/conversations/1001")
    message_page = 20
    role = "administrator"

    def __init__(self, world: World, port: int = 0):
        super().__init__(world, port)
        self.first_rated: dict[str, datetime] = {}  # a rating that is changed keeps the time of the first

    def person_id(self, person: Person) -> str:
        return f"agent_bot-{person.id}" if person.is_bot else person.id

    def credited(self, talk: Talk) -> tuple[str, str]:
        """A bot is no assigned agent of a response."""
        person, credit = super().credited(talk)
        return ("" if person.startswith("agent_bot") else person), credit

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("api_access_token") != "right":
            return Answer(401, {"error": "Invalid Access Token"})
        parts = asked.path.strip("/").split("/")
        if parts == ["api", "v1", "profile"]:
            return Answer(body={"id": 11, "role": self.role, "accounts": [{"id": 7, "role": self.role}]})
        if parts[:4] != ["api", "v1", "accounts", "7"]:
            return REFUSED if parts[:3] == ["api", "v1", "accounts"] else Answer(404, {"error": "Not found"})
        return self.found(parts[4:], asked) or Answer(404, {"error": "Resource could not be found"})

    def found(self, parts: list[str], asked: Asked) -> Answer | None:
        people = self.world.people
        match parts:
            case ["agents"]:
                return Answer(body=[agent(person) for person in people if not person.is_bot])
            case ["agent_bots"]:
                return Answer(body=[bot(person) for person in people if person.is_bot])
            case ["csat_survey_responses"] if self.role != "administrator":
                return REFUSED
            case ["csat_survey_responses"]:
                return Answer(body=self.responses(asked.query))
            case ["conversations", "filter"]:
                return Answer(body=self.filtered(asked.body["payload"][0]))
            case ["conversations", id] if id in self.world.talks:
                return Answer(body=self.conversation(self.world.talks[id]))
            case ["conversations", id, "messages"] if id in self.world.talks:
                rows = [
                    m for m in self.messages(self.world.talks[id]) if m["id"] < int(asked.query.get("before") or 2**60)
                ]
                newest = rows[max(len(rows) - self.message_page, 0) :]
                return Answer(body={"meta": {"labels": [], "contact_id": 500}, "payload": newest})
        return None

    def responses(self, query: dict[str, str]) -> list[dict]:
        """Bounds count only together, the later is not in them; without `sort` there is no order to rely on."""
        rows = [self.response(talk) for talk in self.world.answered()]
        if query.get("since") and query.get("until"):
            rows = [row for row in rows if int(query["since"]) <= row["created_at"] < int(query["until"])]
        rows = [row for row in rows if query.get("rating") in (None, str(row["rating"]))]
        key, down = query.get("sort", "").removeprefix("-"), query.get("sort", "-").startswith("-")
        rows.sort(key=lambda row: (row[key] if key else row["id"] * 7 % 11, row["id"]), reverse=down)
        first = (int(query.get("page") or 1) - 1) * self.page_size
        return rows[first : first + self.page_size]

    def response(self, talk: Talk) -> dict:
        told, by_id = talk.answer, {person.id: person for person in self.world.people}
        at = self.first_rated.setdefault(talk.id, told.at)
        person = by_id.get(told.person)
        row = {
            "id": int(told.id),
            "rating": round(1 + 4 * told.happy),
            "feedback_message": talk.said[0].text if talk.said else None,
            "account_id": 7,
            "message_id": survey_id(talk),
            "contact": {"id": 500, "name": "A customer", "email": "customer@desk.example"},
            "conversation_id": int(talk.id),
            "created_at": int(at.timestamp()),
        }
        return row | ({"assigned_agent": agent(person)} if person and not person.is_bot else {})

    def conversation(self, talk: Talk) -> dict:
        by_id = {person.id: person for person in self.world.people}
        assignee = by_id.get(talk.assignee)
        return {
            "id": int(talk.id),
            "account_id": 7,
            "status": "resolved" if talk.closed_at else "open",
            "created_at": int(talk.opened_at.timestamp()),
            "last_activity_at": int((talk.updated_at or talk.opened_at).timestamp()),
            "meta": {
                "sender": {"id": 500, "name": "A customer", "type": "contact"},
                "channel": "Channel::WebWidget",
                "hmac_verified": False,
            }
            | ({"assignee": agent(assignee)} if assignee and not assignee.is_bot else {}),
            "messages": self.messages(talk)[-1:],
        }

    def filtered(self, condition: dict) -> dict:
        """The only condition that is played: display_id is one of these."""
        rows = [
            self.conversation(self.world.talks[str(id)]) for id in condition["values"] if str(id) in self.world.talks
        ]
        return {"meta": {"all_count": len(rows)}, "payload": rows}

    def messages(self, talk: Talk) -> list[dict]:
        by_id = {person.id: person for person in self.world.people}
        rows = [message(one, int(talk.id) * 1_000 + n, talk, by_id.get(one.person)) for n, one in enumerate(talk.said)]
        if talk.closed_at is not None:
            rows.append(self.survey(talk))
        return rows

    def survey(self, talk: Talk) -> dict:
        told, submitted = talk.answer, {}
        if told is not None:
            response = {"rating": round(1 + 4 * told.happy), "feedback_message": talk.said[0].text}
            submitted = {"submitted_values": {"csat_survey_response": response}}
        return {
            "id": survey_id(talk),
            "content": None,
            "conversation_id": int(talk.id),
            "inbox_id": 3,
            "message_type": 3,
            "content_type": "input_csat",
            "content_attributes": submitted,
            "created_at": int(talk.closed_at.timestamp()),
            "private": False,
        }

    def webhook(self, talk: Talk, at: datetime) -> tuple[bytes, dict[str, str]]:
        told = self.survey(talk) | {
            "event": "message_updated",
            "message_type": "template",
            "conversation": {"id": int(talk.id), "status": "resolved", "messages": []},
            "account": {"id": 7, "name": "Acme"},
        }
        body, stamp = json.dumps(told).encode(), str(int(at.timestamp()))
        signature = hex_hmac(stamp.encode() + b"." + body, self.credentials["webhook_secret"])
        return body, {
            "x-chatwoot-timestamp": stamp,
            "x-chatwoot-signature": f"sha256={signature}",
            "x-chatwoot-delivery": f"delivery-{talk.id}-{talk.updated_at}",
        }


def survey_id(talk: Talk) -> int:
    return int(talk.id) * 1_000 + 999


def agent(person: Person) -> dict:
    return {
        "id": int(person.id),
        "account_id": 7,
        "available_name": person.name,
        "confirmed": True,
        "email": person.email,
        "name": person.name,
        "role": "agent",
    }


def bot(person: Person) -> dict:
    return {"id": int(person.id), "name": person.name, "description": "Answers first.", "outgoing_url": ""}


def message(one: Said, number: int, talk: Talk, person: Person | None) -> dict:
    kind = "agent_bot" if person and person.is_bot else "user"
    sender = {"id": int(one.person), "name": person.name, "type": kind} if person else {"id": 500, "type": "contact"}
    return {
        "id": number,
        "content": one.text,
        "conversation_id": int(talk.id),
        "inbox_id": 3,
        "message_type": KINDS[one.role],
        "content_type": "text",
        "content_attributes": {},
        "created_at": int(one.at.timestamp()),
        "private": one.role == "note",
        "sender": sender,
    }
