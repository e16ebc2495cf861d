"""My coaching: a person's own numbers, samples and shared notes, and not a hint of what was not shared."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from agents.models import Member
from coaching.actions import notes, samples
from coaching.models import Note, Sample
from coaching.navigation import Navigation
from coaching.pages import my_coaching
from tests import factories
from tests.pages.test_team import PARTIAL, flag, queries, rate

BOTH = pytest.mark.parametrize("headers", [{}, PARTIAL], ids=["form", "htmx"])


def text_of(response):
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def share(member, by, body="Well done.", **fields):
    return notes.write(member.agent, by=by, body=body, shared_with_agent=True, **fields)


def bodies(response):
    return [one.note.body for one in response.context["page"].notes]


def read(client, note, headers=None, words=None):
    words = my_coaching.words_of(note) if words is None else words
    return client.post(f"/my-coaching/notes/{note.pk}/read", {"words": words}, headers=headers or {})


# --- What is shown ---------------------------------------------------------------------------------------------------------


def test_own_csat_stands_with_its_n_and_the_weeks_before(linked_member, signed_in):
    rate(linked_member.agent, score=80, days=28)
    with time_machine.travel(timezone.now() - timedelta(days=28)):
        rate(linked_member.agent, score=90, n=1, days=28)

    page = signed_in(linked_member).get("/my-coaching")

    assert "80.0 % in the last 4 weeks, from 56 ratings (±" in text_of(page)
    assert "90.0 % in the 4 weeks before, from 28 ratings." in text_of(page)
    assert b"<svg" in page.content
    assert "CSAT by week, newest first" in text_of(page)


def test_too_few_ratings_are_said_and_no_level_is_named(linked_member, signed_in):
    rate(linked_member.agent, score=80, n=1, days=3)

    text = text_of(signed_in(linked_member).get("/my-coaching"))

    assert "Too few to say: 3 ratings in the last 4 weeks. A level is named from 8 ratings on." in text
    assert "80.0 % in the last 4 weeks" not in text


def test_empty_page_says_what_will_stand_there(linked_member, signed_in):
    text = text_of(signed_in(linked_member).get("/my-coaching"))

    assert "Too few to say: no ratings in the last 4 weeks." in text
    assert "No rating in the last 26 weeks, so there is nothing to draw yet." in text
    assert "When a leader shares a note with you, it stands here." in text


def test_team_line_is_there_only_where_it_gives_nobody_away(linked_member, workspace, signed_in):
    rate(linked_member.agent)
    colleague = factories.human(workspace)
    rate(colleague)
    client = signed_in(linked_member)
    assert client.get("/my-coaching").context["page"].standing.picture.team == ""

    for _ in range(2):
        rate(factories.human(workspace))

    assert client.get("/my-coaching").context["page"].standing.picture.team != ""


def test_own_samples_stand_worst_first_with_summary_and_frozen_link(linked_member, owner, signed_in):
    agent = linked_member.agent
    for score, name in ((75, "fair"), (0, "worst"), (None, "unrated")):
        sample = samples.pin(factories.conversation(agent), by=owner)
        Sample.objects.filter(pk=sample.pk).update(
            score_hundredths=None if score is None else score * 100, summary=f"It was {name}.", summary_state="captured",
            url=f"https://desk.example/{name}",
        )  # fmt: skip
    samples.pin(factories.conversation(factories.human(owner.workspace)), by=owner)

    page = signed_in(linked_member).get("/my-coaching")

    assert [line.sample.summary for line in page.context["page"].samples] == [
        "It was worst.", "It was fair.", "It was unrated.",
    ]  # fmt: skip
    assert b'href="https://desk.example/worst"' in page.content


def test_notes_stand_newest_shared_first_with_their_words_escaped(linked_member, owner, signed_in):
    with time_machine.travel(timezone.now() - timedelta(days=3)):
        early = notes.write(linked_member.agent, by=owner, body="Early, shared late.")
        share(linked_member, owner, body="<script>alert(1)</script>")
    notes.edit(early, by=owner, shared_with_agent=True)

    page = signed_in(linked_member).get("/my-coaching")

    assert bodies(page) == ["Early, shared late.", "<script>alert(1)</script>"]
    assert b"<script>alert" not in page.content


def test_many_notes_come_in_pages_and_take_no_more_queries(linked_member, owner, signed_in, monkeypatch):
    monkeypatch.setattr(my_coaching, "NOTES", 2)
    client = signed_in(linked_member)

    def fill(count):
        for n in range(count):
            sample = samples.pin(factories.conversation(linked_member.agent), by=owner)
            share(linked_member, owner, body=f"Note {n}", sample=sample)

    fill(2)
    few = queries(client, "/my-coaching")
    fill(9)

    assert queries(client, "/my-coaching") == queries(client, "/my-coaching?page=2") == few
    assert len(bodies(client.get("/my-coaching?page=6"))) == 1
    assert bodies(client.get("/my-coaching?page=99")) == bodies(client.get("/my-coaching?page=6"))
    assert bodies(client.get("/my-coaching?page=x")) == bodies(client.get("/my-coaching"))


# --- What is not told --------------------------------------------------------------------------------------------------------


def stripped(response):
    """The page without what every answer has of its own."""
    return re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"', b"", response.content)


def test_page_is_byte_for_byte_the_same_whether_or_not_there_are_private_notes(linked_member, owner, signed_in):
    client = signed_in(linked_member)
    with time_machine.travel(timezone.now(), tick=False):
        shared = share(linked_member, owner)
        before = stripped(client.get("/my-coaching"))

        for n in range(3):
            notes.write(linked_member.agent, by=owner, body=f"Private {n}.")
        notes.archive(share(linked_member, owner, body="Shared for a moment."), by=owner)
        flag(linked_member.agent)
        notes.edit(shared, by=owner, follow_up_at=timezone.now() + timedelta(days=2))
        notes.snooze(shared, by=owner, until=timezone.now() + timedelta(days=5))
        notes.follow_up_done(shared, by=owner)

        assert stripped(client.get("/my-coaching")) == before


def test_note_is_as_old_as_its_being_shared_and_edits_before_that_leave_no_mark(linked_member, owner, signed_in):
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=9)):
        note = notes.write(linked_member.agent, by=owner, body="Draft.")
    with time_machine.travel(now - timedelta(days=8)):
        notes.edit(note, by=owner, body="Better.")
    with time_machine.travel(now - timedelta(days=7)):
        notes.edit(note, by=owner, shared_with_agent=True)
    with time_machine.travel(now - timedelta(days=6)):
        notes.edit(note, by=owner, shared_with_agent=False)
    with time_machine.travel(now - timedelta(days=2), tick=False):
        notes.edit(note, by=owner, shared_with_agent=True)
    client = signed_in(linked_member)

    [shown] = client.get("/my-coaching").context["page"].notes
    assert (shown.shared_at, shown.edited_at) == (now - timedelta(days=2), None)
    with time_machine.travel(now - timedelta(days=1), tick=False):
        notes.edit(note, by=owner, follow_up_at=now + timedelta(days=3))
    [shown] = client.get("/my-coaching").context["page"].notes
    assert (shown.shared_at, shown.edited_at) == (now - timedelta(days=2), None)
    with time_machine.travel(now - timedelta(hours=5), tick=False):
        notes.edit(note, by=owner, body="Best.")

    [shown] = client.get("/my-coaching").context["page"].notes
    assert (shown.shared_at, shown.edited_at) == (now - timedelta(days=2), now - timedelta(hours=5))


def test_drawer_tells_the_person_it_is_about_the_same_age(linked_member, owner, signed_in):
    with time_machine.travel(timezone.now() - timedelta(days=9)):
        note = notes.write(linked_member.agent, by=owner, body="x")
    with time_machine.travel(timezone.now() - timedelta(days=2)):
        notes.edit(note, by=owner, shared_with_agent=True)
    address = f"/team/{linked_member.agent_id}"

    seen, led = (text_of(signed_in(member).get(address)) for member in (linked_member, owner))

    assert ("2 d ago" in seen, "9 d ago" in seen, "1 w ago" in seen, "1 w ago" in led) == (True, False, False, True)


def test_api_tells_a_member_no_follow_up_and_no_private_time(linked_member, owner):
    now = timezone.now().replace(microsecond=0)
    with time_machine.travel(now - timedelta(days=9)):
        note = notes.write(
            linked_member.agent, by=owner, body="x", follow_up_at=now + timedelta(days=2)
        )  # fmt: skip
    with time_machine.travel(now - timedelta(days=2), tick=False):
        notes.edit(note, by=owner, shared_with_agent=True)
    with time_machine.travel(now - timedelta(days=1), tick=False):
        notes.edit(note, by=owner, follow_up_at=now + timedelta(days=3))

    def told(member):
        headers = {"Authorization": f"Bearer {factories.token(member)}"}
        one = Client().get(f"/api/v1/coaching/notes/{note.pk}", headers=headers).json()
        [listed] = Client().get(f"/api/v1/coaching?agent={note.agent_id}", headers=headers).json()["notes"]
        assert listed == one
        return [one["followUpAt"], one["createdAt"], one["updatedAt"]]

    ms = [round((now + timedelta(days=days)).timestamp() * 1000) for days in (-2, 3, -9, -1)]
    assert told(linked_member) == [None, ms[0], ms[0]]
    assert [round(at / 1000) for at in told(owner)] == [round(at / 1000) for at in ms[1:]]


# --- Who sees what -------------------------------------------------------------------------------------------------------------


def test_unlinked_member_reads_what_to_ask_for_and_whom_but_no_names(unlinked_member, owner, signed_in):
    response = signed_in(unlinked_member).get("/my-coaching")

    text = text_of(response)
    assert "Ask an owner or admin" in text
    assert unlinked_member.user.email in text
    assert owner.user.email not in text
    assert owner.display_name not in text


def test_leader_who_is_no_agent_is_told_where_everybody_is(owner, signed_in):
    text = text_of(signed_in(owner).get("/my-coaching"))

    assert "Everybody’s record is under Team." in text


def test_leader_who_answers_customers_sees_what_was_shared_with_them_and_only_that(owner, admin, signed_in):
    admin.agent = factories.human(owner.workspace)
    admin.save_without_historical_record()
    share(admin, owner)
    private = notes.write(admin.agent, by=owner, body="Private.")
    client = signed_in(admin)

    response = client.get("/my-coaching")

    assert bodies(response) == ["Well done."]
    assert (response.context["page"].n_notes, response.context["page"].n_unread) == (1, 1)
    assert read(client, private).status_code == 404
    assert b'<a class="menu-item" href="/my-coaching">' in response.content


@pytest.mark.parametrize(
    ("who", "where"), [("owner", "/team"), ("linked_member", "/my-coaching"), ("unlinked_member", "/my-coaching")]
)
def test_everybody_begins_with_what_is_theirs(who, where, request):
    member = request.getfixturevalue(who)
    client = Client()

    client.post("/sign-in", {"username": member.user.email, "password": factories.PASSWORD})

    assert client.get("/", follow=True).redirect_chain == [(where, 302)]


def test_top_bar_counts_the_notes_to_read(linked_member, owner, signed_in):
    first, _ = share(linked_member, owner), share(linked_member, owner)
    notes.write(linked_member.agent, by=owner, body="Private.")
    assert Navigation(linked_member).unread == 2

    notes.acknowledge(first, by=linked_member, body="Well done.")

    assert "My coaching 1 to read" in text_of(signed_in(linked_member).get("/team"))


# --- I have read this ----------------------------------------------------------------------------------------------------


@BOTH
def test_note_is_acknowledged_and_taken_back(headers, linked_member, owner, signed_in):
    note, client = share(linked_member, owner), signed_in(linked_member)

    answer = read(client, note, headers)
    assert Note.objects.get().acknowledged_by == linked_member
    page = answer if headers else client.get(answer.url)
    assert "You have read this, just now" in text_of(page)
    back = client.post(f"/my-coaching/notes/{note.pk}/unread", headers=headers)

    assert Note.objects.get().acknowledged_at is None
    page = back if headers else client.get(back.url)
    assert "I have read this" in text_of(page)


@BOTH
def test_words_that_changed_meanwhile_are_shown_to_be_read_again(headers, linked_member, owner, signed_in):
    note, client = share(linked_member, owner), signed_in(linked_member)
    shown = my_coaching.words_of(note)
    notes.edit(note, by=owner, body="Not so well.")

    answer = read(client, note, headers, shown)

    assert answer.status_code == 409
    assert "These words were changed a moment ago. Please read them again. Nothing was changed." in text_of(answer)
    assert "Not so well." in text_of(answer)
    assert Note.objects.get().acknowledged_at is None


def test_old_acknowledgement_offers_no_way_back_and_refuses_it(linked_member, owner, signed_in):
    note, client = share(linked_member, owner), signed_in(linked_member)
    with time_machine.travel(timezone.now() - timedelta(hours=2)):
        notes.acknowledge(note, by=linked_member, body="Well done.")

    assert b"/unread" not in client.get("/my-coaching").content
    answer = client.post(f"/my-coaching/notes/{note.pk}/unread")
    assert answer.status_code == 409
    assert "This can be taken back for an hour only." in text_of(answer)


def test_private_notes_and_those_of_others_are_not_there(linked_member, owner, signed_in):
    private = notes.write(linked_member.agent, by=owner, body="Well done.")
    others = notes.write(factories.human(owner.workspace), by=owner, body="Well done.", shared_with_agent=True)
    client = signed_in(linked_member)

    assert [read(client, note).status_code for note in (private, others)] == [404, 404]
    Member.objects.filter(pk=linked_member.pk).update(agent=None)
    assert read(client, share(linked_member, owner)).status_code == 404
