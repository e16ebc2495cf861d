"""Adding and changing by hand: the same actions as on every page, with their versions, their authors and their refusals."""

from datetime import UTC, datetime

import pytest

from agents import actions
from agents.models import (
    Agent,
    Configuration,
    Decision,
    Door,
    ExternalId,
    Member,
    Procedure,
    Prompt,
    Team,
    User,
    Workspace,
)
from helpdesk.models import DeepLink
from memories.models import Memory
from tests import factories

pytestmark = pytest.mark.django_db
NO_IDS = {"external_ids-TOTAL_FORMS": 0, "external_ids-INITIAL_FORMS": 0}
NO_EXPIRY = {"expires_at": ""}


@pytest.fixture
def assistant(ours):
    return ours.agents.get(kind=Agent.Kind.AI)


@pytest.fixture
def memory(ours):
    return Memory.objects.get(workspace=ours, summary="Ours memory.")


def errors(answer):
    assert answer.status_code == 200
    return [str(message) for messages in answer.context["adminform"].form.errors.values() for message in messages]


def test_memory_is_added_as_version_1_with_its_author(client, ours, staff, assistant):
    sent = {
        "agent": assistant.pk,
        "summary": "Shops open at nine.",
        "text": "Not on Sundays.",
        "_words": "Asked often",
        **NO_EXPIRY,
    }
    assert client.post("/admin/memories/memory/add/", sent | NO_EXPIRY).status_code == 302
    made = Memory.objects.get(summary="Shops open at nine.")
    assert (made.workspace, made.version, made.source) == (ours, 1, Memory.Source.MANUAL)
    version = made.history.get()
    assert (version.history_user, version.history_change_reason) == (staff.user, "Asked often")
    numbered = Configuration.objects.get(target_id=made.pk)
    assert (numbered.by, numbered.door, numbered.reason) == (staff, Door.ADMIN, "Asked often")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Memory, {"summary": "It is new now.", "text": "", **NO_EXPIRY}),
        (Procedure, {"name": "Ours renamed", "trigger": "Always.", "content": "1. Look.", "active": "on"}),
        (Prompt, {"system_prompt": "You answer briefly."}),
    ],
)
def test_change_by_hand_is_a_version_of_the_same_action(kind, changes, client, ours, staff):
    row = kind.objects.filter(workspace=ours).first()
    page = f"/admin/{kind._meta.app_label}/{kind._meta.model_name}/{row.pk}/change/"
    answer = client.post(page, {**changes, "base_version": 1, "_words": "Clearer"})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert row.version == 2
    newest = row.history.order_by("-version").first()
    assert (newest.history_user, newest.history_change_reason) == (staff.user, "Clearer")
    logged = Decision.objects.filter(target_id=row.pk).latest("number")
    assert (logged.action, logged.door, logged.by, logged.result_version) == ("revised", Door.ADMIN, staff, 2)


def test_saving_without_a_change_makes_no_version(client, staff, memory):
    page = f"/admin/memories/memory/{memory.pk}/change/"
    client.post(page, {"summary": memory.summary, "text": memory.text, "base_version": 1, **NO_EXPIRY})
    memory.refresh_from_db()
    assert memory.version == 1


def test_decision_log_speaks_as_the_one_of_the_settings(client, staff, memory):
    actions.revise(
        memory,
        base_version=1,
        changes={"text": "Longer."},
        by=memory.workspace.members.get(role="owner"),
        door=Door.PAGE,
    )

    page = client.get("/admin/agents/decision/?action=revised")

    assert [row.target_id for row in page.context["cl"].result_list] == [memory.pk]
    assert '<td class="field-decided">Changed</td>' in page.content.decode()


def test_lost_race_is_told_keeps_what_was_typed_and_can_be_settled(client, staff, memory):
    actions.revise(memory, changes={"text": "Theirs came first."}, base_version=1, by=staff, door=Door.PAGE)
    page = f"/admin/memories/memory/{memory.pk}/change/"
    typed = {"summary": memory.summary, "text": "Mine came second.", **NO_EXPIRY}
    answer = client.post(page, {**typed, "base_version": 1})
    told = errors(answer)
    assert any("Meanwhile it became version 2" in message for message in told)
    assert "Version 2 says: Theirs came first." in told
    html = answer.content.decode()
    assert "Mine came second." in html
    assert 'name="base_version" value="2"' in html
    memory.refresh_from_db()
    assert (memory.version, memory.text) == (2, "Theirs came first.")
    assert client.post(page, {**typed, "base_version": 2}).status_code == 302
    memory.refresh_from_db()
    assert (memory.version, memory.text) == (3, "Mine came second.")


