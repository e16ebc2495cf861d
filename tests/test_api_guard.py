"""Who gets what on every route under /api/v1: one line a route and method, asked as everybody."""

import re
import uuid

import pytest
from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator

from agents.models import ApiToken
from config import api
from tests import everything, factories
from tests.calls import Script
from tests.coaching import brought
from tests.everything import NEW, one_of_everything

pytestmark = pytest.mark.django_db

everybody, people, owner = everything.everybody, everything.people, everything.owner

# Roles in the order of a line's answers: anonymous, stranger (owner elsewhere), member without an agent, member with one,
# admin, and the owner where they may more than an admin. `own` and `hers` are the linked member's agent and a colleague's.
ROLES = ("anonymous", "stranger", "unlinked", "linked", "admin", "owner")
FREE = {"follow-ups.ics", "docs", r"^[\s\S]*$"}  # opened by a key of its own; a page; and what is no route

ZIP = brought.packed(NEW)

LINES = [
    # route, method, body, answers
    ("schema", "GET", None, (401, 200, 200, 200, 200)),
    ("agents", "GET", None, (401, 200, 200, 200, 200)),
    ("agents", "POST", {"name": "New"}, (401, 201, 403, 403, 201)),
    ("agents/{ai}", "GET", None, (401, 404, 404, 404, 200)),
    ("agents/{own}", "GET", None, (401, 404, 404, 200, 200)),
    ("agents/{hers}", "GET", None, (401, 404, 404, 404, 200)),
    ("agents/{ai}", "PATCH", {"active": True}, (401, 404, 404, 404, 200)),
    ("agents/{own}", "PATCH", {"active": True}, (401, 404, 404, 403, 200)),
    ("agents/{own}/trajectory", "GET", None, (401, 404, 404, 200, 200)),
    ("agents/{hers}/trajectory", "GET", None, (401, 404, 404, 404, 200)),
    ("agents/{ai}/configuration", "GET", None, (401, 404, 403, 403, 200)),
    ("agents/{ai}/versions", "GET", None, (401, 404, 403, 403, 200)),
    ("agents/{ai}/procedures", "GET", None, (401, 404, 403, 403, 200)),
    ("agents/{ai}/procedures", "POST", {"name": "New", "content": "1."}, (401, 404, 403, 403, 201)),
    ("agents/{ai}/export", "GET", None, (401, 404, 403, 403, 200)),
    ("agents/{ai}/imports", "POST", ZIP, (401, 404, 403, 403, 201)),
    ("imports/{import}", "GET", None, (401, 404, 404, 404, 200)),
    ("imports/{import}/apply", "POST", {"how": "proposals"}, (401, 404, 404, 404, 202)),
    ("imports/{import}/apply", "POST", {"how": "direct"}, (401, 404, 404, 404, 403, 202)),
    ("imports/{import}/discard", "POST", {}, (401, 404, 404, 404, 200)),
    ("procedures/{procedure}", "GET", None, (401, 404, 404, 404, 200)),
    ("procedures/{procedure}", "PATCH", {"baseVersion": 1, "content": "2."}, (401, 404, 404, 404, 200)),
    ("procedures/{procedure}?baseVersion=1", "DELETE", None, (401, 404, 404, 404, 204)),
    ("procedures/{procedure}/versions", "GET", None, (401, 404, 404, 404, 200)),
    ("procedures/{gone}/restore", "POST", {}, (401, 404, 404, 404, 200)),
    ("agents/{ai}/memories", "GET", None, (401, 404, 403, 403, 200)),
    ("agents/{ai}/memories", "POST", {"summary": "New."}, (401, 404, 403, 403, 201)),
    ("agents/{ai}/memories/search", "POST", {"query": "refund"}, (401, 404, 403, 403, 200)),
    ("memories/{memory}", "GET", None, (401, 404, 404, 404, 200)),
    ("memories/{memory}", "PATCH", {"baseVersion": 1, "text": "2."}, (401, 404, 404, 404, 200)),
    ("memories/{memory}?baseVersion=1", "DELETE", None, (401, 404, 404, 404, 204)),
    ("memories/{memory}/versions", "GET", None, (401, 404, 404, 404, 200)),
    ("memories/{memory}/restore", "POST", {}, (401, 404, 404, 404, 409)),
    ("coaching?agent={own}", "GET", None, (401, 404, 404, 200, 200)),
    ("coaching?agent={hers}", "GET", None, (401, 404, 404, 404, 200)),
    ("coaching/notes", "POST", {"agent": "{own}", "body": "x"}, (401, 404, 403, 403, 201)),
    ("coaching/notes/{note}", "GET", None, (401, 404, 404, 404, 200)),
    ("coaching/notes/{shared}", "GET", None, (401, 404, 404, 200, 200)),
    ("coaching/notes/{note}", "PATCH", {"body": "y"}, (401, 404, 404, 404, 200)),
    ("coaching/notes/{shared}", "PATCH", {"body": "y"}, (401, 404, 404, 403, 200)),
    ("coaching/notes/{note}", "DELETE", None, (401, 404, 404, 404, 204)),
    ("coaching/samples", "POST", {"source": "desk", "externalId": "77", "agent": "{own}"}, (401, 404, 403, 403, 201)),
    ("coaching/samples/{sample}", "GET", None, (401, 404, 404, 200, 200)),
    ("coaching/samples/{sample}", "DELETE", None, (401, 404, 404, 403, 204)),
    ("coaching/follow-ups", "GET", None, (401, 200, 403, 403, 200)),
    ("flags", "GET", None, (401, 200, 403, 403, 200)),
    ("flags", "POST", {"agent": "{hers}", "reason": "x"}, (401, 404, 403, 403, 201)),
    ("flags/{flag}", "GET", None, (401, 404, 404, 404, 200)),
    ("flags/{flag}", "PATCH", {"cause": "tool"}, (401, 404, 404, 404, 200)),
    ("flags/{flag}/coached", "POST", {}, (401, 404, 404, 404, 200)),
    ("flags/{flag}/coached", "DELETE", None, (401, 404, 404, 404, 200)),
    ("flags/{dismissed}/reopen", "POST", {}, (401, 404, 404, 404, 200)),
    ("flags/{flag}/dismiss", "POST", {"reason": "x"}, (401, 404, 404, 404, 200)),
    ("coach/sessions", "GET", None, (401, 200, 403, 403, 200)),
    ("coach/sessions", "POST", {"agent": "{ai}"}, (401, 404, 403, 403, 201)),
    ("coach/sessions/{session}", "GET", None, (401, 404, 404, 404, 200)),
    ("coach/sessions/{session}/messages", "POST", {"text": "Why?"}, (401, 404, 404, 404, 202)),
    ("coach/sessions/{session}/events", "GET", None, (401, 404, 404, 404, 200)),
    ("coach/sessions/{session}/turns/{turn}/retry", "POST", {}, (401, 404, 404, 404, 409)),
    ("coach/sessions/{session}/turns/{turn}/stop", "POST", {}, (401, 404, 404, 404, 202)),
    ("proposals", "GET", None, (401, 200, 403, 403, 200)),
    (
        "proposals",
        "POST",
        {"agent": "{ai}", "type": "memory_entry_create", "change": {"summary": "New."}, "rationale": "Why."},
        (401, 404, 403, 403, 201),
    ),
    ("proposals/{proposal}", "GET", None, (401, 404, 404, 404, 200)),
    ("proposals/{proposal}/approve", "POST", {}, (401, 404, 404, 404, 200)),
    ("proposals/{proposal}/reject", "POST", {}, (401, 404, 404, 404, 200)),
    ("proposals/{stale}/rebase", "POST", {}, (401, 404, 404, 404, 201)),
    ("proposals/decide", "POST", {"verdict": "rejected", "ids": ["{proposal}"]}, (401, 404, 403, 403, 200)),
    ("proposals/{approved}/revert", "POST", {}, (401, 404, 404, 404, 200)),
    ("decisions", "GET", None, (401, 200, 403, 403, 200)),
    ("ratings", "POST", {"items": []}, (401, 200, 403, 403, 200)),
    ("conversations", "GET", None, (401, 200, 403, 403, 200)),
    ("conversations", "POST", {"externalId": "new", "agent": "{ai}"}, (401, 400, 403, 403, 201)),
    ("conversations/{conversation}", "GET", None, (401, 404, 404, 404, 200)),
    ("conversations/{conversation}/transcript", "GET", None, (401, 404, 404, 404, 200)),
    ("conversations/{rated}", "GET", None, (401, 404, 404, 404, 200)),
    ("deeplinks", "GET", None, (401, 200, 403, 403, 200)),
    (
        "deeplinks",
        "PUT",
        {"source": "desk", "conversationPattern": "https://desk.example/{{id}}"},
        (401, 200, 403, 403, 200),
    ),
]
SCOPE_OF = dict.fromkeys(("approve", "reject", "rebase", "decide", "revert", "dismiss", "reopen", "apply"), "approve")
SCOPED = LINES[1:]  # the description needs no scope
READS_BY_POST = {"search"}
WIDTH = {"GET": "read", "POST": "write", "PUT": "write", "PATCH": "write", "DELETE": "write"}


