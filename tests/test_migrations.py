"""What migrations write into rows that were there before."""

from importlib import import_module

import pytest
from django.apps import apps

from coaching.models import Proposal
from helpdesk.models import Conversation
from tests import factories

pytestmark = pytest.mark.django_db


def test_conversations_behind_older_proposals_are_counted(agent):
    cited = [{"conversation": "a", "turn": 1}, {"conversation": "a", "turn": 3}, {"conversation": "b", "turn": 0}]
    many, none = factories.proposal(agent, evidence=cited), factories.proposal(agent)
    Proposal.objects.update(n_conversations=0)

    import_module("coaching.migrations.0004_review_and_imports").count_conversations(apps, None)

    assert [Proposal.objects.get(pk=one.pk).n_conversations for one in (many, none)] == [2, 0]


def test_memories_that_older_conversations_were_served_are_to_be_noted(agent):
    served = factories.conversation(agent, memories_served=[{"id": "x", "version": 1}])
    factories.conversation(agent)
    Conversation.objects.update(memories_are_noted=True)

    import_module("helpdesk.migrations.0003_served_memories").owe_noting(apps, None)

    assert list(Conversation.objects.filter(memories_are_noted=False)) == [served]
