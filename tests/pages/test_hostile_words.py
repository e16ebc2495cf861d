"""Words that would be more than words: markup, template syntax, marks that turn the direction of reading. In every text of
every row at once, they come out of every page, the API, tables, calendars and mails as what they are."""

import csv
import io
import itertools
import json
from email import message_from_bytes, policy
from html.parser import HTMLParser

import icalendar
import pytest
from django.core import mail
from django.db import models
from django.test import Client
from django.utils import timezone

from agents.models import Decision, Invitation
from agents.pages import FRAGMENT
from agents.people.mail import send
from coaching import calendar
from tests import everything, factories, test_api_guard, test_page_guard
from tests.full_of_words import fill
from tests.test_page_guard import body_of, inline

pytestmark = pytest.mark.django_db

MARKUP = 'zq"\'><zqx onzq="1" zqa=1 '
PAYLOAD = (
    f"{MARKUP}><img src=x onerror=zq()><script>zq()</script></textarea></title></select></template>-->{{{{ 7|add:7 }}}}"
    "{% zq %}&lt;zqy&gt;\u202eright\u202c\u200b\u200f👩‍🔧\u0301 javascript:zq()"
)

world_of_pages = test_page_guard.world
everybody, people = everything.everybody, everything.people
owner, workspace = everything.owner, everything.workspace
PAGES = dict.fromkeys(line[0] for line in test_page_guard.LINES if line[1] == "GET")
ROUTES = [line[:3] for line in test_api_guard.LINES if line[1] == "GET"]


