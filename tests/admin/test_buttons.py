"""Buttons call the actions of every other door, tell who was first, and never end in an error page."""

import pytest
from django.utils import timezone

from agents.models import Agent, ApiToken, Decision, Door, Procedure
from coaching.actions import policies, proposals
from coaching.models import Backtest, Flag, Note, Proposal, Sample, Sweep, Turn
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.admin.conftest import shown

pytestmark = pytest.mark.django_db


def test_proposal_is_approved_once_and_taken_back(client, ours, staff, press):
    proposal = Proposal.objects.get(workspace=ours)
    assert shown(client, proposal) == ["approve", "reject"]
    assert press(proposal, "approve", "Well seen") == ["Approved and applied as version 1."]
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_by, proposal.decided_from, proposal.decision_note) == (
        "approved", staff, Door.ADMIN, "Well seen",
    )  # fmt: skip
    assert shown(client, proposal) == ["revert"]
    (second,) = press(proposal, "approve")
    assert second.startswith("Already approved by Ours owner at")
    assert press(proposal, "revert") == ["Taken back as version 2."]
    assert not Memory.objects.filter(pk=proposal.target_id).exists()
    (again,) = press(proposal, "revert")
    assert "Nothing was changed." in again


def test_stale_proposal_is_brought_up_to_date_or_says_why_not(client, ours, staff, press):
    memory = Memory.objects.get(workspace=ours, summary="Ours memory.")
    fields = {"type": "memory_entry_update", "target_id": memory.pk}
    touching = factories.proposal(memory.agent, **fields, change={"text": "At the counter."})
    apart = factories.proposal(memory.agent, **fields, change={"summary": "Refunds take three days."})
    memories.revise(memory, changes={"text": "At the door."}, base_version=1, by=staff, door=Door.PAGE)

    assert shown(client, apart) == ["rebase", "reject"]
    assert press(touching, "rebase") == ["It was changed after this version. Changed since: text. Nothing was changed."]
    (told,) = press(apart, "rebase")

    made = Proposal.objects.get(replaces=apart)
    assert (made.base_version, made.change["text"], made.status) == (2, "At the door.", "pending")
    assert told.startswith("Written anew against version 2:")
    assert shown(client, apart) == []


def test_proposal_is_rejected_with_its_reason(client, ours, staff, press):
    proposal = Proposal.objects.get(workspace=ours)
    press(proposal, "reject", "Not true any more")
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decision_note) == ("rejected", "Not true any more")
    assert shown(client, proposal) == []
    assert Decision.objects.filter(proposal_id=proposal.pk, door=Door.ADMIN, action="rejected").count() == 1


def test_stale_proposal_stays_pending_and_says_what_moved(ours, staff, press):
    memory = Memory.objects.get(workspace=ours, summary="Ours memory.")
    proposal = factories.proposal(
        memory.agent, type="memory_entry_update", target_id=memory.pk, change={"text": "By the coach."}
    )
    factories.memories.revise(memory, changes={"text": "By hand."}, base_version=1, by=staff, door=Door.PAGE)
    (said,) = press(proposal, "approve")
    assert said == "It was changed after this version. Changed since: text. Nothing was changed."
    proposal.refresh_from_db()
    assert proposal.status == "pending"


def test_decided_proposal_is_read_only(client, ours, staff):
    proposal = Proposal.objects.get(workspace=ours)
    proposals.reject(proposal, by=staff, door=Door.PAGE)
    page = f"/admin/coaching/proposal/{proposal.pk}/change/"
    assert client.post(page, {"status": "pending", "_save": "Save"}).status_code == 403
    proposal.refresh_from_db()
    assert proposal.status == "rejected"


def test_flag_is_dismissed_with_a_reason_and_once_and_reopened(client, ours, staff, press):
    flag = Flag.objects.get(workspace=ours)
    assert "Nothing was changed." in press(flag, "dismiss")[0]
    press(flag, "dismiss", "Two weeks of a new tool")
    flag.refresh_from_db()
    assert (flag.status, flag.closed_by, flag.close_reason) == ("dismissed", staff, "Two weeks of a new tool")
    assert shown(client, flag) == ["reopen"]
    assert press(flag, "dismiss", "Once more") == ["This flag is closed: Dismissed. Nothing was changed."]
    assert press(flag, "reopen") == ["Reopened. It stands as it stood."]
    flag.refresh_from_db()
    assert (flag.status, flag.history.latest().history_user) == ("open", staff.user)
    assert press(flag, "reopen") == ["Only a dismissal can be taken back. Nothing was changed."]


def test_removed_memory_is_restored_from_its_versions(client, ours, staff, press):
    removed = Memory.history.get(workspace=ours, history_type="-")
    assert shown(client, removed) == ["restore"]
    assert press(removed, "restore") == ["Restored as version 3."]
    assert Memory.objects.get(pk=removed.id).version == 3
    assert press(removed, "restore") == ["It is not removed, or has been restored already. Nothing was changed."]


def test_procedure_is_removed_and_restored(client, ours, staff, press):
    procedure = Procedure.objects.get(workspace=ours)
    assert press(procedure, "remove", "Out of use") == ["Removed. It can be restored from the list of versions."]
    removed = Procedure.history.get(id=procedure.pk, history_type="-")
    assert removed.history_change_reason == "Out of use"
    press(removed, "restore")
    assert Procedure.objects.get(pk=procedure.pk).version == 3


