"""Nobody's words, number or existence reach somebody who may not know of them: every text column holds a word that is found
again in no byte of any answer but those to people who may read it, and what is private can be added without a trace."""

import re
import uuid
from datetime import timedelta
from difflib import unified_diff
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import models
from django.test import Client
from django.utils import timezone

from agents.models import Agent, Door, User
from agents.pages import FRAGMENT
from coaching.actions import flags, notes, proposals, samples, sessions
from coaching.models import Flag, Note
from tests import everything, factories, test_api_guard, test_page_guard
from tests.calls import Script
from tests.full_of_words import fill, models_of_ours, texts_of
from tests.test_page_guard import body_of, told

pytestmark = pytest.mark.django_db

WORD = re.compile(r"zq\d+qz")
world_of_pages, ask = test_page_guard.world, test_page_guard.ask
everybody, people = everything.everybody, everything.people
owner, workspace = everything.owner, everything.workspace
# Left out: what tells of the machine; and a signed link, whose holder may know what it opens.
PAGES = [line[:3] for line in test_page_guard.LINES if not line[0].startswith(("health/", "invitations/{"))]


@pytest.fixture(scope="module")
def page_world(lasting, world_of_pages, everybody):
    """That of the guard of the pages, with a sample of the linked member's own."""
    lasting(lambda: samples.pin(factories.conversation(everybody["linked"].agent), by=everybody["owner"]))
    return world_of_pages


def fill_with_words() -> dict[str, tuple]:
    """A word of its own in every text there is; {word: (model, field, pk)}."""
    where: dict[str, tuple] = {}

    def word(*place):
        made = f"zq{len(where)}qz"
        where[made] = place
        return made

    fill(word)
    return where


@pytest.fixture
def known(people, workspace):
    """A function: words as fill_with_words gives them -> {role: those of them that somebody in this role may read}."""

    def of(where):
        def words(*places):
            return {word for word, place in where.items() if place in places}

        def every(row, *fields):
            return words(*((type(row).__name__, field, row.pk) for field in fields))

        own = people["linked"].agent
        theirs = {role: every(member.user, "name", "email") for role, member in people.items() if member is not None}
        for role in theirs:
            for browser in people[role].user.browser_sessions.all():
                theirs[role] |= every(browser, "browser", "place")
        here = every(workspace, "name", "slug")
        for team in workspace.teams.all():
            here |= every(team, "name")  # their totals are everybody's
        record = every(own, "name")
        shared = own.notes.current().filter(shared_with_agent=True)
        for note in shared:
            record |= every(note, "body") | every(note.author.user, "name")
        for sample in own.samples.kept():
            record |= every(sample, "summary", "url") | every(sample.conversation, "source", "external_id", "channel")
            record |= every(sample.captured_by.user, "name")
        elsewhere = people["stranger"].workspace
        return {
            "stranger": theirs["stranger"] | every(elsewhere, "name", "slug"),
            "unlinked": theirs["unlinked"] | here,
            "linked": theirs["linked"] | here | record,
        }

    return of


def bytes_of(response) -> str:
    """Everything that went over the wire."""
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    return f"{headers}\n{response.cookies.output()}\n{body_of(response).decode(errors='replace')}"


def test_every_text_column_of_a_full_workspace_has_its_word(page_world):
    filled = {(model, field) for model, field, _ in fill_with_words().values()}

    there = {
        (model.__name__, field.name)
        for model in models_of_ours()
        for field in texts_of(model)
        if models.QuerySet(model).exists()
    }
    assert there - filled == set()
    models_told = {model for model, _ in filled}
    assert {"Note", "Sample", "Memory", "Prompt", "Procedure", "Proposal", "Decision", "Flag", "User"} <= models_told
    assert {"HistoricalNote", "HistoricalFlag", "HistoricalMemory", "StoredTranscript"} <= models_told


@pytest.mark.parametrize("role", ["stranger", "unlinked", "linked"])
def test_no_page_tells_words_that_one_may_not_read(page_world, people, ask, known, role):
    where = fill_with_words()
    may_read = known(where)[role]
    User.objects.filter(name="").update(name="Somebody")

    read, leaked = set(), []
    for line in PAGES:
        for headers in ({}, {FRAGMENT: "partial"}):
            seen = set(WORD.findall(bytes_of(ask(people[role], *line, page_world, headers=headers))))
            read |= seen
            leaked += [(line[:2], where[word]) for word in seen - may_read]

    assert leaked == []
    assert role != "linked" or {where[word][:2] for word in read} >= {("Note", "body"), ("Sample", "summary")}