class Broken(HTMLParser):
    """Collects whatever a payload has become that is not text or the value of an attribute."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found, self.shown = [], ""

    def handle_starttag(self, tag, attributes):
        if "zq" in tag or any("zq" in name or "<" in name or '"' in name for name, _ in attributes):
            self.found.append(self.get_starttag_text())
        for name, value in attributes:
            if name in ("href", "src", "action", "formaction") and (value or "").strip().lower().startswith(
                "javascript"
            ):
                self.found.append(f"{name}={value}")
        self.shown += " ".join(value or "" for _, value in attributes)

    def handle_endtag(self, tag):
        if "zq" in tag:
            self.found.append(f"</{tag}>")

    def handle_comment(self, data):
        if "zq" in data:
            self.found.append(f"<!--{data}-->")

    def handle_data(self, data):
        self.shown += data


def broken(response) -> list[str]:
    """What escaped in a page; a page may hold payloads only as text."""
    reader = Broken()
    reader.feed(body_of(response).decode())
    reader.close()
    once_more = ["escaped twice"] if "&lt;zqx" in reader.shown or "&#x27;&gt;&lt;" in reader.shown else []
    run = ["a template ran"] if "-->14" in reader.shown else []
    return reader.found + once_more + run + inline(response)


def numbered(payload):
    """Words for `fill`: the payload, each time with another number before it, for some must be unique."""
    numbers = itertools.count(1)
    return lambda *place: f"{next(numbers)}{payload}"


@pytest.mark.parametrize("headers", [{}, {FRAGMENT: "partial"}], ids=["pages", "fragments"])
@pytest.mark.parametrize("role", ["owner", "linked"])
def test_hostile_words_stay_words_on_every_page(world_of_pages, people, role, headers):
    fill(numbered(PAYLOAD))
    browser = Client(headers=headers)
    browser.force_login(people[role].user)

    found, shown = {}, 0
    for address in PAGES:
        response = browser.get("/" + address.format(**world_of_pages))
        assert response.status_code < 500, address
        if response.get("Content-Type", "").startswith("text/html"):
            found[address] = broken(response)
            shown += b"&lt;zqx" in response.content
    assert {address: what for address, what in found.items() if what} == {}
    assert shown > (40 if role == "owner" else 2)


def test_refused_forms_show_hostile_words_as_words(world_of_pages, owner):
    """What was typed is shown again where it is refused."""
    browser = Client()
    browser.force_login(owner.user)

    found = {}
    for address, method, form, _ in test_page_guard.LINES:
        if method == "POST" and address not in test_page_guard.BARE:
            typed = dict.fromkeys(form, PAYLOAD)
            response = browser.post("/" + address.format(**world_of_pages), typed)
            assert response.status_code < 500, address
            if response.get("Content-Type", "").startswith("text/html"):
                found[address] = broken(response)
    assert {address: what for address, what in found.items() if what} == {}


def test_searches_show_hostile_words_as_words(world_of_pages, owner):
    browser = Client()
    browser.force_login(owner.user)

    for address in ("team", "proposals", "decisions", "conversations", "todo", f"agents/{world_of_pages['ai']}/memory"):
        for name in ("q", "agent", "team", "source", "sort", "status", "next"):
            response = browser.get(f"/{address}", {name: PAYLOAD})
            assert response.status_code < 500
            assert (address, name, broken(response)) == (address, name, [])


def test_api_tells_hostile_words_whole_and_as_json(db):
    workspace = factories.workspace()
    owner, own = factories.owner(workspace), factories.human(workspace)
    api_world = everything.one_of_everything(workspace, owner, factories.ai_agent(workspace), own)
    fill(numbered(PAYLOAD))
    script = test_api_guard.Script(owner)

    told = 0
    for line in ROUTES:
        response = test_api_guard.ask(script, line[1], line[0], line[2], api_world)
        assert response.status_code < 500, line
        kind = response["Content-Type"].partition(";")[0]
        assert kind in ("application/json", "application/problem+json", "application/vnd.oai.openapi+json", "text/csv",
                        "text/event-stream", "application/zip", "text/calendar"), line  # fmt: skip
        assert response["X-Content-Type-Options"] == "nosniff"
        if kind.endswith("json"):
            told += PAYLOAD[:50] in json.dumps(json.loads(body_of(response)), ensure_ascii=False).replace('\\"', '"')
    assert told > 10


def test_refusal_of_the_api_is_json_that_holds_the_words(owner, agent):
    script = test_api_guard.Script(owner)

    unknown = script.send("/coaching/notes", {"agent": PAYLOAD, "body": "x"})
    refused = script.send("/coaching/notes", {"agent": str(agent.pk), "body": "x", PAYLOAD: 1})

    assert [r["Content-Type"] for r in (unknown, refused)] == ["application/problem+json"] * 2
    assert (unknown.status_code, refused.status_code) == (404, 400)
    assert PAYLOAD[:50] in " ".join(refused.json()["errors"])


def test_decision_log_as_a_table_holds_the_words(world_of_pages, owner):
    fill(numbered(f"\r\n{PAYLOAD}"))
    models.QuerySet(Decision).update(title=f"=zq\r\n{PAYLOAD}")
    browser = Client()
    browser.force_login(owner.user)

    rows = list(csv.DictReader(io.StringIO(body_of(browser.get("/decisions.csv")).decode(), newline="")))

    assert len(rows) == owner.workspace.decisions.count()
    assert {row["title"] for row in rows} == {f"'=zq\r\n{PAYLOAD}"}


def test_calendar_of_hostile_names_has_its_events_and_no_more(world_of_pages, owner):
    fill(numbered(f"zq\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:forged;,\\n{PAYLOAD}"))
    n = owner.notes.exclude(follow_up_at=None).count()

    answer = Client().get("/api/v1" + calendar.feed_url(owner).partition("/api/v1")[2])

    events = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    assert n > 0
    assert len(events) == n
    assert {event["SUMMARY"].startswith("forged") for event in events} == {False}
    assert all(PAYLOAD[:20] in str(event["SUMMARY"]) or "zq" in str(event["SUMMARY"]) for event in events)


def test_mail_with_hostile_words_is_one_mail_to_one_address(owner, workspace, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    workspace.name = f"Desk\r\nBcc: everybody@evil.example\r\n\r\n{PAYLOAD}"
    invitation = Invitation(workspace=workspace, email="new@test.example", expires_at=timezone.now())
    owner.user.name = workspace.name

    send(invitation.email, f"Join {workspace.name}", "invitation", {"invitation": invitation, "by": owner, "link": "x"})

    [sent] = mail.outbox
    read = message_from_bytes(sent.message().as_bytes(), policy=policy.default)
    assert (sent.recipients(), read["Bcc"], read["To"]) == (["new@test.example"], None, "new@test.example")
    reader = Broken()
    reader.feed(sent.alternatives[0][0])
    assert (reader.found, PAYLOAD in reader.shown, PAYLOAD in sent.body) == ([], True, True)
