"""The drawer's notes and samples: written, shared, edited, put away and brought back, with and without scripts."""

import re
from datetime import date, timedelta
from html import unescape
from itertools import chain
from uuid import UUID

import pytest
from django.http import HttpResponse
from django.utils import timezone

from agents import history
from coaching.actions import notes, samples
from coaching.models import Note, Sample
from coaching.pages.notes import picks
from helpdesk import deeplinks
from tests import factories
from tests.pages.test_team import PARTIAL, queries, sample, without_tokens

pytestmark = pytest.mark.django_db
BOTH = pytest.mark.parametrize("headers", [{}, PARTIAL], ids=["page", "fragment"])


@pytest.fixture
def sarah(workspace):
    return factories.human(workspace, name="Sarah")


@pytest.fixture
def reader(sarah):
    """The member who is Sarah."""
    return factories.member(sarah.workspace, agent=sarah, name="Sarah B.")


@pytest.fixture
def client(owner, signed_in):
    return signed_in(owner)


def text(response):
    """What the answer says, without its markup and what may be chosen from."""
    words = re.sub(r"<select.*?</select>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r" (?=[.,;])", "", re.sub(r"\s+", " ", unescape(words)))


def field(response, name):
    """The value of a field that the answer's form sends."""
    return re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())[1]


def acknowledged(note, by):
    history.change(note, Note.objects.all(), by=by, acknowledged_at=timezone.now(), acknowledged_by=by)
    return note


# --- Sharing ----------------------------------------------------------------------------------------------------------


@BOTH
def test_first_shared_note_shows_exactly_what_will_be_seen_and_keeps_nothing(headers, sarah, client, owner):
    about = sample(sarah)
    typed = {
        "body": "Well done on the outage.",
        "share": "on",
        "sample": str(about.pk),
        "follow_up": (timezone.localdate() + timedelta(days=7)).isoformat(),
    }

    response = client.post(f"/team/{sarah.pk}/notes", typed, headers=headers)

    assert response.status_code == 200
    assert "This is what Sarah will see" in text(response)
    seen = response.content.decode().partition('<div class="note-seen">')[2].partition("</div>")[0]
    conversation = f"about the conversation Desk, {about.closed_at.day} {about.closed_at:%b}"
    assert text(HttpResponse(seen)).split() == f"Well done on the outage. {owner.display_name} {conversation}".split()
    assert "record-changed" not in response.headers.get("HX-Trigger", "")
    assert not Note.objects.exists()


@BOTH
def test_sharing_is_shown_once_and_then_kept_at_once(headers, sarah, client):
    for body in ("First.", "Second."):
        typed = {"body": body, "share": "on"}
        response = client.post(f"/team/{sarah.pk}/notes", typed, headers=headers)
        if body == "First.":
            sent = {"body": field(response, "body"), "share": "on", "follow_up": field(response, "follow_up")}
            client.post(f"/team/{sarah.pk}/notes", sent | {"seen": "1"}, headers=headers)

    assert list(Note.objects.order_by("created_at").values_list("body", "shared_with_agent")) == [
        ("First.", True),
        ("Second.", True),
    ]


@BOTH
def test_form_that_is_sent_twice_keeps_one_note(headers, sarah, client):
    typed = {
        "id": field(client.get(f"/team/{sarah.pk}"), "id"),
        "body": "Once.",
        "follow_up": (timezone.localdate() + timedelta(days=7)).isoformat(),
    }
    for _ in range(2):
        response = client.post(f"/team/{sarah.pk}/notes", typed, headers=headers)
        assert response.status_code in (200, 302)

    assert list(Note.objects.values_list("id", "version")) == [(UUID(typed["id"]), 1)]


def test_form_that_was_gone_back_to_keeps_other_words_as_another_note(sarah, client, signed_in, admin):
    typed = {"id": field(client.get(f"/team/{sarah.pk}"), "id"), "body": "First."}
    client.post(f"/team/{sarah.pk}/notes", typed)

    client.post(f"/team/{sarah.pk}/notes", typed | {"body": "Second."})
    signed_in(admin).post(f"/team/{sarah.pk}/notes", typed)

    assert sorted(Note.objects.values_list("body", flat=True)) == ["First.", "First.", "Second."]


