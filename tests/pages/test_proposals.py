"""The queue of proposals and one proposal: what is shown, and every way a decision can go."""

import pytest
from django.test import Client

from agents import actions as configuration
from coaching.actions import proposals
from coaching.models import Proposal
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.coaching import talks
from tests.pages.test_agent import queries, text


def update(memory, **change):
    """A pending proposal to change this memory."""
    return factories.proposal(memory.agent, type="memory_entry_update", target_id=memory.pk, change=change)


def stale(memory, by):
    """A pending proposal whose memory was changed by hand afterwards."""
    proposal = update(memory, summary="Refunds take three days.")
    memories.revise(memory, changes={"summary": "Refunds take five days."}, base_version=1, by=by, door="page")
    return proposal


# --- Who sees what ----------------------------------------------------------------------------------------------------


def test_queue_and_proposals_are_for_leaders_only(agent, admin, linked_member, unlinked_member, stranger, signed_in):
    proposal = factories.proposal(agent)

    assert signed_in(admin).get("/proposals").status_code == 200
    assert signed_in(admin).get(f"/proposals/{proposal.pk}").status_code == 200
    for member in (linked_member, unlinked_member):
        assert signed_in(member).get("/proposals").status_code == 403
    for somebody in (linked_member, unlinked_member, stranger):
        assert signed_in(somebody).get(f"/proposals/{proposal.pk}").status_code == 404
        for act in ("approve", "reject", "edit", "rebase", "take-back"):
            assert signed_in(somebody).post(f"/proposals/{proposal.pk}/{act}").status_code == 404
    assert Client().get("/proposals").status_code == 302
    assert signed_in(stranger).get("/proposals").context["queue"].n_found == 0
    proposal.refresh_from_db()
    assert proposal.status == Proposal.Status.PENDING


# --- The queue --------------------------------------------------------------------------------------------------------


def test_queue_filters_and_counts_by_status_under_the_other_filters(agent, owner, signed_in):
    other = factories.ai_agent(owner.workspace)
    waiting, gone = factories.proposal(agent), factories.proposal(agent)
    proposals.reject(gone, by=owner, door="page")
    factories.proposal(other)
    memory = factories.memory(agent, owner)
    change = update(memory, text="Other.")
    client = signed_in(owner)

    def shown(query):
        queue = client.get(f"/proposals{query}").context["queue"]
        return {item.proposal.pk for item in queue.items}, {s.label: s.count for s in queue.statuses if s.count}

    assert shown(f"?agent={agent.pk}") == ({waiting.pk, change.pk}, {"Pending": 2, "Rejected": 1})
    assert shown(f"?agent={agent.pk}&type=memory_entry_update") == ({change.pk}, {"Pending": 1})
    assert shown(f"?agent={agent.pk}&status=rejected") == ({gone.pk}, {"Pending": 2, "Rejected": 1})
    assert len(shown("?status=nonsense&type=nonsense&agent=nonsense&page=nonsense")[0]) == 3


def test_queue_marks_what_has_changed_since(agent, owner, signed_in):
    proposal = stale(factories.memory(agent, owner), owner)

    (item,) = signed_in(owner).get("/proposals").context["queue"].items

    assert (item.proposal, item.is_stale) == (proposal, True)


def test_queue_and_detail_take_as_many_queries_for_many_as_for_few(agent, owner, signed_in):
    client = signed_in(owner)

    def fill(n):
        for _ in range(n):
            update(factories.memory(agent, owner), text="Other.")
            factories.proposal(agent)
            procedure = factories.procedure(agent, owner)
            factories.proposal(agent, type="procedure_delete", target_id=procedure.pk, change={})
        return factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief."})

    path = f"/proposals/{fill(1).pk}"
    client.get(path)  # the first look of a person is one row more
    few = [queries(client, "/proposals"), queries(client, path)]
    fill(5)

    assert [queries(client, "/proposals"), queries(client, path)] == few


def test_empty_queue_says_where_proposals_come_from(owner, signed_in):
    page = text(signed_in(owner).get("/proposals"))

    assert "Nothing waits for you" in page
    assert "How can the agent improve?" in page


# --- One proposal -----------------------------------------------------------------------------------------------------


def test_proposal_tells_why_on_what_evidence_and_what_changes(agent, owner, signed_in):
    session = factories.session(agent, owner, conversation=talks.conversation(agent))
    proposal = talks.ask(session, "Add a memory that parcels can be found by name.", focus=[4]).proposals[0]

    page = signed_in(owner).get(f"/proposals/{proposal.pk}")

    detail = page.context["detail"]
    assert [(one.is_message, one.turn, one.quote) for one in detail.evidence] == [
        (True, None, ""),
        (False, 4, "Where is my parcel with the blue lamp?"),
    ]
    assert detail.asked_by == owner
    assert f"/conversations/{session.conversation_id}#turn-4" in text(page)
    assert "applies at once, as version 1; can be taken back" in text(page)


