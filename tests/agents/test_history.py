"""Versions of rows: each stored once, also where a row goes without anybody having claimed a number for it."""

import pytest

from agents.models import Agent, Member, Prompt
from tests import factories

pytestmark = pytest.mark.django_db


def test_end_of_a_row_is_its_next_version(linked_member):
    linked_member.delete()

    assert list(Member.history.values_list("history_type", "version")) == [("-", 2), ("+", 1)]


def test_agent_that_is_deleted_takes_what_it_was_told_along(agent):
    agent.delete()

    assert not Agent.objects.exists()
    assert list(Prompt.history.values_list("history_type", "version")) == [("-", 2), ("+", 1)]


def test_end_that_was_claimed_has_the_number_that_was_claimed(agent, owner):
    memory = factories.memory(agent, owner)
    memory.version = 2

    memory.delete()

    assert list(type(memory).history.values_list("history_type", "version")) == [("-", 2), ("+", 1)]