@BOTH
def test_id_of_a_note_travels_through_the_preview_and_a_refusal(headers, sarah, client):
    asked = field(client.get(f"/team/{sarah.pk}"), "id")

    refused = client.post(f"/team/{sarah.pk}/notes", {"id": asked, "body": ""}, headers=headers)
    shown = client.post(f"/team/{sarah.pk}/notes", {"id": asked, "body": "x", "share": "on"}, headers=headers)
    nonsense = client.post(f"/team/{sarah.pk}/notes", {"id": "none", "body": ""}, headers=headers)

    assert (field(refused, "id"), field(shown, "id")) == (asked, asked)
    assert UUID(field(nonsense, "id"))


@BOTH
def test_back_to_writing_has_every_word_again_and_keeps_nothing(headers, sarah, client):
    typed = {"body": "Well\r\ndone.", "share": "on", "follow_up": "day", "follow_up_day": "2027-02-03", "back": "1"}

    page = client.post(f"/team/{sarah.pk}/notes", typed, headers=headers).content.decode()

    assert ">Well\ndone.</textarea>" in page.replace("\r\n", "\n")
    assert 'value="2027-02-03"' in page
    assert 'name="share" checked' in page
    assert not Note.objects.exists()


def test_what_cannot_be_kept_is_said_before_it_is_shown(sarah, client):
    response = client.post(f"/team/{sarah.pk}/notes", {"body": " ", "share": "on"})

    assert response.status_code == 400
    assert "A note needs some words." in text(response)


def test_switching_sharing_on_in_an_edit_shows_what_will_be_seen_first(sarah, client, owner):
    note = notes.write(sarah, by=owner, body="Well done.")
    typed = {"body": "Well done indeed.", "share": "on", "base_version": "1"}

    preview = client.post(f"/notes/{note.pk}/edit", typed, headers=PARTIAL)
    note.refresh_from_db()
    assert (note.version, field(preview, "body"), field(preview, "base_version")) == (1, "Well done indeed.", "1")
    client.post(f"/notes/{note.pk}/edit", typed | {"seen": "1"}, headers=PARTIAL)

    note.refresh_from_db()
    assert (note.body, note.shared_with_agent) == ("Well done indeed.", True)


def test_sharing_with_somebody_who_is_not_linked_says_that_nobody_sees_it(sarah, client, owner):
    notes.write(sarah, by=owner, body="Well done.", shared_with_agent=True)

    unlinked = text(client.get(f"/team/{sarah.pk}"))
    factories.member(sarah.workspace, agent=sarah)
    linked = text(client.get(f"/team/{sarah.pk}"))

    assert "nobody is linked yet, so nobody sees it" in unlinked
    assert "Nobody sees it until somebody is linked to Sarah" in unlinked
    assert "linked" not in linked


def test_ai_agent_is_offered_no_sharing_and_none_is_taken(agent, client):
    assert "Share with" not in text(client.get(f"/team/{agent.pk}"))

    response = client.post(f"/team/{agent.pk}/notes", {"body": "Too long.", "share": "on", "seen": "1"})

    assert response.status_code == 400
    assert "An AI agent reads no notes" in text(response)
    assert not Note.objects.exists()


def test_acknowledgement_stands_with_the_note_and_an_edit_says_that_it_goes(sarah, reader, client, owner):
    note = acknowledged(notes.write(sarah, by=owner, body="Well done.", shared_with_agent=True), reader)
    assert "Shared read by Sarah B. just now" in text(client.get(f"/team/{sarah.pk}"))
    form = client.get(f"/notes/{note.pk}/edit", headers=PARTIAL)
    assert "New words count as not read." in text(form)

    typed = {"body": "Well done indeed.", "share": "on", "base_version": field(form, "base_version")}
    after = client.post(f"/notes/{note.pk}/edit", typed, headers=PARTIAL)

    assert "The new words count as not read by Sarah." in text(after)
    assert "not marked as read" in text(after)


