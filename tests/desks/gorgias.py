"""Gorgias on loopback."""

import json
from base64 import b64decode, b64encode
from datetime import datetime
from itertools import count

from tests.desks.server import Answer, Asked, Desk
from tests.desks.world import Person, Said, Talk

CREDENTIALS = {"email": "admin@desk.example", "api_key": "right", "webhook_secret": "a-long-random-text"}
BUCKET = 40


class Gorgias(Desk):
    """`calls` is how full the bucket says it is; a test that wants it to run over raises it."""

    vendor = "gorgias"
    list_path = "/satisfaction-surveys"
    credentials = CREDENTIALS
    linked = ("https://acme.gorgias.com", "https://acme.gorgias.com/app/ticket/1001")
    dates_webhooks = False
    calls = 3

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Basic {b64encode(b'admin@desk.example:right').decode()}":
            return Answer(401, {"error": {"msg": "The credentials are not right."}})
        found = self.found(asked)
        if found is None:
            found = Answer(404, {"error": {"msg": "There is no such thing."}})
        found.headers["X-Gorgias-Account-Api-Call-Limit"] = f"{self.calls}/{BUCKET}"
        return found

    def found(self, asked: Asked) -> Answer | None:
        match asked.path.strip("/").split("/"):
            case ["api", "users"]:
                return self.page(asked, self.world.people, user)
            case ["api", "satisfaction-surveys"]:
                return self.surveys(asked)
            case ["api", "tickets"]:
                wanted = asked.queries.get("ticket_ids", list(self.world.talks))
                talks = [self.world.talks[id] for id in wanted if id in self.world.talks]
                return Answer(body=listed([self.ticket(talk) for talk in talks], None))
            case ["api", "tickets", id] if id in self.world.talks:
                return Answer(body=self.ticket(self.world.talks[id]))
            case ["api", "tickets", id, "messages"] if id in self.world.talks:
                return self.page(asked, self.messages(self.world.talks[id]), lambda row: row)
            case ["api", "messages"]:
                talk = self.world.talks.get(asked.query["ticket_id"])
                return self.page(asked, self.messages(talk) if talk else [], lambda row: row)
        return None

    def surveys(self, asked: Asked) -> Answer:
        talks = sorted(
            self.world.talks.values(), key=made_at, reverse=asked.query.get("order_by") != "created_datetime:asc"
        )
        if "ticket_id" in asked.query:
            talks = [talk for talk in talks if talk.id == asked.query["ticket_id"]]
        return self.page(asked, [talk for talk in talks if talk.answer or talk.closed_at], survey)

    def page(self, asked: Asked, rows: list, told) -> Answer:
        """A cursor names the row that comes next; `told` is how a row is shown."""
        cursor = asked.query.get("cursor")
        first = int(b64decode(cursor)) if cursor else 0
        end = first + min(self.page_size, int(asked.query.get("limit", 30)))
        following = b64encode(str(end).encode()).decode() if end < len(rows) else None
        return Answer(body=listed([told(row) for row in rows[first:end]], following))

    def ticket(self, talk: Talk) -> dict:
        by_id = {person.id: person for person in self.world.people}
        return {
            "id": int(talk.id),
            "uri": f"/api/tickets/{talk.id}/",
            "assignee_user": user(by_id[talk.assignee]) if talk.assignee else None,
            "channel": "email",
            "closed_datetime": stamp(talk.closed_at),
            "created_datetime": stamp(talk.opened_at),
            "customer": {"id": 500, "name": "A customer", "email": "customer@desk.example"},
            "excerpt": talk.said[0].text if talk.said else "",
            "satisfaction_survey": survey(talk),
            "status": "closed" if talk.closed_at else "open",
            "subject": talk.said[0].text if talk.said else "",
            "updated_datetime": stamp(talk.updated_at),
        }

    def messages(self, talk: Talk) -> list[dict]:
        by_id, numbers = {person.id: person for person in self.world.people}, count(int(talk.id) * 1_000)
        return [message(one, next(numbers), talk, by_id.get(one.person)) for one in talk.said]

    def webhook(self, talk: Talk, at: datetime) -> tuple[bytes, dict[str, str]]:
        told = {"event": "ticket-updated", "id": f"{talk.id} {stamp(at)}", "ticket_id": talk.id}
        return json.dumps(told).encode(), {"x-touchline-secret": self.credentials["webhook_secret"]}


def listed(rows: list, following: str | None) -> dict:
    return {"object": "list", "uri": "/api", "data": rows, "meta": {"prev_cursor": None, "next_cursor": following}}


def stamp(at: datetime | None) -> str | None:
    """As Gorgias writes times: in UTC, without saying so."""
    return at.replace(tzinfo=None).isoformat() if at else None


def made_at(talk: Talk) -> datetime:
    return talk.closed_at or talk.opened_at


def survey(talk: Talk) -> dict | None:
    """Made when the ticket is closed; without a score until the customer gives one."""
    told = talk.answer
    if told is None and talk.closed_at is None:
        return None
    return {
        "id": int(told.id) if told else 900_000 + int(talk.id) - 1_000,
        "ticket_id": int(talk.id),
        "customer_id": 500,
        "score": round(1 + 4 * told.happy) if told else None,
        "body_text": talk.said[0].text if told and talk.said else None,
        "created_datetime": stamp(made_at(talk)),
        "sent_datetime": stamp(made_at(talk)),
        "should_send_datetime": stamp(made_at(talk)),
        "scored_datetime": stamp(told.at) if told else None,
        "meta": None,
        "uri": "/api/satisfaction-surveys/1/",
    }


def user(person: Person) -> dict:
    return {
        "id": int(person.id),
        "active": True,
        "name": person.name,
        "firstname": person.name,
        "lastname": "",
        "email": person.email,
        "role": {"name": "bot" if person.is_bot else "agent"},
        "deactivated_datetime": None,
    }


def message(one: Said, number: int, talk: Talk, person: Person | None) -> dict:
    note = one.role == "note"
    return {
        "id": number,
        "ticket_id": int(talk.id),
        "channel": "internal-note" if note else "email",
        "source": {"type": "internal-note" if note else "email"},
        "public": not note,
        "from_agent": one.role != "customer",
        "sender": {"id": int(one.person) if one.person else 500, "name": person.name if person else "A customer"},
        "rule_id": 7 if one.role == "system" else None,
        "body_text": f"{one.text}\n\nSent from somewhere",
        "body_html": f"<p>{one.text}</p>",
        "stripped_text": one.text,
        "created_datetime": stamp(one.at),
        "sent_datetime": stamp(one.at),
    }
