"""Freshdesk on loopback: pages by the header Link, and the limits of a minute on every answer."""

import re
from base64 import b64encode
from datetime import datetime
from html import escape
from urllib.parse import urlencode

from helpdesk.vendors.contract import Credit
from tests.desks.server import Answer, Asked, Desk
from tests.desks.world import Said, Talk

CREDENTIALS = {"api_key": "right", "webhook_secret": "whs"}
RIGHT = f"Basic {b64encode(b'right:X').decode()}"


class Freshdesk(Desk):
    vendor = "freshdesk"
    list_path = "/satisfaction_ratings"
    credentials = CREDENTIALS
    page_size = 3
    linked = ("https://acme.freshdesk.com", "https://acme.freshdesk.com/a/tickets/1001")
    credit = Credit.RATED
    tells_bots = False
    dates_webhooks = False
    calls_left = 5_000
    lists_a_ticket_s_ratings = True

    def answer(self, asked: Asked) -> Answer:
        answer = self.unlimited(asked)
        told = {"Total": "5000", "Remaining": str(self.calls_left), "Used-CurrentRequest": "1"}
        answer.headers |= {f"X-RateLimit-{name}": value for name, value in told.items()}
        return answer

    def unlimited(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != RIGHT:
            return Answer(401, {"code": "invalid_credentials", "message": "You have to be logged in."})
        if int(asked.query.get("per_page", 30)) > 100:
            return Answer(400, {"description": "Validation failed", "errors": [{"field": "per_page"}]})
        if asked.path == "/api/v2/agents/me":
            return Answer(
                body={"id": 1, "ticket_scope": 1, "contact": {"name": "Admin", "email": "admin@desk.example"}}
            )
        if asked.path == "/api/v2/agents":
            return self.page(asked, [person for person in self.world.people if not person.is_bot], agent)
        if asked.path == "/api/v2/surveys/satisfaction_ratings":
            since = asked.query.get("created_since", "")
            return self.page(asked, [t for t in self.world.answered() if given_at(t) >= since], rating)
        found = re.fullmatch(r"/api/v2/tickets/(\d+)(/satisfaction_ratings|/conversations)?", asked.path)
        talk = found and self.world.talks.get(found[1])
        if not talk or (found[2] == "/satisfaction_ratings" and not self.lists_a_ticket_s_ratings):
            return Answer(404)
        if found[2] == "/satisfaction_ratings":
            return self.page(asked, [talk] if talk.answer else [], rating)
        if found[2] == "/conversations":
            said = [(n, said) for n, said in enumerate(talk.said) if said != opening(talk)]
            return self.page(asked, said, lambda one: entry(talk, *one))
        return Answer(body=ticket(talk) | ({"stats": stats(talk)} if asked.query.get("include") == "stats" else {}))

    def page(self, asked: Asked, rows: list, told) -> Answer:
        """A page of a list; `told` is how a row is shown."""
        number = int(asked.query.get("page", 1))
        size = min(self.page_size, int(asked.query.get("per_page", 30)))
        held = rows[(number - 1) * size : number * size]
        following = urlencode(asked.query | {"page": number + 1})
        more = {"Link": f'<https://acme.freshdesk.com{asked.path}?{following}>; rel="next"'}
        return Answer(body=[told(row) for row in held], headers=more if number * size < len(rows) else {})

    def webhook(self, talk: Talk, at: datetime) -> tuple[bytes, dict[str, str]]:
        body = f'{{"event": "rated", "id": "{talk.id} {talk.updated_at}", "ticket_id": "{talk.id}"}}'
        return body.encode(), {"x-touchline-secret": self.credentials["webhook_secret"]}


def rating(talk: Talk) -> dict:
    told = talk.answer
    return {
        "id": int(told.id),
        "survey_id": 1,
        "user_id": 77,
        "agent_id": int(told.person) if told.person else None,
        "feedback": talk.said[0].text if talk.said else None,
        "group_id": None,
        "ticket_id": int(talk.id),
        "ratings": {"default_question": round(206 * told.happy - 103) or 100, "question_2": -102},
        "created_at": given_at(talk),
        "updated_at": iso(told.at),
    }


def given_at(talk: Talk) -> str:
    """When a rating was first given, though it may have changed since."""
    return iso(min(talk.answer.at, talk.closed_at or talk.answer.at))


def ticket(talk: Talk) -> dict:
    first = opening(talk)
    return {
        "id": int(talk.id),
        "subject": first.text[:40],
        "description": f"<div>{escape(first.text)}</div>",
        "description_text": first.text,
        "source": 1,
        "status": 5 if talk.closed_at else 2,
        "responder_id": int(talk.assignee) if talk.assignee else None,
        "requester_id": 77,
        "created_at": iso(talk.opened_at),
        "updated_at": iso(talk.updated_at or talk.opened_at),
    }


def opening(talk: Talk) -> Said:
    """What the ticket was made of; the rest are its conversations."""
    return next((said for said in talk.said if said.role == "customer"), Said("customer", "", talk.opened_at))


def stats(talk: Talk) -> dict:
    return {
        "closed_at": iso(talk.closed_at) if talk.closed_at else None,
        "resolved_at": None,
        "first_responded_at": None,
    }


def entry(talk: Talk, number: int, said: Said) -> dict:
    return {
        "id": int(talk.id) * 1_000 + number,
        "body": f"<div>{escape(said.text)}</div>",
        "body_text": said.text,
        "incoming": said.role == "customer",
        "private": said.role in ("note", "system"),
        "user_id": int(said.person) if said.person else 77,
        "source": 2 if said.role == "note" else 0,
        "ticket_id": int(talk.id),
        "created_at": iso(said.at),
        "updated_at": iso(said.at),
    }


def agent(person) -> dict:
    return {
        "id": int(person.id),
        "available": True,
        "occasional": False,
        "ticket_scope": 1,
        "type": "support_agent",
        "contact": {"active": True, "name": person.name, "email": person.email},
    }


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