def test_unsharing_says_that_it_is_not_seen_any_more(sarah, reader, client, owner, signed_in):
    note = acknowledged(notes.write(sarah, by=owner, body="Well done.", shared_with_agent=True), reader)

    after = client.post(f"/notes/{note.pk}/edit", {"body": "Well done.", "base_version": "2"}, headers=PARTIAL)

    assert "Kept, private to leaders: Sarah does not see it any more." in text(after)
    assert "Well done." not in text(signed_in(reader).get(f"/team/{sarah.pk}"))


def test_member_reads_words_name_and_conversation_and_nothing_else(sarah, reader, owner, signed_in):
    tomorrow = timezone.now() + timedelta(days=1)
    notes.write(sarah, by=owner, body="Well done.", shared_with_agent=True, sample=sample(sarah), follow_up_at=tomorrow)
    client = signed_in(reader)
    before = client.get(f"/team/{sarah.pk}")

    private = notes.write(sarah, by=owner, body="Thinking of a move.", follow_up_at=tomorrow)
    notes.archive(notes.write(sarah, by=owner, body="Old.", shared_with_agent=True), by=owner)
    notes.edit(private, by=owner, body="Still thinking.")

    assert without_tokens(client.get(f"/team/{sarah.pk}")) == without_tokens(before)
    assert "Well done." in text(before)
    for word in ("follow", "Follow", "Private", "Archive", "Edit", "History", "Put away", "Pin a"):
        assert word not in text(before).partition("Recent samples")[2]


# --- Follow-ups -------------------------------------------------------------------------------------------------------


def test_days_that_are_offered_are_counted_from_today():
    offered = picks(date(2026, 1, 31))

    assert [(one.value, one.words.partition(",")[0]) for one in offered] == [
        ("2026-02-01", "tomorrow"),
        ("2026-02-07", "in a week"),
        ("2026-02-14", "in two weeks"),
        ("2026-02-28", "in a month"),
    ]
    assert picks(date(2026, 12, 15))[-1].value == "2027-01-15"


@pytest.mark.parametrize("way", ["offered", "typed"])
def test_follow_up_is_on_the_morning_of_the_day(way, sarah, client, owner):
    day = timezone.localdate() + timedelta(days=7)
    typed = {
        "offered": {"follow_up": day.isoformat(), "follow_up_day": "2030-01-01"},
        "typed": {"follow_up": "day", "follow_up_day": day.isoformat()},
    }

    client.post(f"/team/{sarah.pk}/notes", {"body": "Ask again."} | typed[way])

    at = Note.objects.get().follow_up_at.astimezone(owner.workspace.zone)
    assert (at.date(), at.hour) == (day, 9)


@pytest.mark.parametrize("day", ["", "1798761600", "soon", "2027-02-30", "2001-01-01", "3000-01-01"])
def test_day_that_is_none_is_refused_beside_its_field_and_the_words_stay(day, sarah, client):
    typed = {"body": "Ask again.", "follow_up": "day", "follow_up_day": day}

    response = client.post(f"/team/{sarah.pk}/notes", typed, headers=PARTIAL)

    assert response.status_code == 400
    assert 'id="note-follow-up-error"' in response.content.decode()
    assert "Ask again." in text(response)
    assert not Note.objects.exists()


def test_edit_keeps_the_hour_of_a_follow_up_that_stays_on_its_day(sarah, client, owner):
    at = (timezone.now() + timedelta(days=3)).replace(hour=15, minute=30)
    note = notes.write(sarah, by=owner, body="Ask.", follow_up_at=at)
    day = timezone.localdate(at).isoformat()

    client.post(
        f"/notes/{note.pk}/edit",
        {"body": "Ask again.", "follow_up": "day", "follow_up_day": day, "base_version": "1"},
    )

    assert Note.objects.values_list("body", "follow_up_at").get() == ("Ask again.", at)


