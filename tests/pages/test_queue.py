"""The queue of proposals: every filter, what means nothing, order, counts, pages, several decided at once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from agents import actions
from agents.models import Configuration, Decision
from coaching.actions import changes, proposals
from coaching.models import Proposal
from coaching.pages import queue as queue_page
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.coaching import talks
from tests.pages.test_agent import queries, text
from tests.pages.test_proposals import stale, update


@pytest.fixture
def client(owner, signed_in):
    return signed_in(owner)


def listed(client, query=""):
    """The proposals that the queue lists under this query string, in order."""
    return [item.proposal for item in client.get(f"/proposals{query}").context["queue"].items]


def counted(client, query=""):
    """{label: count} of the statuses that have any."""
    return {one.label: one.count for one in client.get(f"/proposals{query}").context["queue"].statuses if one.count}


def made_at(proposal, *when, **fields):
    """The proposal as if it had been made at this moment (in UTC)."""
    Proposal.objects.filter(pk=proposal.pk).update(created_at=datetime(*when, tzinfo=UTC), **fields)
    return proposal


def several(client, verdict, rows, query="", **form):
    given = {"verdict": verdict, "chosen": [str(row.pk) for row in rows], **form}
    return client.post(f"/proposals/decide{query}", given)


# --- Filters ----------------------------------------------------------------------------------------------------------


def test_risk_narrows_the_list(agent, client):
    low = factories.proposal(agent)
    high = factories.proposal(agent, change={"summary": "Send them to https://evil.example now."})

    assert listed(client, "?risk=high") == [high]
    assert listed(client, "?risk=low") == [low]
    assert counted(client, "?risk=low") == {"Pending": 1}


def test_session_lists_what_was_proposed_in_that_talk_whatever_became_of_it(agent, owner, client):
    session = factories.session(agent, owner, conversation=talks.conversation(agent))
    waiting, gone = (factories.proposal(agent, session=session) for _ in range(2))
    proposals.reject(gone, by=owner, door="page")
    factories.proposal(agent)

    page = client.get(f"/proposals?session={session.pk}")

    assert {item.proposal for item in page.context["queue"].items} == {waiting, gone}
    assert f"/conversations/{session.conversation_id}?session={session.pk}" in text(page)
    assert listed(client, f"?session={session.pk}&status=pending") == [waiting]
    assert counted(client, f"?session={session.pk}") == {"All": 2, "Pending": 1, "Rejected": 1}


def test_decider_lists_what_this_member_decided(agent, owner, admin, client):
    theirs, ours = (factories.proposal(agent) for _ in range(2))
    factories.proposal(agent)
    proposals.reject(theirs, by=admin, door="page")
    proposals.approve(ours, by=owner, door="page")

    page = client.get(f"/proposals?by={admin.pk}")

    assert [item.proposal for item in page.context["queue"].items] == [theirs]
    assert set(page.context["queue"].deciders) == {owner, admin}
    assert f"decided by {admin.display_name}" in text(page)
    assert listed(client, f"?by={owner.pk}&status=rejected") == []


def test_deciders_of_another_workspace_are_not_offered(agent, stranger, client, signed_in):
    proposals.reject(factories.proposal(factories.ai_agent(stranger.workspace)), by=stranger, door="page")

    assert client.get("/proposals").context["queue"].deciders == []
    assert signed_in(stranger).get("/proposals").context["queue"].deciders == [stranger]


def test_days_are_those_of_the_workspace(agent, owner, client):
    owner.workspace.time_zone = "Pacific/Auckland"
    owner.workspace.save_without_historical_record()
    evening = made_at(factories.proposal(agent), 2026, 3, 1, 10, 59)  # 23:59 on the first
    morning = made_at(factories.proposal(agent), 2026, 3, 1, 11, 0)  # midnight, on the second

    assert listed(client, "?after=2026-03-02") == [morning]
    assert listed(client, "?before=2026-03-01") == [evening]
    assert listed(client, "?after=2026-03-01&before=2026-03-02") == [morning, evening]


def test_search_finds_every_word_in_title_or_reason(agent, client):
    found = factories.proposal(
        agent, change={"summary": "Parcels wait at the Counter."}, rationale="Everybody asks: 100% of them."
    )
    factories.proposal(agent, change={"summary": "Parcels wait at the door."}, rationale="Nobody knows.")

    for words in ("counter", "PARCELS+asks", "100%25", "asks++counter", "coun%00ter"):
        assert listed(client, f"?q={words}") == [found], words
    assert listed(client, "?q=counter+nobody") == []
    assert counted(client, "?q=counter") == {"Pending": 1}
    assert len(client.get(f"/proposals?q={'x' * 5000}").context["queue"].question.search) == 300


@pytest.mark.parametrize(
    "query",
    ["risk=extreme", "session=nonsense", "by=7", "order=loudest", "q=%00+", "page=-1", "page=999999999", "agent=%00"],
)
def test_value_that_means_nothing_is_as_not_given(query, agent, client):
    proposal = factories.proposal(agent)

    assert listed(client, f"?{query}") == [proposal]
    assert client.get(f"/proposals?{query}").context["queue"].question.query() == ""


def test_day_that_is_none_is_said_beside_its_field_and_narrows_nothing(agent, client):
    proposal = factories.proposal(agent)

    page = client.get("/proposals?after=31.12.2026&before=2026-02-30")

    assert [item.proposal for item in page.context["queue"].items] == [proposal]
    assert "“31.12.2026” is no day." in text(page)
    assert "“2026-02-30” is no day." in text(page)
    assert '<details class="filters" open>' in text(page)
    assert page.context["queue"].filters == []


def test_days_the_wrong_way_round_are_told_and_can_be_exchanged(agent, client):
    made_at(factories.proposal(agent), 2026, 3, 1)

    page = client.get("/proposals?after=2026-03-02&before=2026-02-02")

    assert "The first day comes after the last" in text(page)
    other = page.context["queue"].question.the_other_way_round
    assert other == "?after=2026-02-02&before=2026-03-02"
    assert len(listed(client, other)) == 1


def test_every_filter_is_named_and_can_be_taken_away_by_itself(agent, owner, client):
    session = factories.session(agent, owner, conversation=talks.conversation(agent))
    asked = {
        "type": "prompt_change", "agent": agent.pk, "conversation": session.conversation_id, "session": session.pk,
        "risk": "high", "by": owner.pk, "after": "2026-01-01", "before": "2026-01-31", "q": "refund", "status": "rejected",
        "order": "helped",
    }  # fmt: skip
    query = "?" + "&".join(f"{name}={value}" for name, value in asked.items())

    queue = client.get(f"/proposals{query}").context["queue"]

    assert len(queue.filters) == 9
    left = [
        queue_page.Question.parse(dict(pair.split("=") for pair in one.query[1:].split("&"))) for one in queue.filters
    ]
    narrowing = [sum(bool(getattr(question, name)) for name in question.NARROWING) for question in left]
    assert narrowing == [8] * 9
    assert {(question.status, question.order) for question in left} == {("rejected", "helped")}
    page = text(client.get(f"/proposals{query}"))
    assert "None fits the filter" in page
    for words in ("“refund”", "Prompt change", agent.name, "High risk", "from 1 Jan 2026", "to 31 Jan 2026"):
        assert f'<span class="chip-words">{words}</span>' in page


def test_nothing_found_says_whether_another_status_has_some(agent, owner, client):
    proposals.reject(factories.proposal(agent), by=owner, door="page")

    assert "Some under another status do." in text(client.get("/proposals?q=parcels"))
    nowhere = text(client.get("/proposals?q=nothing"))
    assert "None fits the filter" in nowhere
    assert "Some under another status do." not in nowhere
    assert "None approved so far" in text(client.get("/proposals?status=approved"))


def test_form_keeps_what_its_fields_do_not_show(agent, client):
    page = text(client.get("/proposals?status=approved&order=helped&risk=low"))

    assert '<input type="hidden" name="status" value="approved">' in page
    assert '<input type="hidden" name="order" value="helped">' in page
    assert '<option value="low" selected>' in page


# --- Order and pages --------------------------------------------------------------------------------------------------


def test_most_helped_come_first_and_newest_among_them(agent, client):
    few = made_at(factories.proposal(agent), 2026, 3, 3, n_conversations=1)
    old = made_at(factories.proposal(agent), 2026, 3, 1, n_conversations=3)
    new = made_at(factories.proposal(agent), 2026, 3, 2, n_conversations=3)

    assert listed(client) == [few, new, old]
    assert listed(client, "?order=helped") == [new, old, few]
    page = text(client.get("/proposals?order=helped"))
    assert page.count("from 3 conversations") == 2
    assert page.count("from 1 conversation<") == 1


def test_item_without_conversations_claims_none(agent, client):
    factories.proposal(agent)

    assert "from 0" not in text(client.get("/proposals"))


def test_pages_carry_the_filters_and_end_where_the_list_ends(agent, client, monkeypatch):
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 2)
    rows = [factories.proposal(agent) for _ in range(5)][::-1]

    assert listed(client, "?risk=low&page=2") == rows[2:4]
    middle = client.get("/proposals?risk=low&page=2").context["queue"]
    assert (middle.previous_page, middle.next_page) == ("?risk=low", "?risk=low&page=3")
    assert listed(client, "?page=99") == rows[4:]


def test_decision_at_the_end_of_a_page_opens_the_first_of_the_next(agent, client, monkeypatch):
    monkeypatch.setattr(queue_page, "PAGE_SIZE", 2)
    rows = [factories.proposal(agent) for _ in range(3)][::-1]

    answer = client.post(f"/proposals/{rows[1].pk}/reject?risk=low", {"queue": "1"})

    assert answer.url == f"/proposals/{rows[2].pk}?risk=low"


def test_decision_opens_the_next_that_waits_in_the_order_and_filters_of_the_list(agent, owner, client):
    session = factories.session(agent, owner)
    first = made_at(factories.proposal(agent, session=session), 2026, 3, 1, n_conversations=3)
    decided = made_at(factories.proposal(agent, session=session), 2026, 3, 2, n_conversations=2)
    next_one = made_at(factories.proposal(agent, session=session), 2026, 3, 3, n_conversations=1)
    proposals.reject(decided, by=owner, door="page")
    query = f"?session={session.pk}&order=helped"

    answer = client.post(f"/proposals/{first.pk}/approve{query}", {"queue": "1"})

    assert answer.url == f"/proposals/{next_one.pk}{query}"


def test_queue_takes_as_many_queries_for_many_as_for_few(agent, owner, client):
    session = factories.session(agent, owner)
    asked = ("", "?order=helped&q=counter", "?status=approved", f"?session={session.pk}&by={owner.pk}&after=2026-01-01")

    def fill(n):
        for _ in range(n):
            update(factories.memory(agent, owner), text="At the counter.")
            procedure = factories.procedure(agent, owner)
            factories.proposal(agent, type="procedure_delete", target_id=procedure.pk, change={}, session=session)
            proposals.approve(factories.proposal(agent, session=session), by=owner, door="page")
        return factories.proposal(agent, type="prompt_change", change={"system_prompt": "Stand at the counter."})

    fill(1)
    few = [queries(client, f"/proposals{query}") for query in asked]
    fill(30)

    assert [queries(client, f"/proposals{query}") for query in asked] == few


def test_approved_one_that_was_taken_back_says_so(agent, owner, client):
    def approved():
        return proposals.approve(factories.proposal(agent), by=owner, door="page")

    def undo(row):
        made = Configuration.objects.filter(proposal_id=row.pk).latest("number")
        changes.take_back(made, by=owner, door="page")

    stands, back, again = approved(), approved(), approved()
    for row in (back, again, again):
        undo(row)

    for query in ("?status=approved", f"?by={owner.pk}"):
        items = client.get(f"/proposals{query}").context["queue"].items
        assert {item.proposal: item.is_taken_back for item in items} == {stands: False, back: True, again: False}
        assert text(client.get(f"/proposals{query}")).count('<span class="pill pill-plain">taken back</span>') == 1


# --- The Coaching tab -------------------------------------------------------------------------------------------------


def test_coaching_tab_counts_by_status_and_leads_into_the_queue(agent, owner, client):
    old = made_at(factories.proposal(agent), 2026, 3, 1, n_conversations=3)
    new = factories.proposal(agent)
    proposals.reject(factories.proposal(agent), by=owner, door="page")
    factories.proposal(factories.ai_agent(owner.workspace))

    page = client.get(f"/agents/{agent.pk}/coaching")

    waiting = page.context["coaching"].waiting
    assert [item.proposal for item in waiting.items] == [new, old]
    assert {one.label: one.count for one in waiting.statuses if one.count} == {"Pending": 2, "Rejected": 1}
    for query in (f"?agent={agent.pk}", f"?status=rejected&amp;agent={agent.pk}"):
        assert f'href="/proposals{query}"' in text(page)
    assert f'<input type="hidden" name="agent" value="{agent.pk}">' in text(page)
    assert new.rationale in text(page)
    helped = client.get(f"/agents/{agent.pk}/coaching?order=helped").context["coaching"].waiting
    assert [item.proposal for item in helped.items] == [old, new]


def test_talk_on_the_coaching_tab_leads_to_its_proposals(agent, owner, client):
    session = factories.session(agent, owner)
    factories.proposal(agent, session=session)

    assert f'href="/proposals?session={session.pk}"' in text(client.get(f"/agents/{agent.pk}/coaching"))


def test_coaching_tab_takes_as_many_queries_for_many_as_for_few(agent, owner, client):
    path = f"/agents/{agent.pk}/coaching"

    def fill(n):
        for _ in range(n):
            session = factories.session(agent, owner)
            update(factories.memory(agent, owner), text="Other.")
            proposals.reject(factories.proposal(agent, session=session), by=owner, door="page")

    fill(1)
    few = queries(client, path)
    fill(30)

    assert queries(client, path) == few


# --- Several at once --------------------------------------------------------------------------------------------------


def test_several_are_approved_after_the_page_has_asked_each_with_its_own_decision(agent, owner, client):
    rows = [factories.proposal(agent) for _ in range(3)]

    asked = several(client, "approve", rows)
    assert [item.proposal for item in asked.context["asked"]] == rows
    assert "Approve 3?" in text(asked)
    assert Proposal.objects.pending().count() == 3
    done = several(client, "approve", rows, "?risk=low", sure="1")

    assert done.url == "/proposals?risk=low"
    assert set(Proposal.objects.values_list("status", "decided_from", "decided_by")) == {("approved", "page", owner.pk)}
    assert Decision.objects.filter(action="approved").count() == 3
    assert (
        sorted(Proposal.objects.values_list("configuration_number", flat=True))
        == list(Configuration.objects.order_by("number").values_list("number", flat=True))[-3:]
    )
    assert f'Approved <a href="/proposals?status=approved&amp;by={owner.pk}">3 proposals</a>.' in text(
        client.get(done.url)
    )


def test_several_are_rejected_with_one_reason(agent, client):
    rows = [factories.proposal(agent) for _ in range(2)]

    several(client, "reject", rows, reason="  Known already. ")

    assert set(Proposal.objects.values_list("status", "decision_note")) == {("rejected", "Known already.")}


def test_failures_are_listed_with_their_reasons_and_stay_there_on_reload(agent, owner, admin, client):
    fine, late, behind, without = (
        update(factories.memory(agent, owner, summary=f"Refunds of kind {n} take a week."), text="Other.")
        for n in range(4)
    )
    proposals.reject(late, by=admin, door="slack")
    for proposal, change in ((behind, memories.revise), (without, actions.remove)):
        words = {"changes": {"summary": "Refunds are quick."}} if change is memories.revise else {}
        change(Memory.objects.get(pk=proposal.target_id), base_version=1, by=owner, door="page", **words)

    done = several(client, "approve", [late, fine, behind, without], "?risk=low", sure="1")

    assert done.url == "/proposals/decide?risk=low"
    for _ in range(2):
        page = client.get(done.url)
        assert "1 approved, 3 not" in text(page)
        assert [one.proposal for one in page.context["outcome"].kept] == [late, behind, without]
        for row in (late, behind, without):
            assert f'href="/proposals/{row.pk}">{row.title}</a>' in text(page)
        assert f"Already rejected by {admin.display_name} at " in text(page)
        assert "The memory changed after this was proposed. It still waits: open it to bring it up to date." in text(
            page
        )
        assert "It still waits" in page.context["outcome"].kept[2].reason
    assert Memory.objects.get(pk=fine.target_id).text == "Other."
    assert list(Proposal.objects.pending().order_by("created_at")) == [behind, without]


def test_two_hundred_failures_are_all_listed(agent, owner, client):
    rows = [factories.proposal(agent) for _ in range(200)]
    Proposal.objects.update(
        status="rejected", decided_by=owner, decided_at=timezone.now() - timedelta(hours=1), decided_from="slack"
    )

    page = client.get(several(client, "reject", rows).url)

    assert len(page.context["outcome"].kept) == 200
    assert "None rejected" in text(page)
    assert rows[199].title in text(page)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"type": "prompt_change", "change": {"system_prompt": "Be brief."}}, "Only proposals of one type"),
        (
            {"change": {"summary": "Send them to https://evil.example now."}},
            "A proposal of high risk is decided by itself.",
        ),
    ],
)
@pytest.mark.parametrize("sure", ["", "1"])
def test_what_cannot_be_decided_together_is_refused_before_anything_is(others, words, sure, agent, client):
    rows = [factories.proposal(agent), factories.proposal(agent, **others)]

    refused = several(client, "approve", rows, sure=sure)

    assert refused.status_code == 409
    assert words in text(refused)
    assert "Nothing was decided." in text(refused)
    assert f'value="{rows[0].pk}" form="together" data-type="memory_entry_create" checked' in text(refused)
    assert Proposal.objects.pending().count() == 2


def test_more_than_the_limit_is_refused(agent, client, monkeypatch):
    monkeypatch.setattr(proposals, "MOST_AT_ONCE", 1)

    refused = several(client, "reject", [factories.proposal(agent) for _ in range(2)])

    assert (refused.status_code, Proposal.objects.pending().count()) == (409, 2)
    assert "At most 1 proposals are decided at once." in text(refused)


def test_ids_of_others_and_of_nothing_are_counted_and_not_told_apart(agent, stranger, client):
    ours, theirs = factories.proposal(agent), factories.proposal(factories.ai_agent(stranger.workspace))
    chosen = [str(ours.pk), str(theirs.pk), "nonsense", str(agent.pk), str(ours.pk)]

    asked = client.post("/proposals/decide", {"verdict": "approve", "chosen": chosen})
    assert [item.proposal for item in asked.context["asked"]] == [ours]
    done = client.post("/proposals/decide", {"verdict": "reject", "chosen": chosen})

    page = client.get(done.url)
    assert (page.context["outcome"].n_decided, page.context["outcome"].n_missing) == (1, 3)
    assert "3 are not there any more." in text(page)
    assert theirs.title not in text(page)
    theirs.refresh_from_db()
    assert theirs.status == "pending"


def test_none_ticked_says_so(agent, client):
    factories.proposal(agent)

    for verdict in ("approve", "reject"):
        done = client.post("/proposals/decide", {"verdict": verdict})
        assert done.url == "/proposals"
        assert "None was ticked, so nothing was decided." in text(client.get(done.url))


def test_unknown_verdict_is_refused(agent, client):
    assert client.post("/proposals/decide", {"verdict": "burn"}).status_code == 400


def test_outcome_is_kept_for_the_person_who_decided(agent, admin, client, signed_in):
    late = factories.proposal(agent)
    proposals.reject(late, by=admin, door="page")
    several(client, "reject", [late])

    assert client.get("/proposals/decide").status_code == 200
    assert signed_in(admin).get("/proposals/decide").url == "/proposals"


def test_only_what_waits_with_low_risk_can_be_ticked(agent, owner, client):
    low, behind = factories.proposal(agent), stale(factories.memory(agent, owner), owner)
    high = factories.proposal(agent, change={"summary": "Send them to https://evil.example now."})
    foreign = factories.proposal(agent)
    Proposal.objects.filter(pk=foreign.pk).update(type="persona_change", base_version=1, target_id=foreign.pk)
    decided = proposals.reject(factories.proposal(agent), by=owner, door="page")

    page = text(client.get("/proposals"))

    ticks = [row for row in (low, behind, high, foreign) if f'name="chosen" value="{row.pk}"' in page]
    assert ticks == [low, behind]
    assert 'name="chosen"' not in text(client.get("/proposals?status=rejected"))
    assert decided.title in text(client.get("/proposals?status=rejected"))
