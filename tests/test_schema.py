"""The OpenAPI description against the product: requests made up from it, and what comes back held against it.

Every operation is asked with bodies and parameters that fit the description and with such as break it, partly about rows that
are there and partly about none. Nothing may fail on our side, answer with a status that is not described, or differ from its
schema; what breaks the description must be refused.
"""

import copy
from functools import cache

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis import checks as generic
from schemathesis.specs.openapi import checks

from tests import everything, factories
from tests.everything import one_of_everything

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

everybody, people = everything.everybody, everything.people

EXAMPLES = 16  # requests per operation and asker
BASE = "http://testserver"
CHECKS = [
    generic.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# Which row stands for an id in a path; `row_id` is a memory's or a procedure's.
ROW_OF = {"agent_id": "ai", "session_id": "session", "turn_id": "turn", "import_id": "import"}


@schemathesis.serializer("application/zip")
def as_it_is(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@cache
def described():
    """{(method, path): operation} of the description, with every status that is not named taken away."""
    told = copy.deepcopy(SchemaGenerator().get_schema(request=None, public=True))
    for item in told["paths"].values():
        for operation in item.values():
            del operation["responses"]["default"]
    loaded = schemathesis.openapi.from_dict(told)
    loaded.app = get_wsgi_application()
    found = (result.ok() for result in loaded.get_all_operations())
    return {(operation.method.upper(), operation.path): operation for operation in found}


@pytest.fixture(autouse=True)
def one_connection():
    """The requests stand in the test's own transaction: none of them may close its connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(scope="module")
def world(lasting, everybody):
    owner, own = everybody["owner"], everybody["linked"].agent

    def made():
        agent = factories.ai_agent(owner.workspace)
        return one_of_everything(owner.workspace, owner, agent, own) | {"name": agent.name}

    return lasting(made)


@pytest.mark.parametrize("asker", ["owner", "linked"])
@pytest.mark.parametrize(("method", "path"), sorted(described()), ids=lambda value: value)
def test_operation_does_as_it_is_described(world, people, asker, method, path):
    token = factories.token(people[asker])
    operation = described()[method, path]
    headers = {"Authorization": f"Bearer {token}", "Accept": _accepted(operation)}
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, about_our_rows=st.booleans())
    def hold(case, about_our_rows):
        if about_our_rows:
            _point_at(case, world, path)
        case.call_and_validate(base_url=BASE, headers=headers, checks=CHECKS)

    hold()


def _accepted(operation):
    told = operation.definition.raw["responses"]
    offered = [media for answer in told.values() for media in answer.get("content", {})]
    return next((media for media in offered if media == "application/json"), "*/*")


def _point_at(case, world, path):
    """Put ids and names of rows that are there where the case has made-up ones."""
    for name in case.path_parameters or {}:
        kind = path.split("/")[3].removesuffix("s").replace("memorie", "memory") if name == "row_id" else name
        case.path_parameters[name] = world[ROW_OF.get(kind, kind.removesuffix("_id"))]
    for place in (case.query, case.body):
        if isinstance(place, dict) and isinstance(place.get("agent"), str):
            place["agent"] = world["name"]
