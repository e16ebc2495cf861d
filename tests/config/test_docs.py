"""The API's description as a page."""

import gzip
import html
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft4Validator, FormatChecker

from config import api_examples, docs
from tests.calls import problem

ROOT = Path(__file__).resolve().parents[2]
KIND = re.compile(r'\bkind="([a-z-]+)"')


def test_page_lists_every_route_with_its_fields(client, owner):
    client.force_login(owner.user)

    page = client.get("/api/v1/docs")

    text = page.content.decode()
    assert page.status_code == 200
    assert '<code class="api-path">/api/v1/proposals/{proposal_id}/approve</code>' in text
    assert "<code>change.expiresAt</code>" in text
    assert "<script" not in text.partition("<body")[2]
    assert page["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.django_db
def test_stranger_is_asked_to_sign_in(client):
    assert client.get("/api/v1/docs").headers["Location"].startswith("/sign-in")


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_script_that_sends_something_to_the_page_gets_a_problem(owner, method):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner.user)

    for caller in (Client(enforce_csrf_checks=True), browser):
        answer = caller.generic(method, "/api/v1/docs", b"{}", "application/json")

        assert problem(answer) == (405, {})
        assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("address", ["/api/v1/docs", "/api/v1/schema"])
def test_description_is_light_on_the_wire(client, owner, address):
    client.force_login(owner.user)

    packed = client.get(address, headers={"accept-encoding": "gzip"})
    plain = client.get(address)

    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < 60_000
    assert len(gzip.decompress(packed.content)) == len(plain.content)
    assert "Content-Encoding" not in plain


def test_every_refusal_of_a_route_is_explained_once(client, owner):
    client.force_login(owner.user)

    text = client.get("/api/v1/docs").content.decode()

    told = {status for group in docs.groups() for operation in group.operations for status in operation.refusals}
    assert told == set(docs.REFUSALS)
    for status in told:
        assert text.count(f'id="status-{status}"') == 1
        assert f'href="#status-{status}"' in text


def test_every_kind_of_refusal_is_explained():
    sources = [
        path.read_text()
        for app in ("agents", "memories", "helpdesk", "coaching")
        for path in (ROOT / app).rglob("*.py")
    ]
    used = {kind for source in sources if "Problem(" in source for kind in KIND.findall(source)}

    assert used == set(docs.PROBLEMS)


def test_member_is_shown_the_routes_that_answer_them(client, owner, linked_member):
    client.force_login(linked_member.user)
    member = client.get("/api/v1/docs").content.decode()
    client.force_login(owner.user)
    leader = client.get("/api/v1/docs").content.decode()

    shown = re.findall(r'<details class="api-operation" id="([^"]+)"', member)
    assert set(shown) == {
        *("agents_list", "agents_retrieve", "agents_trajectory_retrieve"),
        *("coaching_retrieve", "coaching_notes_retrieve", "coaching_samples_retrieve"),
    }
    assert 'id="proposals_approve_create"' in leader


def test_forms_start_with_what_the_workspace_has(client, owner, agent, linked_member):
    client.force_login(owner.user)

    text = html.unescape(client.get("/api/v1/docs").content.decode())

    assert f'"agent": "{linked_member.agent.name}"' in text
    assert f"/api/v1/agents/{agent.pk}/memories" in text
    assert f"/api/v1/coaching?agent={quote(linked_member.agent.name)}" in text


def test_every_operation_has_a_title_and_its_noun():
    named = {operation.anchor for group in docs.groups() for operation in group.operations}

    assert named == set(api_examples.SUMMARIES)
    assert {group.name for group in docs.groups()} == set(docs.GROUPS)


def test_every_body_and_answer_has_an_example_that_fits_its_schema():
    told = SchemaGenerator().get_schema(request=None, public=True)
    components = with_null(told["components"])
    faults = []
    for path, item in told["paths"].items():
        for method, operation in item.items():
            for where, content in json_contents(operation):
                schema = with_null(content["schema"]) | {"components": components}
                found = Draft4Validator(schema, format_checker=FormatChecker()).iter_errors(content.get("example"))
                faults += [f"{method} {path} {where}: {error.message}" for error in found]

    assert faults == []


def json_contents(operation):
    """(where, {schema, example}) of every JSON body that the operation takes or answers."""
    yield from (
        (kind, told) for kind, told in operation.get("requestBody", {}).get("content", {}).items() if "json" in kind
    )
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            if media_type in ("application/json", "application/problem+json"):
                yield status, content


def with_null(schema):
    """The schema with OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [with_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: value if key in ("enum", "example") else with_null(value) for key, value in schema.items()}
    return {"anyOf": [told, {"type": "null"}]} if told.pop("nullable", False) is True else told