@pytest.fixture(scope="module")
def world(lasting, everybody):
    owner, own = everybody["owner"], everybody["linked"].agent
    return lasting(lambda: one_of_everything(owner.workspace, owner, factories.ai_agent(owner.workspace), own))


def routes():
    """The patterns under /api/v1, as they are written."""
    waiting = [("", pattern) for pattern in api.urlpatterns]
    while waiting:
        prefix, pattern = waiting.pop()
        where = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield where, pattern
        else:
            waiting += [(where, inner) for inner in pattern.url_patterns]


def expected(answers, role):
    """What the line says of the role; an owner is answered as an admin unless it says otherwise."""
    return answers[min(ROLES.index(role), len(answers) - 1)]


def ask(script, method, route, body, world):
    def filled(value):
        if isinstance(value, list):
            return [filled(each) for each in value]
        return value.format(**world) if isinstance(value, str) else value

    if isinstance(body, bytes):
        return script.call(method, "/" + filled(route), body, "application/zip", Accept="application/json")
    told = body and {name: filled(value) for name, value in body.items()}
    return script.call(method, "/" + filled(route), told, Accept="application/json")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("route", "method", "body", "answers"), LINES, ids=[f"{m} {r}" for r, m, *_ in LINES])
def test_route_answers_each_role_as_its_line_says(world, people, role, route, method, body, answers):
    script = Script(people.get(role))

    response = ask(script, method, route, body, world)

    assert response.status_code == expected(answers, role), response.content


