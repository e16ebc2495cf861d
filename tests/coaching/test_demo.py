"""The demo workspace: whenever it is loaded, it shows what it is there to show."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import decisions
from agents.models import ApiToken, Configuration, Invitation, Member, Workspace
from coaching.actions import proposals
from coaching.demo import content
from coaching.demo.load import load
from coaching.models import Flag, Note, NoteEffect, Proposal, Sample
from coaching.pages import drawer
from helpdesk import sources
from helpdesk.actions import check_days
from memories.models import Memory

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def demo(lasting):
    """The demo workspace, loaded now."""
    return lasting(load)


def flagged():
    return set(Flag.objects.open().values_list("agent__name", flat=True))


def test_demo_shows_two_who_fall_and_proposals_of_every_state(demo):
    workspace = Workspace.objects.get()
    assert flagged() == {"Sarah", content.REFUNDS}
    assert {agent.name for agent in workspace.agents.all()} == {
        voice.name for voice in (*content.PEOPLE, *content.ASSISTANTS)
    }
    assert set(Proposal.objects.values_list("status", flat=True)) == {"pending", "approved", "rejected"}
    assert [proposals.is_stale(p) for p in Proposal.objects.filter(type="prompt_change")] == [True]
    assert Memory.objects.filter(expires_at__isnull=False).count() == 1
    assert Configuration.objects.filter(reverts__isnull=False).count() == 1
    assert all(proposal.evidence for proposal in Proposal.objects.all())
    assert Note.objects.filter(shared_with_agent=True).exists()
    member = Member.objects.get(role="member")
    assert (member.agent.name, member.history.latest("version").agent_id) == ("Tom", member.agent_id)
    assert list(check_days(workspace)) == []
    assert list(decisions.verify(workspace)) == []


def test_every_sample_of_the_flagged_assistant_leads_to_its_words(demo):
    samples = Sample.objects.filter(agent__name=content.REFUNDS).select_related("conversation__agent")
    assert len(samples) == 20
    assert min(len(sources.read(sample.conversation)) for sample in samples) >= 4


def test_demo_has_follow_ups_of_every_kind_and_notes_that_were_read_edited_and_measured(demo):
    workspace = Workspace.objects.get()
    today = timezone.now().astimezone(workspace.zone).date()
    waiting = [
        at.astimezone(workspace.zone).date()
        for at in Note.objects.following_up().values_list("follow_up_at", flat=True)
    ]
    assert {(day > today) - (day < today) for day in waiting} == {-1, 0, 1}
    assert Note.objects.filter(followed_up_at__isnull=False, followed_up_at__lt=timezone.now()).exists()
    assert "better" in set(NoteEffect.objects.values_list("result__verdict", flat=True))
    edited = Note.objects.get(version=2, followed_up_at=None, acknowledged_at=None)
    assert [version.version for version in edited.history.order_by("-version")] == [2, 1]
    assert not edited.history.filter(history_date__gt=timezone.now() - timedelta(days=1)).exists()


def test_linked_member_of_the_demo_has_something_to_read_and_something_read(demo):
    tom = Member.objects.get(role="member")
    seen = Note.objects.visible_to(tom)
    assert {note.acknowledged_at is None for note in seen} == {True, False}
    assert all(note.sample.closed_at < note.created_at for note in seen)
    assert all(sample.summary for sample in tom.agent.samples.all())


def test_demo_samples_owe_no_summary_and_each_has_its_own_words(demo):
    assert not Sample.objects.filter(summary="").exists()
    assert not Sample.objects.filter(next_try_at__isnull=False).exists()
    of_sarah = Sample.objects.filter(agent__name="Sarah").values_list("summary", flat=True)
    assert len(set(of_sarah)) == len(of_sarah) == 20


def test_demo_has_somebody_invited_whom_no_mail_goes_to_and_a_token_that_was_used(demo):
    invited = Invitation.objects.waiting().get()
    assert (invited.agent.name, invited.next_try_at) == ("Sarah", None)
    assert ApiToken.objects.usable().get().last_used_at is not None


def test_drawer_of_the_flagged_person_names_the_channel_that_the_fall_comes_from(demo):
    sarah, assistant = (drawer.channel_mix(Flag.objects.get(agent__name=name)) for name in ("Sarah", content.REFUNDS))
    assert sarah.mix.carrier.name == "chat"
    assert sarah.verdict.startswith("Chat: ")
    assert sarah.verdict.endswith("; email shows no change.")
    assert (assistant.mix.carrier, assistant.mix.shifted) == (None, None)
