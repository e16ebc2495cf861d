"""Many processes decide at once: exactly one of them wins each proposal."""

from collections import Counter

import pytest

from agents import decisions
from coaching.models import Proposal
from memories.models import Memory
from tests import factories, processes

PROCESSES, PROPOSALS = 20, 10


@pytest.mark.django_db(transaction=True)
def test_twenty_processes_approve_ten_proposals_ten_wins():
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    agent = factories.ai_agent(workspace)
    ids = [str(factories.proposal(agent).pk) for _ in range(PROPOSALS)]
    children = [processes.start("-m", "tests.flows.decide", str(owner.pk), *ids) for _ in range(PROCESSES)]

    said = Counter(line.split()[0] for told in processes.together(children) for line in told.splitlines())

    assert said == {"won": PROPOSALS, "late": PROPOSALS * (PROCESSES - 1)}
    assert [child.returncode for child in children] == [0] * PROCESSES
    assert Proposal.objects.filter(status=Proposal.Status.APPROVED).count() == PROPOSALS
    assert Memory.objects.count() == PROPOSALS
    assert workspace.decisions.filter(action="approved").count() == PROPOSALS
    assert list(decisions.verify(workspace)) == []
