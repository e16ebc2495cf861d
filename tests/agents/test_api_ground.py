"""What every route under /api/v1 shares: authentication, scopes, refusals, strict bodies, pages, answers given twice."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from agents import tasks
from agents.api_parsing import BODY_LIMIT
from agents.models import Agent, ApiToken, IdempotentAnswer
from tests import factories
from tests.calls import Script, problem

pytestmark = pytest.mark.django_db

NOW = 1_790_000_000_000


@pytest.fixture
def script(owner):
    return Script(owner)


# --- Who speaks ------------------------------------------------------------------------------------------------------


def test_anonymous_is_asked_for_a_token():
    response = Script().read("/agents")

    assert problem(response)[0] == 401
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer", "Basic b3duZXI6", "Token x", "Bearer \x00"])
def test_wrong_credentials_are_refused(header):
    assert problem(Script().read("/agents", Authorization=header))[0] == 401


@pytest.mark.parametrize(
    "spoil",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
    ids=["revoked", "expired"],
)
def test_token_that_ended_is_refused(owner, spoil):
    client = Script(owner)
    ApiToken.objects.update(**spoil)

    assert client.read("/agents").status_code == 401


def test_token_of_somebody_who_left_is_refused(admin):
    client = Script(admin)
    admin.left_at = timezone.now()
    admin.save_without_historical_record()

    assert client.read("/agents").status_code == 401


def test_token_is_stored_as_a_hash_and_its_use_is_noted_once_a_minute(owner):
    secret = factories.token(owner)
    client = Script()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    stored = ApiToken.objects.get()
    assert secret not in str(vars(stored))

    client.read("/agents")
    first_use = ApiToken.objects.get().last_used_at
    client.read("/agents")

    assert first_use is not None
    assert ApiToken.objects.get().last_used_at == first_use
    ApiToken.objects.update(last_used_at=first_use - timedelta(seconds=61))
    client.read("/agents")
    assert ApiToken.objects.get().last_used_at > first_use


def test_page_session_reads_and_needs_the_csrf_token_to_write(client, owner):
    client.handler.enforce_csrf_checks = True
    client.force_login(owner.user)

    assert client.get("/api/v1/agents").status_code == 200
    refused = client.post("/api/v1/agents", {"name": "Ana"}, content_type="application/json")
    assert problem(refused)[0] == 403
    assert not Agent.objects.exists()


def test_signed_in_user_without_a_workspace_is_refused(client):
    client.force_login(factories.user())

    assert problem(client.get("/api/v1/agents"))[0] == 404


@pytest.mark.parametrize(
    ("scopes", "reads", "writes", "runs"),
    [
        (("read",), 200, 403, 200),
        (("write",), 403, 201, 403),
        (("approve",), 403, 403, 403),
        (("runtime",), 403, 403, 200),
        ((), 403, 403, 403),
    ],
)
def test_scopes_open_what_they_say(owner, agent, scopes, reads, writes, runs):
    client = Script(owner, scopes)

    answers = (
        client.read("/agents").status_code,
        client.send("/agents", {"name": "Ana"}).status_code,
        client.read(f"/agents/{agent.pk}/configuration").status_code,
    )

    assert answers == (reads, writes, runs)


# --- What is refused, and how ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/nothing", "", "/agents/", "/agents/not-an-id", "/memories", "/agents/%00", "/agents/%0A", "/a%0Ab"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_unknown_route_is_a_problem(script, path, method):
    assert problem(script.call(method, path))[0] == 404


@pytest.mark.parametrize(("method", "path"), [("PUT", "/agents"), ("TRACE", "/agents?limit=1"), ("POST", "/deeplinks")])
def test_unknown_method_is_a_problem_whatever_comes_with_it(script, method, path):
    assert problem(script.call(method, path, {}))[0] == 405


def test_unknown_method_is_told_the_known_ones(script):
    response = script.call("PUT", "/agents", {})

    assert problem(response)[0] == 405
    assert {"GET", "POST"} <= set(response["Allow"].split(", "))


def test_options_tells_the_methods(script, agent):
    response = script.call("OPTIONS", f"/agents/{agent.pk}")

    assert (response.status_code, response.content) == (204, b"")
    assert set(response["Allow"].split(", ")) == {"GET", "PATCH", "HEAD", "OPTIONS"}


def test_other_media_types_are_problems(script):
    assert problem(script.read("/agents", Accept="text/html"))[0] == 406
    form = script.generic("POST", "/api/v1/agents", "name=Ana", "application/x-www-form-urlencoded")
    assert problem(form)[0] == 415
    assert form.json()["detail"].endswith("Most routes read application/json.")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"name": "Ana",}', "line 1, column 16"),
        (b'{"name": "\xff"}', "byte 10"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": -Infinity}', "-Infinity"),
        (b'{"name": "a", "name": "b"}', '"name" stands twice'),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"retentionDays": ' + b"9" * 5_000 + b"}", "not usable JSON"),
        (b"<html>", "line 1, column 1"),
    ],
)
def test_what_is_not_json_is_told_where(script, body, said):
    response = script.send("/agents", body)

    assert problem(response)[0] == 400
    assert said in response.json()["detail"]


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"12", b"true", b"null"])
def test_body_that_is_no_object_is_refused(script, body):
    assert problem(script.send("/agents", body))[0] == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (rb'{"name": "a\u0000b"}', "name"),
        (rb'{"name": "a\ud800b"}', "name"),
        (rb'{"storage": {"mode": "\udfff"}}', "storage.mode"),
        (rb'{"externalIds": {"desk\u0000": "1"}}', "externalIds.(a key)"),
    ],
)
def test_characters_that_cannot_be_stored_are_refused_by_their_place(script, body, field):
    status, errors = problem(script.send("/agents", body))

    assert (status, list(errors)) == (400, [field])


def test_emoji_spelled_as_a_surrogate_pair_is_text(script):
    assert script.send("/agents", rb'{"name": "Ana \ud83d\ude00"}').json()["name"] == "Ana 😀"


def test_body_above_10_mb_is_refused_whether_or_not_its_length_is_told(script):
    body = b'{"name": "' + b"a" * BODY_LIMIT + b'"}'

    assert problem(script.send("/agents", body))[0] == 413


def test_body_in_chunks_is_refused_rather_than_taken_for_none(script):
    chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    response = script.generic("POST", "/api/v1/agents", b'{"name": "Ana"}', "application/json", **chunked)

    assert problem(response)[0] == 411


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("name", ["Ana"]),
        ("name", None),
        ("name", ""),
        ("name", "   "),
        ("name", "a" * 301),
        ("kind", "robot"),
        ("kind", 1),
        ("coaching", "true"),
        ("coaching", 1),
        ("active", None),
        ("team", 7),
        ("externalIds", "x"),
        ("externalIds", {"a b": "1"}),
        ("externalIds.desk", 17),
        ("storage.retentionDays", "90"),
        ("storage.retentionDays", 90.5),
        ("storage.retentionDays", 0),
        ("storage.retentionDays", True),
        ("storage.mode", "everything"),
        ("surname", "x"),
        ("system_prompt", "x"),
        ("id", "x"),
    ],
)
def test_each_field_is_read_strictly_and_named(script, field, value):
    outer, _, inner = field.partition(".")
    body = {"name": "Ana", "kind": "ai"} | {outer: {inner: value} if inner else value}

    status, errors = problem(script.send("/agents", body))

    assert (status, list(errors)) == (400, [field])
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1_790_000_000, "seconds"),
        ("1790000000000", "whole number"),
        (1_790_000_000_000.5, "whole number"),
        (0, "2000"),
        (-1, "2000"),
        (946_684_799_999, "2000"),
        (9_999_999_999_999, "ten years"),
        (10**30, "ten years"),
        (NOW - 10**10, "ahead"),
        (True, "whole number"),
    ],
)
def test_times_are_epoch_milliseconds_in_a_sane_range(script, agent, value, said):
    response = script.send(f"/agents/{agent.pk}/memories", {"summary": "Parcels wait.", "expiresAt": value})

    status, errors = problem(response)
    assert (status, list(errors)) == (400, ["expiresAt"])
    assert said in errors["expiresAt"][0]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("nme=Ana", "nme"),
        ("kind=robot", "kind"),
        ("active=yes", "active"),
        ("active=1", "active"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=²", "limit"),
        ("cursor=forged", "cursor"),
        ("cursor=WyIxIl0:1abc:xyz", "cursor"),
        ("kind=ai&kind=human", "kind"),
        ("name=%00", "name"),
        ("format=xml", "format"),
        ("kind=", "kind"),
    ],
)
def test_filters_are_read_strictly_and_named(script, query, field):
    status, errors = problem(script.read(f"/agents?{query}"))

    assert (status, list(errors)) == (400, [field])


def test_failure_of_ours_tells_nothing_and_frees_the_key(script, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("agents.models.Agent.full_clean", broken)
    script.raise_request_exception = False

    response = script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k"})

    assert problem(response)[0] == 500
    assert b"secret" not in response.content
    assert not IdempotentAnswer.objects.exists()


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_pages_tell_every_row_once_while_rows_are_added(workspace, script):
    names = [f"Person {n:02}" for n in range(9)]
    for name in names:
        factories.human(workspace, name=name)
    told, cursor = [], ""
    while cursor is not None:
        page = script.read(f"/agents?limit=2{cursor and f'&cursor={cursor}'}").json()
        told += [row["name"] for row in page["items"]]
        cursor = page["nextCursor"]
        factories.human(workspace, name=f"Aaron {len(told)}")  # sorts before everything that was told

    assert told == names


def test_cursor_belongs_to_its_list(workspace, script, agent):
    for n in range(3):
        factories.human(workspace, name=f"Person {n}")
    cursor = script.read("/agents?limit=1").json()["nextCursor"]

    assert problem(script.read(f"/agents/{agent.pk}/versions?cursor={cursor}")) == (
        400,
        {"cursor": ["This cursor was not given out for this list."]},
    )


# --- Answers given twice ---------------------------------------------------------------------------------------------


def test_same_key_and_body_give_the_same_answer_once_done(script):
    first = script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})
    again = script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Agent.objects.count() == 1


def test_refusal_is_given_twice_as_well(script):
    first = script.send("/agents", {"name": 5}, **{"Idempotency-Key": "k1"})
    again = script.send("/agents", {"name": 5}, **{"Idempotency-Key": "k1"})

    assert problem(first) == problem(again)
    assert again["Idempotent-Replayed"] == "true"


def test_same_key_with_another_body_or_address_is_a_conflict(script, agent):
    script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})

    assert problem(script.send("/agents", {"name": "Ben"}, **{"Idempotency-Key": "k1"}))[0] == 409
    elsewhere = script.send(f"/agents/{agent.pk}/memories", {"name": "Ana"}, **{"Idempotency-Key": "k1"})
    assert problem(elsewhere)[0] == 409


def test_key_whose_first_request_is_at_work_is_a_conflict(script, owner):
    script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})
    IdempotentAnswer.objects.update(status=None, body=None)

    assert problem(script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"}))[0] == 409
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"}).status_code == 201


def test_key_that_was_freed_while_it_was_looked_up_may_be_sent_again(script):
    """The first request fails by our mistake, and gives its key back, between two steps of the second."""
    script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})
    IdempotentAnswer.objects.update(status=None, body=None)
    freed = []

    def free_before_it_is_read(execute, sql, params, many, context):
        if sql.startswith("SELECT") and IdempotentAnswer._meta.db_table in sql and not freed:
            freed.append(True)
            IdempotentAnswer.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(free_before_it_is_read):
        late = script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})

    assert (freed, problem(late)[0], late.json()["title"]) == ([True], 409, "Idempotency key in use")
    assert script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"}).status_code == 201


def test_keys_of_two_members_do_not_meet(script, admin):
    script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})

    assert Script(admin).send("/agents", {"name": "Ben"}, **{"Idempotency-Key": "k1"}).status_code == 201


@pytest.mark.parametrize("key", ["", "a" * 256, "a\tb"])
def test_key_that_is_none_is_refused(script, key):
    assert problem(script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": key}))[0] == 400


def test_key_of_255_characters_is_taken(script):
    assert script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "a" * 255}).status_code == 201


def test_key_is_forgotten_after_a_day(script):
    script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": "k1"})
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))

    assert script.send("/agents", {"name": "Ben"}, **{"Idempotency-Key": "k1"}).status_code == 201


def test_answers_that_are_too_old_to_be_repeated_are_deleted_by_the_clock(script):
    for key in ("old", "new"):
        script.send("/agents", {"name": "Ana"}, **{"Idempotency-Key": key})
    IdempotentAnswer.objects.filter(key="old").update(created_at=timezone.now() - timedelta(hours=25))

    tasks.forget_sessions()

    assert IdempotentAnswer.objects.get().key == "new"


# --- Description -----------------------------------------------------------------------------------------------------


def test_description_is_valid_openapi_of_every_route(script):
    schema = script.read("/schema").json()

    assert schema["openapi"].startswith("3.")
    assert {"/api/v1/agents", "/api/v1/proposals/{proposal_id}/approve"} <= set(schema["paths"])
    operations = [o for path in schema["paths"].values() for name, o in path.items() if name != "parameters"]
    assert all("default" in operation["responses"] for operation in operations)


def test_description_is_made_without_a_doubt():
    """Two components of one name, a type that had to be guessed: each is a warning, and none is let through."""
    GENERATOR_STATS.reset()

    SchemaGenerator().get_schema(public=True)

    assert (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache)) == ({}, {})


def test_description_names_every_parameter_and_closes_bodies(script):
    schema = script.read("/schema").json()

    def parameters(path, method):
        told = schema["paths"][f"/api/v1{path}"][method].get("parameters", [])
        return {one["name"]: one.get("required", False) for one in told if one["in"] == "query"}

    assert parameters("/coaching", "get") == {"agent": True}
    assert set(parameters("/flags", "get")) == {
        *("agent", "kind", "status", "cause", "openedAfter", "openedBefore", "limit", "cursor")
    }
    assert set(parameters("/coaching/follow-ups", "get")) == {"agent", "limit", "cursor"}
    assert parameters("/agents/{agent_id}/configuration", "get") == {"version": False, "asOf": False}
    assert parameters("/memories/{row_id}", "delete") == {"baseVersion": False}
    assert parameters("/coach/sessions/{session_id}/events", "get") == {"after": False}
    bodies = {name: told for name, told in schema["components"]["schemas"].items() if name.endswith("Request")}
    assert bodies
    assert [name for name, told in bodies.items() if told.get("additionalProperties") is not False] == []
