"""The pages of one agent: who sees them, what they say, and changes by hand to what an AI agent is told."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Procedure
from coaching.actions import proposals
from coaching.models import Proposal, Session, SessionConversation
from coaching.pages import history as history_page
from helpdesk import actions as helpdesk
from helpdesk import rows
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.pages.test_team import flag, rate, sample

TABS = (
    "",
    "/history",
    "/memory",
    "/memory/new",
    "/procedures",
    "/procedures/new",
    "/prompt",
    "/prompt/edit",
    "/coaching",
    "/settings",
)


def queries(client, path):
    with CaptureQueriesContext(connection) as context:
        assert client.get(path).status_code == 200
    return len(context)


def text(response):
    return " ".join(response.content.decode().split())


def rated(agent, number, value, closed_at=None):
    """A conversation with a rating, brought in as a script would."""
    closed_at = closed_at or timezone.now() - timedelta(days=1)
    ms = int(closed_at.timestamp() * 1000)
    body = {
        "source": "desk", "externalId": str(number), "agent": str(agent.pk), "closedAt": ms,
        "csat": {"value": value, "scale": "stars5", "ratedAt": ms},
    }  # fmt: skip
    row = rows.conversation_from_json(body, now=timezone.now())
    return helpdesk.upsert_conversation(agent.workspace, row)[0]


def talk_about_a_set(agent, owner, conversation):
    session = Session.objects.create(workspace=owner.workspace, agent=agent, started_by=owner, about="1 conversation")
    SessionConversation.objects.create(
        workspace=owner.workspace, session=session, conversation=conversation, position=0
    )
    return session


# --- Who sees what ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", TABS)
def test_leader_sees_every_page_and_nobody_else_does(tab, agent, admin, unlinked_member, stranger, signed_in):
    path = f"/agents/{agent.pk}{tab}"

    assert signed_in(admin).get(path).status_code == 200
    assert signed_in(stranger).get(path).status_code == 404
    assert signed_in(unlinked_member).get(path).status_code == 404
    assert Client().get(path).status_code == 302


def test_member_is_refused_their_own_agents_page_with_the_reason(linked_member, signed_in):
    response = signed_in(linked_member).get(f"/agents/{linked_member.agent_id}")

    assert response.status_code == 403
    assert "Only owners and admins" in text(response)


def test_person_has_overview_and_history_only(owner, signed_in):
    person, client = factories.human(owner.workspace), signed_in(owner)

    page = client.get(f"/agents/{person.pk}")

    assert [label for _, label in page.context["tabs"]] == ["Overview", "History"]
    for tab in ("/memory", "/procedures", "/prompt", "/coaching", "/settings"):
        assert client.get(f"/agents/{person.pk}{tab}").status_code == 404


# --- Overview and history ---------------------------------------------------------------------------------------------


def test_overview_says_the_level_with_its_ratings_and_the_flag(agent, owner, signed_in):
    rate(agent, score=84, n=1)
    flag(agent)
    factories.memory(agent, owner)

    page = text(signed_in(owner).get(f"/agents/{agent.pk}"))

    assert "84.0" in page
    assert "28 ratings" in page
    assert "In the last 5 weeks" in page
    assert 'configuration <span class="num">2</span>' in page


def test_overview_of_few_ratings_names_no_level(agent, owner, signed_in):
    rate(agent, n=1, days=3)

    assert "Only 3 ratings in the last 4 weeks: too few to name a level." in text(
        signed_in(owner).get(f"/agents/{agent.pk}")
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["3", "2", "1"]),
        ("?score=low", ["1"]),
        ("?score=middle", ["2"]),
        ("?score=high", ["3"]),
        ("?score=none", []),
        ("?q=2", ["2"]),
        ("?score=nonsense&after=nonsense&page=0", ["3", "2", "1"]),
    ],
)
def test_history_filters(query, found, agent, owner, signed_in):
    now = timezone.now()
    for number, value in ((1, 1), (2, 3), (3, 5)):
        rated(agent, number, value, now - timedelta(days=5 - number))

    page = signed_in(owner).get(f"/agents/{agent.pk}/history{query}")

    assert [row.conversation.external_id for row in page.context["history"].rows] == found


def test_history_filters_by_days_of_the_workspace(owner, agent, signed_in):
    workspace = owner.workspace
    workspace.time_zone = "Pacific/Auckland"
    workspace.save_without_historical_record()
    late = timezone.now().replace(hour=11, minute=30, second=0, microsecond=0) - timedelta(days=3)  # the next day there
    rated(agent, 1, 5, late)
    there = late.astimezone(workspace.zone).date()

    client = signed_in(owner)
    same = client.get(f"/agents/{agent.pk}/history?after={there}&before={there}").context["history"]
    before = client.get(f"/agents/{agent.pk}/history?before={there - timedelta(days=1)}").context["history"]

    assert (same.n_found, before.n_found) == (1, 0)


def test_addresses_that_mean_nothing_are_taken_as_not_given(agent, owner, signed_in):
    rated(agent, 1, 5)
    client = signed_in(owner)

    for query in (f"?agent={'z' * 36}", "?agent=%00", "?q=%00", "?page=99999999999", "?after=2026-13-99", "?score=%F0"):
        assert client.get(f"/conversations{query}").context["history"].n_found == 1
        assert client.get(f"/proposals{query}").status_code == 200
        assert client.get(f"/agents/{agent.pk}/memory{query}").status_code == 200
        assert client.get(f"/agents/{agent.pk}/prompt?from=1&to=999999999999{query[1:]}").status_code == 200


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize("name", ["after", "before"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("rated_only", ["", "&rated=1"])
def test_days_at_the_ends_of_the_calendar_break_no_history(zone, name, day, rated_only, agent, owner, signed_in):
    workspace = owner.workspace
    workspace.time_zone = zone
    workspace.save_without_historical_record()

    for page in ("/conversations", f"/agents/{agent.pk}/history"):
        assert signed_in(owner).get(f"{page}?{name}={day}{rated_only}").status_code == 200


def test_history_finds_samples_and_words_of_their_summaries(agent, owner, signed_in):
    sample(agent, summary="The invoice could not be split.", summary_state="captured")
    rated(agent, 7, 1)
    client = signed_in(owner)

    def found(query):
        return client.get(f"/agents/{agent.pk}/history{query}").context["history"].n_found

    assert (found(""), found("?flagged=1"), found("?q=INVOICE"), found("?q=parcel")) == (2, 1, 1, 0)
    sample(agent, summary="Closed after 9 turns.", summary_state="metadata")
    assert found("?q=turns") == 0  # it is not shown as a summary
    rated(agent, "Ticket-81", 1)
    assert [found(f"?q={begins}") for begins in ("ticket-8", "Ticket-81", "81")] == [1, 1, 0]
    assert (found("?q=ticket&score=low"), found("?q=ticket&flagged=1"), found("?score=low&flagged=1")) == (1, 0, 0)


def test_history_tells_the_talks_and_proposals_of_a_conversation_and_leads_to_them(agent, owner, signed_in):
    about, alone, in_set = (rated(agent, number, 3) for number in (1, 2, 3))
    for _ in range(2):
        session = factories.session(agent, owner, conversation=about)
    for number in range(3):
        factories.proposal(agent, session=session, change={"summary": f"Parcel {number}.", "text": ""})
    proposals.reject(Proposal.objects.first(), by=owner, door="page", reason="No.")
    factories.proposal(agent)
    of_set = talk_about_a_set(agent, owner, in_set)
    client = signed_in(owner)

    page = client.get(f"/agents/{agent.pk}/history")

    told = {row.conversation: (row.n_talks, row.n_proposals, row.in_set) for row in page.context["history"].rows}
    assert told == {about: (2, 3, None), alone: (0, 0, None), in_set: (0, 0, of_set.pk)}
    assert f'href="/conversations/{about.pk}#coach">2 talks</a>' in text(page)
    assert f'href="/coach/sessions/{of_set.pk}">in a set</a>' in text(page)
    assert f'href="/proposals?conversation={about.pk}">3 proposals</a>' in text(page)
    queue = client.get(f"/proposals?conversation={about.pk}").context["queue"]
    assert (queue.n_found, len(queue.items), queue.conversation) == (3, 3, about)
    assert {one.label: one.count for one in queue.statuses if one.count} == {"All": 3, "Pending": 2, "Rejected": 1}
    assert all("conversation=" in one.query for one in queue.statuses)
    some = client.get(f"/proposals?conversation={about.pk}&status=rejected").context["queue"]
    assert (some.n_found, some.items[0].proposal.status) == (1, "rejected")
    shown = client.get(f"/proposals/{some.items[0].proposal.pk}?conversation={about.pk}").context["queue"]
    assert shown.n_found == 3


def test_history_of_days_the_wrong_way_round_says_so_and_offers_the_right_one(agent, owner, signed_in):
    rated(agent, 1, 5)
    client, path = signed_in(owner), f"/agents/{agent.pk}/history"

    page = client.get(f"{path}?after=2999-12-31&before=2020-01-01&score=high")

    assert page.context["history"].n_found == 0
    assert "The first day comes after the last" in text(page)
    right = f"{path}?after=2020-01-01&amp;before=2999-12-31&amp;score=high"
    assert f'href="{right}"' in page.content.decode()
    assert client.get(right.replace("&amp;", "&")).context["history"].n_found == 1
    assert "The first day" not in text(client.get(f"{path}?after=2020-01-01&before=2020-01-01"))


def test_history_says_why_it_is_empty_and_what_is_not_known(agent, owner, signed_in):
    person = factories.human(owner.workspace)
    client = signed_in(owner)
    assert "then the coach can read them" in text(client.get(f"/agents/{agent.pk}/history"))
    assert "No conversations yet" in (page := text(client.get(f"/agents/{person.pk}/history")))
    assert "coach" not in page[page.index("No conversations yet") : page.index("</main>")]

    factories.conversation(agent, source="api", turn_count=None)
    factories.conversation(person)

    page = text(client.get(f"/agents/{agent.pk}/history"))
    assert [words in page for words in ("not rated", "none sent", "not asked")] == [True] * 3
    assert "not asked" not in text(client.get(f"/agents/{person.pk}/history"))
    assert "No conversation fits" in text(client.get(f"/agents/{agent.pk}/history?q=nothing&score=low&flagged=1"))


def test_history_of_many_pages_counts_all_and_keeps_its_filters(agent, owner, signed_in):
    for number in range(history_page.PAGE_SIZE + 3):
        rated(agent, number, 5)
    client, path = signed_in(owner), f"/agents/{agent.pk}/history"

    last = client.get(f"{path}?score=high&page=99").context["history"]

    assert (last.n_found, last.n_pages, last.question.page, len(last.rows)) == (53, 2, 2, 3)
    assert last.previous_page == "?score=high"
    assert client.get(f"{path}?score=low").context["history"].n_found == 0


def test_history_of_one_agent_leaves_out_the_others(agent, owner, signed_in):
    rated(factories.ai_agent(owner.workspace), 1, 5)

    assert signed_in(owner).get(f"/agents/{agent.pk}/history").context["history"].n_found == 0
    assert signed_in(owner).get("/conversations").context["history"].n_found == 1


def test_pages_take_as_many_queries_for_much_as_for_little(agent, owner, signed_in):
    client = signed_in(owner)
    paths = [f"/agents/{agent.pk}{tab}" for tab in ("", "/history", "/memory", "/procedures", "/prompt", "/coaching")]

    def fill(n):
        for _ in range(n):
            memory = factories.memory(agent, owner)
            factories.procedure(agent, owner)
            factories.proposal(agent)
            factories.proposal(agent, type="memory_entry_delete", change={}, target_id=memory.pk)
            conversation = rated(agent, Memory.objects.count(), 1)
            session = factories.session(agent, owner, conversation=conversation)
            factories.proposal(agent, session=session)
            talk_about_a_set(agent, owner, conversation)

    fill(1)
    few = [queries(client, path) for path in paths]
    fill(4)

    assert [queries(client, path) for path in paths] == few


# --- Memories ---------------------------------------------------------------------------------------------------------


def test_memory_is_written_edited_removed_and_restored_by_hand(agent, owner, signed_in):
    client, base = signed_in(owner), f"/agents/{agent.pk}/memory"

    client.post(f"{base}/new", {"summary": "Open till six.", "text": "Every day."})
    memory = Memory.objects.get()
    client.post(
        f"{base}/{memory.pk}/edit",
        {"summary": "Open till eight.", "text": "Every day.", "base_version": 1, "reason": "New hours"},
    )
    memory.refresh_from_db()
    assert (memory.version, memory.summary) == (2, "Open till eight.")
    page = client.get(f"{base}/{memory.pk}?from=1&to=2")
    assert [change.field for change in page.context["entry"].changes] == ["summary"]
    assert "New hours" in text(page)

    client.post(f"{base}/{memory.pk}/remove", {"base_version": 2})
    assert not Memory.objects.exists()
    assert [one.summary for one in client.get(f"{base}?show=removed").context["memories"].entries] == [
        "Open till eight."
    ]

    client.post(f"{base}/{memory.pk}/restore")
    assert Memory.objects.get(pk=memory.pk).version == 4


def test_older_version_is_brought_back_as_a_new_one(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.")
    memories.revise(memory, changes={"summary": "Open till eight."}, base_version=1, by=owner, door="page")

    signed_in(owner).post(f"/agents/{agent.pk}/memory/{memory.pk}/bring-back", {"version": 1, "base_version": 2})

    memory.refresh_from_db()
    assert (memory.version, memory.summary) == (3, "Open till six.")


def test_lost_race_shows_three_values_and_keeps_what_was_typed(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.")
    memories.revise(memory, changes={"summary": "Open till seven."}, base_version=1, by=admin, door="page")
    path = f"/agents/{agent.pk}/memory/{memory.pk}/edit"
    typed = {"summary": "Open till eight.", "text": memory.text, "base_version": 1}

    lost = signed_in(owner).post(path, typed)

    assert lost.status_code == 409
    assert [(p.base, p.current, p.proposed) for p in lost.context["panes"] if p.field == "summary"] == [
        ("Open till six.", "Open till seven.", "Open till eight.")
    ]
    assert lost.context["form"]["base_version"].value() == 2
    assert lost.context["form"]["summary"].value() == "Open till eight."
    memory.refresh_from_db()
    assert memory.version == 2

    signed_in(owner).post(path, {**typed, "base_version": lost.context["form"]["base_version"].value()})
    memory.refresh_from_db()
    assert (memory.version, memory.summary) == (3, "Open till eight.")


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"summary": ""}, "summary", "A memory needs a summary"),
        ({"summary": "One. Two."}, "summary", "one sentence"),
        ({"summary": "x" * 301}, "summary", "300 characters"),
        ({"summary": "Fine.", "expires_at": "2001-01-01T00:00"}, "expires_at", "An expiry lies ahead."),
        ({"summary": "Fine.", "expires_at": "soon"}, "expires_at", "Give a date and a time"),
        ({"summary": "Fine.", "text": "x" * 50_001}, "text", "50000"),
    ],
)
def test_refused_memory_names_the_field_and_stores_nothing(typed, field, words, agent, owner, signed_in):
    response = signed_in(owner).post(f"/agents/{agent.pk}/memory/new", typed)

    assert response.status_code == 400
    assert words in " ".join(response.context["form"].errors[field])
    assert not Memory.objects.exists()


def test_expiry_is_typed_in_the_workspaces_time_zone(owner, agent, signed_in):
    workspace = owner.workspace
    workspace.time_zone = "Pacific/Auckland"
    workspace.save_without_historical_record()
    day = timezone.localdate() + timedelta(days=30)

    signed_in(owner).post(f"/agents/{agent.pk}/memory/new", {"summary": "Sale.", "expires_at": f"{day}T18:00"})

    memory = Memory.objects.get()
    assert memory.expires_at.astimezone(workspace.zone).isoformat()[:16] == f"{day}T18:00"
    assert f'value="{day}T18:00"' in text(signed_in(owner).get(f"/agents/{agent.pk}/memory/{memory.pk}/edit"))


def test_edit_in_a_browser_changes_neither_line_ends_nor_the_seconds_of_the_expiry(agent, owner, signed_in):
    expires_at = timezone.now().replace(second=42, microsecond=7) + timedelta(days=3)
    memory = factories.memory(agent, owner, text="One.\nTwo.", expires_at=expires_at)
    client, path = signed_in(owner), f"/agents/{agent.pk}/memory/{memory.pk}/edit"
    form = client.get(path).context["form"]
    typed = {
        "summary": "Another.",
        "text": "One.\r\nTwo.",
        "expires_at": form["expires_at"].value().strftime("%Y-%m-%dT%H:%M"),
    }

    client.post(path, {**typed, "base_version": 1})

    memory.refresh_from_db()
    assert (memory.version, memory.text, memory.expires_at) == (2, "One.\nTwo.", expires_at)


def test_memory_of_another_agent_is_not_there(agent, owner, signed_in):
    memory = factories.memory(factories.ai_agent(owner.workspace), owner)

    for tail in ("", "/edit"):
        assert signed_in(owner).get(f"/agents/{agent.pk}/memory/{memory.pk}{tail}").status_code == 404
    assert (
        signed_in(owner).post(f"/agents/{agent.pk}/memory/{memory.pk}/remove", {"base_version": 1}).status_code == 404
    )


def test_removing_what_somebody_changed_meanwhile_is_refused(agent, owner, signed_in):
    memory = factories.memory(agent, owner)
    memories.revise(memory, changes={"text": "Other."}, base_version=1, by=owner, door="page")

    response = signed_in(owner).post(f"/agents/{agent.pk}/memory/{memory.pk}/remove", {"base_version": 1})

    assert response.status_code == 409
    assert Memory.objects.filter(pk=memory.pk).exists()


# --- Procedures, prompt, settings -------------------------------------------------------------------------------------


def test_procedure_is_written_and_taken_out_of_use(agent, owner, signed_in):
    client, base = signed_in(owner), f"/agents/{agent.pk}/procedures"

    client.post(
        f"{base}/new", {"name": "Doubled charge", "trigger": "Charged twice", "content": "1. Look.", "active": "on"}
    )
    procedure = Procedure.objects.get()
    client.post(f"{base}/{procedure.pk}/edit", {"name": "Doubled charge", "content": "1. Look.", "base_version": 1})

    procedure.refresh_from_db()
    assert (procedure.version, procedure.active, procedure.trigger) == (2, False, "")
    assert client.get(f"{base}/{procedure.pk}").status_code == 200


def test_markdown_of_a_procedure_is_shown_without_links_or_markup_of_its_own(agent, owner, signed_in):
    content = "1. **Look**\n\n![x](https://evil.example/p.png) [y](https://evil.example) <script>alert(1)</script>"
    procedure = factories.procedure(agent, owner, content=content)

    page = signed_in(owner).get(f"/agents/{agent.pk}/procedures/{procedure.pk}").content.decode()

    assert "<strong>Look</strong>" in page
    assert 'href="https://evil.example' not in page
    assert "<img" not in page
    assert "<script>alert" not in page
    assert "[y](https://evil.example)" in page


def test_prompt_edited_in_a_browser_changes_only_the_lines_that_were_changed(agent, owner, signed_in):
    prompt = agent.prompt
    typed = prompt.system_prompt.replace("200 €", "300 €").replace("\n", "\r\n")

    signed_in(owner).post(f"/agents/{agent.pk}/prompt/edit", {"system_prompt": typed, "base_version": 1})

    page = signed_in(owner).get(f"/agents/{agent.pk}/prompt?from=1&to=2")
    (change,) = page.context["entry"].changes
    assert (change.lines.removed, change.lines.added) == (1, 1)
    assert page.context["entry"].size.tokens == -(-len(prompt.system_prompt) // 4)


def test_unchanged_prompt_makes_no_version(agent, owner, signed_in):
    signed_in(owner).post(
        f"/agents/{agent.pk}/prompt/edit", {"system_prompt": agent.prompt.system_prompt, "base_version": 1}
    )

    agent.prompt.refresh_from_db()
    assert agent.prompt.version == 1


def test_settings_switch_the_coach_and_storage(agent, owner, signed_in):
    path = f"/agents/{agent.pk}/settings"

    signed_in(owner).post(path, {"storage_mode": "full", "retention_days": 30})

    agent.refresh_from_db()
    assert (agent.coaching, agent.storage_mode, agent.retention_days) == (False, "full", 30)


def test_settings_refuse_what_cannot_be(agent, owner, signed_in):
    response = signed_in(owner).post(
        f"/agents/{agent.pk}/settings", {"coaching": "on", "storage_mode": "forever", "retention_days": 0}
    )

    assert response.status_code == 400
    assert set(response.context["form"].errors) == {"storage_mode", "retention_days"}
    agent.refresh_from_db()
    assert agent.retention_days == 90


def test_coaching_tab_shows_what_waits_and_hides_the_coach_when_it_is_off(agent, owner, signed_in):
    factories.proposal(agent)
    agent.coaching = False
    agent.save()

    page = signed_in(owner).get(f"/agents/{agent.pk}/coaching")

    assert len(page.context["coaching"].waiting.items) == Proposal.objects.count() == 1
    assert "Coaching is switched off" in text(page)
    assert 'id="ask"' not in text(page)