# --- Two editors ------------------------------------------------------------------------------------------------------


@BOTH
def test_lost_race_keeps_what_was_typed_shows_the_others_words_and_saves_over_them_if_asked(
    headers, sarah, client, owner
):
    note = notes.write(sarah, by=owner, body="Role-play one.")
    faster = factories.member(sarah.workspace, "admin", name="Maya Berg")
    notes.edit(note, by=faster, base_version=1, body="Role-play two.")

    lost = client.post(f"/notes/{note.pk}/edit", {"body": "Role-play three.", "base_version": "1"}, headers=headers)

    assert lost.status_code == 409
    assert "Maya Berg changed this note just now. Nothing of yours was saved" in text(lost)
    assert "It now says Role-play two." in text(lost)
    assert ">Role-play three.</textarea>" in lost.content.decode()
    assert Note.objects.get().body == "Role-play two."
    again = {"body": "Role-play three.", "base_version": field(lost, "base_version")}
    assert client.post(f"/notes/{note.pk}/edit", again, headers=headers).status_code in (200, 302)
    assert Note.objects.values_list("body", "version").get() == ("Role-play three.", 3)


@BOTH
def test_edit_of_a_note_that_was_archived_meanwhile_keeps_the_words_in_sight(headers, sarah, client, owner):
    note = notes.archive(notes.write(sarah, by=owner, body="Role-play one."), by=owner)

    late = client.post(f"/notes/{note.pk}/edit", {"body": "Role-play three.", "base_version": "1"}, headers=headers)

    assert late.status_code == 409
    assert "archived this note just now. Nothing was saved; restore it to change it." in text(late)
    assert "Role-play three." in text(late)
    assert Note.objects.get().body == "Role-play one."


@pytest.mark.parametrize("base", ["", "x", "0", "9" * 400])
def test_edit_against_a_version_that_never_was_is_a_lost_race(base, sarah, client, owner):
    note = notes.write(sarah, by=owner, body="Role-play one.")

    response = client.post(f"/notes/{note.pk}/edit", {"body": "Two.", "base_version": base})

    assert (response.status_code, Note.objects.get().body) == (409, "Role-play one.")


@pytest.mark.parametrize("body", ["", "x" * 100_000])
def test_edit_that_is_refused_says_why_and_keeps_the_words(body, sarah, client, owner):
    note = notes.write(sarah, by=owner, body="Role-play one.")

    response = client.post(f"/notes/{note.pk}/edit", {"body": body, "base_version": "1"}, headers=PARTIAL)

    assert response.status_code == 400
    assert f">{body}</textarea>" in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()
    assert field(response, "base_version") == "1"


# --- Put away, brought back, history ----------------------------------------------------------------------------------


def test_note_is_archived_with_a_way_back_and_stands_among_the_archived(sarah, client, owner):
    note = notes.write(sarah, by=owner, body="Role-play one.")

    gone = client.post(f"/notes/{note.pk}/archive", headers=PARTIAL)

    assert "Archived. Its history stays." in text(gone)
    assert f"/notes/{note.pk}/restore" in gone.content.decode()
    assert gone["HX-Trigger"] == "record-changed"
    assert "1 archived note Role-play one." in text(client.get(f"/team/{sarah.pk}"))
    back = client.post(f"/notes/{note.pk}/restore", headers=PARTIAL)
    assert "Restored. Role-play one." in text(back)
    assert "archived note" not in text(client.get(f"/team/{sarah.pk}"))


def test_archiving_what_somebody_else_archived_is_no_fault(sarah, client, owner, admin):
    note = notes.archive(notes.write(sarah, by=owner, body="Role-play one."), by=admin)

    assert "Archived." in text(client.post(f"/notes/{note.pk}/archive", headers=PARTIAL))
    assert Note.objects.values_list("version", "archived_by").get() == (2, admin.pk)


