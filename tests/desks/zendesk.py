"""Zendesk on loopback."""

import json
from base64 import b64encode
from datetime import UTC, datetime

from helpdesk.vendors import reading
from tests.desks.server import Answer, Asked, Desk
from tests.desks.world import Talk, World

CREDENTIALS = {"email": "admin@desk.example", "api_token": "right", "webhook_secret": "whs"}
CUSTOMERS = 50_000  # a ticket's requester is this and the ticket's number
FOREVER = 2**40


class Zendesk(Desk):
    """An account with ratings good and bad. Its AI agents are no users, so nobody is listed as a bot."""

    vendor = "zendesk"
    list_path = "/satisfaction_ratings"
    credentials = CREDENTIALS
    linked = ("https://acme.zendesk.com", "https://acme.zendesk.com/agent/tickets/1001")
    tells_bots = False
    surveys = False
    is_numbered = False
    """Whether lists know pages by number only."""
    missing: tuple[str, ...] = ()
    """Beginnings of paths that the account does not have."""
    hidden: tuple[str, ...] = ()
    """Beginnings of paths that these credentials may not read."""

    def __init__(self, world: World, port: int = 0):
        super().__init__(world, port)
        self.deleted: set[str] = set()
        self.unoffered: set[str] = set()  # tickets of which the list of ratings says nothing

    def answer(self, asked: Asked) -> Answer:
        right = b64encode(b"admin@desk.example/token:right").decode()
        if asked.headers.get("authorization") != f"Basic {right}":
            return Answer(401, {"error": "Couldn't authenticate you"})
        if asked.path.startswith(tuple(self.hidden)):
            return Answer(403, {"error": {"title": "Forbidden", "message": "You do not have access to this page."}})
        if asked.path.startswith(tuple(self.missing)):
            return Answer(404, {"error": "InvalidEndpoint", "description": "Not found"})
        found = self.found(asked)
        if found is None:
            return Answer(404, {"error": "RecordNotFound", "description": "Not found"})
        return Answer(
            body=found, headers={"x-rate-limit": "700", "x-rate-limit-remaining": "699", "ratelimit-reset": "41"}
        )

    def found(self, asked: Asked):
        place = asked.path.removeprefix("/api/v2/").split("/")
        match place:
            case ["users", "me"]:
                return {"user": {"id": 1, "role": "admin", "name": "Admin"}}
            case ["users"]:
                return self.listed(asked, "users", [user(p) for p in self.world.people if not p.is_bot])
            case ["satisfaction_ratings"] if not self.surveys:
                return self.listed(asked, "satisfaction_ratings", self.rated(asked.query), self.rating)
            case ["satisfaction_ratings", rating_id] if not self.surveys:
                known = [t for t in self.world.answered() if t.answer.id == rating_id]
                return {"satisfaction_rating": self.rating(known[0])} if known else None
            case ["guide", "survey_responses"] if self.surveys:
                return self.listed(asked, "survey_responses", self.responses(asked.query))
            case ["tickets"]:
                return self.listed(asked, "tickets", [self.ticket(t) for t in self.world.talks.values()])
            case ["tickets", "show_many"]:
                talks = [self.world.talks[one] for one in asked.query["ids"].split(",") if one in self.world.talks]
                solved = [metrics(talk) for talk in talks]
                return {"tickets": [self.ticket(talk) for talk in talks], "metric_sets": solved, "next_page": None}
            case ["tickets", ticket_id] if ticket_id in self.world.talks:
                talk = self.world.talks[ticket_id]
                return {"ticket": self.ticket(talk), "metric_sets": [metrics(talk)]}
            case ["tickets", ticket_id, "comments"] if ticket_id in self.world.talks:
                return self.comments(asked, self.world.talks[ticket_id])
            case ["incremental", "tickets", "cursor"]:
                return self.export(asked.query)
            case ["incremental", "tickets"]:
                return self.export_by_time(asked.query)
        return None

    # --- Lists ---

    def listed(self, asked: Asked, key: str, rows: list, told=lambda row: row) -> dict:
        """A page of a list, of page_size at most, whatever was asked for; `told` is how a row is shown."""
        if self.is_numbered:
            number = int(asked.query.get("page") or 1)
            more = number * self.page_size < len(rows)
            following = f"https://elsewhere.example{asked.path}.json?page={number + 1}&per_page=3" if more else None
            page = rows[(number - 1) * self.page_size : number * self.page_size]
            return {key: [told(row) for row in page], "next_page": following, "previous_page": None, "count": len(rows)}
        first = int(asked.query.get("page[after]") or 0)
        more = first + self.page_size < len(rows)
        meta = {"has_more": more, "after_cursor": str(first + self.page_size), "before_cursor": str(first)}
        page = [told(row) for row in rows[first : first + self.page_size]]
        return {key: page, "meta": meta, "links": {"prev": None, "next": None}}

    def rated(self, query) -> list:
        """Conversations that were answered, and those of solved tickets that were only offered."""
        start, end = int(query.get("start_time", 0)), int(query.get("end_time", FOREVER))
        asked = [
            t for t in self.world.talks.values() if t.answer is None and t.closed_at and t.id not in self.unoffered
        ]
        rows = sorted([*self.world.answered(), *asked], key=lambda t: (offered(t), t.id))
        return [t for t in rows if start <= offered(t).timestamp() <= end]

    def responses(self, query) -> list:
        names = [one for one in query.get("filter[subject_zrns]", "").split(",") if one]
        start = int(query.get("filter[created_at_start]", 0))
        end = int(query.get("filter[created_at_end]", FOREVER * 1000))
        talks = [t for t in self.world.answered() if start <= offered(t).timestamp() * 1000 <= end]
        return [response(t) for t in talks if not names or f"zen:ticket:{t.id}" in names]

    def export(self, query) -> dict:
        """By cursor, a ticket each time that it comes to its turn in the order of its last change."""
        after = query.get("cursor")
        start = float(after.split("|")[0]) if after else float(query["start_time"])
        last = after.split("|")[1] if after else ""
        rows = [t for t in self.touched() if (t.updated_at.timestamp(), t.id) > (start, last)]
        page = rows[: self.page_size]
        further = f"{page[-1].updated_at.timestamp()}|{page[-1].id}" if page else after
        through = len(page) == len(rows)
        return {"tickets": [self.ticket(t) for t in page], "after_cursor": further, "end_of_stream": through}

    def export_by_time(self, query) -> dict:
        """From a second on, that second included: a page repeats what the one before ended with."""
        start = int(query["start_time"])
        rows = [t for t in self.touched() if int(t.updated_at.timestamp()) >= start]
        page = rows[: self.page_size]
        page += [t for t in rows[self.page_size :] if page and t.updated_at == page[-1].updated_at]
        ended = int(page[-1].updated_at.timestamp()) if page else start
        following = f"https://elsewhere.example/api/v2/incremental/tickets.json?start_time={ended}"
        told = {"tickets": [self.ticket(t) for t in page], "count": len(page), "end_time": ended}
        return told | {"next_page": following, "end_of_stream": len(page) == len(rows)}

    def touched(self) -> list[Talk]:
        return sorted((t for t in self.world.talks.values() if t.updated_at), key=lambda t: (t.updated_at, t.id))

    # --- Objects ---

    def rating(self, talk: Talk) -> dict:
        told = talk.answer
        person = told.person if told else talk.assignee
        return {
            "id": int(told.id if told else f"7{talk.id}"),
            "ticket_id": int(talk.id),
            "assignee_id": int(person) if person else None,
            "requester_id": CUSTOMERS + int(talk.id),
            "group_id": None,
            "score": score(talk),
            "reason": "No reason provided",
            "comment": talk.said[0].text if talk.said else "",
            "created_at": iso(offered(talk)),
            "updated_at": iso(told.at if told else offered(talk)),
        }

    def ticket(self, talk: Talk) -> dict:
        rated = {"score": "offered"} if talk.answer is None or self.surveys else None
        return {
            "id": int(talk.id),
            "subject": talk.said[0].text if talk.said else "",
            "description": talk.said[0].text if talk.said else "",
            "status": "deleted" if talk.id in self.deleted else "solved" if talk.closed_at else "open",
            "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": None}},
            "requester_id": CUSTOMERS + int(talk.id),
            "assignee_id": int(talk.assignee) if talk.assignee else None,
            "collaborator_ids": [],
            "created_at": iso(talk.opened_at),
            "updated_at": iso(talk.updated_at or talk.opened_at),
            "satisfaction_rating": rated
            or {"id": int(talk.answer.id), "score": score(talk), "comment": talk.said[0].text},
        }

    def comments(self, asked: Asked, talk: Talk) -> dict:
        rows = [comment(number, said, talk) for number, said in enumerate(talk.said, start=1)]
        if asked.query.get("sort") == "-created_at":
            rows.reverse()
        page = self.listed(asked, "comments", rows)
        if asked.query.get("include") == "users":
            customer = {"id": CUSTOMERS + int(talk.id), "name": "Customer", "role": "end-user", "active": True}
            page["users"] = [customer, *map(user, self.world.people)]
        return page

    # --- Webhooks ---

    def webhook(self, talk: Talk, at: datetime) -> tuple[bytes, dict[str, str]]:
        """What the trigger of the set-up sends."""
        told = {"event": "ticket.rated", "id": f"{talk.id}-{iso(at)}", "ticket_id": talk.id}
        return signed(told, at, number=f"call-{talk.id}", secret=self.credentials["webhook_secret"])


