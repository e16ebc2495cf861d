"""Notes: written, edited against the version that was read, put away and brought back; each change once in the history."""

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from agents import history
from agents.access import NotAllowed
from coaching.actions import notes
from coaching.models import Note
from tests import factories
from tests.pages.test_team import sample

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(workspace):
    return factories.human(workspace, name="Noor")


@pytest.fixture
def note(person, owner):
    return notes.write(person, by=owner, body="Role-play one.")


def read(note, reader):
    """The note as it is once the person it is about said that they have read it."""
    assert history.change(
        note, Note.objects.current(), by=reader, acknowledged_at=timezone.now(), acknowledged_by=reader
    )
    return note


@pytest.fixture
def read_note(person, owner):
    shared = notes.write(person, by=owner, body="Well done.", shared_with_agent=True)
    return read(shared, factories.member(person.workspace, agent=person))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "A note needs some words."),
        (" \n\t ", "A note needs some words."),
        ("\u200b\u2060 \ufeff", "A note needs some words."),  # nothing of it can be seen
        ("x" * 100_000, "A note has at most 20,000 characters."),
    ],
)
def test_empty_and_endless_words_are_refused_and_nothing_is_kept(body, said, person, note, owner):
    for attempt in (lambda: notes.write(person, by=owner, body=body), lambda: notes.edit(note, by=owner, body=body)):
        with pytest.raises(ValidationError) as refused:
            attempt()
        assert refused.value.message_dict == {"body": [said]}

    assert list(Note.objects.values_list("body", "version")) == [("Role-play one.", 1)]


def test_words_are_kept_with_plain_line_feeds(person, owner):
    assert notes.write(person, by=owner, body=" One.\r\nTwo. \r\n").body == "One.\nTwo."


def test_note_is_private_unless_somebody_says_so(note):
    assert (note.shared_with_agent, note.version, note.history.count()) == (False, 1, 1)


def test_sample_of_another_agent_is_refused(person, owner, workspace):
    with pytest.raises(ValidationError) as refused:
        notes.write(person, by=owner, body="x", sample=sample(factories.human(workspace)))

    assert refused.value.message_dict == {"sampleId": ["This sample belongs to another agent."]}


def test_ai_agent_has_nobody_to_share_with(agent, owner):
    private = notes.write(agent, by=owner, body="Too long.")

    for attempt in (
        lambda: notes.write(agent, by=owner, body="x", shared_with_agent=True),
        lambda: notes.edit(private, by=owner, shared_with_agent=True),
    ):
        with pytest.raises(ValidationError) as refused:
            attempt()
        assert list(refused.value.message_dict) == ["sharedWithAgent"]
    assert Note.objects.get().version == 1


def test_edit_is_a_version_with_its_author(note, admin):
    notes.edit(note, by=admin, base_version=1, body="Role-play two.")

    note.refresh_from_db()
    assert (note.body, note.version) == ("Role-play two.", 2)
    assert [(one.version, one.body, one.history_user) for one in note.history.order_by("version")] == [
        (1, "Role-play one.", note.author.user),
        (2, "Role-play two.", admin.user),
    ]


def test_edit_that_changes_nothing_is_no_version(note, owner):
    kept = notes.edit(note, by=owner, base_version=1, body=" Role-play one. ", follow_up_at=None)

    assert (kept.version, note.history.count()) == (1, 1)


def test_second_of_two_editors_is_refused_and_told_what_the_first_made_of_it(note, owner, admin):
    mine = Note.objects.get()
    notes.edit(note, by=admin, base_version=1, body="Theirs.")

    with pytest.raises(notes.ChangedMeanwhile) as race:
        notes.edit(mine, by=owner, base_version=1, body="Mine.")

    assert (race.value.note.body, race.value.note.version) == ("Theirs.", 2)
    assert notes.edit(mine, by=owner, base_version=2, body="Mine.").version == 3
    assert Note.objects.get().body == "Mine."


