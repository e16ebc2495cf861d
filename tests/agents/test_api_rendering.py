"""Answers are the JSON that REST framework writes."""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer as Framework

from agents.api_rendering import JSONRenderer

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)))
    | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner),
    max_leaves=20,
)


@given(VALUES)
def test_it_says_what_the_framework_says(data):
    assert _read(JSONRenderer().render(data)) == _read(Framework().render(data))


@pytest.mark.parametrize(
    "value",
    [2**70, -(2**70), Decimal("3.50"), datetime(2026, 3, 29, 1, 30, tzinfo=UTC), uuid.UUID(int=7), "\u2028", "\0"],
)
def test_values_of_other_kinds(value):
    assert json.loads(JSONRenderer().render({"value": value})) == json.loads(Framework().render({"value": value}))


def _read(text):
    return json.loads(text) if text else None