class ZendeskSurvey(Zendesk):
    """An account with the survey of one to five: its responses name nobody, and its tickets carry no answer."""

    surveys = True

    def credited(self, talk: Talk) -> tuple[str, str]:
        return talk.assignee, self.credit


def signed(told: dict, at: datetime, *, number: str, secret: str = CREDENTIALS["webhook_secret"]):
    body, stamp = json.dumps(told).encode(), iso(at)
    proof = reading.base64_hmac(stamp.encode() + body, secret)
    return body, {
        "content-type": "application/json",
        "x-zendesk-webhook-id": "01F1KRFQ6BG29CNWFR60NK5FNY",
        "x-zendesk-webhook-invocation-id": number,
        "x-zendesk-webhook-signature": proof,
        "x-zendesk-webhook-signature-timestamp": stamp,
    }


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def offered(talk: Talk) -> datetime:
    """A rating is offered once the ticket is solved, and stays in the list by that, whenever it is answered."""
    return talk.closed_at or talk.answer.at


def score(talk: Talk) -> str:
    if talk.answer is None:
        return "offered"
    return "good" if talk.answer.happy > 0.5 else "bad"


def response(talk: Talk) -> dict:
    told = talk.answer
    question = {"id": "01J1WBE8QR0YQVE373K2JDJR0F", "type": "rating_scale_numeric", "sub_type": "customer_satisfaction"}
    words = {"id": "01J1WBNS76ZC4TTFWP9RCNQ1S8", "type": "open_ended", "alias": "comment"}
    times = {"created_at": iso(told.at), "updated_at": iso(told.at)}
    return {
        "id": f"01J1WB51MG6HXTYWE{told.id}",
        "responder_id": CUSTOMERS + int(talk.id),
        "subject_zrns": [f"zen:ticket:{talk.id}"],
        "subjects": [{"id": talk.id, "type": "ticket", "zrn": f"zen:ticket:{talk.id}"}],
        "survey": {"id": "01J58KJ9RAE0D2EK7HRVM7Z8F2", "state": "enabled", "version": 3},
        "expires_at": "2030-01-01T00:00:00.000Z",
        "answers": [
            {"type": "open_ended", "question": words, "value": talk.said[0].text if talk.said else "", **times},
            {"type": "rating_scale", "rating": round(told.happy * 4) + 1, "question": question, **times},
        ],
    }


def metrics(talk: Talk) -> dict:
    return {"ticket_id": int(talk.id), "solved_at": iso(talk.closed_at) if talk.closed_at else None, "reopens": 0}


def user(person) -> dict:
    told = {"id": int(person.id), "name": person.name, "email": person.email, "role": "agent"}
    return told | {"active": True, "suspended": False}


def comment(number: int, said, talk: Talk) -> dict:
    author = CUSTOMERS + int(talk.id) if said.role == "customer" else int(said.person or 0) or -1
    return {
        "id": number,
        "type": "Comment",
        "author_id": author,
        "body": said.text,
        "html_body": f"<div>{said.text}</div>",
        "plain_body": said.text,
        "public": said.role != "note",
        "via": {"channel": "rule" if said.role == "system" else "email"},
        "created_at": iso(said.at),
    }
