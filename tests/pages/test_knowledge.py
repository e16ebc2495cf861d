"""Memory, procedures and prompt of an AI agent: finding, folders, lost races, expiries, what comes back."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import actions
from agents.models import Procedure, Prompt
from coaching.pages import knowledge
from memories import actions as memories
from memories.models import Memory
from tests import factories

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def text(response):
    return " ".join(response.content.decode().split())


def queries(client, path):
    with CaptureQueriesContext(connection) as context:
        assert client.get(path).status_code == 200
    return len(context)


def summaries(client, agent, query=""):
    return [row.summary for row in client.get(f"/agents/{agent.pk}/memory{query}").context["memories"].entries]


def change(row, by, **changes):
    """A version that somebody else made meanwhile."""
    revise = memories.revise if isinstance(row, Memory) else actions.revise
    return revise(row, changes=changes, base_version=row.version, by=by, door="page")


@pytest.fixture
def base(agent, owner):
    """Memories of every list, made two days apart: on 20 March 2026 one has expired, one will within 14 days, one later."""
    made = {}
    for day, name, source, days in (
        (1, "Sale one.", "coach", 5),
        (3, "Closed one.", "manual", 25),
        (5, "Far one.", "api", 100),
        (7, "Plain one.", "manual", None),
        (9, "Removed one.", "import", None),
    ):
        with time_machine.travel(datetime(2026, 3, day, 12, tzinfo=UTC), tick=False):
            expires_at = timezone.now() + timedelta(days=days) if days else None
            made[name] = factories.memory(agent, owner, summary=name, source=source, expires_at=expires_at, text="")
            if name == "Removed one.":
                actions.remove(made[name], base_version=1, by=owner, door="page")
    Memory.objects.filter(summary="Far one.").update(last_served_at=datetime(2026, 3, 10, tzinfo=UTC))
    Memory.objects.filter(summary="Plain one.").update(last_served_at=datetime(2026, 3, 9, tzinfo=UTC))
    with time_machine.travel(NOW, tick=False):
        yield made


# --- The Memory tab ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Plain one.", "Far one.", "Closed one.", "Sale one."]),
        ("?show=expiring", ["Closed one."]),
        ("?show=expired", ["Sale one."]),
        ("?show=unserved", ["Closed one.", "Sale one."]),
        ("?show=removed", ["Removed one."]),
        ("?source=manual", ["Plain one.", "Closed one."]),
        ("?source=import&show=removed", ["Removed one."]),
        ("?source=coach&show=removed", []),
        ("?order=expiring", ["Sale one.", "Closed one.", "Far one.", "Plain one."]),
        ("?order=served", ["Far one.", "Plain one."]),
        ("?show=expired&q=sale", ["Sale one."]),
        ("?show=expired&q=plain", []),
        ("?source=api&q=ONE+far", ["Far one."]),
        ("?q=plain", ["Plain one."]),
        ("?q=sale", []),
        ("?q=sale&order=changed", []),
        ("?q=sale&order=served", ["Sale one."]),
        ("?show=expired&order=expiring", ["Sale one."]),
        (
            "?show=nonsense&order=nonsense&source=nonsense&page=99",
            ["Plain one.", "Far one.", "Closed one.", "Sale one."],
        ),
    ],
)
def test_memories_are_narrowed_and_ordered_by_the_address(query, found, base, agent, owner, signed_in):
    told = summaries(signed_in(owner), agent, query)

    assert told[: len(found)] == found
    assert len(told) == len(found) or "order=served" in query


def test_lists_are_counted_within_the_source_and_chips_say_so(base, agent, owner, signed_in):
    client = signed_in(owner)

    def counts(query):
        found = client.get(f"/agents/{agent.pk}/memory{query}").context["memories"]
        return {name or "all": count for name, _, count, _ in found.lists}

    assert counts("") == {"all": 4, "expiring": 1, "expired": 1, "unserved": 2, "removed": 1}
    assert counts("?source=manual") == {"all": 2, "expiring": 1, "unserved": 1}


def test_entry_of_the_list_says_version_source_serving_and_expiry(base, agent, owner, signed_in):
    page = text(signed_in(owner).get(f"/agents/{agent.pk}/memory"))

    for words in (
        "version 1", "Written by hand", "Proposed by the coach", "last served 10 Mar", "never served", "does not expire",
        "Expired 6 Mar 2026, 12:00", "served until 28 Mar 2026, 12:00",
    ):  # fmt: skip
        assert words in page, words


def test_entry_is_listed_as_expiring_to_the_instant_it_expires(agent, owner, signed_in):
    with time_machine.travel(NOW, tick=False) as clock:
        factories.memory(agent, owner, summary="Sale.", expires_at=NOW + timedelta(days=14, seconds=1))

        def listed_as(**later):
            clock.move_to(NOW + timedelta(**later))
            return [name for name in ("expiring", "expired") if summaries(signed_in(owner), agent, f"?show={name}")]

        assert listed_as() == []
        assert listed_as(seconds=1) == ["expiring"]
        assert listed_as(days=14) == ["expiring"]
        assert listed_as(days=14, seconds=1) == ["expired"]


def test_removed_memory_is_restored_from_the_list(base, agent, owner, signed_in):
    client, gone = signed_in(owner), base["Removed one."]
    page = client.get(f"/agents/{agent.pk}/memory?show=removed").content.decode()
    assert f'action="/agents/{agent.pk}/memory/{gone.pk}/restore"' in page

    client.post(f"/agents/{agent.pk}/memory/{gone.pk}/restore")

    assert Memory.objects.get(pk=gone.pk).version == 3
    assert summaries(client, agent, "?show=removed") == []


def test_memory_removed_twice_is_listed_once_with_its_last_version(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="First.")
    actions.remove(memory, base_version=1, by=owner, door="page")
    back = actions.restore(Memory, memory.pk, by=owner, door="page")
    change(back, owner, summary="Second.")
    actions.remove(back, base_version=4, by=owner, door="page")

    assert summaries(signed_in(owner), agent, "?show=removed") == ["Second."]


def test_memories_are_paged_and_pages_keep_what_was_asked(agent, owner, signed_in):
    for number in range(knowledge.PAGE_SIZE + 2):
        factories.memory(agent, owner, summary=f"Fact {number}.", text="x" * 300)

    last = (
        signed_in(owner).get(f"/agents/{agent.pk}/memory?source=manual&order=served&q=fact&page=99").context["memories"]
    )

    assert (last.n_found, last.n_pages, last.question.page, len(last.entries)) == (52, 2, 2, 2)
    assert last.previous_page == "?q=fact&source=manual&order=served"


@pytest.mark.parametrize(
    "query", ["", "?q=refunds", "?q=refunds&show=unserved", "?show=expiring", "?show=removed", "?order=served"]
)
def test_memory_tab_takes_as_many_queries_for_eight_as_for_one(query, agent, owner, signed_in):
    client, path = signed_in(owner), f"/agents/{agent.pk}/memory{query}"

    def fill(n):
        for _ in range(n):
            factories.memory(agent, owner, expires_at=timezone.now() + timedelta(days=3))
            actions.remove(factories.memory(agent, owner), base_version=1, by=owner, door="page")

    fill(1)
    few = queries(client, path)
    fill(7)

    assert queries(client, path) == few


def test_empty_lists_say_why(agent, owner, signed_in):
    client = signed_in(owner)

    assert "No memories yet" in text(client.get(f"/agents/{agent.pk}/memory"))
    assert "No memory fits what is chosen above" in text(client.get(f"/agents/{agent.pk}/memory?show=expired"))
    assert "The agent would be served nothing" in text(client.get(f"/agents/{agent.pk}/memory?q=refund"))
    assert "No procedures yet" in text(client.get(f"/agents/{agent.pk}/procedures"))
    assert "No procedure fits" in text(client.get(f"/agents/{agent.pk}/procedures?show=active&q=refund"))


# --- Procedures -------------------------------------------------------------------------------------------------------


def listed(client, agent, query=""):
    found = client.get(f"/agents/{agent.pk}/procedures{query}").context["procedures"]
    return [(folder.name, [one.name for one in folder.procedures]) for folder in found.folders]


def test_procedures_stand_in_their_folders_and_those_without_one_first(agent, owner, signed_in):
    for name, folder in (("b", "Refunds"), ("Alone", ""), ("A", "Refunds"), ("c", "parcels")):
        factories.procedure(agent, owner, name=name, folder=folder)
    client = signed_in(owner)

    assert listed(client, agent) == [("", ["Alone"]), ("parcels", ["c"]), ("Refunds", ["A", "b"])]
    assert '<option value="Refunds">' in text(client.get(f"/agents/{agent.pk}/procedures/new"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?show=active", ["Used"]),
        ("?show=inactive", ["Unused"]),
        ("?show=removed", ["Gone"]),
        ("?q=USED", ["Unused", "Used"]),
        ("?q=charged", ["Unused"]),
        ("?q=shelf", ["Used"]),
        ("?q=money", ["Used"]),
        ("?q=charged&show=active", []),
        ("?q=gone&show=removed", ["Gone"]),
    ],
)
def test_procedures_are_found_by_name_trigger_steps_folder_and_use(query, found, agent, owner, signed_in):
    factories.procedure(agent, owner, name="Used", trigger="Asked", content="1. The shelf.", folder="Money")
    factories.procedure(agent, owner, name="Unused", trigger="Charged twice", content="1. Look.", active=False)
    actions.remove(factories.procedure(agent, owner, name="Gone"), base_version=1, by=owner, door="page")

    assert sorted(name for _, names in listed(signed_in(owner), agent, query) for name in names) == found


def test_folder_is_a_versioned_field_of_the_form(agent, owner, signed_in):
    client, base = signed_in(owner), f"/agents/{agent.pk}/procedures"
    typed = {"name": "Refund", "trigger": "Asked", "content": "1. Look.", "active": "on", "folder": "Money"}

    client.post(f"{base}/new", typed)
    procedure = Procedure.objects.get()
    client.post(f"{base}/{procedure.pk}/edit", {**typed, "folder": "Parcels", "base_version": 1})

    page = client.get(f"{base}/{procedure.pk}?from=1&to=2")
    assert [(c.field, c.old, c.new) for c in page.context["entry"].changes] == [("folder", "Money", "Parcels")]
    client.post(f"{base}/{procedure.pk}/bring-back", {"version": 1, "base_version": 2})
    procedure.refresh_from_db()
    assert (procedure.version, procedure.folder) == (3, "Money")


def test_procedures_tab_takes_as_many_queries_for_eight_as_for_one(agent, owner, signed_in):
    client, path = signed_in(owner), f"/agents/{agent.pk}/procedures"
    factories.procedure(agent, owner, folder="One")
    few = queries(client, path), queries(client, f"{path}?q=look")
    for number in range(7):
        factories.procedure(agent, owner, folder=f"Folder {number}")

    assert (queries(client, path), queries(client, f"{path}?q=look")) == few


# --- What is refused, beside its field --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "typed", "field", "words"),
    [
        ("procedures/new", {"name": "", "content": "1."}, "name", "cannot be blank"),
        ("procedures/new", {"name": "n" * 201, "content": "1."}, "name", "at most 200 characters"),
        ("procedures/new", {"name": "New", "content": ""}, "content", "cannot be blank"),
        ("procedures/new", {"name": "New", "content": "c" * 50_001}, "content", "at most 50000 characters"),
        (
            "procedures/new",
            {"name": "New", "content": "1.", "trigger": "t" * 2_001},
            "trigger",
            "at most 2000 characters",
        ),
        ("procedures/new", {"name": "New", "content": "1.", "folder": "f" * 101}, "folder", "at most 100 characters"),
        (
            "prompt/edit",
            {"system_prompt": "p" * 50_001, "base_version": 1},
            "system_prompt",
            "at most 50000 characters",
        ),
        (
            "memory/new",
            {"summary": "One. Two. Three."},
            "summary",
            "A summary is one sentence; the rest belongs in the text.",
        ),
        ("memory/new", {"summary": "Fine.", "reason": "r" * 301}, "reason", "at most 300 characters"),
    ],
)
def test_refusal_stands_beside_its_field_and_keeps_what_was_typed(page, typed, field, words, agent, owner, signed_in):
    response = signed_in(owner).post(f"/agents/{agent.pk}/{page}", typed)

    form = response.context["form"]
    assert response.status_code == 400
    assert list(form.errors) == [field]
    assert words in " ".join(form.errors[field])
    assert form[field].value() == typed[field]
    assert f'id="id_{field}_error"' in text(response)
    assert Prompt.objects.get(agent=agent).version == 1


def test_name_that_is_taken_is_said_beside_it(agent, owner, signed_in):
    factories.procedure(agent, owner, name="Refund")

    taken = signed_in(owner).post(f"/agents/{agent.pk}/procedures/new", {"name": "refund", "content": "1."})

    assert taken.context["form"].errors == {"name": ["This agent has a procedure with that name already."]}


def test_everything_that_is_wrong_is_said_at_once(agent, owner, signed_in):
    typed = {"summary": "One. Two.", "text": "x" * 50_001, "expires_at": "soon", "reason": "r" * 301}
    client = signed_in(owner)

    refused = client.post(f"/agents/{agent.pk}/memory/new", typed).context["form"].errors
    assert {field: len(told) for field, told in refused.items()} == {
        "summary": 1, "text": 1, "expires_at": 1, "reason": 1,
    }  # fmt: skip
    typed = {"name": "", "content": "", "folder": "f" * 101}
    assert set(client.post(f"/agents/{agent.pk}/procedures/new", typed).context["form"].errors) == set(typed)


def test_length_stands_below_a_text_as_the_server_counts_it(agent, owner, signed_in):
    client, path = signed_in(owner), f"/agents/{agent.pk}/prompt/edit"

    n = len(agent.prompt.system_prompt)
    assert f"{n} of 50,000 characters, about {-(-n // 4)} tokens" in text(client.get(path))
    over = client.post(path, {"system_prompt": "é\r\n" * 25_001, "base_version": 1})
    assert "50,002 of 50,000 characters" in text(over)


# --- Lost races -------------------------------------------------------------------------------------------------------


def test_edits_that_do_not_touch_are_offered_put_together(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.", text="Every day.\nThe shop is here.")
    change(memory, admin, text="Every weekday.\nThe shop is here.")
    path = f"/agents/{agent.pk}/memory/{memory.pk}/edit"
    typed = {
        "summary": "Open till eight.",
        "text": "Every day.\r\nThe shop is there.",
        "base_version": 1,
        "reason": "Why",
    }

    lost = signed_in(owner).post(path, typed)

    form = lost.context["form"]
    content = {name: form[name].value() for name in ("summary", "text", "base_version", "reason")}
    assert lost.status_code == 409
    assert content == {
        "summary": "Open till eight.",
        "text": "Every weekday.\nThe shop is there.",
        "base_version": 2,
        "reason": "Why",
    }
    assert "Your words and theirs do not touch" in text(lost)
    panes = {pane.field: (pane.base, pane.current, pane.proposed) for pane in lost.context["race"].panes}
    assert panes["text"][2] == "Every day.\nThe shop is there."
    memory.refresh_from_db()
    assert memory.version == 2
    signed_in(owner).post(path, content)
    memory.refresh_from_db()
    assert (memory.version, memory.summary, memory.text) == (
        3,
        "Open till eight.",
        "Every weekday.\nThe shop is there.",
    )


def test_edits_that_touch_keep_what_was_typed_and_name_the_field(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.", text="Every day.")
    change(memory, admin, summary="Open till seven.", text="Every weekday.")

    lost = signed_in(owner).post(
        f"/agents/{agent.pk}/memory/{memory.pk}/edit",
        {"summary": "Open till eight.", "text": "Every day.", "base_version": 1},
    )

    form = lost.context["form"]
    assert (form["summary"].value(), form["text"].value()) == ("Open till eight.", "Every weekday.")
    assert lost.context["race"].touching == ("Summary",)
    assert "both where they do not touch; Summary: as you typed it" in text(lost)


def test_lost_race_of_the_prompt_shows_three_values_and_puts_lines_together(agent, owner, admin, signed_in):
    prompt = agent.prompt
    before = prompt.system_prompt
    change(prompt, admin, system_prompt=before.replace("200 €", "300 €"))
    typed = before.replace("You help", "You always help").replace("\n", "\r\n")

    lost = signed_in(owner).post(f"/agents/{agent.pk}/prompt/edit", {"system_prompt": typed, "base_version": 1})

    (pane,) = lost.context["race"].panes
    both = before.replace("You help", "You always help").replace("200 €", "300 €")
    assert (lost.status_code, lost.context["form"]["system_prompt"].value()) == (409, both)
    assert (pane.base, pane.current, pane.proposed) == (
        before, before.replace("200 €", "300 €"), before.replace("You help", "You always help"),
    )  # fmt: skip


def test_lost_race_of_a_procedure_keeps_the_box_as_it_was_ticked(agent, owner, admin, signed_in):
    procedure = factories.procedure(agent, owner, name="Refund", content="1. Look.", trigger="Asked")
    change(procedure, admin, content="1. Look.\n2. Wait.")

    lost = signed_in(owner).post(
        f"/agents/{agent.pk}/procedures/{procedure.pk}/edit",
        {"name": "Refund", "content": "1. Look.", "trigger": "Asked", "base_version": 1},
    )

    form = lost.context["form"]
    assert lost.status_code == 409
    assert (form["active"].value(), form["content"].value()) == (False, "1. Look.\n2. Wait.")


def test_edit_against_a_version_that_never_was_overwrites_nothing_unseen(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.")

    lost = signed_in(owner).post(
        f"/agents/{agent.pk}/memory/{memory.pk}/edit", {"summary": "Other.", "text": "", "base_version": 7}
    )

    assert (lost.status_code, lost.context["form"]["summary"].value()) == (409, "Other.")
    assert lost.context["race"].merged is False
    memory.refresh_from_db()
    assert memory.version == 1


@pytest.mark.parametrize("kind", ["memory", "procedures"])
def test_what_was_typed_about_something_removed_is_kept_and_can_be_restored_with_it(
    kind, agent, owner, admin, signed_in
):
    made = {"memory": factories.memory, "procedures": factories.procedure}[kind](agent, owner)
    actions.remove(made, base_version=1, by=admin, door="page")
    typed = {
        "memory": {"summary": "Open till eight.", "text": "New.", "base_version": 1},
        "procedures": {"name": "New name", "content": "2. New.", "active": "on", "base_version": 1},
    }[kind]
    client, path = signed_in(owner), f"/agents/{agent.pk}/{kind}/{made.pk}/edit"

    lost = client.post(path, typed)

    assert lost.status_code == 409
    assert "It was removed while you were typing." in text(lost)
    assert lost.context["form"].changes.items() >= {k: v for k, v in typed.items() if v not in (1, "on")}.items()
    assert not type(made).objects.filter(pk=made.pk).exists()
    client.post(path, {**typed, "restore": "1"})
    back = type(made).objects.get(pk=made.pk)
    assert (back.version, str(back)) == (3, "Open till eight." if kind == "memory" else "New name")


def test_restoring_with_words_that_are_refused_says_so_beside_the_field(agent, owner, signed_in):
    memory = factories.memory(agent, owner)
    actions.remove(memory, base_version=1, by=owner, door="page")

    response = signed_in(owner).post(
        f"/agents/{agent.pk}/memory/{memory.pk}/edit", {"summary": "One. Two. Three.", "restore": "1"}
    )

    assert (response.status_code, list(response.context["form"].errors)) == (400, ["summary"])
    assert not Memory.objects.exists()


def test_edit_of_what_never_was_is_not_there(agent, owner, signed_in):
    other = factories.memory(factories.ai_agent(owner.workspace), owner)
    actions.remove(other, base_version=1, by=owner, door="page")

    for tail in ("edit", "remove", "bring-back", "restore"):
        path = f"/agents/{agent.pk}/memory/{other.pk}/{tail}"
        assert signed_in(owner).post(path, {"summary": "x", "restore": "1", "version": 1}).status_code == 404


def test_removing_what_was_changed_shows_what_changed(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.")
    change(memory, admin, summary="Open till seven.")

    lost = signed_in(owner).post(f"/agents/{agent.pk}/memory/{memory.pk}/remove", {"base_version": 1})

    assert lost.status_code == 409
    assert [(c.field, c.old, c.new) for c in lost.context["refused"].since] == [
        ("summary", "Open till six.", "Open till seven.")
    ]
    assert 'name="base_version" value="2"' in text(lost)  # what it would be removed against now


def test_removing_or_bringing_back_what_is_removed_leads_to_it(agent, owner, signed_in):
    memory, client = factories.memory(agent, owner), signed_in(owner)
    actions.remove(memory, base_version=1, by=owner, door="page")
    path = f"/agents/{agent.pk}/memory/{memory.pk}"

    assert "It was removed already" in text(client.post(f"{path}/remove", {"base_version": 1}, follow=True))
    back = client.post(f"{path}/bring-back", {"version": 1, "base_version": 1}, follow=True)
    assert "Restore it first" in text(back)
    assert back.context["entry"].is_removed


def test_bringing_back_over_somebody_elses_change_shows_three_values(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="First.")
    change(memory, owner, summary="Second.")
    change(memory, admin, summary="Third.")

    lost = signed_in(owner).post(f"/agents/{agent.pk}/memory/{memory.pk}/bring-back", {"version": 1, "base_version": 2})

    assert lost.status_code == 409
    assert [(p.base, p.current, p.proposed) for p in lost.context["refused"].panes] == [("Second.", "Third.", "First.")]
    assert "<h4>Version 1</h4>" in text(lost)


# --- Expiry -----------------------------------------------------------------------------------------------------------


def in_berlin(owner):
    owner.workspace.time_zone = "Europe/Berlin"
    owner.workspace.save_without_historical_record()


def test_rule_of_the_expiry_stands_in_the_form_with_the_time_zone(agent, owner, signed_in):
    in_berlin(owner)

    page = text(signed_in(owner).get(f"/agents/{agent.pk}/memory/new"))

    assert "Served until that instant, in Europe/Berlin; stored in UTC." in page
    assert "Afterwards the agent is not given it any more; the entry stays." in page


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("2027-03-28T02:30", "02:30 does not exist on 28 Mar 2027 in Europe/Berlin"),
        ("2027-10-31T02:30", "02:30 comes twice on 31 Oct 2027 in Europe/Berlin"),
        ("2027-13-31T02:30", "Give a date and a time"),
        ("2026-03-20T12:59", "An expiry lies ahead."),
        ("2037-03-20T12:59", "An expiry lies within ten years."),
        ("9999-12-31T23:59", "An expiry lies within ten years."),
    ],
)
def test_expiry_that_cannot_be_is_said_beside_its_field(typed, words, agent, owner, signed_in):
    in_berlin(owner)
    with time_machine.travel(NOW, tick=False):
        response = signed_in(owner).post(f"/agents/{agent.pk}/memory/new", {"summary": "Sale.", "expires_at": typed})

    assert response.status_code == 400
    assert words in " ".join(response.context["form"].errors["expires_at"])
    assert response.context["form"]["expires_at"].value() == typed


@pytest.mark.parametrize("typed", ["2027-03-28T01:30", "2027-03-28T03:00", "2027-10-31T01:59", "2027-10-31T03:00"])
def test_expiry_beside_the_change_of_the_clocks_is_stored_in_utc(typed, agent, owner, signed_in):
    in_berlin(owner)
    with time_machine.travel(NOW, tick=False):
        signed_in(owner).post(f"/agents/{agent.pk}/memory/new", {"summary": "Sale.", "expires_at": typed})

    expires_at = Memory.objects.get().expires_at
    assert expires_at.utcoffset() == timedelta(0)
    assert expires_at.astimezone(owner.workspace.zone).strftime("%Y-%m-%dT%H:%M") == typed


def test_edit_leaves_an_expiry_in_the_hour_that_comes_twice_as_it_was(agent, owner, signed_in):
    in_berlin(owner)
    second = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)  # the later of the two 02:30
    with time_machine.travel(NOW, tick=False):
        memory = factories.memory(agent, owner, expires_at=second)
        client, path = signed_in(owner), f"/agents/{agent.pk}/memory/{memory.pk}/edit"
        shown = client.get(path).content.decode()
        assert 'value="2027-10-31T02:30"' in shown

        client.post(path, {"summary": "Other.", "text": "", "expires_at": "2027-10-31T02:30", "base_version": 1})

    memory.refresh_from_db()
    assert (memory.version, memory.expires_at) == (2, second)


@time_machine.travel(datetime(2026, 5, 4, 9, tzinfo=UTC), tick=False)
def test_change_of_an_expiry_is_told_in_local_times_and_kept_in_history(agent, owner, signed_in):
    in_berlin(owner)
    memory = factories.memory(agent, owner, expires_at=datetime(2027, 1, 31, 17, tzinfo=UTC))
    change(memory, owner, expires_at=datetime(2027, 7, 31, 16, tzinfo=UTC))

    page = text(signed_in(owner).get(f"/agents/{agent.pk}/memory/{memory.pk}?from=1&to=2"))

    assert "31 Jan 2027, 18:00" in page
    assert "31 Jul 2027, 18:00" in page


def test_memory_that_expired_since_comes_back_and_says_so(agent, owner, signed_in):
    with time_machine.travel(NOW, tick=False) as clock:
        memory = factories.memory(agent, owner, expires_at=NOW + timedelta(days=1))
        kept = factories.memory(agent, owner, summary="Other.", expires_at=NOW + timedelta(days=1))
        actions.remove(memory, base_version=1, by=owner, door="page")
        change(kept, owner, expires_at=None)
        clock.move_to(NOW + timedelta(days=3))
        client = signed_in(owner)

        restored = text(client.post(f"/agents/{agent.pk}/memory/{memory.pk}/restore", follow=True))
        back = client.post(
            f"/agents/{agent.pk}/memory/{kept.pk}/bring-back", {"version": 1, "base_version": 2}, follow=True
        )

        assert "Restored, as version 3. It expired on 21 Mar 2026, 12:00, so the agent is not given it." in restored
        assert "Version 1 is back, as version 3. It expired on 21 Mar 2026, 12:00" in text(back)
        assert Memory.objects.served().count() == 0
        assert Memory.objects.count() == 2
        edited = client.post(
            f"/agents/{agent.pk}/memory/{kept.pk}/edit", {"summary": "Other.", "text": "", "base_version": 3}
        )
        assert edited.status_code == 302
        assert Memory.objects.served().get() == kept
