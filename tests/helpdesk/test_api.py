"""The routes of conversations, ratings and deep links."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, Member
from coaching.models import Flag
from helpdesk.models import Conversation, Rating, RatingDay, StoredTranscript
from tests import factories

NOW = timezone.now().replace(microsecond=0)
BASE = "/api/v1"


def ms(when):
    return int(when.timestamp() * 1000)


class Caller:
    """A script with a token."""

    def __init__(self, client, member, **token):
        self.client, self.headers = client, {"Authorization": f"Bearer {factories.token(member, **token)}"}

    def get(self, path, **query):
        return self.client.get(f"{BASE}{path}", query, headers=self.headers)

    def post(self, path, body, **headers):
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.client.post(f"{BASE}{path}", data, content_type="application/json", headers=self.headers | headers)

    def put(self, path, body):
        return self.client.put(f"{BASE}{path}", json.dumps(body), content_type="application/json", headers=self.headers)


@pytest.fixture
def call(client, owner):
    return Caller(client, owner)


def rating(agent, n=1, **fields):
    body = {"source": "desk", "externalId": str(n), "agent": agent, "value": 4, "scale": "stars5", "ratedAt": ms(NOW)}
    return {name: value for name, value in (body | fields).items() if value is not None}


def conversation(agent, **fields):
    body = {
        "source": "api", "externalId": "c-1", "agent": agent, "openedAt": ms(NOW - timedelta(hours=2)),
        "closedAt": ms(NOW - timedelta(hours=1)), "status": "closed", "channel": "chat",
    }  # fmt: skip
    return body | fields


TURNS = [
    {"role": "customer", "text": "I am mia@test.example, call +49 170 1234567.", "at": ms(NOW), "name": "Mia Li"},
    {"role": "agent", "text": "Let me look.\n[calls find({})]"},
    {"role": "tool", "text": "", "name": "find"},
]


# --- Ratings


def test_good_ratings_land_although_others_are_refused(call, workspace):
    ana = factories.human(workspace, name="Ana")
    items = [
        rating("Ana", 1),
        rating("Nobody", 2),
        rating(str(ana.pk), 3, value="banana"),
        rating("Ana", 4, ratedAt=int(NOW.timestamp())),
        rating("Ana", 5, ratedAt=str(ms(NOW))),
        rating("Ana", externalId=7),
        rating("Ana", 8, scale=None),
        rating("Ana", 9, colour="red"),
        rating("Ana", 10, source="zendesk"),
        rating("Ana", 11, closedAt=ms(NOW + timedelta(days=2))),
        rating("Ana", 12, value=True),
        "text",
        rating("Ana", 1),
        rating("Ana", 13, value="4"),
    ]

    answer = call.post("/ratings", {"items": items})

    assert answer.status_code == 200
    body = answer.json()
    assert {name: body[name] for name in ("accepted", "updated", "unchanged")} == {
        "accepted": 1,
        "updated": 0,
        "unchanged": 1,
    }
    seconds = int(NOW.timestamp())
    assert [(row["index"], row["detail"]) for row in body["rejected"]] == [
        (1, "agent: No agent is called Nobody."),
        (2, 'value: "banana" is not on the scale stars5 (1, 2, 3, 4, 5).'),
        (3, f"ratedAt: {seconds} looks like seconds; times are in milliseconds since 1970 ({seconds * 1000})."),
        (4, "ratedAt: It is a whole number: milliseconds since 1970."),
        (5, "externalId: It is text."),
        (6, "scale: It is missing."),
        (7, "colour: No such field."),
        (8, "source: zendesk is the name of a helpdesk, and those belong to connections. Choose another."),
        (9, f"closedAt: {NOW + timedelta(days=2):%Y-%m-%d} is more than a day ahead."),
        (10, "value: It is a number or text."),
        (11, "It is not an object."),
        (13, "value: It is a number, not text."),
    ]
    assert Rating.objects.get().score == 75
    assert RatingDay.objects.get().n == 1


@pytest.mark.parametrize(
    ("value", "scale"),
    [(4, "stars5"), (55.5, "percent"), (-103, "freshdesk"), (2, "hubspot012"), ("good", "binary"), ("okay", "faces3")],
)
def test_value_of_a_rating_comes_back_as_it_was_sent(call, workspace, value, scale):
    ana = factories.human(workspace, name="Ana")
    csat = {"value": value, "scale": scale, "ratedAt": ms(NOW)}

    told = call.post("/conversations", {"externalId": "1", "agent": str(ana.pk), "csat": csat}).json()

    assert {name: told["csat"][name] for name in csat} == csat
    assert type(told["csat"]["value"]) is type(value)


def test_characters_that_no_database_holds_refuse_their_item_only(call, workspace):
    factories.human(workspace, name="Ana")
    items = [rating("Ana"), rating("A\0na", 2), rating("Ana", externalId="\ud800"), rating("Ana", **{"x\udfff": 1})]

    answer = call.post("/ratings", {"items": items})

    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert [row["detail"] for row in answer.json()["rejected"]] == [
        "agent: It holds a NUL character.",
        "externalId: It holds half a character (a lone surrogate, or bytes that are not UTF-8).",
        "x?: No such field.",
    ]


def test_later_and_older_ratings_are_counted_as_what_they_did(call, workspace):
    factories.human(workspace, name="Ana")
    earlier, later = ms(NOW - timedelta(days=1)), ms(NOW)

    call.post("/ratings", {"items": [rating("Ana", value=2, ratedAt=earlier)]})
    newer = call.post("/ratings", {"items": [rating("Ana", value=5, ratedAt=later)]}).json()
    older = call.post("/ratings", {"items": [rating("Ana", value=1, ratedAt=earlier)]}).json()

    assert newer == {"accepted": 0, "updated": 1, "unchanged": 0, "rejected": []}
    assert older == {"accepted": 0, "updated": 0, "unchanged": 1, "rejected": []}
    assert call.get("/conversations").json()["items"][0]["csat"]["score"] == 100


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        ({}, "items"),
        ({"items": {}}, "items"),
        ({"items": [], "more": 1}, "more"),
        ({"\ud800": 1}, "?"),
        ({"items": [1] * 5001}, "items"),
    ],
)
def test_body_that_holds_no_list_of_ratings_is_refused(call, body, field):
    answer = call.post("/ratings", body)

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json().get("errors", {"": 1})) == [field]


def test_foreign_agents_are_unknown(call, stranger):
    foreign = factories.human(stranger.workspace)

    answer = call.post("/ratings", {"items": [rating(str(foreign.pk))]})

    assert answer.json()["rejected"] == [{"index": 0, "detail": f"agent: No agent is called {foreign.pk}."}]


@pytest.mark.parametrize("path", ["/ratings", "/conversations"])
def test_members_bring_nothing_in(client, linked_member, path):
    answer = Caller(client, linked_member).post(path, {"items": []})

    assert answer.status_code == 403


def test_reading_token_brings_nothing_in(client, owner):
    assert Caller(client, owner, scopes=["read"]).post("/ratings", {"items": []}).status_code == 403


# --- Conversations


def test_conversation_is_made_then_updated_then_left_alone(call, agent):
    body = conversation(
        agent.name, csat={"value": "good", "scale": "binary", "ratedAt": ms(NOW)}, configurationVersion=1
    )

    made = call.post("/conversations", body)
    again = call.post("/conversations", body)
    changed = call.post("/conversations", {"externalId": "c-1", "agent": str(agent.pk), "channel": "mail"})

    assert [answer.status_code for answer in (made, again, changed)] == [201, 200, 200]
    shown = made.json()
    assert again.json() == shown
    assert changed.json() == shown | {"channel": "mail"}
    assert shown == {
        "id": str(Conversation.objects.get().pk),
        "source": "api",
        "externalId": "c-1",
        "agent": agent.name,
        "agentId": str(agent.pk),
        "status": "closed",
        "channel": "chat",
        "openedAt": body["openedAt"],
        "closedAt": body["closedAt"],
        "csat": {"value": "good", "scale": "binary", "score": 100.0, "ratedAt": ms(NOW), "credit": "assignee"},
        "turnCount": None,
        "configurationVersion": 1,
        "memoriesServed": [],
    }


def test_null_csat_withdraws_the_rating(call, agent):
    csat = {"value": 2, "scale": "stars5", "ratedAt": ms(NOW)}
    call.post("/conversations", conversation(agent.name, csat=csat))

    answer = call.post("/conversations", conversation(agent.name, csat=None))

    assert answer.json()["csat"] is None
    assert Rating.objects.get().withdrawn_at is not None
    assert RatingDay.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"closedAt": ms(NOW - timedelta(days=1))}, "closedAt"),
        ({"closedAt": int(NOW.timestamp())}, "closedAt"),
        ({"openedAt": 915_148_800_000}, "openedAt"),
        ({"status": "solved"}, "status"),
        ({"status": "open"}, "closedAt"),
        ({"agent": "Nobody"}, "agent"),
        ({"agent": 7}, "agent"),
        ({"externalId": 7}, "externalId"),
        ({"externalId": " "}, "externalId"),
        ({"externalId": "x" * 301}, "externalId"),
        ({"source": "Intercom"}, "source"),
        ({"source": "my desk"}, "source"),
        ({"colour": "red"}, "colour"),
        ({"csat": {"value": 6, "scale": "stars5", "ratedAt": ms(NOW)}}, "csat.value"),
        ({"csat": {"value": 5, "scale": "stars", "ratedAt": ms(NOW)}}, "csat.scale"),
        ({"csat": {"value": 5, "scale": "stars5"}}, "csat.ratedAt"),
        ({"csat": 5}, "csat"),
        ({"transcript": {}}, "transcript"),
        ({"transcript": [{"role": "user", "text": "Hi"}]}, "transcript.0.role"),
        ({"transcript": [TURNS[0], {"role": "agent", "text": ""}]}, "transcript.1.text"),
        ({"transcript": [{"role": "agent", "text": 5}]}, "transcript.0.text"),
        ({"transcript": [{"role": "agent", "text": "Hi", "at": "now"}]}, "transcript.0.at"),
        ({"configurationVersion": 2}, "configurationVersion"),
        ({"configurationVersion": "1"}, "configurationVersion"),
        ({"memoriesServed": [{"id": "1", "version": 1}]}, "memoriesServed.0"),
    ],
)
def test_refused_conversation_names_the_field_and_leaves_nothing(call, agent, fields, field):
    answer = call.post("/conversations", conversation(agent.name) | fields)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert Conversation.objects.count() == 0


def test_ambiguous_name_answers_with_the_candidates(call, agent, workspace):
    other = factories.human(workspace, name=agent.name)

    answer = call.post("/conversations", conversation(agent.name))

    assert answer.status_code == 409
    assert answer.json()["candidates"] == [
        {"id": str(agent.pk), "name": agent.name, "kind": "ai", "team": None, "active": True},
        {"id": str(other.pk), "name": agent.name, "kind": "human", "team": None, "active": True},
    ]


def test_transcripts_of_people_are_refused(call, workspace):
    factories.human(workspace, name="Ana")

    answer = call.post("/conversations", conversation("Ana", transcript=TURNS))

    assert list(answer.json()["errors"]) == ["transcript"]
    assert Conversation.objects.count() == 0


@pytest.mark.parametrize(
    "turns",
    [[{"role": "customer", "text": "x"}] * 5_001, [{"role": "customer", "text": "x" * 1_000_001}] * 2],
    ids=["turns", "bytes"],
)
def test_transcript_beyond_the_bounds_is_too_large(call, agent, turns):
    answer = call.post("/conversations", conversation(agent.name, transcript=turns))

    assert (answer.status_code, Conversation.objects.count()) == (413, 0)


def test_transcript_of_five_thousand_turns_is_taken(call, agent):
    turns = [{"role": "customer", "text": "x"}] * 5_000

    answer = call.post("/conversations", conversation(agent.name, transcript=turns))

    assert (answer.status_code, answer.json()["turnCount"]) == (201, 5_000)


def test_masked_transcript_is_read_back_without_personal_data(call, agent):
    made = call.post("/conversations", conversation(agent.name, transcript=TURNS)).json()

    answer = call.get(f"/conversations/{made['id']}/transcript")

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "items": [
            {"turn": 0, "role": "customer", "text": "I am <email>, call <phone>.", "at": ms(NOW)},
            {"turn": 1, "role": "agent", "text": "Let me look.\n[calls find({})]"},
            {"turn": 2, "role": "tool", "text": "", "name": "find"},
        ]
    }
    assert "mia" not in json.dumps(StoredTranscript.objects.get().turns).lower()


def test_transcript_that_is_not_here_says_why(call, agent, workspace):
    Agent.objects.filter(pk=agent.pk).update(storage_mode=Agent.Storage.SUMMARY_ONLY)
    silent = call.post("/conversations", conversation(agent.name, transcript=TURNS)).json()
    elsewhere = factories.conversation(factories.human(workspace), source="intranet")

    for pk, why in (
        (silent["id"], f"No transcripts are kept for {agent.name}."),
        (elsewhere.pk, "The transcript is at “intranet”, and no helpdesk of that name is connected."),
    ):
        answer = call.get(f"/conversations/{pk}/transcript")
        assert (answer.status_code, answer.json()["detail"]) == (404, why)
    assert StoredTranscript.objects.count() == 0


def test_list_is_filtered_by_agent_source_score_time_and_flag(call, owner, agent, workspace):
    ana = factories.human(workspace, name="Ana")
    call.post(
        "/ratings",
        {"items": [rating("Ana", 1, value=1), rating("Ana", 2, value=5), rating(agent.name, 3, source="chat")]},
    )
    factories.conversation(ana, source="desk", external_id="4", closed_at=NOW - timedelta(days=9), opened_at=None)
    Flag.objects.create(
        workspace=workspace, agent=ana, kind="manual", since=NOW, opened_on=NOW, opened_by=owner, reason="Look closer."
    )

    def found(**query):
        return {item["externalId"] for item in call.get("/conversations", **query).json()["items"]}

    assert found() == {"1", "2", "3", "4"}
    assert found(agent="Ana") == found(agent=str(ana.pk)) == {"1", "2", "4"}
    assert found(source="chat") == {"3"}
    assert found(scoreBelow=50) == {"1"}
    assert found(scoreAbove=50, scoreBelow=100) == {"3"}
    assert found(closedBefore=ms(NOW - timedelta(days=1))) == {"4"}
    assert found(closedAfter=ms(NOW - timedelta(days=1))) == {"1", "2", "3"}
    assert found(flagged="true") == {"1", "2", "4"}
    assert found(flagged="false") == {"3"}
    assert call.get("/conversations", scoreBelow=101).status_code == 400
    assert call.get("/conversations", colour="red").status_code == 400
    assert call.get("/conversations", agent="Nobody").status_code == 404


def test_list_asks_the_same_number_of_queries_however_long(call, workspace):
    factories.human(workspace, name="Ana")

    def queries(count):
        call.post("/ratings", {"items": [rating("Ana", n) for n in range(count)]})
        with CaptureQueriesContext(connection) as asked:
            assert len(call.get("/conversations").json()["items"]) == count
        return len(asked)

    assert queries(3) == queries(30)


def test_strangers_and_members_find_no_conversation(client, stranger, linked_member, agent):
    own = factories.conversation(linked_member.agent, source="api")

    for member, listed in ((stranger, 200), (linked_member, 403)):
        caller = Caller(client, member)
        assert caller.get("/conversations").status_code == listed
        assert caller.get(f"/conversations/{own.pk}").status_code == 404
        assert caller.get(f"/conversations/{own.pk}/transcript").status_code == 404
    assert Caller(client, stranger).get("/conversations").json()["items"] == []


# --- Deep links


def test_deep_link_is_set_and_listed(call, admin, client):
    body = {"source": "zendesk", "conversationPattern": "https://{subdomain}.zendesk.example/tickets/{id}"}

    put = call.put("/deeplinks", body | {"keys": {"subdomain": "acme"}})
    again = Caller(client, admin).put("/deeplinks", body | {"accountPattern": "https://desk.example/{customerId}"})

    assert put.json() == body | {"accountPattern": "", "keys": {"subdomain": "acme"}}
    assert call.get("/deeplinks").json() == {"items": [again.json()], "nextCursor": None}
    assert again.json()["keys"] == {"subdomain": "acme"}


@pytest.mark.parametrize("pattern", ["ftp://desk.example/{id}", "https://desk.example/", "javascript:alert({id})", 5])
def test_unusable_pattern_is_refused_by_its_field(call, pattern):
    answer = call.put("/deeplinks", {"source": "desk", "conversationPattern": pattern})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["conversationPattern"])


@pytest.mark.parametrize("role", [Member.Role.MEMBER])
def test_members_set_no_deep_links(client, workspace, role):
    caller = Caller(client, factories.member(workspace, role))

    assert caller.get("/deeplinks").status_code == 403
    assert caller.put("/deeplinks", {}).status_code == 403
