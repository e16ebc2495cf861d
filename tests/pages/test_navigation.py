"""The counts of the top bar, read together."""

from datetime import UTC, datetime, timedelta

from agents.models import Member
from coaching.actions import flags, notes
from coaching.navigation import Navigation
from helpdesk.models import HelpdeskConnection
from tests import factories


def test_each_is_told_what_waits_for_them(workspace, owner):
    ana, ben = (factories.human(workspace, name=name) for name in ("Ana", "Ben"))
    linked, other, unlinked = (factories.member(workspace, agent=agent) for agent in (ana, ben, None))
    leading = factories.member(workspace, Member.Role.ADMIN, agent=factories.human(workspace))
    for agent, n in ((ana, 2), (leading.agent, 1)):
        for _ in range(n):
            notes.write(agent, by=owner, body="Ask before answering.", shared_with_agent=True)
    notes.write(ana, by=owner, body="Between us.")
    flags.raise_manual(ben, by=owner, reason="Two complaints.")

    told = {member: Navigation(member) for member in (owner, leading, linked, other, unlinked)}
    assert {member: top.unread for member, top in told.items()} == {
        owner: 0,
        leading: 1,
        linked: 2,
        other: 0,
        unlinked: 0,
    }
    assert {member: top.due for member, top in told.items()} == {owner: 1, leading: 1, linked: 0, other: 0, unlinked: 0}


def test_what_is_due_is_asked_by_today(owner, time_machine):
    """The query is kept from one request to the next, its days are not."""
    at = datetime(2026, 3, 28, 9, tzinfo=UTC)
    time_machine.move_to(at, tick=False)
    agent = factories.human(owner.workspace)
    for days in (1, 2):
        notes.write(agent, by=owner, body="Ask before answering.", follow_up_at=at + timedelta(days=days))
    due = []
    for day in range(3):
        time_machine.move_to(at + timedelta(days=day), tick=False)
        due.append(Navigation(owner).due)
    assert due == [0, 1, 2]


def test_all_counts_of_a_leader_are_one_query_and_each_is_its_own(owner, django_assert_num_queries):
    other = factories.owner(factories.workspace())
    for leader, n in ((owner, 2), (other, 1)):
        for _ in range(n):
            flags.raise_manual(factories.human(leader.workspace), by=leader, reason="Two complaints.")
    HelpdeskConnection.objects.create(
        workspace=owner.workspace, vendor="zendesk", source="zendesk", state=HelpdeskConnection.State.REFUSED
    )
    top = Navigation(owner)

    with django_assert_num_queries(1):
        shown = (top.due, top.pending_proposals, top.helpdesk_trouble, top.unread)

    assert shown == (2, 0, True, 0)
    elsewhere = Navigation(other)
    assert (elsewhere.due, elsewhere.helpdesk_trouble) == (1, False)


def test_menu_leads_staff_to_the_back_office_and_nobody_else(owner, admin, signed_in):
    link = '<a class="menu-item" href="/admin/">Back office</a>'
    admin.user.is_staff = True
    admin.user.save()

    shown = [link in signed_in(one).get("/team").content.decode() for one in (owner, admin)]

    assert shown == [False, True]
