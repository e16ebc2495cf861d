"""The To do page: what waits, in which order, each button with and without htmx, and who is too late."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone
from icalendar import Calendar

from agents import actions as agents
from coaching import calendar
from coaching.actions import feeds, flags, notes
from coaching.models import Flag, FlagPolicy, Note, SlackPolicy
from coaching.navigation import Navigation
from helpdesk.models import HelpdeskConnection
from tests import factories
from tests.pages.test_team import PARTIAL, flag, queries, rate

BOTH = pytest.mark.parametrize("headers", [{}, PARTIAL], ids=["form", "htmx"])


def follow_up(agent, by, at=None, **fields):
    return notes.write(
        agent, by=by, **{"body": "Ask again.", "follow_up_at": at or timezone.now() + timedelta(days=1)} | fields
    )


def expire(one, days_ago=0):
    """As the sweep ends a flag on its last day."""
    day = timezone.localdate() - timedelta(days=days_ago)
    ended = {"day": day.isoformat(), "open_days": 84, "rate28": 82.0, "n28": 40, "enough": True, "expected": 91.0}
    assert flags.expire(one, ended | {"needed": 88.0, "scale": ""})
    return one


def waiting(response):
    """What the cards ask for, in their order."""
    found = re.findall(r'<h3 id="card-title[^>]*>(.*?)</h3>', response.content.decode(), re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", title).split()) for title in found]


def asked(response):
    """The groups of follow-ups with the names in them."""
    return {group.title: [one.note.agent.name for one in group.follow_ups] for group in response.context["page"].groups}


def text_of(response):
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


# --- What waits ---------------------------------------------------------------------------------------------------------


def test_card_says_who_why_since_when_and_leads_on(owner, signed_in):
    sarah = factories.human(owner.workspace, name="Sarah", team="Billing")
    rate(sarah)
    raised = flag(sarah)
    flags.set_cause(raised, by=owner, cause="product")

    page = signed_in(owner).get("/todo")

    text = text_of(page)
    assert waiting(page) == ["Coach Sarah this week"]
    assert "Flagged · Auto" in text
    assert "Person · Billing · below since" in text
    assert "In the last 5 weeks Sarah’s 38 ratings average 83 %" in text
    assert "Cause: Product" in text
    body = page.content.decode()
    assert f'href="/team/{sarah.pk}"' in body
    assert f'href="/conversations?flagged=1&amp;agent={sarah.pk}"' in body


def test_ai_agents_card_leads_to_the_coach_and_manual_flag_says_whose_it_is(owner, signed_in):
    bot = factories.ai_agent(owner.workspace, name="Guide")
    person = factories.human(owner.workspace, name="Tom")
    flags.raise_manual(bot, by=owner, reason="It sends people away.")
    flags.raise_manual(person, by=owner, reason="Two calls.")

    body = signed_in(owner).get("/todo").content.decode()

    assert f'<a href="/agents/{bot.pk}/coaching">Guide (coach)</a>' in body
    assert f"/agents/{person.pk}/coaching" not in body
    assert "Flagged · Manual" in body
    assert "It sends people away." in body
    assert f"flagged by {owner.display_name}" in body


def test_leaders_flags_come_first_then_the_largest_fall_then_the_newest(owner, signed_in):
    small, old, new, by_hand, level = (factories.human(owner.workspace, name=n) for n in "SONHL")
    flag(small, observed=85.0)
    flag(old, observed=70.0)
    flag(new, observed=70.0)
    expire(flag(level, observed=40.0))
    flags.raise_manual(by_hand, by=owner, reason="Talk.")

    page = signed_in(owner).get("/todo")

    assert waiting(page) == [
        "Coach H this week", "Coach N this week", "Coach O this week", "Coach S this week", "Talk with L about the new level",
    ]  # fmt: skip


def test_new_level_waits_for_a_talk_while_the_scan_rests(owner, signed_in):
    fresh, stale, flagged_again = (factories.human(owner.workspace, name=n) for n in ("Fresh", "Stale", "Again"))
    expire(flag(fresh), days_ago=27)
    expire(flag(stale), days_ago=28)
    expire(flag(flagged_again))
    flags.raise_manual(flagged_again, by=owner, reason="Talk.")

    page = signed_in(owner).get("/todo")

    assert waiting(page) == ["Coach Again this week", "Talk with Fresh about the new level"]
    assert "This is the new level: talk about it." in text_of(page)


def test_flag_that_is_raised_anew_is_a_new_card(owner, signed_in):
    person = factories.human(owner.workspace, name="Sarah")
    first = flags.mark_coached(flag(person), by=owner)
    client = signed_in(owner)
    assert waiting(client.get("/todo")) == []

    flags.dismiss(first, by=owner, reason="Over.")
    flag(person)

    assert waiting(client.get("/todo")) == ["Coach Sarah this week"]


def test_nobody_is_coached_who_left(owner, signed_in):
    person = factories.human(owner.workspace)
    flag(person)
    agents.update_agent(person, by=owner, active=False)

    page = signed_in(owner).get("/todo")

    assert (waiting(page), Navigation(owner).due) == ([], 0)


@pytest.mark.parametrize(
    ("zone", "now"),
    [
        ("Europe/Berlin", datetime(2026, 10, 23, 22, 30, tzinfo=UTC)),  # Saturday there, a day before the clocks change
        ("America/Los_Angeles", datetime(2026, 10, 24, 22, 30, tzinfo=UTC)),  # Saturday there
    ],
)
def test_follow_ups_stand_under_the_days_of_the_workspaces_calendar(zone, now, owner, signed_in):
    owner.workspace.time_zone = zone
    owner.workspace.save_without_historical_record()
    days = {
        "Old": (2026, 10, 23, 23),
        "Now": (2026, 10, 24, 0),
        "Late": (2026, 10, 24, 23),
        "Sun": (2026, 10, 25, 23),
        "Mon": (2026, 10, 26, 0),
    }
    with time_machine.travel(datetime(2026, 10, 1, tzinfo=UTC)):
        for name, day in days.items():
            follow_up(factories.human(owner.workspace, name=name), owner, datetime(*day, tzinfo=owner.workspace.zone))

    with time_machine.travel(now):
        page = signed_in(owner).get("/todo")
        due = Navigation(owner).due

    assert asked(page) == {"Overdue": ["Old"], "Today": ["Now", "Late"], "This week": ["Sun"], "Later": ["Mon"]}
    assert (due, page.context["page"].n_due, page.context["page"].n_ahead) == (3, 3, 2)


def test_top_bar_counts_what_the_page_shows(owner, signed_in):
    for _ in range(3):
        flag(factories.human(owner.workspace))
    expire(flag(factories.human(owner.workspace)))
    flags.mark_coached(flag(factories.human(owner.workspace)), by=owner)
    with time_machine.travel(timezone.now() - timedelta(days=2)):
        follow_up(factories.human(owner.workspace), owner)
    follow_up(factories.human(owner.workspace), owner, timezone.now() + timedelta(days=9))

    page = signed_in(owner).get("/todo")

    text = text_of(page)
    assert Navigation(owner).due == page.context["page"].n_waiting == 5
    assert "5 wait: 4 to coach , 1 follow-up due · 1 later" in text
    assert text.count("5 waiting") == 2  # in the bar and in its narrow menu
    assert len(waiting(page)) == 4


def test_empty_page_says_why_and_what_next(owner, signed_in):
    client = signed_in(owner)

    assert "Nothing waits Nobody is flagged. A card appears here when the scan" in text_of(client.get("/todo"))
    flags.mark_coached(flag(factories.human(owner.workspace)), by=owner)

    assert "Nothing waits 1 agent is flagged and ticked off." in text_of(client.get("/todo"))


def test_empty_page_promises_no_scan_where_automatic_flags_are_off(owner, signed_in):
    FlagPolicy.objects.create(workspace=owner.workspace, automatic=False)

    said = text_of(signed_in(owner).get("/todo"))

    assert "Nobody is flagged. Automatic flags are off: a card appears here when a leader flags somebody." in said
    assert "when the scan" not in said


def test_trouble_elsewhere_is_told_and_read_only_where_the_top_bar_knows_of_some(owner, signed_in):
    client = signed_in(owner)
    quiet = queries(client, "/todo")
    desk = HelpdeskConnection.objects.create(
        workspace=owner.workspace,
        vendor="zendesk",
        source="zendesk",
        state=HelpdeskConnection.State.REFUSED,
        state_reason="The token was revoked.",
    )
    with_desk = queries(client, "/todo")
    SlackPolicy.objects.create(workspace=owner.workspace, flags_trouble="The channel is archived.")

    page = client.get("/todo").context["page"]

    assert [(one.connection, one.sentence) for one in page.helpdesks] == [(desk, "The token was revoked.")]
    assert [one.sentence for one in page.slack] == ["The channel is archived."]
    assert (with_desk, queries(client, "/todo")) == (quiet + 1, quiet + 3)


def test_page_takes_as_many_queries_for_many_cards_as_for_one(owner, signed_in):
    def fill(count):
        for _ in range(count):
            team = f"Team {Note.objects.count()}"
            person = factories.human(owner.workspace, team=team)
            flag(person)
            follow_up(person, owner)
            flags.mark_coached(flag(factories.human(owner.workspace, team=team)), by=owner)
            expire(flag(factories.human(owner.workspace, team=team)))

    client = signed_in(owner)
    fill(1)
    few = queries(client, "/todo")
    fill(12)
    gone = flags.mark_coached(Flag.objects.open().filter(coached_at=None).first(), by=owner)

    assert queries(client, "/todo") == queries(client, "/todo?page=2&notes=2&done=1") == few
    assert queries(client, f"/todo?just={gone.pk}") == few + 1  # when it was asked for before


def test_many_cards_and_follow_ups_come_in_pages_of_their_own(owner, signed_in, monkeypatch):
    monkeypatch.setattr("coaching.pages.todo.CARDS", 2)
    monkeypatch.setattr("coaching.pages.todo.FOLLOW_UPS", 2)
    for n in range(3):
        person = factories.human(owner.workspace, name=f"P{n}")
        flag(person, observed=70.0 + 5 * n)
        follow_up(person, owner, timezone.now() + timedelta(days=n + 1))
    client = signed_in(owner)

    second = client.get("/todo?page=2")
    notes_too = client.get("/todo?page=2&notes=9")

    assert waiting(second) == ["Coach P2 this week"]
    assert 'href="/todo?">Previous' in second.content.decode()
    assert 'href="/todo?page=2&amp;notes=2">Later' in second.content.decode()
    assert (waiting(notes_too), [*asked(notes_too).values()]) == (["Coach P2 this week"], [["P2"]])


@pytest.mark.parametrize(
    "asked_for", ["page=0", "page=x", "page=99", "notes=-1", "done=yes", "just=1", "just=%00", "page=²"]
)
def test_address_that_means_nothing_shows_the_page(asked_for, owner, signed_in):
    flag(factories.human(owner.workspace, name="Sarah"))

    assert waiting(signed_in(owner).get(f"/todo?{asked_for}")) == ["Coach Sarah this week"]


def test_drawer_opens_over_the_page_by_its_address(owner, signed_in):
    person = factories.human(owner.workspace, name="Sarah")
    flag(person)
    client = signed_in(owner)

    body = client.get(f"/todo?done=1&agent={person.pk}").content.decode()

    assert 'data-closed="/todo?done=1" open>' in body
    assert '<a class="btn btn-quiet btn-small btn-close" href="/todo?done=1"' in body
    assert client.get("/todo?agent=nobody").status_code == 404


def test_only_leaders_may_look_and_nothing_of_it_is_in_a_members_bar(linked_member, signed_in):
    flag(linked_member.agent)
    client = signed_in(linked_member)

    assert client.get("/todo").status_code == 403
    assert b"To do" not in client.get("/team").content


def test_another_workspaces_cards_stay_there(owner, stranger, signed_in):
    flag(factories.human(owner.workspace, name="Sarah"))
    gone = flags.mark_coached(flag(factories.human(owner.workspace, name="Tom")), by=owner)
    follow_up(factories.human(owner.workspace, name="Ines"), owner)

    body = signed_in(stranger).get(f"/todo?just={gone.pk}").content.decode()

    assert not re.search("Sarah|Tom|Ines", body)


# --- The buttons --------------------------------------------------------------------------------------------------------


def press(client, address, form=None, headers=None):
    """Press a button: what the leader sees then, whether the form was sent by htmx or by the browser."""
    return client.post(address, form or {}, headers=headers or {}, follow=True)


@BOTH
def test_done_ticks_off_and_undo_takes_it_back(headers, owner, signed_in):
    raised = flag(factories.human(owner.workspace, name="Sarah"))
    client = signed_in(owner)

    done = press(client, f"/todo/flags/{raised.pk}/done", headers=headers)
    raised.refresh_from_db()
    assert (waiting(done), raised.coached_by, raised.status) == ([], owner, "open")
    assert "Ticked off: Sarah, by you. Undo" in text_of(done)
    undone = press(client, f"/todo/flags/{raised.pk}/not-done", headers=headers)

    raised.refresh_from_db()
    assert (waiting(undone), raised.coached_at, raised.coached_by) == (["Coach Sarah this week"], None, None)


@BOTH
def test_new_level_is_ticked_off_like_a_flag(headers, owner, signed_in):
    ended = expire(flag(factories.human(owner.workspace, name="Sarah")))
    client = signed_in(owner)

    done = press(client, f"/todo/flags/{ended.pk}/done", headers=headers)
    ended.refresh_from_db()
    assert (waiting(done), ended.status, ended.coached_by) == ([], "expired", owner)
    undone = press(client, f"/todo/flags/{ended.pk}/not-done", headers=headers)

    assert waiting(undone) == ["Talk with Sarah about the new level"]


@BOTH
def test_dismissing_needs_a_reason_and_can_be_taken_back(headers, owner, signed_in):
    raised = flag(factories.human(owner.workspace, name="Sarah"))
    client = signed_in(owner)

    refused = press(client, f"/todo/flags/{raised.pk}/dismiss", {"reason": "  "}, headers=headers)
    assert refused.status_code == 400
    assert waiting(refused) == ["Coach Sarah this week"]
    assert "Say why, in a few words." in text_of(refused)
    done = press(client, f"/todo/flags/{raised.pk}/dismiss", {"reason": "She covers the hard queue."}, headers=headers)
    raised.refresh_from_db()
    assert (waiting(done), raised.status, raised.close_reason) == ([], "dismissed", "She covers the hard queue.")
    assert "Dismissed: Sarah’s flag. The scan rests on them until" in text_of(done)
    undone = press(client, f"/todo/flags/{raised.pk}/reopen", headers=headers)

    raised.refresh_from_db()
    assert (waiting(undone), raised.status) == (["Coach Sarah this week"], "open")


def test_card_says_what_dismissing_means(owner, signed_in):
    flag(factories.human(owner.workspace, name="Sarah"))
    flags.raise_manual(factories.human(owner.workspace, name="Tom"), by=owner, reason="Talk.")

    text = text_of(signed_in(owner).get("/todo"))

    assert "The flag closes and the scan rests on Sarah for 28 days." in text
    assert "The flag closes; the scan goes on as before." in text


@BOTH
def test_follow_up_is_ticked_off_and_taken_back(headers, owner, signed_in):
    note = follow_up(factories.human(owner.workspace, name="Ines"), owner)
    client = signed_in(owner)

    done = press(client, f"/todo/follow-ups/{note.pk}/done", headers=headers)
    note.refresh_from_db()
    assert note.followed_up_at is not None
    assert "Followed up with Ines. Undo" in text_of(done)
    assert client.get("/todo").context["page"].groups == []
    undone = press(client, f"/todo/follow-ups/{note.pk}/not-done", headers=headers)

    note.refresh_from_db()
    assert note.followed_up_at is None
    assert [*asked(undone).values()] == [["Ines"]]


@BOTH
def test_who_is_too_late_is_told_on_the_card(headers, owner, admin, signed_in):
    person = factories.human(owner.workspace, name="Sarah")
    raised = flags.dismiss(flag(person), by=admin, reason="Known.")
    client = signed_in(owner)

    late = [
        press(client, f"/todo/flags/{raised.pk}/{what}", {"reason": "x"}, headers=headers)
        for what in ("done", "dismiss")
    ]
    flags.raise_manual(person, by=admin, reason="Talk.")
    second = press(client, f"/todo/flags/{raised.pk}/reopen", headers=headers)

    assert [answer.status_code for answer in (*late, second)] == [409] * 3
    for answer in late:
        assert "Sarah: This flag is closed: Dismissed. Nothing was changed." in text_of(answer)
    assert "Sarah: Sarah has an open flag already. Nothing was changed." in text_of(second)
    raised.refresh_from_db()
    assert (raised.close_reason, raised.coached_at) == ("Known.", None)


@BOTH
def test_follow_up_of_an_archived_note_is_refused_on_its_place(headers, owner, signed_in):
    note = follow_up(factories.human(owner.workspace, name="Ines"), owner)
    notes.archive(note, by=owner)

    answer = press(signed_in(owner), f"/todo/follow-ups/{note.pk}/done", headers=headers)

    assert answer.status_code == 409
    assert "Ines: This note is archived. Restore it to change it. Nothing was changed." in text_of(answer)


def test_second_leader_who_ticks_off_reads_who_did(owner, admin, signed_in):
    raised = flags.mark_coached(flag(factories.human(owner.workspace, name="Sarah")), by=admin)

    answer = press(signed_in(owner), f"/todo/flags/{raised.pk}/done", headers=PARTIAL)

    assert f"Ticked off: Sarah, by {admin.display_name}." in text_of(answer)


def test_fragment_brings_the_counts_and_the_words_along(owner, signed_in):
    first, _ = (flag(factories.human(owner.workspace, name=name)) for name in ("Sarah", "Tom"))

    body = signed_in(owner).post(f"/todo/flags/{first.pk}/done?done=1", headers=PARTIAL).content.decode()

    assert "<html" not in body
    assert '<p id="todo-said" hx-swap-oob="innerHTML">Ticked off: Sarah.</p>' in body
    for place in ("bar", "menu"):
        assert f'<span class="nav-due" id="nav-due-{place}" hx-swap-oob="true"><span class="count">1<' in body
    assert 'class="todo-done" open' in body


def test_what_was_done_in_the_last_days_is_folded_below_with_its_undo(owner, signed_in):
    coached = flags.mark_coached(flag(factories.human(owner.workspace, name="Sarah")), by=owner)
    dismissed = flags.dismiss(flag(factories.human(owner.workspace, name="Tom")), by=owner, reason="A holiday.")
    note = notes.follow_up_done(follow_up(factories.human(owner.workspace, name="Ines"), owner), by=owner)
    with time_machine.travel(timezone.now() - timedelta(days=8)):
        flags.mark_coached(flag(factories.human(owner.workspace, name="Longago")), by=owner)
    client = signed_in(owner)

    body, unfolded = (client.get(f"/todo{query}").content.decode() for query in ("", "?done=1"))

    assert "Done in the last 7 days (3)" in body
    assert "Dismissed Tom’s flag: A holiday." in body
    for address in (f"flags/{coached.pk}/not-done", f"flags/{dismissed.pk}/reopen", f"follow-ups/{note.pk}/not-done"):
        assert f'action="/todo/{address}"' in body
    assert "Longago" not in body
    assert ('class="todo-done" open' in body, 'class="todo-done" open' in unfolded) == (False, True)


# --- Putting off --------------------------------------------------------------------------------------------------------


def snooze(client, note, day, **headers):
    return client.post(f"/todo/follow-ups/{note.pk}/snooze", {"day": day}, headers=headers or {})


@pytest.fixture
def monday(owner):
    """A Monday, noon, of a workspace in Berlin, a week before the clocks go forward; the follow-ups are at nine there."""
    owner.workspace.time_zone = "Europe/Berlin"
    owner.workspace.save_without_historical_record()
    with time_machine.travel(datetime(2027, 3, 22, 11, 0, tzinfo=UTC), tick=False):
        yield datetime(2027, 3, 22, 9, 0, tzinfo=owner.workspace.zone)


def buttons(response):
    """What the first follow-up can be put off to with one press: {day: words}."""
    [group] = response.context["page"].groups
    return {str(one.day): one.words for one in group.follow_ups[0].later}


def test_follow_up_of_today_is_put_off_to_tomorrow_or_in_a_week_at_its_time_of_day(monday, owner, signed_in):
    with time_machine.travel(monday - timedelta(days=3)):
        note = follow_up(factories.human(owner.workspace, name="Sarah"), owner, monday)
    client = signed_in(owner)
    page = client.get("/todo")
    assert buttons(page) == {"2027-03-23": "Tomorrow", "2027-03-29": "In a week"}

    answer = snooze(client, note, "2027-03-29")

    note.refresh_from_db()
    assert (answer.status_code, answer.url) == (302, f"/todo?just={note.pk}")
    assert note.follow_up_at == datetime(2027, 3, 29, 7, 0, tzinfo=UTC)  # summer time by then
    again = client.get(answer.url)
    assert asked(again) == {"Later": ["Sarah"]}
    assert "Put off from 22 Mar to 29 Mar." in text_of(again)


def test_what_is_ahead_is_put_off_from_its_own_day(monday, owner, signed_in):
    follow_up(factories.human(owner.workspace), owner, monday + timedelta(days=3))

    page = signed_in(owner).get("/todo")

    assert buttons(page) == {"2027-03-26": "A day later", "2027-04-01": "A week later"}


@BOTH
def test_putting_off_is_taken_back_even_to_a_day_that_is_over(headers, monday, owner, admin, signed_in):
    with time_machine.travel(monday - timedelta(days=9)):
        note = follow_up(factories.human(owner.workspace, name="Sarah"), owner, monday - timedelta(days=5))
    client = signed_in(admin)
    snooze(client, note, "2027-03-23")

    answer = client.post(f"/todo/follow-ups/{note.pk}/unsnooze", {"version": "2"}, headers=headers)

    note.refresh_from_db()
    assert (note.follow_up_at, note.version) == (monday - timedelta(days=5), 3)
    shown = client.get(f"/todo?just={note.pk}")
    assert asked(shown) == {"Overdue": ["Sarah"]}
    assert "Undo putting off" not in text_of(shown)
    if headers:
        assert "The follow-up with Sarah stands where it stood." in text_of(answer)


@BOTH
@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2027-03-21", "A follow-up lies ahead."),
        ("3000-01-01", "A follow-up lies within ten years."),
        ("next week", "Give a day, as in 2027-01-31."),
        ("2027-02-30", "Give a day, as in 2027-01-31."),
        ("", "Give a day, as in 2027-01-31."),
        ("1803254400000", "Give a day, as in 2027-01-31."),
        ("9999-12-31", "Give a day, as in 2027-01-31."),
    ],
)
def test_day_that_cannot_be_is_refused_where_it_was_typed_and_stays(headers, day, why, monday, owner, signed_in):
    note = follow_up(factories.human(owner.workspace), owner, monday + timedelta(days=1))

    answer = signed_in(owner).post(f"/todo/follow-ups/{note.pk}/snooze", {"day": day}, headers=headers)

    note.refresh_from_db()
    assert (answer.status_code, note.version) == (400, 1)
    body = answer.content.decode()
    assert f'role="alert">{why}</p>' in body
    assert f'name="day" min="2027-03-22" value="{day}" aria-invalid="true"' in body


def test_second_leader_who_presses_the_same_day_moves_nothing_further(monday, owner, admin, signed_in):
    note = follow_up(factories.human(owner.workspace), owner, monday + timedelta(days=1))

    for leader in (owner, admin):
        snooze(signed_in(leader), note, "2027-03-24")

    note.refresh_from_db()
    assert (note.follow_up_at, note.version) == (monday + timedelta(days=2), 2)


@BOTH
def test_who_puts_off_what_is_done_or_archived_reads_so(headers, monday, owner, signed_in):
    done, archived = (follow_up(factories.human(owner.workspace), owner, monday + timedelta(days=1)) for _ in range(2))
    notes.follow_up_done(done, by=owner)
    notes.archive(archived, by=owner)
    client = signed_in(owner)

    told = [
        client.post(f"/todo/follow-ups/{note.pk}/snooze", {"day": "2027-03-26"}, headers=headers)
        for note in (done, archived)
    ]

    assert [answer.status_code for answer in told] == [409, 409]
    assert "This note asks for no follow-up any more. Nothing was changed." in text_of(told[0])
    assert "This note is archived. Restore it to change it. Nothing was changed." in text_of(told[1])


def test_what_was_changed_since_is_not_taken_back(monday, owner, signed_in):
    note = follow_up(factories.human(owner.workspace), owner, monday + timedelta(days=1))
    client = signed_in(owner)
    snooze(client, note, "2027-03-24")
    notes.edit(note, by=owner, body="Other words.")

    answer = client.post(f"/todo/follow-ups/{note.pk}/unsnooze", {"version": "2"})

    note.refresh_from_db()
    assert (answer.status_code, note.follow_up_at) == (409, monday + timedelta(days=2))
    assert "This note was changed meanwhile. Nothing was changed." in text_of(answer)
    assert client.post(f"/todo/follow-ups/{note.pk}/unsnooze", {"version": "x"}).status_code == 400


def test_note_without_a_follow_up_is_not_put_off(owner, signed_in):
    note = notes.write(factories.human(owner.workspace), by=owner, body="x")

    assert snooze(signed_in(owner), note, "2030-01-01").status_code == 409


def test_snoozed_follow_up_takes_no_more_queries(owner, signed_in):
    client = signed_in(owner)
    note = follow_up(factories.human(owner.workspace, team="A"), owner)
    snooze(client, note, (timezone.localdate() + timedelta(days=4)).isoformat())
    few = queries(client, f"/todo?just={note.pk}")
    for _ in range(3):
        follow_up(factories.human(owner.workspace, team="B"), owner)

    assert queries(client, f"/todo?just={note.pk}") == few


# --- In a calendar ------------------------------------------------------------------------------------------------------


def test_page_shows_the_address_and_renews_it(owner, signed_in):
    client = signed_in(owner)
    old = calendar.feed_url(owner)

    shown = client.get("/todo/calendar").content.decode()
    renewed = client.post("/todo/calendar/renew", {"number": "1"}, follow=True)
    stale = client.post("/todo/calendar/renew", {"number": "1"}, follow=True)

    assert f'value="{old}"' in shown
    assert 'href="webcal://' in shown
    assert "Renewed. The old address is dead" in renewed.content.decode()
    assert old not in renewed.content.decode()
    assert "The address was renewed before. Nothing was changed." in stale.content.decode()
    assert feeds.of(owner).number == 2
    assert client.post("/todo/calendar/renew", {"number": "x"}).status_code == 400


def test_file_of_a_follow_up_is_downloaded_while_it_waits(owner, admin, signed_in):
    note = follow_up(factories.human(owner.workspace), owner)
    client = signed_in(admin)

    answer = client.get(f"/todo/follow-ups/{note.pk}.ics")
    notes.follow_up_done(note, by=owner)

    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "text/calendar; charset=utf-8",
        'attachment; filename="follow-up.ics"',
    )
    assert Calendar.from_ical(answer.content).walk("VEVENT")[0]["uid"] == f"{note.pk}@touchline"
    assert client.get(f"/todo/follow-ups/{note.pk}.ics").status_code == 404


def test_page_takes_as_many_queries_for_many_follow_ups_as_for_one(owner, signed_in):
    client = signed_in(owner)
    follow_up(factories.human(owner.workspace), owner)
    few = queries(client, "/todo/calendar")
    for _ in range(5):
        follow_up(factories.human(owner.workspace), owner)

    assert queries(client, "/todo/calendar") == few