def test_version_page_tells_who_when_why_and_what(client, staff, memory):
    actions.revise(memory, changes={"text": "Line two."}, base_version=1, by=staff, door=Door.PAGE, reason="It changed")
    answer = client.get(f"/admin/memories/memory/{memory.pk}/history/")
    newest, first = answer.context["versions"]
    assert (newest["row"].version, first["row"].version) == (2, 1)
    assert newest["changes"] == {"text": [("−", "removed", "No approval and no ticket."), ("+", "added", "Line two.")]}
    html = answer.content.decode()
    assert "It changed" in html
    assert "Ours owner" in html


def test_a_row_that_was_written_past_the_product_says_that_it_has_no_versions(client, staff, memory):
    memory.history.all().delete()

    answer = client.get(f"/admin/memories/memory/{memory.pk}/history/")

    assert answer.status_code == 200
    assert "No version of it was kept" in answer.text


def test_proposal_tells_its_change_in_the_words_and_the_order_of_the_product(client, staff, assistant):
    change = {"expires_at": datetime(2032, 1, 2, 3, 4, 5, tzinfo=UTC), "summary": "Shops open at nine."}
    proposal = factories.proposal(assistant, change=change)

    html = client.get(f"/admin/coaching/proposal/{proposal.pk}/change/").content.decode()

    assert html.index("<h3>Summary</h3>") < html.index("<h3>Served until</h3>")
    assert "2032-01-02 03:04<" in html


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"summary": "Two sentences. In one."}, "A summary is one sentence; the rest belongs in the text."),
        ({"expires_at": "2020-01-01T10:00:00"}, "An expiry lies ahead."),
        ({"base_version": "x"}, "Enter a whole number."),
        ({"base_version": ""}, "This field is required."),
    ],
)
def test_refusal_of_an_action_stands_in_the_form(sent, said, client, staff, memory):
    page = f"/admin/memories/memory/{memory.pk}/change/"
    fields = {"summary": "It is new now.", "text": "", "base_version": 1, **NO_EXPIRY}
    assert said in errors(client.post(page, fields | sent))
    memory.refresh_from_db()
    assert memory.version == 1


def test_person_has_no_memories(client, ours, staff):
    person = ours.agents.filter(kind=Agent.Kind.HUMAN).first()
    answer = client.post("/admin/memories/memory/add/", {"agent": person.pk, "summary": "It is new.", **NO_EXPIRY})
    assert errors(answer) == [f"{person} is a person: only AI agents have a memory."]


def test_agent_of_another_workspace_is_no_choice(client, staff, theirs):
    other = theirs.agents.get(kind=Agent.Kind.AI)
    before = Memory.objects.count()
    answer = client.post("/admin/memories/memory/add/", {"agent": other.pk, "summary": "It is new.", **NO_EXPIRY})
    assert errors(answer) == ["Select a valid choice. That choice is not one of the available choices."]
    assert Memory.objects.count() == before


def test_procedure_is_added_once_per_name(client, ours, staff, assistant):
    sent = {"agent": assistant.pk, "name": "Ours returns", "trigger": "", "content": "1. Look.", "active": "on"}
    assert client.post("/admin/agents/procedure/add/", sent).status_code == 302
    assert Procedure.objects.get(name="Ours returns").workspace == ours
    assert errors(client.post("/admin/agents/procedure/add/", sent))
    assert Procedure.objects.filter(name="Ours returns").count() == 1


def test_agent_is_added_with_its_prompt_and_its_names_elsewhere(client, ours, staff):
    team = ours.teams.first()
    sent = {
        "name": "Night guide", "kind": "ai", "team": team.pk, "active": "on", "coaching": "on", "storage_mode": "masked",
        "retention_days": 30, "external_ids-TOTAL_FORMS": 1, "external_ids-INITIAL_FORMS": 0,
        "external_ids-0-source": "desk", "external_ids-0-value": "night",
    }  # fmt: skip
    assert client.post("/admin/agents/agent/add/", sent).status_code == 302
    made = Agent.objects.get(name="Night guide")
    assert (made.workspace, made.team, made.coaching, made.retention_days) == (ours, team, True, 30)
    assert made.prompt.version == 1
    assert [str(known) for known in made.external_ids.all()] == ["desk: night"]


def test_agent_is_changed_by_the_action(client, ours, staff, assistant):
    page = f"/admin/agents/agent/{assistant.pk}/change/"
    sent = {"name": "Day guide", "active": "on", "storage_mode": "full", "retention_days": 10, **NO_IDS}
    assert client.post(page, sent).status_code == 302
    assistant.refresh_from_db()
    assert (assistant.name, assistant.team, assistant.coaching, assistant.storage_mode) == (
        "Day guide",
        None,
        False,
        "full",
    )