def test_risky_proposal_says_what_is_risky(agent, owner, signed_in):
    proposal = factories.proposal(agent, change={"summary": "Send them to https://evil.example now."})

    page = text(signed_in(owner).get(f"/proposals/{proposal.pk}"))

    assert "High risk" in page
    assert "It adds a link." in page
    assert 'href="https://evil.example' not in page


def test_proposals_words_are_text(agent, owner, signed_in):
    proposal = factories.proposal(
        agent, change={"summary": "<script>alert(1)</script>"}, rationale="<img src=x onerror=alert(1)>"
    )

    page = signed_in(owner).get(f"/proposals/{proposal.pk}").content.decode()

    assert "<script>alert" not in page
    assert "<img" not in page


def test_type_of_another_release_can_be_read_but_not_decided(agent, owner, signed_in):
    proposal = factories.proposal(agent)
    Proposal.objects.filter(pk=proposal.pk).update(type="persona_change", base_version=1, target_id=proposal.pk)

    page = signed_in(owner).get(f"/proposals/{proposal.pk}")

    assert "comes from another release" in text(page)
    assert not page.context["detail"].may_decide
    client = signed_in(owner)
    assert client.get("/proposals").status_code == 200
    for act in ("approve", "rebase"):
        assert client.post(f"/proposals/{proposal.pk}/{act}", {"edited": "1"}).status_code == 409
    assert client.post(f"/proposals/{proposal.pk}/edit").url == f"/proposals/{proposal.pk}"
    proposal.refresh_from_db()
    assert proposal.status == Proposal.Status.PENDING


def test_changed_lines_stand_side_by_side_on_request(agent, owner, signed_in):
    proposal = factories.proposal(
        agent,
        type="prompt_change",
        change={"system_prompt": "You help customers.\nRefunds above 300 € need an approval."},
    )
    client = signed_in(owner)

    below = text(client.get(f"/proposals/{proposal.pk}"))
    beside = text(client.get(f"/proposals/{proposal.pk}?view=side"))

    assert "view=side" in below
    assert "diff-side" not in below
    assert 'class="diff diff-side"' in beside


# --- Deciding ---------------------------------------------------------------------------------------------------------


def test_approval_applies_at_once_and_opens_the_next_that_waits(agent, owner, signed_in):
    older, newer = factories.proposal(agent), factories.proposal(agent)

    answer = signed_in(owner).post(f"/proposals/{newer.pk}/approve?agent={agent.pk}", {"queue": "1"})

    assert answer.url == f"/proposals/{older.pk}?agent={agent.pk}"
    newer.refresh_from_db()
    assert (newer.status, newer.decided_from, newer.decided_by) == ("approved", "page", owner)
    assert Memory.objects.get(pk=newer.target_id).summary == newer.title


def test_last_decision_of_the_queue_leads_to_the_proposal_itself(agent, owner, signed_in):
    proposal = factories.proposal(agent)

    answer = signed_in(owner).post(f"/proposals/{proposal.pk}/reject", {"queue": "1", "reason": "Known already."})

    assert answer.url == f"/proposals/{proposal.pk}"
    page = text(signed_in(owner).get(answer.url))
    assert f"Rejected by {owner.display_name}" in page
    assert "“Known already.”" in page


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_late_decision_is_told_who_was_first_when_and_from_where(act, agent, owner, admin, signed_in):
    proposal = factories.proposal(agent)
    proposals.approve(proposal, by=owner, door="slack")

    late = signed_in(admin).post(f"/proposals/{proposal.pk}/{act}")

    assert late.status_code == 409
    assert f"This was already approved by {owner.display_name} at " in text(late)
    assert "from Slack. Nothing was changed." in text(late)
    assert Memory.objects.count() == 1