def test_removal_of_what_moved_on_is_refused(ours, staff, press):
    memory = Memory.objects.get(workspace=ours, summary="Ours memory.")
    factories.memories.revise(memory, changes={"text": "By hand."}, base_version=1, by=staff, door=Door.PAGE)
    assert "It was changed after this version." in press(memory, "remove", base_version=1)[0]
    assert Memory.objects.filter(pk=memory.pk).exists()


def test_prompt_cannot_be_removed(client, ours, staff, press):
    prompt = ours.agents.get(kind="ai").prompt
    assert shown(client, prompt) == []
    assert press(prompt, "remove") == ["A prompt can be emptied, not removed. Nothing was changed."]


def test_note_is_archived_and_restored_and_keeps_its_versions(client, ours, staff, press):
    note = Note.objects.get(workspace=ours)
    press(note, "archive")
    note.refresh_from_db()
    assert note.archived_by == staff
    assert "This note is archived." in press(note, "archive")[0]
    press(note, "restore")
    note.refresh_from_db()
    assert note.archived_at is None
    versions = client.get(f"/admin/coaching/note/{note.pk}/history/").context["versions"]
    assert [one["row"].version for one in versions] == [3, 2, 1]


def test_token_is_revoked(client, ours, staff, press):
    token = ApiToken.objects.get(workspace=ours)
    assert press(token, "revoke") == ["Revoked: the next request with this token is refused."]
    assert not ApiToken.objects.usable().filter(pk=token.pk).exists()
    assert shown(client, token) == []


def test_owed_row_is_tried_again_unless_a_worker_holds_it(ours, staff, press):
    sweep = Sweep.objects.get(workspace=ours)
    later = timezone.now() + timezone.timedelta(hours=1)
    Sweep.objects.filter(pk=sweep.pk).update(next_try_at=later, attempts=7, last_error="No route")
    assert press(sweep, "try_again") == ["It is due now. A worker takes it within seconds."]
    sweep.refresh_from_db()
    assert (sweep.attempts, sweep.last_error) == (0, "")
    assert sweep.next_try_at <= timezone.now()
    Sweep.objects.filter(pk=sweep.pk).update(claimed_until=later)
    assert press(sweep, "try_again") == ["A worker is at it this moment. Nothing was changed."]


def test_turn_is_stopped_and_asked_again(client, ours, staff, press):
    turn = Turn.objects.get(workspace=ours)
    assert shown(client, turn) == ["try_again", "stop"]
    press(turn, "stop")
    turn.refresh_from_db()
    assert turn.state == "stopped"
    assert shown(client, turn) == ["ask_again"]
    assert press(turn, "ask_again") == ["Asked again as turn 2. A worker takes it within seconds."]
    assert press(turn, "try_again") == ["There is nothing to be done for it any more. Nothing was changed."]


def test_coach_that_is_off_is_asked_by_no_button(client, ours, staff, press):
    turn = Turn.objects.get(workspace=ours)
    press(turn, "stop")
    Agent.objects.filter(pk=turn.session.agent_id).update(coaching=False)
    assert shown(client, turn) == []
    assert "Nothing was changed" in press(turn, "ask_again")[0]
    assert Turn.objects.filter(workspace=ours).count() == 1


def test_backtest_is_stopped_and_another_asked_for(client, ours, staff, press):
    waiting = Backtest.objects.get(workspace=ours)
    assert shown(client, waiting) == ["try_again", "stop"]
    assert press(waiting, "stop") == ["Stopped."]
    assert shown(client, waiting) == ["ask_again"]
    assert press(waiting, "stop") == ["This backtest has ended already. Nothing was changed."]
    assert press(waiting, "try_again") == ["There is nothing to be done for it any more. Nothing was changed."]
    assert press(waiting, "ask_again") == ["A new one is asked for. A worker takes it within seconds."]
    assert Backtest.objects.get(state="queued").asked_by == staff


def test_finished_backtest_shows_how_many_flags_each_level_found(client, ours, staff):
    backtest = Backtest.objects.get(workspace=ours)
    backtest.result = {
        "levels": {level: {"flags": [{}] * n} for level, n in (("early", 3), ("balanced", 2), ("cautious", 0))}
    }
    backtest.save()
    html = client.get(f"/admin/coaching/backtest/{backtest.pk}/change/").content.decode()
    assert "3, 2, 0" in html


def test_policy_shows_its_versions_with_their_authors(client, ours, staff):
    policy = policies.choose(ours, by=staff, sensitivity="early", automatic=False)
    newest, first = client.get(f"/admin/coaching/flagpolicy/{policy.pk}/history/").context["versions"]
    assert (newest["row"].history_user, newest["changes"]) == (
        staff.user, {"automatic": [("−", "removed", "yes"), ("+", "added", "no")]},
    )  # fmt: skip
    assert first["row"].version == 1


def test_sample_is_taken_out(client, ours, staff, press):
    sample = Sample.objects.get(workspace=ours)
    press(sample, "unpin")
    sample.refresh_from_db()
    assert sample.unpinned_at is not None
    assert shown(client, sample) == []


def test_operator_without_membership_decides_nothing(ours, operator, press):
    proposal = Proposal.objects.get(workspace=ours)
    assert "Only the owner and admins of Ours desk do this" in press(proposal, "approve")[0]
    proposal.refresh_from_db()
    assert proposal.status == "pending"


def test_unknown_button_does_nothing(client, ours, staff):
    proposal = Proposal.objects.get(workspace=ours)
    for name in ("delete", "get_queryset", "__init__", "buttons_for"):
        page = f"/admin/coaching/proposal/{proposal.pk}/change/"
        assert client.post(page, {"_button": name}).status_code == 403