def test_owner_reads_the_words_that_others_may_not(page_world, people, ask):
    """So that the tests above would see them."""
    where = fill_with_words()

    seen = set()
    for line in PAGES:
        if line[1] == "GET":
            seen |= set(WORD.findall(bytes_of(ask(people["owner"], *line, page_world))))

    assert {where[word][:2] for word in seen} >= {
        ("Note", "body"), ("Sample", "summary"), ("Memory", "text"), ("Prompt", "system_prompt"), ("Proposal", "title"),
        ("Flag", "reason"), ("Flag", "close_reason"), ("Decision", "note"), ("User", "name"), ("Agent", "name"),
        ("StoredTranscript", "turns"), ("Message", "text"), ("Agenda", "points"),
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------- counts and existence


ASKED = [
    {"flagged": "1"},
    {"cause": "product"},
    {"thin": "1"},
    {"sort": "-coached"},
    {"sort": "due"},
    {"kind": "ai"},
]


@pytest.fixture
def answers_of(ask, page_world):
    """A function: member -> {address with what was asked: answer} of every page, with every question of the Team page."""
    addresses = [line[0] for line in PAGES if line[1] == "GET"]
    questions = [f"team?{urlencode(asked)}" for asked in ASKED]

    def of(member):
        return {where: told(ask(member, where, "GET", {}, page_world), page_world) for where in addresses + questions}

    return of


def differences(before, after):
    """What differs between two {what was asked: (status, headers, cookies, body)}, line by line."""
    return [
        (
            asked,
            *unified_diff(*("\n".join(map(str, each[asked])).splitlines() for each in (before, after)), "", "", n=0),
        )
        for asked in before
        if before[asked] != after[asked]
    ]


def add_private_things(own, hers, ai, owner, shared):
    """What leaders do about people and agents that none of these may see."""
    tomorrow = timezone.now() + timedelta(days=1)
    for agent in (own, hers):
        for body in ("One.", "Two.", "Three."):
            notes.write(agent, by=owner, body=body, follow_up_at=tomorrow)
    notes.archive(notes.write(own, by=owner, body="Four.", shared_with_agent=True), by=owner)
    notes.edit(shared, by=owner, follow_up_at=tomorrow + timedelta(days=3))
    notes.follow_up_done(shared, by=owner)
    samples.pin(factories.conversation(hers), by=owner)
    flag = own.flags.open().first()
    flags.set_cause(flag, by=owner, cause="product")
    flags.mark_coached(flag, by=owner)
    factories.memory(ai, owner)
    factories.procedure(ai, owner)
    sessions.ask(factories.session(ai, owner), by=owner, text="Why?")
    proposals.approve(factories.proposal(ai), by=owner, door=Door.PAGE)
    factories.proposal(ai)
    factories.token(owner)


@pytest.fixture
def still(db):
    """The clock stands, or "just now" may have become a minute ago between two answers."""
    with time_machine.travel(timezone.now(), tick=False):
        yield


@pytest.fixture
def private_things(still, page_world, owner):
    """A function that adds them to the world of the pages."""
    rows = {name: Agent.objects.get(pk=page_world[name]) for name in ("own", "hers", "ai")}
    shared = Note.objects.get(pk=page_world["shared"])
    return lambda: add_private_things(**rows, owner=owner, shared=shared)


@pytest.mark.parametrize("role", ["stranger", "unlinked", "linked"])
def test_private_things_leave_no_trace_on_pages(answers_of, people, private_things, role):
    before = answers_of(people[role])
    seen_by_owner = answers_of(people["owner"]) if role == "linked" else None

    private_things()

    assert differences(before, answers_of(people[role])) == []
    assert role != "linked" or answers_of(people["owner"]) != seen_by_owner


PARAMETERS = ("q", "agent", "team", "cause", "session", "source", "next")


def absent(value):
    """Something of the same shape that nothing has: an id stays an id."""
    if value[-12:].isalnum() and value.count("-") == 4:
        return str(uuid.uuid4())
    return "".join(chr(ord("a") + (ord(c) - ord("a") + 7) % 26) if c.islower() else c for c in value)


def reads_what_is_asked(response):
    """Whether a page was given whose view looked into the query at all; Django parses it when it is first looked into."""
    return response.status_code == 200 and "GET" in vars(response.wsgi_request)


@pytest.mark.parametrize("role", ["stranger", "unlinked", "linked"])
def test_search_and_filters_find_nothing_that_one_may_not_see(page_world, people, role):
    member = people[role]
    hers = Agent.objects.get(pk=page_world["hers"])
    Agent.objects.filter(pk=hers.pk).update(name="Quillon Abernathy")
    Note.objects.filter(pk=page_world["note"]).update(body="Quillon")
    hidden = ["Quillon Abernathy", "Quillon", str(hers.pk)]
    browser, script = Client(), Script(member)
    browser.force_login(member.user)
    pages = sorted({f"/{line[0].format(**page_world)}" for line in PAGES if line[1] == "GET" and "?" not in line[0]})
    asked = [(browser.get, page, PARAMETERS) for page in pages if reads_what_is_asked(browser.get(page))]
    assert "/team" in {page for _, page, _ in asked}
    for where, pattern in test_api_guard.routes():
        if hasattr(view := getattr(pattern.callback, "view_class", None), "known_parameters") and "<" not in where:
            asked.append((script.read, f"/{where}", sorted(view().known_parameters("GET") - {"key"})))

    def answer(ask, address, name, value):
        status, headers, cookies, body = told(ask(f"{address}?{name}={value}"), {})
        for spelled in (value, value.replace(" ", "+"), value.replace(" ", "%20")):
            headers, body = headers.replace(spelled, "{value}"), body.replace(spelled, "{value}")
        return status, headers, cookies, body

    differ = [
        (address, name, value)
        for ask, address, names in asked
        for name in names
        for value in hidden
        if answer(ask, address, name, value) != answer(ask, address, name, absent(value))
    ]
    assert differ == []


def test_flag_of_ones_own_is_no_business_of_a_member(answers_of, people):
    """Neither that there is one, nor that there was."""
    before = answers_of(people["linked"])

    Flag.objects.all().delete()

    assert differences(before, answers_of(people["linked"])) == []