def test_without_scripts_archiving_and_restoring_lead_back_and_say_so(sarah, client, owner):
    note = notes.write(sarah, by=owner, body="Role-play one.")

    gone = client.post(f"/notes/{note.pk}/archive", follow=True)
    back = client.post(f"/notes/{note.pk}/restore", follow=True)

    assert gone.redirect_chain == [(f"/team/{sarah.pk}#notes-archived", 302)]
    assert "Archived. It stands under the notes and can be restored there." in text(gone)
    assert back.redirect_chain == [(f"/team/{sarah.pk}#note-{note.pk}", 302)]


@BOTH
def test_history_tells_who_did_what_in_which_version(headers, sarah, reader, client, owner):
    editor = factories.member(sarah.workspace, "admin", name="Maya Berg")
    note = notes.write(sarah, by=owner, body="Role-play one in the 1:1.")
    notes.edit(note, by=editor, body="Role-play two in the 1:1.", shared_with_agent=True)
    acknowledged(note, reader)
    notes.edit(note, by=owner, follow_up_at=timezone.now() + timedelta(days=2))
    notes.follow_up_done(note, by=owner)
    notes.archive(note, by=owner)
    notes.restore(note, by=editor)

    response = client.get(f"/notes/{note.pk}/history", headers=headers)

    told = text(response)
    in_order = [
        "7 Restored Maya Berg, just now",
        "6 Archived",
        "5 Followed up",
        "4 Follow-up on ",
        "3 Read by Sarah Sarah B., just now",
        "2 New words · Shared with Sarah Maya Berg, just now",
        "− removed: one + added: two",
        "1 Written, private",
    ]
    at = [told.find(words) for words in in_order]
    assert -1 not in at
    assert at == sorted(at)


def test_history_takes_as_many_queries_for_many_versions_as_for_one(sarah, client, owner):
    note = notes.write(sarah, by=owner, body="One.")
    few = queries(client, f"/notes/{note.pk}/history")
    for number in range(12):
        notes.edit(note, by=owner, body=f"{number}.")

    assert queries(client, f"/notes/{note.pk}/history") == few


def test_older_notes_are_loaded_on_until_there_are_no_more(sarah, client, owner):
    for number in range(120):
        notes.write(sarah, by=owner, body=f"Note {number}.")
    first = client.get(f"/team/{sarah.pk}")
    shown = [re.findall(r"Note \d+\.", text(first))]
    assert "Older notes 70 more" in text(first)

    address = re.search(r'href="([^"]*older=[^"]*)"', first.content.decode())[1]
    while address:
        response = client.get(address, headers=PARTIAL)
        assert text(response) in text(client.get(address))
        shown.append(re.findall(r"Note \d+\.", text(response)))
        onward = re.search(r'href="([^"]*older=[^"]*)"', response.content.decode())
        address = onward and onward[1]

    assert [len(part) for part in shown] == [50, 50, 20]
    assert [*chain(*shown)] == [f"Note {number}." for number in reversed(range(120))]


