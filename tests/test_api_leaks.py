"""Nobody's words, number or existence reach somebody through the API who may not know of them, as tests/test_leaks.py has it of
the pages."""

import pytest
from django.db import transaction

from agents.models import Agent
from coaching.models import Note
from tests import everything, factories, test_api_guard, test_leaks
from tests.calls import Script
from tests.test_leaks import WORD, add_private_things, bytes_of, differences, fill_with_words
from tests.test_page_guard import told

pytestmark = pytest.mark.django_db

api_world, known = test_api_guard.world, test_leaks.known
everybody, people = everything.everybody, everything.people
owner, workspace = everything.owner, everything.workspace
ROUTES = [line[:3] for line in test_api_guard.LINES]


@pytest.fixture
def ask_api(db):
    """A function: member, line, ids -> response. Nothing that the request did stays; everybody has one token."""
    scripts = {}

    def answer(member, line, ids):
        if member.pk not in scripts:
            scripts[member.pk] = Script(member)
        route, method, body = line
        before = transaction.savepoint()
        response = test_api_guard.ask(scripts[member.pk], method, route, body, ids)
        transaction.savepoint_rollback(before)
        return response

    return answer


@pytest.mark.parametrize("role", ["stranger", "unlinked", "linked"])
def test_no_route_tells_words_that_one_may_not_read(api_world, people, ask_api, known, role):
    where = fill_with_words()
    may_read = known(where)[role]

    read, leaked = set(), []
    for line in ROUTES:
        seen = set(WORD.findall(bytes_of(ask_api(people[role], line, api_world))))
        read |= seen
        leaked += [(line[:2], where[word]) for word in seen - may_read]

    assert leaked == []
    assert role != "linked" or {where[word][:2] for word in read} >= {("Note", "body"), ("Sample", "summary")}


@pytest.mark.parametrize("role", ["stranger", "unlinked", "linked"])
def test_private_things_leave_no_trace_in_the_api(api_world, people, owner, ask_api, role):
    lines = [line for line in ROUTES if line[1] == "GET"]
    shared = Note.objects.get(pk=api_world["shared"])
    own, hers, ai = (Agent.objects.get(pk=api_world[name]) for name in ("own", "hers", "ai"))

    def answers():
        return {line[0]: told(ask_api(people[role], line, api_world), api_world) for line in lines}

    before = answers()
    add_private_things(own, hers, ai, owner, shared)

    assert differences(before, answers()) == []


@pytest.mark.parametrize("role", ["stranger", "unlinked", "linked"])
def test_name_that_fits_two_hidden_agents_is_no_conflict(api_world, people, workspace, role):
    for _ in range(2):
        factories.human(workspace, name="Quillon")

    asked = Script(people[role]).read("/coaching?agent=Quillon")
    nobody = Script(people[role]).read("/coaching?agent=Quixote")

    assert (asked.status_code, asked.content.replace(b"Quillon", b"Quixote")) == (404, nobody.content)