def test_agent_that_cannot_be_is_refused_in_the_form(client, staff):
    sent = {
        "name": "Sarah",
        "kind": "human",
        "active": "on",
        "coaching": "on",
        "storage_mode": "masked",
        "retention_days": 0,
    }
    assert len(errors(client.post("/admin/agents/agent/add/", sent | NO_IDS))) >= 2
    assert not Agent.objects.filter(name="Sarah").exists()


def test_name_in_a_helpdesk_that_means_another_agent_is_refused(client, ours, staff, assistant):
    page = f"/admin/agents/agent/{assistant.pk}/change/"
    sent = {
        "name": assistant.name, "active": "on", "storage_mode": "masked", "retention_days": 90,
        "external_ids-TOTAL_FORMS": 1, "external_ids-INITIAL_FORMS": 0,
        "external_ids-0-source": "desk", "external_ids-0-value": "Ours-1",
    }  # fmt: skip
    answer = client.post(page, sent)
    assert answer.status_code == 200
    assert "external_ids" not in [str(known) for known in assistant.external_ids.all()]
    assert not ExternalId.objects.filter(agent=assistant).exists()


def test_team_is_added_once_and_in_the_own_workspace(client, ours, staff):
    assert client.post("/admin/agents/team/add/", {"name": "Nights"}).status_code == 302
    assert Team.objects.get(name="Nights").workspace == ours
    assert errors(client.post("/admin/agents/team/add/", {"name": "Nights"}))


def test_deep_link_is_checked_by_its_action(client, ours, staff):
    sent = {
        "source": "newdesk",
        "conversation_pattern": "https://new.example/{id}",
        "account_pattern": "",
        "keys": "{}",
    }
    assert client.post("/admin/helpdesk/deeplink/add/", sent).status_code == 302
    assert DeepLink.objects.get(source="newdesk").workspace == ours
    bad = client.post(
        "/admin/helpdesk/deeplink/add/", sent | {"source": "bad", "conversation_pattern": "javascript:{id}"}
    )
    assert errors(bad) == ["A pattern begins with https:// or http://."]
    link = DeepLink.objects.get(source="newdesk")
    assert client.post(f"/admin/helpdesk/deeplink/{link.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not DeepLink.objects.filter(source="newdesk").exists()


def test_operator_puts_a_login_into_a_workspace(client, ours, operator):
    sent = {"email": "New@Test.Example", "name": "New", "usable_password": "false", "password1": "", "password2": ""}
    assert client.post("/admin/agents/user/add/", sent).status_code == 302
    user = User.objects.get(email="new@test.example")
    person = factories.human(ours)
    sent = {"workspace": ours.pk, "user": user.pk, "role": "member", "agent": person.pk}
    assert client.post("/admin/agents/member/add/", sent).status_code == 302
    assert Member.objects.get(user=user).agent == person


def test_membership_never_points_into_another_workspace(client, ours, theirs, operator):
    user, stranger = factories.user(), theirs.agents.get(kind=Agent.Kind.AI)
    sent = {"workspace": ours.pk, "user": user.pk, "role": "member", "agent": stranger.pk}
    assert errors(client.post("/admin/agents/member/add/", sent)) == [f"{stranger} belongs to another workspace."]


def test_one_owner_who_stays_owner(client, ours, staff, operator):
    user = factories.user()
    sent = {"workspace": ours.pk, "user": user.pk, "role": "owner", "agent": ""}
    assert f"{ours} has an owner already." in errors(client.post("/admin/agents/member/add/", sent))
    client.force_login(staff.user)
    client.post(f"/admin/agents/member/{staff.pk}/change/", {"role": "member", "agent": ""})
    colleague = Member.objects.get(workspace=ours, role=Member.Role.MEMBER)
    assert errors(client.post(f"/admin/agents/member/{colleague.pk}/change/", {"role": "owner", "agent": ""}))
    assert [m.pk for m in Member.objects.filter(workspace=ours, role=Member.Role.OWNER)] == [staff.pk]


def test_operator_makes_a_workspace_and_its_first_owner(client, operator):
    made = client.post(
        "/admin/agents/workspace/add/", {"name": "Harbour", "slug": "harbour", "time_zone": "Europe/Oslo"}
    )
    assert made.status_code == 302
    workspace, user = Workspace.objects.get(slug="harbour"), factories.user()
    sent = {"workspace": workspace.pk, "user": user.pk, "role": "owner", "agent": ""}
    assert client.post("/admin/agents/member/add/", sent).status_code == 302
    assert Member.objects.get(user=user).is_owner


def test_operator_without_membership_is_told_that_changes_carry_a_name(client, ours, operator, memory):
    page = f"/admin/memories/memory/{memory.pk}/change/"
    answer = client.post(page, {"summary": "It is new now.", "text": "", "base_version": 1, **NO_EXPIRY})
    assert "Only the owner and admins of Ours desk do this" in errors(answer)[0]
