"""The counts of the top bar, read together."""

from coaching.actions import flags, notes
from coaching.models import Note
from coaching.navigation import Navigation, counted
from helpdesk.models import HelpdeskConnection
from tests import factories


def test_counts_are_those_of_the_querysets_empty_ones_and_ordered_ones_among_them(owner):
    agent = factories.human(owner.workspace)
    for _ in range(3):
        notes.write(agent, by=owner, body="Ask before answering.")
    rows = Note.objects.order_by("-created_at")

    assert counted({"all": rows, "none": rows.none(), "no": rows.filter(version=9)}) == {"all": 3, "none": 0, "no": 0}
    assert counted({"none": rows.none()}) == {"none": 0}


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