@pytest.mark.parametrize(
    ("route", "method", "body"), [line[:3] for line in SCOPED], ids=[f"{m} {r}" for r, m, *_ in SCOPED]
)
def test_route_needs_its_scope(world, owner, route, method, body):
    last = route.partition("?")[0].rpartition("/")[2]
    needed = "read" if last in READS_BY_POST else SCOPE_OF.get(last, WIDTH[method])
    with_others = Script(owner, set(ApiToken.SCOPES) - {needed, "runtime"})
    with_it = Script(owner, {needed})

    assert ask(with_others, method, route, body, world).status_code == 403
    assert ask(with_it, method, route, body, world).status_code not in (401, 403)


# --- What is not there, and what is somebody else's ------------------------------------------------------------------


@pytest.fixture
def elsewhere(db):
    """One row of everything in a workspace of other people."""
    workspace = factories.workspace()
    own = factories.human(workspace)
    return one_of_everything(workspace, factories.owner(workspace), factories.ai_agent(workspace), own)


# Routes that are told an id beside their path: method, route, body.
TOLD = [
    ("GET", "coaching?agent={own}", None),
    ("GET", "flags?agent={own}", None),
    ("GET", "conversations?agent={ai}", None),
    ("GET", "proposals?agent={ai}", None),
    ("GET", "proposals?session={session}", None),
    ("GET", "decisions?agent={ai}", None),
    ("GET", "decisions?proposal={approved}", None),
    ("GET", "coach/sessions?agent={ai}", None),
    ("GET", "coaching/follow-ups?agent={own}", None),
    ("POST", "coaching/notes", {"agent": "{own}", "body": "x"}),
    ("POST", "coaching/notes", {"agent": "{mine}", "body": "x", "sampleId": "{sample}"}),
    ("POST", "coaching/samples", {"source": "desk", "externalId": "new", "agent": "{own}"}),
    ("POST", "flags", {"agent": "{own}", "reason": "x"}),
    ("POST", "coach/sessions", {"agent": "{ai}"}),
    ("POST", "coach/sessions", {"agent": "{my_ai}", "conversation": "{conversation}"}),
    ("POST", "coach/sessions", {"agent": "{my_ai}", "conversations": ["{conversation}"]}),
    (
        "POST",
        "proposals",
        {"agent": "{my_ai}", "type": "memory_entry_delete", "target": "{memory}", "rationale": "Why.", "change": {}},
    ),
    ("POST", "proposals/decide", {"verdict": "rejected", "ids": ["{proposal}"]}),
    ("POST", "conversations", {"externalId": "new", "agent": "{ai}"}),
    ("POST", "ratings", {"items": [{"externalId": "1", "agent": "{own}", "value": 1, "scale": "stars5"}]}),
]


