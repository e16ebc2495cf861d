"""The queue of proposals and one proposal: what is shown, and every way a decision can go."""

import html
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from agents import actions as configuration
from coaching.actions import proposals
from coaching.models import Proposal, Viewing
from coaching.tasks import forget_viewings
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


def test_card_of_another_release_says_why_it_cannot_be_decided(agent, owner, signed_in):
    session = factories.session(agent, owner, conversation=talks.conversation(agent))
    proposal = talks.ask(session, "Add a memory that parcels can be found by name.").proposals[0]
    Proposal.objects.filter(pk=proposal.pk).update(type="persona_change", base_version=1, target_id=proposal.pk)
    client = signed_in(owner)

    page = text(client.get(f"/conversations/{session.conversation_id}?session={session.pk}"))

    assert "“persona_change” comes from another release of Touchline." in page
    assert f"/proposals/{proposal.pk}/approve" not in page
    assert client.get(f"/proposals/{proposal.pk}/live").status_code == 200
    assert client.post(f"/proposals/{proposal.pk}/take-back").status_code == 409
    assert client.get(f"/proposals/{proposal.pk}/take-back").url == f"/proposals/{proposal.pk}"


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


def test_every_fold_can_be_opened(agent, owner, signed_in):
    lines = [f"Rule {n}." for n in range(1, 41)]
    configuration.change_prompt(agent.prompt, system_prompt="\n".join(lines), base_version=1, by=owner, door="page")
    change = {"system_prompt": "\n".join([*lines, "Rule 41."])}
    proposal = factories.proposal(agent, type="prompt_change", change=change)
    client = signed_in(owner)

    folded = text(client.get(f"/proposals/{proposal.pk}"))
    opened = text(client.get(f"/proposals/{proposal.pk}?context=all"))
    beside = text(client.get(f"/proposals/{proposal.pk}?context=all&view=side"))

    assert (folded.count("diff-same"), opened.count("diff-same"), opened.count("data-fold=")) == (3, 40, 37)
    assert 'data-fold-of="-system_prompt-1"' in folded
    assert opened.count('data-fold="-system_prompt-1"') == 37
    assert beside.count('data-fold="-system_prompt-1"') == 37


def test_view_is_remembered_while_the_queue_is_worked_through(agent, owner, signed_in):
    older, newer = factories.proposal(agent), factories.proposal(agent)
    client = signed_in(owner)

    page = text(client.get(f"/proposals/{newer.pk}?view=side"))
    answer = client.post(f"/proposals/{newer.pk}/approve?view=side", {"queue": "1"})

    assert f'action="/proposals/{newer.pk}/approve?view=side"' in page
    assert f'href="/proposals/{older.pk}?view=side"' in page
    assert answer.url == f"/proposals/{older.pk}?view=side"


def test_memory_that_says_nearly_the_same_stands_beside_it(agent, owner, signed_in):
    near = factories.memory(
        agent, owner, summary="Refunds within 30 days are paid back automatically.", text="No form."
    )
    old = factories.memory(agent, owner, summary="Refunds within 10 days are paid back automatically.")
    Memory.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(days=1))
    factories.memory(agent, owner, summary="Parcels wait at the counter.")
    other = factories.ai_agent(owner.workspace)
    factories.memory(other, owner, summary="Refunds within 30 days are paid back automatically.")
    proposal = factories.proposal(
        agent, change={"summary": "Refunds within 14 days are paid back automatically.", "text": "With a form."}
    )

    page = signed_in(owner).get(f"/proposals/{proposal.pk}")

    assert [(one.memory, one.is_expired) for one in page.context["detail"].near] == [(near, False), (old, True)]
    assert "No form." in text(page)
    assert text(page).count("! Contradicts it</span> “14 days” against “30 days”") == 1
    assert "Nearly the same is there already" in text(page)


def test_memory_that_is_changed_is_not_its_own_duplicate(agent, owner, signed_in):
    proposal = update(factories.memory(agent, owner), text="Other.")

    assert signed_in(owner).get(f"/proposals/{proposal.pk}").context["detail"].near == []