def test_edit_against_no_version_is_put_over_what_others_changed_and_keeps_the_rest(note, owner, admin):
    mine = Note.objects.get()
    notes.edit(note, by=admin, shared_with_agent=True)

    notes.edit(mine, by=owner, body="Mine.")

    assert Note.objects.values_list("body", "shared_with_agent", "version").get() == ("Mine.", True, 3)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_at_once_one_is_refused(note, owner, admin):
    start, told = threading.Barrier(2), []

    def save(by):
        mine = Note.objects.get()
        start.wait()
        try:
            told.append(notes.edit(mine, by=by, base_version=1, body=f"By {by.pk}.").body)
        except notes.ChangedMeanwhile as race:
            told.append(f"lost against {race.note.body}")
        finally:
            connection.close()

    both = [threading.Thread(target=save, args=(by,)) for by in (owner, admin)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    kept = Note.objects.get()
    assert sorted(told) == sorted([kept.body, f"lost against {kept.body}"])
    assert (kept.version, kept.history.count()) == (2, 2)


def test_archived_note_is_not_changed(note, owner):
    stale = Note.objects.get()
    notes.archive(note, by=owner)

    for one in (note, stale):
        with pytest.raises(notes.Archived):
            notes.edit(one, by=owner, base_version=1, body="Too late.")
        with pytest.raises(notes.Archived):
            notes.edit(one, by=owner, body="Too late.")
    with pytest.raises(notes.Archived):
        notes.archive(stale, by=owner)

    assert Note.objects.values_list("body", "version", "archived_by").get() == ("Role-play one.", 2, owner.pk)


def test_archived_note_comes_back_as_it_was_and_only_once(note, owner, admin):
    notes.archive(note, by=owner)

    notes.restore(note, by=admin)
    again = notes.restore(note, by=owner)

    assert (again.archived_at, again.archived_by, again.version, again.body) == (None, None, 3, "Role-play one.")
    assert note.history.latest("version").history_user == admin.user


def test_new_words_count_as_not_read(read_note, owner):
    notes.edit(read_note, by=owner, body="Well done indeed.")

    read_note.refresh_from_db()
    assert (read_note.acknowledged_at, read_note.acknowledged_by, read_note.shared_with_agent) == (None, None, True)


def test_unsharing_takes_the_acknowledgement_away(read_note, owner):
    notes.edit(read_note, by=owner, shared_with_agent=False)

    read_note.refresh_from_db()
    assert (read_note.acknowledged_at, read_note.acknowledged_by) == (None, None)


def test_follow_up_the_same_words_and_archiving_leave_the_acknowledgement(read_note, owner):
    at = read_note.acknowledged_at
    notes.edit(
        read_note, by=owner, body="Well done.", shared_with_agent=True, follow_up_at=timezone.now() + timedelta(days=1)
    )
    notes.restore(notes.archive(read_note, by=owner), by=owner)

    read_note.refresh_from_db()
    assert read_note.acknowledged_at == at


def test_words_put_over_ones_that_were_read_meanwhile_count_as_not_read(person, owner):
    stale = notes.write(person, by=owner, body="First.", shared_with_agent=True)
    newer = notes.edit(Note.objects.get(), by=owner, body="Second.")
    read(newer, factories.member(person.workspace, agent=person))

    notes.edit(stale, by=owner, body="First.")

    assert Note.objects.values_list("body", "acknowledged_at").get() == ("First.", None)


def test_moved_follow_up_waits_again_and_a_past_one_that_stays_is_no_fault(note, owner):
    now = timezone.now()
    notes.edit(note, by=owner, follow_up_at=now + timedelta(days=1))
    notes.follow_up_done(note, by=owner)
    Note.objects.update(follow_up_at=now - timedelta(days=1))
    note.refresh_from_db()

    notes.edit(note, by=owner, body="Still due.", follow_up_at=now - timedelta(days=1))
    assert note.followed_up_at is not None
    with pytest.raises(ValidationError):
        notes.edit(note, by=owner, follow_up_at=now - timedelta(days=2))
    notes.edit(note, by=owner, follow_up_at=now + timedelta(days=3))

    assert note.followed_up_at is None


@pytest.mark.parametrize("change", ["write", "edit", "archive", "restore"])
def test_only_leaders_change_notes(change, person, note, linked_member, unlinked_member):
    attempt = {
        "write": lambda by: notes.write(person, by=by, body="x"),
        "edit": lambda by: notes.edit(note, by=by, body="x"),
        "archive": lambda by: notes.archive(note, by=by),
        "restore": lambda by: notes.restore(note, by=by),
    }[change]

    for by in (linked_member, unlinked_member):
        with pytest.raises(NotAllowed):
            attempt(by)

    assert Note.objects.values_list("body", "version").get() == ("Role-play one.", 1)
