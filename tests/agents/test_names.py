"""What somebody or something may be called, whoever types it: one line in which something shows."""

import pytest
from django.core.exceptions import ValidationError

from agents import actions, names
from agents.access import NotAllowed
from agents.models import Agent, Door, Team
from agents.people import accounts, workspaces
from tests import factories

GOOD = ["Ana", "Zoë O’Neil-Smith", "أحمد", "محمد\u200cرضا", "דנה\u200f", "小林", "👩‍🔧 Robin", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "x" * 200]
BAD = [
    ("\u200b", names.HIDES),
    ("\u200d", names.NOTHING_SHOWS),
    ("\u3164 \u2800", names.NOTHING_SHOWS),
    ("\u0301", ""),  # a mark by itself shows
    ("Ana \u202etfel", names.HIDES),
    ("Ana\u2066\u2069", names.HIDES),
    ("Ma\u00adya", names.HIDES),
    ("Ana\x07", names.HIDES),
    ("An\ud83da", names.HIDES),
]


@pytest.mark.parametrize("name", GOOD)
def test_name_of_any_script_will_do(name):
    assert names.fault(name) == ""


@pytest.mark.parametrize(("name", "why"), BAD)
def test_name_that_hides_something_or_shows_nothing_will_not(name, why):
    assert names.fault(name) == why


@pytest.mark.parametrize("name", ["\u200b", "Ana \u202etfel", "\u3164"])
@pytest.mark.parametrize(
    "call",
    [
        lambda owner, name: accounts.rename(owner.user, name=name),
        lambda owner, name: accounts.create("new@test.example", password=factories.PASSWORD, name=name),
        lambda owner, name: workspaces.rename(owner.workspace, by=owner, name=name),
        lambda owner, name: workspaces.create("another", owner_email="new@test.example", name=name),
        lambda owner, name: actions.create_agent(owner.workspace, name=name, by=owner, door=Door.PAGE),
        lambda owner, name: actions.create_agent(owner.workspace, name="Ana", team=name, by=owner, door=Door.PAGE),
        lambda owner, name: actions.update_agent(factories.human(owner.workspace), by=owner, name=name),
        lambda owner, name: actions.create_team(owner.workspace, by=owner, name=name),
        lambda owner, name: actions.rename_team(factories.human(owner.workspace, team="T").team, by=owner, name=name),
    ],
)
@pytest.mark.django_db
def test_every_action_that_names_refuses_it_and_stores_nothing(owner, call, name):
    with pytest.raises(ValidationError) as refused:
        call(owner, name)

    assert {*refused.value.message_dict} <= {"name", "team"}
    assert not Agent.objects.filter(name=name).exists()
    assert not Team.objects.filter(name=name).exists()


@pytest.mark.django_db
def test_name_is_kept_in_one_line(owner):
    accounts.rename(owner.user, name=" Ana\n Silva\u2028Lopes ")

    owner.user.refresh_from_db()
    assert owner.user.name == "Ana Silva Lopes"


@pytest.mark.django_db
def test_team_is_renamed_by_leaders_and_only_to_a_name_that_is_free(owner, linked_member):
    days, _ = (factories.human(owner.workspace, team=name).team for name in ("Days", "Nights"))

    actions.rename_team(days, by=owner, name="Early")

    assert {*owner.workspace.teams.values_list("name", flat=True)} == {"Early", "Nights"}
    with pytest.raises(ValidationError):
        actions.rename_team(days, by=owner, name="Nights")
    with pytest.raises(NotAllowed):
        actions.rename_team(days, by=linked_member, name="Mine")
    assert {*owner.workspace.teams.values_list("name", flat=True)} == {"Early", "Nights"}


def test_labels_of_one_name_are_told_apart():
    rows = [(f"{n}" * 8 + "-0", name, team) for n, name, team in [
        (1, "Ana", "A"), (2, "Ana", "B"), (3, "Ana", "B"), (4, "Ana", None), (5, "Bo", "B"),
    ]]  # fmt: skip

    assert names.labels(rows) == ["Ana (A)", "Ana (22222222)", "Ana (33333333)", "Ana (44444444)", "Bo"]
