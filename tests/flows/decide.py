"""A process that decides on proposals when told to: `python -m tests.flows.decide MEMBER PROPOSAL…`."""

import sys

import django

django.setup()

from agents.models import Member
from coaching.actions import proposals
from coaching.models import Proposal


def main(member_id, *proposal_ids):
    member = Member.objects.select_related("user").get(pk=member_id)
    print("ready", flush=True)
    sys.stdin.readline()  # all processes start together
    for proposal_id in proposal_ids:
        proposal = Proposal.objects.get(pk=proposal_id)
        try:
            proposals.approve(proposal, by=member, door="api")
            print("won", proposal_id, flush=True)
        except proposals.AlreadyDecided:
            print("late", proposal_id, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
