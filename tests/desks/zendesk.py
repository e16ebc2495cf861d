"""Zendesk on loopback."""

from base64 import b64encode

from tests.desks.server import Answer, Asked, Desk
from tests.desks.world import Talk

CREDENTIALS = {"email": "admin@desk.example", "api_token": "right", "webhook_secret": "whs"}


class Zendesk(Desk):
    vendor = "zendesk"
    credentials = CREDENTIALS
    page_size = 3

    def answer(self, asked: Asked) -> Answer:
        right = b64encode(b"admin@desk.example/token:right").decode()
        if asked.headers.get("authorization") != f"Basic {right}":
            return Answer(401, {"error": "Couldn't authenticate you"})
        if asked.path == "/api/v2/users/me":
            return Answer(body={"user": {"id": 1, "role": "admin"}})
        if asked.path == "/api/v2/satisfaction_ratings":
            return Answer(body=self.ratings(asked.query))
        return Answer(404, {"error": "RecordNotFound"})

    def ratings(self, query):
        start, end = int(query.get("start_time", 0)), int(query.get("end_time", 2**40))
        rows = [t for t in self.world.answered() if start <= t.answer.at.timestamp() <= end]
        first = int(query.get("page[after]") or 0)
        page = rows[first : first + self.page_size]
        more = first + self.page_size < len(rows)
        return {
            "satisfaction_ratings": [rating(one) for one in page],
            "meta": {"has_more": more, "after_cursor": str(first + self.page_size) if more else None},
        }


def rating(talk: Talk) -> dict:
    told = talk.answer
    return {
        "id": int(told.id),
        "ticket_id": int(talk.id),
        "assignee_id": int(told.person) if told.person else None,
        "score": "good" if told.happy > 0.5 else "bad",
        "comment": "",
        "created_at": told.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": told.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
