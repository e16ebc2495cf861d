"""The "Check memories" page: near pairs and what to do about them, the regular look, what is refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Door
from coaching.actions import hygiene, proposals
from coaching.models import Proposal
from memories import actions as memories
from memories.models import KeptPair, Memory
from tests import factories
from tests.pages.test_agent import queries, text

pytestmark = pytest.mark.django_db


def address(agent, rest=""):
    return f"/agents/{agent.pk}/memory/check{rest}"


def two(agent, owner, first="Refunds take 5 days.", second="Refunds take 3 days."):
    """Two memories that contradict each other, the older one first."""
    return factories.memory(agent, owner, summary=first, text=""), factories.memory(
        agent, owner, summary=second, text=""
    )


def read(memory):
    return f"{memory.pk}:{memory.version}"


def press(client, agent, do, first, second, **more):
    body = {"do": do, "first": read(first), "second": read(second), **more}
    return client.post(address(agent, "/pair"), body, follow=True)


def aged(memory, **fields):
    Memory.objects.filter(pk=memory.pk).update(**fields)
    return memory


# --- Near pairs -------------------------------------------------------------------------------------------------------


def test_empty_memory_base_says_so(agent, owner, signed_in):
    assert "There are no memories yet." in text(signed_in(owner).get(address(agent)))


def test_pair_stands_with_both_texts_its_relation_and_the_reason_marked(agent, owner, signed_in):
    two(agent, owner)

    shown = text(signed_in(owner).get(address(agent)))

    assert "Contradict each other" in shown
    assert "1 pair: 1 is in contradiction." in shown
    assert "“3 days” against “5 days”" in shown
    assert 'Refunds take <mark class="near-word">5 days</mark>.' in shown
    assert 'Refunds take <mark class="near-word">3 days</mark>.' in shown


def test_most_serious_pairs_come_first_and_of_these_the_newest(agent, owner, signed_in):
    two(agent, owner)
    two(agent, owner, "The shop is open on Mondays.", "The shop is closed on Mondays.")
    two(agent, owner, "Gift cards are sent by email.", "A gift card is sent by email.")
    two(agent, owner, "The Basic plan includes chat support.", "The Premium plan includes chat support.")

    pairs = signed_in(owner).get(address(agent)).context["check"].pairs

    assert [(pair.verdict.relation, pair.first.memory.summary) for pair in pairs] == [
        ("contradiction", "The shop is closed on Mondays."),
        ("contradiction", "Refunds take 3 days."),
        ("duplicate", "A gift card is sent by email."),
        ("similar", "The Premium plan includes chat support."),
    ]


def test_expired_entries_contradict_nobody(agent, owner, signed_in):
    first, _ = two(agent, owner)
    aged(first, expires_at=timezone.now() - timedelta(days=1), updated_at=timezone.now())

    assert signed_in(owner).get(address(agent)).context["check"].pairs == []


def test_keeping_both_hides_the_pair_until_one_of_them_changes(agent, owner, signed_in):
    first, second = two(agent, owner)
    client = signed_in(owner)

    answer = press(client, agent, "keep-both", second, first)

    assert "Both are kept." in text(answer)
    assert answer.context["check"].pairs == []
    kept = KeptPair.objects.get()
    assert (kept.first.pk < kept.second.pk, kept.kept_by) == (True, owner)
    assert "Refunds take 5 days." in text(client.get(address(agent, "?show=kept")))
    memories.revise(first, changes={"text": "On weekdays."}, base_version=1, by=owner, door=Door.PAGE)
    check = client.get(address(agent)).context["check"]
    assert (len(check.pairs), check.lists[-1][2]) == (1, 0)


def test_kept_pair_is_shown_again_when_asked(agent, owner, signed_in):
    first, second = two(agent, owner)
    client = signed_in(owner)
    press(client, agent, "keep-both", first, second)
    kept = KeptPair.objects.get()

    answer = client.post(address(agent, "/kept"), {"kept": kept.pk, "show": "kept"}, follow=True)

    assert answer.context["check"].lists[0][2] == 1
    assert not KeptPair.objects.exists()


def test_replacing_proposes_to_remove_the_other_one_and_says_which_it_is(agent, owner, signed_in):
    first, second = two(agent, owner)

    answer = press(signed_in(owner), agent, "keep-second", second, first)

    made = Proposal.objects.get()
    assert (made.type, made.target_id, made.proposed_by) == ("memory_entry_delete", second.pk, owner)
    assert made.rationale == (
        "It is replaced by “Refunds take 5 days.”. The two contradict each other: “5 days” against “3 days”."
    )
    assert f'href="/proposals/{made.pk}"' in text(answer)
    assert Memory.objects.count() == 2


def test_pair_with_a_waiting_proposal_says_so_and_offers_nothing(agent, owner, signed_in):
    first, second = two(agent, owner)
    client = signed_in(owner)
    answer = press(client, agent, "keep-first", second, first)
    waits = Proposal.objects.get()

    assert "A proposal about one of the two waits" in text(answer)
    assert "Keep both" not in text(answer).replace("“Keep both”", "")

    again = press(client, agent, "keep-second", second, first)
    assert f'<a href="/proposals/{waits.pk}">a proposal about one of the two</a> waits' in text(again)
    assert Proposal.objects.count() == 1


@pytest.mark.parametrize("do", ["keep-both", "keep-first", "keep-second"])
def test_pair_that_changed_since_is_refused_with_words(do, agent, owner, signed_in):
    first, second = two(agent, owner)
    memories.revise(Memory.objects.get(pk=first.pk), changes={"text": "x"}, base_version=1, by=owner, door=Door.PAGE)

    answer = press(signed_in(owner), agent, do, second, first)

    assert "Nothing was done. One of them has been changed since you opened this page." in text(answer)
    assert not Proposal.objects.exists()
    assert not KeptPair.objects.exists()


def test_memory_of_another_agent_is_no_part_of_a_pair(agent, owner, signed_in):
    mine = factories.memory(agent, owner)
    theirs = factories.memory(factories.ai_agent(owner.workspace), owner)

    assert "has been removed" in text(press(signed_in(owner), agent, "keep-both", mine, theirs))
    path = address(agent, f"/merge?first={read(mine)}&second={read(theirs)}")
    assert signed_in(owner).get(path).status_code == 404


def test_memory_is_no_pair_with_itself(agent, owner, signed_in):
    mine = factories.memory(agent, owner)

    press(signed_in(owner), agent, "keep-both", mine, mine)

    assert not KeptPair.objects.exists()


@pytest.mark.parametrize("given", ["", "x", "x:1", "00000000-0000-0000-0000-000000000000:-1"])
def test_garbage_is_a_bad_request(given, agent, owner, signed_in):
    client = signed_in(owner)

    assert client.post(address(agent, "/pair"), {"do": "keep-both", "first": given, "second": given}).status_code == 400
    assert client.get(address(agent, f"/merge?first={given}&second={given}")).status_code == 400
    assert client.post(address(agent, "/entries"), {"do": "confirm", "entry": given}).status_code == 400
    assert client.post(address(agent, "/kept"), {"kept": given}).status_code == 400


# --- Merging ----------------------------------------------------------------------------------------------------------


def test_merge_begins_with_what_both_say_and_becomes_two_proposals(agent, owner, signed_in):
    old = factories.memory(agent, owner, summary="Refunds take 5 days.", text="Ask for the order number.")
    new = factories.memory(agent, owner, summary="Refunds take 3 days.", text="Never promise a date.")
    path = address(agent, f"/merge?first={read(new)}&second={read(old)}")
    client = signed_in(owner)

    form = client.get(path).context["form"]
    assert form.initial["summary"] == "Refunds take 3 days."
    assert form.initial["text"] == "Never promise a date.\n\nRefunds take 5 days.\n\nAsk for the order number."

    merged = {
        "summary": "Refunds take 3 days.",
        "text": "Ask for the number.\r\nNever promise a date.",
        "expires_at": "",
    }
    answer = client.post(path, merged, follow=True)

    update, delete = Proposal.objects.order_by("-type")
    assert (update.type, update.target_id, update.change["text"]) == (
        "memory_entry_update", new.pk, "Ask for the number.\nNever promise a date.",
    )  # fmt: skip
    assert (delete.type, delete.target_id) == ("memory_entry_delete", old.pk)
    assert "It takes in “Refunds take 5 days.”" in update.rationale
    assert "It is merged into “Refunds take 3 days.”" in delete.rationale
    assert "They wait for a decision." in text(answer)
    for proposal in (update, delete):
        proposals.approve(proposal, by=owner, door=Door.PAGE)
    assert [row.text for row in Memory.objects.all()] == ["Ask for the number.\nNever promise a date."]


def test_merge_that_changes_nothing_only_removes_the_other(agent, owner, signed_in):
    old, new = two(agent, owner)
    path = address(agent, f"/merge?first={read(new)}&second={read(old)}")

    signed_in(owner).post(path, {"summary": new.summary, "text": "", "expires_at": ""})

    assert [(p.type, p.target_id) for p in Proposal.objects.all()] == [("memory_entry_delete", old.pk)]


def test_merge_of_what_changed_meanwhile_keeps_what_was_typed(agent, owner, signed_in):
    old, new = two(agent, owner)
    path = address(agent, f"/merge?first={read(new)}&second={read(old)}")
    memories.revise(Memory.objects.get(pk=old.pk), changes={"text": "x"}, base_version=1, by=owner, door=Door.PAGE)

    answer = signed_in(owner).post(path, {"summary": "Refunds take 4 days.", "text": "", "expires_at": ""})

    assert answer.status_code == 409
    assert "One of the two was changed while you were typing." in text(answer)
    assert "Refunds take 4 days." in text(answer)
    assert f"second={old.pk}:2" in text(answer)
    assert not Proposal.objects.exists()


def test_merge_into_no_memory_is_refused_beside_the_field(agent, owner, signed_in):
    old, new = two(agent, owner)
    path = address(agent, f"/merge?first={read(new)}&second={read(old)}")

    answer = signed_in(owner).post(path, {"summary": "One. Two. Three.", "text": ""})

    assert answer.status_code == 400
    assert "A summary is one sentence" in text(answer)
    assert not Proposal.objects.exists()


# --- The regular look -------------------------------------------------------------------------------------------------


def test_lists_hold_what_expired_was_never_served_and_was_not_confirmed(agent, owner, signed_in):
    now = timezone.now()
    expired = aged(factories.memory(agent, owner, summary="Expired."), expires_at=now - timedelta(days=1))
    unserved = aged(factories.memory(agent, owner, summary="Unserved."), created_at=now - timedelta(days=31))
    aged(factories.memory(agent, owner, summary="Young."), created_at=now - timedelta(days=29))
    aged(
        factories.memory(agent, owner, summary="Served."),
        created_at=now - timedelta(days=31),
        last_served_at=now - timedelta(days=300),
    )
    aged(
        factories.memory(agent, owner, summary="Kept though unserved."),
        created_at=now - timedelta(days=31), checked_at=now - timedelta(days=1), checked_by=owner,
    )  # fmt: skip
    unchecked = aged(factories.memory(agent, owner, summary="Unchecked."), updated_at=now - timedelta(days=210))
    aged(
        factories.memory(agent, owner, summary="Confirmed."),
        updated_at=now - timedelta(days=200), checked_at=now - timedelta(days=100), checked_by=owner,
    )  # fmt: skip
    client = signed_in(owner)

    def listed(rest):
        return client.get(address(agent, rest)).context["check"].entries

    assert listed("?show=expired") == [expired]
    assert listed("?show=unserved") == [unserved]
    assert listed("?show=unchecked") == [unchecked]
    assert [row.summary for row in listed("?show=unchecked&months=3")] == ["Unchecked.", "Confirmed."]
    assert listed("?show=unchecked&months=12") == []
    assert [count for _, _, count, _ in client.get(address(agent)).context["check"].lists] == [0, 1, 1, 1, 0]


def test_still_true_takes_them_off_the_list_and_makes_no_version(agent, owner, signed_in):
    rows = [
        aged(factories.memory(agent, owner, summary=f"Fact {n}."), updated_at=timezone.now() - timedelta(days=400))
        for n in range(2)
    ]
    number = type(agent).objects.get(pk=agent.pk).configuration_version

    answer = signed_in(owner).post(
        address(agent, "/entries"),
        {"do": "confirm", "show": "unchecked", "entry": [read(row) for row in rows]},
        follow=True,
    )

    assert "Noted: 2 memories still true, as of now." in text(answer)
    assert answer.context["check"].entries == []
    row = Memory.objects.get(pk=rows[0].pk)
    assert (row.version, row.checked_by, row.checked_at is not None) == (1, owner, True)
    assert type(agent).objects.get(pk=agent.pk).configuration_version == number


def test_entry_that_changed_since_is_not_confirmed(agent, owner, signed_in):
    row = factories.memory(agent, owner)
    memories.revise(Memory.objects.get(pk=row.pk), changes={"text": "x"}, base_version=1, by=owner, door=Door.PAGE)

    answer = signed_in(owner).post(address(agent, "/entries"), {"do": "confirm", "entry": read(row)}, follow=True)

    assert "1 memory had changed since you opened this page" in text(answer)
    assert Memory.objects.get(pk=row.pk).checked_at is None


def test_ticked_entries_are_proposed_to_be_removed_with_the_reason(agent, owner, signed_in):
    rows = [factories.memory(agent, owner, summary=f"Fact {n}.") for n in range(2)]
    waits = hygiene.propose_removals(agent, [hygiene.Read(rows[0].pk, 1)], reason="Old.", by=owner)[0][1]

    answer = signed_in(owner).post(
        address(agent, "/entries"),
        {"do": "remove", "show": "unchecked", "months": "12", "entry": [read(row) for row in rows]},
        follow=True,
    )

    made = Proposal.objects.exclude(pk=waits.pk).get()
    assert (made.type, made.target_id) == ("memory_entry_delete", rows[1].pk)
    assert made.rationale == "Nobody has changed it, or said that it is still true, for 12 months."
    assert "1 memory not proposed." in text(answer)


def test_nothing_ticked_is_said(agent, owner, signed_in):
    answer = signed_in(owner).post(address(agent, "/entries"), {"do": "confirm", "show": "expired"}, follow=True)

    assert "tick the memories first" in text(answer)
    assert answer.context["check"].question.shown == "expired"


def test_too_many_at_once_are_refused(agent, owner, signed_in):
    entries = [f"{owner.workspace.agents.first().pk}:1"] * (hygiene.MOST_AT_ONCE + 1)

    answer = signed_in(owner).post(address(agent, "/entries"), {"do": "confirm", "entry": entries}, follow=True)

    assert "At most 200 at once." in text(answer)


# --- Who, and how much ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", ["pairs", "kept", "expired", "unserved", "unchecked"])
def test_number_of_queries_does_not_grow(show, agent, owner, signed_in):
    client, long_ago = signed_in(owner), timezone.now() - timedelta(days=400)

    def fill(n):
        for number in range(n):
            one, other = two(
                agent, owner, f"Refunds of kind {number} take 5 days.", f"Refunds of kind {number} take 3 days."
            )
            for row in (one, other):
                aged(
                    row,
                    created_at=long_ago,
                    updated_at=long_ago,
                    **({"expires_at": long_ago} if show == "expired" else {}),
                )
            if show == "kept":
                hygiene.keep_both(agent, hygiene.Read(one.pk, 1), hygiene.Read(other.pk, 1), by=owner)

    fill(1)
    few = queries(client, address(agent, f"?show={show}"))
    fill(29)

    assert queries(client, address(agent, f"?show={show}")) == few


def test_pages_of_pairs_are_turned(agent, owner, signed_in):
    for number in range(25):
        two(agent, owner, f"Parcel{number} is sent on day five.", f"Parcel{number} is not sent on day five.")
    client = signed_in(owner)

    first = client.get(address(agent)).context["check"]
    last = client.get(address(agent, "?page=99")).context["check"]

    assert (len(first.pairs), first.n_pages) == (20, last.n_pages)
    assert last.question.page == last.n_pages
    assert last.n_found == first.n_found >= 25


def test_agent_that_is_a_person_has_no_memories_to_check(owner, signed_in):
    assert signed_in(owner).get(address(factories.human(owner.workspace))).status_code == 404