@pytest.mark.parametrize("role", ROLES)
def test_what_is_somebody_elses_answers_as_what_is_not_there(world, elsewhere, people, role):
    script = Script(people.get(role))
    place = (people[role] or people["owner"]).workspace
    mine = {"mine": str(factories.human(place).pk), "my_ai": str(factories.ai_agent(place).pk)}
    nothing = {name: str(uuid.uuid4()) for name in elsewhere}
    theirs = world if role == "stranger" else elsewhere
    named = [(method, route, body) for route, method, body, _ in LINES if "{" in route.partition("?")[0]]

    told_apart = [
        (method, route)
        for method, route, body in named + TOLD
        if anonymised(ask(script, method, route, body, theirs | mine), theirs)
        != anonymised(ask(script, method, route, body, nothing | mine), nothing)
    ]

    assert told_apart == []


@pytest.mark.parametrize("role", ["unlinked", "linked"])
def test_what_a_member_may_not_see_answers_as_what_is_not_there(world, people, role):
    script = Script(people[role])
    nothing = {name: str(uuid.uuid4()) for name in world}
    hidden = [line for line in LINES if "{" in line[0] and expected(line[3], role) == 404]

    told_apart = [
        (method, route)
        for route, method, body, _ in hidden
        if anonymised(ask(script, method, route, body, world), world)
        != anonymised(ask(script, method, route, body, nothing), nothing)
    ]

    assert len(hidden) > 30
    assert told_apart == []


def anonymised(response, ids):
    """Status, headers and body to the byte, with the ids that the asker sent themselves taken out."""
    told = response.content.decode()
    for value in ids.values():
        if len(value) == 36:  # pages have addresses with a number in them, and a number stands in many an answer
            told = told.replace(value, "ID")
    return response.status_code, sorted(response.headers.items()), told


# --- The lines themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_description_says_which_routes_answer_members(method):
    told = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    answered = {shape(route) for route, m, _, answers in LINES if m == method and answers[3] < 300} - {"schema"}

    described = {
        shape(path.removeprefix("/api/v1/"))
        for path, item in told.items()
        if item.get(method.lower(), {}).get("x-for-members")
    }
    assert described == answered


def test_every_route_and_method_has_its_line():
    asked = {(shape(route), method) for route, method, *_ in LINES}
    written = {
        (shape(where), method.upper())
        for where, pattern in routes()
        if not any(free in where for free in FREE)
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(pattern.callback.view_class, method)
    }

    assert written - asked == set()


def shape(route):
    """The route with every id left open: `agents/{}/memories`."""
    return re.sub(r"<[^>]*>|\{[^}]*\}", "{}", route.partition("?")[0])
