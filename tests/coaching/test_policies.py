"""What a workspace decides about its flags: who may, what is kept, what becomes of two who choose at once."""

import pytest
from django.core.exceptions import ValidationError

from agents.access import NotAllowed
from coaching.actions import policies
from coaching.models import FlagPolicy
from tests import factories, processes

CHOOSERS = 12


def versions(workspace):
    """(version, sensitivity, automatic, author), oldest first."""
    rows = FlagPolicy.history.filter(workspace=workspace).order_by("version")
    return [(row.version, row.sensitivity, row.automatic, row.history_user) for row in rows]


@pytest.mark.django_db
def test_policy_that_nobody_chose_is_the_default_and_not_stored(workspace):
    policy = policies.of(workspace)

    assert (policy.sensitivity, policy.automatic, FlagPolicy.objects.count()) == ("balanced", True, 0)


@pytest.mark.django_db
def test_choice_is_kept_as_versions_with_their_authors(workspace, owner, admin):
    policies.choose(workspace, by=owner, sensitivity="early", automatic=True)
    policies.choose(workspace, by=admin, sensitivity="early", automatic=False)
    policies.choose(workspace, by=owner, sensitivity="balanced", automatic=True)

    stored = policies.of(workspace)
    assert (stored.sensitivity, stored.automatic, stored.version) == ("balanced", True, 3)
    assert versions(workspace) == [
        (1, "early", True, owner.user),
        (2, "early", False, admin.user),
        (3, "balanced", True, owner.user),
    ]


@pytest.mark.django_db
def test_choosing_what_is_so_already_makes_no_version(workspace, owner):
    policies.choose(workspace, by=owner, sensitivity="balanced", automatic=True)
    assert versions(workspace) == []
    policies.choose(workspace, by=owner, sensitivity="cautious", automatic=True)

    policies.choose(workspace, by=owner, sensitivity="cautious", automatic=True)

    assert len(versions(workspace)) == 1


@pytest.mark.django_db
def test_unknown_sensitivity_is_refused(workspace, owner):
    with pytest.raises(ValidationError) as refused:
        policies.choose(workspace, by=owner, sensitivity="nervous", automatic=True)

    assert refused.value.message_dict == {"sensitivity": ["Unknown sensitivity. Known: early, balanced, cautious."]}
    assert FlagPolicy.objects.count() == 0


@pytest.mark.django_db
def test_members_may_not_choose(workspace, linked_member):
    with pytest.raises(NotAllowed):
        policies.choose(workspace, by=linked_member, sensitivity="early", automatic=True)


@pytest.mark.django_db(transaction=True)
def test_many_processes_choose_at_once_and_all_stand_in_the_history():
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    # Every other one asks for another level, so each finds something to change unless its own choice stands already.
    children = [
        processes.start("-m", "tests.flows.ask_at_once", "choose", str(owner.pk), ("early", "cautious")[n % 2])
        for n in range(CHOOSERS)
    ]

    assert processes.together(children) == ["chosen"] * CHOOSERS
    stored = FlagPolicy.objects.get()
    numbered = [version for version, *_ in versions(workspace)]
    assert numbered == list(range(1, stored.version + 1))
    assert versions(workspace)[-1][1] == stored.sensitivity
    assert 2 <= stored.version <= CHOOSERS
