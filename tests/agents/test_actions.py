"""Changing agents: only what is given is written, whoever else changes the same one."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connections

from agents import actions
from agents.models import Agent
from tests import factories

pytestmark = pytest.mark.django_db


def test_two_who_read_an_agent_before_either_changed_it_both_keep_their_change(owner, agent):
    one, other = (Agent.objects.get(pk=agent.pk) for _ in range(2))

    actions.update_agent(one, by=owner, team="Nights")
    actions.update_agent(other, by=owner, storage_mode="full")

    agent.refresh_from_db()
    assert (str(agent.team), agent.storage_mode) == ("Nights", "full")
    assert (other.team, other.storage_mode) == (agent.team, "full")


def test_names_elsewhere_change_nothing_else(owner, agent):
    read_before = Agent.objects.get(pk=agent.pk)
    actions.update_agent(agent, by=owner, team="Nights")

    actions.update_agent(read_before, by=owner, external_ids={"desk": "7"})

    agent.refresh_from_db()
    assert (str(agent.team), [str(one) for one in agent.external_ids.all()]) == ("Nights", ["desk: 7"])


def test_refused_change_stores_nothing(owner, agent):
    with pytest.raises(ValidationError):
        actions.update_agent(agent, by=owner, team="Nights", storage_mode="everything")

    agent.refresh_from_db()
    assert (agent.team, agent.storage_mode) == (None, "masked")


@pytest.mark.django_db(transaction=True)
def test_storage_and_team_changed_at_once_on_two_connections_are_both_kept():
    workspace = factories.workspace()
    owner, agent = factories.owner(workspace), factories.ai_agent(workspace)
    changes = [{"team": "Nights"}, {"storage_mode": "full"}, {"retention_days": 7}, {"coaching": False}]
    all_have_read = Barrier(len(changes))

    def change(values):
        try:
            read = Agent.objects.get(pk=agent.pk)
            all_have_read.wait(timeout=30)
            actions.update_agent(read, by=owner, **values)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(change, changes))

    agent.refresh_from_db()
    kept = (str(agent.team), agent.storage_mode, agent.retention_days, agent.coaching)
    assert kept == ("Nights", "full", 7, False)