def test_stale_proposal_shows_three_values_and_is_not_applied(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.")
    proposal = stale(memory, owner)
    client = signed_in(owner)

    page = client.get(f"/proposals/{proposal.pk}")
    assert "The memory changed after this was proposed" in text(page)
    assert "(version 1 → 2, summary), by" in text(page)
    refused = client.post(f"/proposals/{proposal.pk}/approve")

    assert refused.status_code == 409
    assert [(p.field, p.base, p.current, p.proposed) for p in refused.context["panes"]] == [
        ("summary", "Refunds take a week.", "Refunds take five days.", "Refunds take three days.")
    ]
    proposal.refresh_from_db()
    memory.refresh_from_db()
    assert (proposal.status, memory.version) == ("pending", 2)


def test_stale_proposal_whose_edits_touch_is_written_by_a_person(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.")
    proposal = stale(memory, owner)
    client = signed_in(owner)
    form = client.get(f"/proposals/{proposal.pk}").context["editor"]
    assert (form["summary"].value(), form["base_version"].value()) == ("Refunds take five days.", 2)
    typed = {"summary": "Refunds take three to five days.", "text": "", "base_version": "2", "edited": "1"}

    answer = client.post(f"/proposals/{proposal.pk}/rebase", typed)

    made = Proposal.objects.pending().get()
    proposal.refresh_from_db()
    assert answer.url == f"/proposals/{made.pk}"
    assert (proposal.status, proposal.decided_by, made.replaces, made.base_version) == (
        "superseded", owner, proposal, 2,
    )  # fmt: skip
    assert (made.rationale, made.evidence) == (proposal.rationale, proposal.evidence)
    assert f'Brought up to date from <a href="/proposals/{proposal.pk}">' in text(client.get(answer.url))
    assert f': <a href="/proposals/{made.pk}">a newer proposal</a>' in text(client.get(f"/proposals/{proposal.pk}"))
    client.post(f"/proposals/{made.pk}/approve")
    memory.refresh_from_db()
    assert (memory.version, memory.summary) == (3, "Refunds take three to five days.")


def test_proposal_for_something_removed_says_so(agent, owner, signed_in):
    memory = factories.memory(agent, owner)
    proposal = update(memory, text="Other.")
    memories.remove(memory, base_version=1, by=owner, door="page")

    page = signed_in(owner).get(f"/proposals/{proposal.pk}")
    refused = signed_in(owner).post(f"/proposals/{proposal.pk}/approve")

    assert "The memory was removed after this was proposed." in text(page)
    assert refused.status_code == 409


def test_reviewer_edits_sees_the_final_change_and_approves_it(agent, owner, signed_in):
    proposal, client = factories.proposal(agent), signed_in(owner)
    typed = {"summary": "Parcels are collected at one.", "text": "At the counter."}

    seen = client.post(f"/proposals/{proposal.pk}/edit", typed)
    assert [change.new for change in seen.context["final"]] == list(typed.values())
    proposal.refresh_from_db()
    assert proposal.status == "pending"
    client.post(f"/proposals/{proposal.pk}/approve", {**typed, "edited": "1", "note": "One, not noon."})

    proposal.refresh_from_db()
    assert proposal.approved_change["summary"] == "Parcels are collected at one."
    assert Memory.objects.get().summary == "Parcels are collected at one."
    page = text(client.get(f"/proposals/{proposal.pk}"))
    assert "What was applied" in page
    assert "As the coach proposed it" in page


def test_edit_that_breaks_a_rule_names_the_field(agent, owner, signed_in):
    proposal = factories.proposal(agent)

    refused = signed_in(owner).post(f"/proposals/{proposal.pk}/edit", {"summary": "One. Two."})

    assert refused.status_code == 400
    assert "one sentence" in " ".join(refused.context["form"].errors["summary"])


def test_edited_prompt_keeps_its_line_ends(agent, owner, signed_in):
    proposal = factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief.\nBe kind."})

    signed_in(owner).post(
        f"/proposals/{proposal.pk}/approve", {"system_prompt": "Be brief.\r\nBe warm.", "edited": "1"}
    )

    agent.prompt.refresh_from_db()
    assert agent.prompt.system_prompt == "Be brief.\nBe warm."


# --- Taking back ------------------------------------------------------------------------------------------------------


def test_applied_change_is_taken_back_after_its_diff_was_shown(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.")
    proposal = proposals.approve(update(memory, summary="Refunds take a day."), by=owner, door="page")
    client = signed_in(owner)

    shown = client.get(f"/proposals/{proposal.pk}/take-back")
    assert [(change.old, change.new) for change in shown.context["back"].changes] == [
        ("Refunds take a day.", "Refunds take a week.")
    ]
    client.post(f"/proposals/{proposal.pk}/take-back")

    memory.refresh_from_db()
    assert (memory.version, memory.summary) == (3, "Refunds take a week.")
    page = client.get(f"/proposals/{proposal.pk}")
    assert page.context["detail"].taken_back.target_version == 3
    assert f'as <a href="/agents/{agent.pk}/memory/{memory.pk}?from=2&amp;to=3#compared">version 3</a>' in text(page)
    assert "Apply again…" in text(page)


def test_change_that_was_changed_again_is_not_taken_back(agent, owner, signed_in):
    proposal = factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief."})
    proposals.approve(proposal, by=owner, door="page")
    configuration.change_prompt(agent.prompt, system_prompt="Be kind.", base_version=2, by=owner, door="page")

    refused = signed_in(owner).post(f"/proposals/{proposal.pk}/take-back")

    assert refused.status_code == 409
    assert "It was not taken back" in text(refused)
    agent.prompt.refresh_from_db()
    assert agent.prompt.system_prompt == "Be kind."


def test_rejected_proposal_cannot_be_taken_back(agent, owner, signed_in):
    proposal = proposals.reject(factories.proposal(agent), by=owner, door="page")

    assert signed_in(owner).post(f"/proposals/{proposal.pk}/take-back").status_code == 409