@pytest.mark.parametrize("older", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_notes_older_than_none_are_not_there(older, sarah, client):
    assert client.get(f"/team/{sarah.pk}/notes?older={older}").status_code == 404


# --- Samples ----------------------------------------------------------------------------------------------------------


@BOTH
def test_conversation_is_pinned_by_what_its_helpdesk_calls_it_and_owes_a_summary(headers, sarah, client, owner):
    deeplinks.save(
        owner.workspace, source="desk", conversation_pattern="https://desk.example/{id}", by=owner
    )  # fmt: skip
    known = factories.conversation(sarah, external_id="4711")

    response = client.post(
        f"/team/{sarah.pk}/samples/pin", {"source": " desk ", "external_id": " 4711 "}, headers=headers, follow=True
    )

    kept = Sample.objects.get()
    assert (kept.conversation, kept.captured_by, kept.url) == (known, owner, "https://desk.example/4711")
    assert (kept.summary_state, kept.next_try_at is None) == ("pending", False)
    assert "Pinned: Desk" in text(response)
    assert "Summary pending" in text(response)
    assert f"pinned by {owner.display_name}" in text(response)


@BOTH
@pytest.mark.parametrize(
    ("typed", "place", "said"),
    [
        ({"source": "", "external_id": "1"}, "source", "Say where it came from."),
        ({"source": "desk", "external_id": " "}, "id", "Say its id there."),
        ({"source": "zen desk", "external_id": "1"}, "source", "A source is a short name"),
        ({"source": "desk", "external_id": "x" * 301}, "id", "at most 300 characters"),
        ({"source": "api", "external_id": "nobodys"}, "id", "No conversation nobodys of api is known here."),
        ({"source": "desk", "external_id": "hers"}, "id", "This conversation is another agent's."),
    ],
)
def test_what_cannot_be_pinned_is_said_beside_the_field_and_stays_typed(
    typed, place, said, headers, sarah, client, workspace
):
    factories.conversation(factories.human(workspace), external_id="hers")

    response = client.post(f"/team/{sarah.pk}/samples/pin", typed, headers=headers)

    page = unescape(response.content.decode())
    assert response.status_code == 400
    assert said in page.partition(f'id="pin-{place}-error"')[2].partition("</p>")[0]
    assert f'value="{typed["external_id"].strip()}"' in page
    assert not Sample.objects.exists()


def test_known_sources_are_offered_and_the_only_one_is_filled_in(sarah, client, owner):
    factories.conversation(sarah, source="zendesk")
    only = client.get(f"/team/{sarah.pk}").content.decode()
    assert 'value="zendesk"' in only.partition('id="pin-source"')[2].partition(">")[0]

    deeplinks.save(owner.workspace, source="intercom", conversation_pattern="https://i.example/{id}", by=owner)

    page = client.get(f"/team/{sarah.pk}").content.decode()
    assert 'value=""' in page.partition('id="pin-source"')[2].partition(">")[0]
    assert re.findall(r'<option value="(\w+)"></option>', page) == ["intercom", "zendesk"]


def test_sample_is_put_away_with_an_undo_and_brought_back(sarah, client):
    kept = sample(sarah)

    gone = client.post(f"/samples/{kept.pk}/unpin", headers=PARTIAL)
    assert "Put away: Desk" in text(gone)
    assert "1 put away" in text(gone)
    assert gone["HX-Trigger"] == "record-changed"
    back = client.post(f"/samples/{kept.pk}/bring-back", headers=PARTIAL)

    assert "Back: Desk" in text(back)
    assert "put away" not in text(back)
    assert Sample.objects.kept().count() == 1


def test_without_scripts_a_sample_is_put_away_and_brought_back_on_the_page(sarah, client):
    kept = sample(sarah)

    gone = client.post(f"/samples/{kept.pk}/unpin", follow=True)

    assert gone.redirect_chain == [(f"/team/{sarah.pk}?gone={kept.pk}#samples", 302)]
    assert f'action="/samples/{kept.pk}/bring-back"' in gone.content.decode()
    assert "Back: Desk" in text(client.post(f"/samples/{kept.pk}/bring-back", follow=True))


def test_twenty_samples_are_shown_pinned_ones_first_then_the_lowest_and_all_are_counted(sarah, client, owner):
    for score in range(24):
        sample(
            sarah,
            value="",
            score_hundredths=100 * (24 - score),
            summary=f"Score {24 - score}.",
            summary_state="captured",
        )
    unrated = samples.pin(factories.conversation(sarah), by=owner)
    Sample.objects.filter(pk=unrated.pk).update(summary="Pinned.", summary_state="captured", next_try_at=None)

    told = text(client.get(f"/team/{sarah.pk}"))

    assert re.findall(r"Score \d+\.|Pinned\.", told) == ["Pinned.", *(f"Score {n}." for n in range(1, 20))]
    assert "20 of 25, pinned ones first, then the lowest ratings" in told
    assert "15 more" in told


def test_sample_without_a_rating_stands_last(sarah, client):
    sample(sarah, value="", score_hundredths=None, summary="Unrated.", summary_state="captured")
    sample(sarah, summary="Lowest.", summary_state="captured")

    assert re.findall(r"Unrated\.|Lowest\.", text(client.get(f"/team/{sarah.pk}"))) == ["Lowest.", "Unrated."]


def test_samples_are_asked_for_again_only_while_a_summary_may_come(sarah, client, owner):
    pinned = samples.pin(factories.conversation(sarah), by=owner)
    assert "data-summaries" in client.get(f"/team/{sarah.pk}/samples", headers=PARTIAL).content.decode()

    Sample.objects.update(next_try_at=timezone.now() + timedelta(hours=1), last_error="Not reached.")
    late = client.get(f"/team/{sarah.pk}/samples", headers=PARTIAL)
    assert "data-summaries" not in late.content.decode()
    assert "Summary pending: the last try did not succeed. Next try in 1 h" in text(late)
    assert pinned.pk == Sample.objects.get().pk


def test_conversations_of_one_day_are_told_apart_where_a_note_is_about_one(sarah, client):
    one, other = sample(sarah), sample(sarah)
    Sample.objects.filter(pk=one.pk).update(summary_state="captured", summary="The fee was not explained.")

    options = re.findall(
        r'<option value="([0-9a-f-]{36})">([^<]*)</option>', client.get(f"/team/{sarah.pk}").content.decode()
    )

    said = dict(options)
    assert said[str(one.pk)].endswith(" · The fee was not explained.")
    assert said[str(other.pk)].endswith(f" · {other.conversation.external_id}")


def test_write_a_note_about_this_fills_the_composer_without_scripts(sarah, client):
    about = sample(sarah)

    page = client.get(f"/team/{sarah.pk}?sample={about.pk}").content.decode()

    assert f'<option value="{about.pk}" selected>' in page


def test_record_takes_as_many_queries_however_much_stands_in_it(sarah, client, owner):
    def fill(count):
        for _ in range(count):
            one = notes.write(sarah, by=owner, body="Talk.", sample=sample(sarah), shared_with_agent=True)
            notes.archive(notes.write(sarah, by=owner, body="Old."), by=owner)
            samples.unpin(samples.pin(factories.conversation(sarah), by=owner), by=owner)
            notes.edit(one, by=owner, body="Talk soon.")
            samples.pin(factories.conversation(sarah), by=owner)

    fill(1)
    few = queries(client, f"/team/{sarah.pk}")
    fill(14)

    assert queries(client, f"/team/{sarah.pk}") == few


# --- Hostile words ----------------------------------------------------------------------------------------------------

HOSTILE = "<img src=x onerror=alert(1)>\"'</textarea><script>alert(1)</script>"


def test_name_words_and_summary_are_text_in_every_state(client, owner):
    person = factories.human(owner.workspace, name=HOSTILE)
    shown = sample(person, summary=HOSTILE, summary_state="captured")
    note = notes.write(person, by=owner, body=HOSTILE, sample=shown)
    notes.edit(note, by=owner, body=f"{HOSTILE} again", shared_with_agent=True)
    typed = {"body": HOSTILE, "base_version": "1", "share": "on"}
    answers = [
        client.get(f"/team/{person.pk}"),
        client.get(f"/notes/{note.pk}/edit"),
        client.get(f"/notes/{note.pk}/history"),
        client.post(f"/notes/{note.pk}/edit", typed),
        client.post(f"/team/{person.pk}/samples/pin", {"source": HOSTILE, "external_id": HOSTILE}),
        client.post(f"/samples/{shown.pk}/unpin", headers=PARTIAL),
        client.post(f"/notes/{note.pk}/archive", headers=PARTIAL),
        client.post(f"/notes/{note.pk}/edit", typed),
        client.get(f"/team/{person.pk}"),
    ]
    Note.history.all().delete()
    answers.append(client.post(f"/team/{person.pk}/notes", typed))

    for response in answers:
        assert "<img" not in response.content.decode()
        assert "<script>alert" not in response.content.decode()
    assert "This is what" in text(answers[-1])