def test_page_says_what_the_agent_will_be_served(agent, owner, signed_in):
    prompt = factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief.\nBe kind."})
    until = timezone.now() + timedelta(days=40)
    memory = factories.proposal(agent, change={"summary": "The sale runs.", "text": "", "expires_at": until})
    procedure = factories.procedure(agent, owner)
    off = factories.proposal(agent, type="procedure_update", target_id=procedure.pk, change={"active": False})
    gone = factories.proposal(agent, type="procedure_delete", target_id=procedure.pk, change={})
    client = signed_in(owner)

    of_prompt, of_memory, of_procedure, of_delete = (
        text(client.get(f"/proposals/{each.pk}")) for each in (prompt, memory, off, gone)
    )

    assert "18 characters, about 5 tokens, 2 lines" in of_prompt
    assert f"({owner.workspace.time_zone}), " in of_memory
    assert "not from that instant on." in of_memory
    assert "It is not in use" in of_procedure
    assert "served after approval" not in of_delete


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


def test_edits_that_do_not_touch_are_put_together_with_one_click(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.", text="Ask first.")
    proposal = update(memory, text="Ask nobody.")
    memories.revise(memory, changes={"summary": "Refunds take two weeks."}, base_version=1, by=admin, door="page")
    client = signed_in(owner)

    page = client.get(f"/proposals/{proposal.pk}")
    assert f"(version 1 → 2, summary), by {admin.display_name} " in text(page)
    assert "The edits do not touch." in text(page)
    assert page.context["editor"] is None
    answer = client.post(f"/proposals/{proposal.pk}/rebase")

    made = Proposal.objects.pending().get()
    assert (answer.url, made.replaces, made.base_version) == (f"/proposals/{made.pk}", proposal, 2)
    assert (made.change["summary"], made.change["text"]) == ("Refunds take two weeks.", "Ask nobody.")


def test_places_in_a_prompt_are_told_by_their_lines(agent, owner, signed_in):
    lines = [f"Rule {n}." for n in range(1, 31)]
    old = configuration.change_prompt(
        agent.prompt, system_prompt="\n".join(lines), base_version=1, by=owner, door="page"
    )
    change = {"system_prompt": "\n".join([*lines, "Rule 31."])}
    proposal = factories.proposal(agent, type="prompt_change", change=change)
    changed = [line.replace("Rule", "Law") if n in (3, 4, 9) else line for n, line in enumerate(lines, start=1)]
    configuration.change_prompt(old, system_prompt="\n".join(changed), base_version=2, by=owner, door="page")

    page = text(signed_in(owner).get(f"/proposals/{proposal.pk}"))

    assert "(version 2 → 3, lines 3–4, 9)" in page


def test_editor_begins_with_what_can_be_put_together(agent, owner, signed_in):
    start = "Be kind.\nAsk for the number.\nSay goodbye.\nRefunds need an approval.\n"
    old = configuration.change_prompt(agent.prompt, system_prompt=start, base_version=1, by=owner, door="page")
    proposed = start.replace("Ask for", "Look up").replace("Refunds need", "Refunds above 200 € need")
    proposal = factories.proposal(agent, type="prompt_change", change={"system_prompt": proposed})
    now = start.replace("Ask for", "Find")
    configuration.change_prompt(old, system_prompt=now, base_version=2, by=owner, door="page")

    page = signed_in(owner).get(f"/proposals/{proposal.pk}")

    expected = now.replace("Refunds need", "Refunds above 200 € need")
    assert page.context["editor"]["system_prompt"].value() == expected
    (pane,) = page.context["detail"].panes
    assert (pane.since.lines.removed, pane.wanted.lines.removed) == (1, 2)


def test_race_while_writing_keeps_what_was_typed_and_shows_what_is_there_now(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.")
    proposal = stale(memory, owner)
    memories.revise(memory, changes={"summary": "Refunds take six days."}, base_version=2, by=owner, door="page")
    typed = {"summary": "Refunds take four days.", "text": "", "base_version": "2", "edited": "1"}
    client = signed_in(owner)

    raced = client.post(f"/proposals/{proposal.pk}/rebase", typed)

    assert raced.status_code == 409
    assert "was changed again while you were typing. What you typed is kept below." in text(raced)
    assert raced.context["editor"]["summary"].value() == "Refunds take four days."
    assert [pane.current for pane in raced.context["detail"].panes] == ["Refunds take six days."]
    again = {**typed, "base_version": str(raced.context["editor"]["base_version"].value())}
    assert client.post(f"/proposals/{proposal.pk}/rebase", again).status_code == 302
    assert Proposal.objects.pending().get().base_version == 3


def test_edit_that_breaks_a_rule_while_rebasing_names_the_field(agent, owner, signed_in):
    proposal = stale(factories.memory(agent, owner), owner)
    typed = {"summary": "One. Two.", "text": "", "base_version": "2", "edited": "1"}

    refused = signed_in(owner).post(f"/proposals/{proposal.pk}/rebase", typed)

    assert refused.status_code == 400
    assert "one sentence" in " ".join(refused.context["editor"].errors["summary"])
    assert Proposal.objects.count() == 1


def test_what_is_there_already_can_only_be_rejected(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.")
    proposal = update(memory, summary="Refunds take a day.")
    memories.revise(memory, changes={"summary": "Refunds take a day."}, base_version=1, by=owner, door="page")
    client = signed_in(owner)

    page = text(client.get(f"/proposals/{proposal.pk}"))
    refused = client.post(f"/proposals/{proposal.pk}/rebase")

    assert "What it asks for is there already. It can be rejected." in page
    assert f"/proposals/{proposal.pk}/rebase" not in page
    assert refused.status_code == 409
    assert "there already, as version 2" in text(refused)


def test_fresh_proposal_is_not_rebased(agent, owner, signed_in):
    proposal = update(factories.memory(agent, owner), text="Other.")

    refused = signed_in(owner).post(f"/proposals/{proposal.pk}/rebase")

    assert refused.status_code == 409
    assert "This proposal is up to date." in text(refused)


def test_delete_is_brought_up_to_date_after_a_look_at_what_goes(agent, owner, signed_in):
    memory = factories.memory(agent, owner)
    proposal = factories.proposal(agent, type="memory_entry_delete", target_id=memory.pk, change={})
    memories.revise(memory, changes={"text": "Newer."}, base_version=1, by=owner, door="page")
    client = signed_in(owner)

    page = client.get(f"/proposals/{proposal.pk}")
    assert "What others changed meanwhile" in text(page)
    client.post(f"/proposals/{proposal.pk}/rebase")
    client.post(f"/proposals/{Proposal.objects.pending().get().pk}/approve")

    assert not Memory.objects.exists()


def test_target_that_was_removed_and_restored_is_stale(agent, owner, signed_in):
    memory = factories.memory(agent, owner, text="Ask first.")
    proposal = update(memory, text="Ask nobody.")
    configuration.remove(memory, base_version=1, by=owner, door="page")
    configuration.restore(Memory, memory.pk, by=owner, door="page")
    client = signed_in(owner)

    refused = client.post(f"/proposals/{proposal.pk}/approve")

    assert refused.status_code == 409
    assert "(version 1 → 3)" in text(refused)
    assert Memory.objects.get().text == "Ask first."
    client.post(f"/proposals/{proposal.pk}/rebase")
    client.post(f"/proposals/{Proposal.objects.pending().get().pk}/approve")
    assert (Memory.objects.get().text, Memory.objects.get().version) == ("Ask nobody.", 4)


def test_another_agents_target_is_neither_applied_nor_shown(agent, owner, signed_in):
    proposal = update(factories.memory(agent, owner), text="Other.")
    other = factories.memory(factories.ai_agent(owner.workspace), owner, text="Only theirs.")
    memories.revise(other, changes={"summary": "Nobody else's."}, base_version=1, by=owner, door="page")
    Proposal.objects.filter(pk=proposal.pk).update(target_id=other.pk)
    client = signed_in(owner)

    pages = [client.get(f"/proposals/{proposal.pk}"), client.post(f"/proposals/{proposal.pk}/approve")]
    pages.append(client.post(f"/proposals/{proposal.pk}/rebase"))

    assert [page.status_code for page in pages] == [200, 409, 409]
    assert not any("Only theirs." in text(page) for page in pages)
    other.refresh_from_db()
    assert (other.version, other.text) == (2, "Only theirs.")


def test_proposal_for_something_removed_says_so(agent, owner, signed_in):
    memory = factories.memory(agent, owner)
    proposal = update(memory, text="Other.")
    configuration.remove(memory, base_version=1, by=owner, door="page")

    page = signed_in(owner).get(f"/proposals/{proposal.pk}")
    refused = signed_in(owner).post(f"/proposals/{proposal.pk}/approve")

    assert "The memory was removed after this was proposed." in text(page)
    assert f"{owner.display_name} took it out" in text(page)
    assert f'href="/agents/{agent.pk}/memory/{memory.pk}"' in text(page)
    assert refused.status_code == 409
    assert signed_in(owner).post(f"/proposals/{proposal.pk}/rebase").status_code == 409
    assert not Memory.objects.exists()


def test_new_procedure_is_told_part_by_part(agent, owner, signed_in):
    change = {
        "name": "Send back",
        "trigger": "Somebody asks.",
        "content": "1. Ask.",
        "folder": "Parcels",
        "active": False,
    }
    proposal = factories.proposal(agent, type="procedure_create", change=change)

    page = text(signed_in(owner).get(f"/proposals/{proposal.pk}"))

    assert '<span class="second">Folder</span> Parcels' in page
    assert '<span class="second">Not in use</span>' in page
    assert "0 removed" not in page


def test_keys_at_the_foot_are_those_that_do_something(agent, owner, signed_in):
    waiting, gone = factories.proposal(agent), factories.proposal(agent)
    proposals.reject(gone, by=owner, door="page")
    client = signed_in(owner)

    assert "<kbd>A</kbd> approve" in text(client.get(f"/proposals/{waiting.pk}")).split("keys-list")[0]
    assert "<kbd>A</kbd> approve" not in text(client.get(f"/proposals/{gone.pk}")).split("keys-list")[0]


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


def test_edited_approval_leads_to_the_next_as_the_queue_is_filtered(agent, owner, signed_in):
    other = factories.ai_agent(owner.workspace)
    following = factories.proposal(agent)
    factories.proposal(other)
    proposal, client = factories.proposal(agent), signed_in(owner)
    typed, narrowed = {"summary": "Parcels are collected at one.", "text": ""}, f"?agent={agent.pk}"

    opened = client.get(f"/proposals/{proposal.pk}{narrowed}")
    edit = html.unescape(re.search(r'href="([^"]*/edit[^"]*)"', opened.content.decode()).group(1))
    seen = [client.get(edit), client.post(edit, typed), client.post(edit, {**typed, "again": "1"})]
    for page in seen:
        assert re.search(r'type="hidden" name="queue"', page.content.decode())
        assert f'/proposals/{proposal.pk}{narrowed}"' in page.content.decode()
    answer = client.post(f"/proposals/{proposal.pk}/approve{narrowed}", {**typed, "edited": "1", "queue": "1"})

    assert answer.url == f"/proposals/{following.pk}{narrowed}"
    assert 'name="queue"' not in client.get(f"/proposals/{following.pk}/edit").content.decode()


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


@pytest.mark.parametrize("act", ["approve", "rebase"])
def test_what_was_typed_is_kept_when_somebody_else_was_first(act, agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.")
    proposal = stale(memory, owner) if act == "rebase" else update(memory, summary="Refunds take a day.")
    proposals.reject(proposal, by=admin, door="page")
    typed = {"summary": "Refunds take four days.", "text": "", "base_version": "2", "edited": "1"}

    late = signed_in(owner).post(f"/proposals/{proposal.pk}/{act}", typed)

    assert late.status_code == 409
    assert f"This was already rejected by {admin.display_name} at " in text(late)
    assert late.context["editor"]["summary"].value() == "Refunds take four days."
    assert "Propose this instead" not in text(late)


def test_edited_approval_that_became_stale_goes_on_as_a_rebase(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.", text="")
    proposal = stale(memory, owner)
    typed = {"summary": "Refunds take four days.", "text": "", "edited": "1"}
    client = signed_in(owner)

    refused = client.post(f"/proposals/{proposal.pk}/approve", typed)

    assert refused.status_code == 409
    editor = refused.context["editor"]
    assert (editor["summary"].value(), str(editor["base_version"].value())) == ("Refunds take four days.", "2")
    assert "Propose this instead" in text(refused)


@pytest.mark.parametrize("act", ["approve", "reject", "rebase"])
def test_late_click_on_a_replaced_one_leads_to_the_newer(act, agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Refunds take a week.", text="Ask first.")
    proposal = update(memory, text="Ask nobody.")
    memories.revise(memory, changes={"summary": "Refunds take a day."}, base_version=1, by=owner, door="page")
    newer = proposals.rebase(proposal, by=owner, door="page")

    late = signed_in(owner).post(f"/proposals/{proposal.pk}/{act}")

    assert late.status_code == 409
    assert "This was replaced by a newer one. Nothing was changed." in text(late)
    assert f'<a href="/proposals/{newer.pk}">Open the newer one</a>' in text(late)


def test_edit_page_of_a_stale_one_leads_to_bringing_it_up_to_date_and_keeps_what_is_typed(agent, owner, signed_in):
    proposal, client = stale(factories.memory(agent, owner, text=""), owner), signed_in(owner)

    assert client.get(f"/proposals/{proposal.pk}/edit").url == f"/proposals/{proposal.pk}"
    raced = client.post(f"/proposals/{proposal.pk}/edit", {"summary": "Refunds take four days.", "text": ""})

    assert raced.status_code == 409
    assert raced.context["editor"]["summary"].value() == "Refunds take four days."
    assert "Propose this instead" in text(raced)


def test_edit_page_of_a_decided_one_leads_to_what_was_decided(agent, owner, signed_in):
    proposal = proposals.reject(factories.proposal(agent), by=owner, door="page")

    assert signed_in(owner).get(f"/proposals/{proposal.pk}/edit").url == f"/proposals/{proposal.pk}"


# --- The card in the talk ---------------------------------------------------------------------------------------------


def in_chat(agent, owner):
    """A pending proposal of a talk to change a memory, and that memory."""
    memory = factories.memory(agent, owner, summary="Refunds take a week.", text="Ask first.")
    session = factories.session(agent, owner, conversation=talks.conversation(agent))
    turn = talks.ask(session, "What went wrong?").turn
    made = factories.proposal(
        agent,
        type="memory_entry_update",
        target_id=memory.pk,
        change={"text": "Ask nobody."},
        session=session,
        turn=turn,
    )
    return made, memory


def talk_of(proposal):
    return f"/conversations/{proposal.session.conversation_id}?session={proposal.session_id}"


def test_stale_card_is_brought_up_to_date_in_place(agent, owner, signed_in):
    proposal, memory = in_chat(agent, owner)
    memories.revise(memory, changes={"summary": "Refunds take a day."}, base_version=1, by=owner, door="page")
    client = signed_in(owner)

    talk = text(client.get(talk_of(proposal)))
    assert "(version 1 → 2, summary). The edits do not touch." in talk
    assert f'hx-post="/proposals/{proposal.pk}/rebase"' in talk
    answer = client.post(
        f"/proposals/{proposal.pk}/rebase",
        {"door": "chat"},
        headers={"HX-Request": "true", "HX-Request-Type": "partial"},
    )

    made = Proposal.objects.pending().get()
    assert f'id="proposal-{made.pk}"' in text(answer)
    assert f'Brought up to date from <a href="/proposals/{proposal.pk}">' in text(answer)
    assert f'hx-post="/proposals/{made.pk}/approve"' in text(answer)
    proposal.refresh_from_db()
    assert (proposal.decided_from, made.session, made.turn) == ("chat", proposal.session, proposal.turn)
    talk = text(client.get(talk_of(proposal)))
    assert f'<a href="/proposals/{made.pk}">a newer proposal</a> took its place' in talk


def test_stale_card_whose_edits_touch_leads_to_the_page(agent, owner, signed_in):
    proposal, memory = in_chat(agent, owner)
    memories.revise(memory, changes={"text": "Ask twice."}, base_version=1, by=owner, door="page")
    client = signed_in(owner)

    talk = text(client.get(talk_of(proposal)))
    late = client.post(
        f"/proposals/{proposal.pk}/rebase",
        {"door": "chat"},
        headers={"HX-Request": "true", "HX-Request-Type": "partial"},
    )

    assert f'href="/proposals/{proposal.pk}#rebase"' in talk
    assert f'hx-post="/proposals/{proposal.pk}/rebase"' not in talk
    assert late.status_code == 409
    assert "it cannot be put together without you" in text(late)


def test_talk_takes_as_many_queries_for_many_stale_cards_as_for_one(agent, owner, signed_in):
    proposal, memory = in_chat(agent, owner)
    memories.revise(memory, changes={"summary": "Refunds take a day."}, base_version=1, by=owner, door="page")
    client, path = signed_in(owner), talk_of(proposal)
    one = queries(client, path)
    for _ in range(4):
        other = factories.memory(agent, owner)
        factories.proposal(
            agent, type="memory_entry_update", target_id=other.pk, change={"text": "Other."}, session=proposal.session,
            turn=proposal.turn,
        )  # fmt: skip
        memories.revise(other, changes={"summary": "Refunds take a day."}, base_version=1, by=owner, door="page")

    assert queries(client, path) == one


# --- While somebody looks ---------------------------------------------------------------------------------------------


def test_two_who_look_at_one_are_told_of_each_other(agent, owner, admin, signed_in):
    proposal = factories.proposal(agent)

    alone = text(signed_in(owner).get(f"/proposals/{proposal.pk}"))
    second = text(signed_in(admin).get(f"/proposals/{proposal.pk}"))
    first = signed_in(owner).get(f"/proposals/{proposal.pk}/live")

    assert "looking at this too" not in alone
    assert f"{owner.display_name} is looking at this too." in second
    assert f"{admin.display_name} is looking at this too." in text(first)
    assert f'data-look="/proposals/{proposal.pk}/live"' in text(first)


def test_look_tells_what_became_of_the_target(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, text="Ask first.")
    proposal, client = update(memory, text="Ask nobody."), signed_in(owner)

    before = client.get(f"/proposals/{proposal.pk}/live").context["live"]
    memories.revise(memory, changes={"summary": "Refunds take a day."}, base_version=1, by=admin, door="page")
    answer = client.get(f"/proposals/{proposal.pk}/live")

    after = answer.context["live"]
    assert (before.says, after.says) == ("", "The memory changed after this was proposed, to version 2.")
    assert before.mark != after.mark
    assert "(version 1 → 2, summary)" in text(answer)
    assert f'action="/proposals/{proposal.pk}/rebase"' in text(answer)


def test_look_at_a_decided_one_says_who_and_leads_on_and_stops(agent, owner, admin, signed_in):
    following, proposal = factories.proposal(agent), factories.proposal(agent)
    proposals.approve(proposal, by=admin, door="slack")

    answer = signed_in(owner).get(f"/proposals/{proposal.pk}/live?view=side")

    assert f"Approved by {admin.display_name}" in text(answer)
    assert f'href="/proposals/{following.pk}?view=side">Next that waits' in text(answer)
    assert "data-look" not in text(answer)
    assert answer.context["live"].says.startswith(f"This was already approved by {admin.display_name}")


def test_looks_that_nobody_needs_any_more_are_forgotten(agent, owner, signed_in):
    signed_in(owner).get(f"/proposals/{factories.proposal(agent).pk}")
    forget_viewings()
    assert Viewing.objects.count() == 1

    Viewing.objects.update(seen_at=timezone.now() - timedelta(days=2))
    forget_viewings()

    assert Viewing.objects.count() == 0
    assert forget_viewings.name in {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()}


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


def test_change_that_was_changed_again_is_taken_back_by_what_a_person_writes(agent, owner, signed_in):
    proposal = factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief."})
    proposals.approve(proposal, by=owner, door="page")
    configuration.change_prompt(agent.prompt, system_prompt="Be kind.", base_version=2, by=owner, door="page")
    client, address = signed_in(owner), f"/proposals/{proposal.pk}/take-back"

    refused = client.post(address)

    assert refused.status_code == 409
    assert "It was not taken back" in text(refused)
    agent.prompt.refresh_from_db()
    assert agent.prompt.system_prompt == "Be kind."
    form = refused.context["back_form"]
    assert (form["system_prompt"].value(), form["base_version"].value()) == ("Be kind.", 3)
    typed = {"system_prompt": "Be kind and long.", "base_version": "3", "edited": "1", "note": "Both."}
    client.post(address, typed)
    agent.prompt.refresh_from_db()
    assert (agent.prompt.system_prompt, agent.prompt.version) == ("Be kind and long.", 4)
    assert "taken back just now" in re.sub("<[^>]*>", "", text(client.get(f"/proposals/{proposal.pk}")))


def test_race_while_taking_back_keeps_what_was_typed(agent, owner, signed_in):
    proposal = factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief."})
    proposals.approve(proposal, by=owner, door="page")
    for version, words in ((2, "Be kind."), (3, "Be warm.")):
        configuration.change_prompt(agent.prompt, system_prompt=words, base_version=version, by=owner, door="page")
    typed = {"system_prompt": "Be long.", "base_version": "3", "edited": "1"}

    raced = signed_in(owner).post(f"/proposals/{proposal.pk}/take-back", typed)

    assert raced.status_code == 409
    form = raced.context["back_form"]
    assert (form["system_prompt"].value(), str(form["base_version"].value())) == ("Be long.", "4")
    assert "What you typed is kept below." in text(raced)


def test_new_memory_that_moved_on_is_taken_out_as_it_is_now(agent, owner, signed_in):
    proposal = proposals.approve(factories.proposal(agent), by=owner, door="page")
    memories.revise(Memory.objects.get(), changes={"text": "Newer."}, base_version=1, by=owner, door="page")
    client, address = signed_in(owner), f"/proposals/{proposal.pk}/take-back"

    page = text(client.get(address))
    assert "It goes as it is now" in page
    assert client.post(address).status_code == 409
    assert client.post(address, {"base_version": "2"}).status_code == 302

    assert not Memory.objects.exists()


def test_second_who_takes_back_is_told_who_was_first(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, text="One.")
    proposal = proposals.approve(update(memory, text="Two."), by=owner, door="page")
    number = signed_in(admin).get(f"/proposals/{proposal.pk}/take-back").context["back"].made.number
    proposals.revert(proposal, by=owner, door="api")

    late = signed_in(admin).post(f"/proposals/{proposal.pk}/take-back", {"configuration": str(number)})

    assert late.status_code == 409
    assert f"It was taken back already, by {owner.display_name}" in text(late)
    assert f"/agents/{agent.pk}/memory/{memory.pk}?from=2&amp;to=3#compared" in text(late)
    memory.refresh_from_db()
    assert (memory.version, memory.text) == (3, "One.")


def test_what_was_taken_back_is_applied_again(agent, owner, signed_in):
    memory = factories.memory(agent, owner, text="One.")
    proposal = proposals.approve(update(memory, text="Two."), by=owner, door="page")
    client, address = signed_in(owner), f"/proposals/{proposal.pk}/take-back"
    client.post(address, {"configuration": str(proposal.configuration_number)})

    shown = client.get(address)
    assert "What applying it again changes" in text(shown)
    client.post(address, {"configuration": str(shown.context["back"].made.number)})

    memory.refresh_from_db()
    assert (memory.version, memory.text) == (4, "Two.")
    page = text(client.get(f"/proposals/{proposal.pk}"))
    assert "applied again" in page
    assert "Take back…" in page


def test_change_of_something_removed_since_says_to_restore_it_first(agent, owner, signed_in):
    memory = factories.memory(agent, owner, text="One.")
    proposal = proposals.approve(update(memory, text="Two."), by=owner, door="page")
    configuration.remove(memory, base_version=2, by=owner, door="page")
    client, address = signed_in(owner), f"/proposals/{proposal.pk}/take-back"

    assert "Restore it first" in text(client.get(address))
    assert client.post(address).status_code == 409


def test_rejected_proposal_cannot_be_taken_back(agent, owner, signed_in):
    proposal = proposals.reject(factories.proposal(agent), by=owner, door="page")

    assert signed_in(owner).post(f"/proposals/{proposal.pk}/take-back").status_code == 409
