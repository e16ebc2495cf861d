"""Reminders by mail: for whom, when, once; nothing for what was settled meanwhile; a mail server that is away is asked again."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail as outbox
from django.utils import timezone

from agents import work
from agents.models import Member
from coaching import tasks
from coaching.actions import notes, reminders
from coaching.models import Note, Reminder
from tests import factories
from tests.smtp_server import nobody_listens, smtp_server

pytestmark = pytest.mark.django_db

MONDAY = datetime(2027, 3, 22, tzinfo=UTC)
AT_NINE = MONDAY.replace(hour=9)


@pytest.fixture(autouse=True)
def mail_is_set_up(settings):
    settings.MAIL_IS_CONFIGURED = True
    settings.PUBLIC_URL = "https://coach.example"


def follow_up(by, at=AT_NINE, **fields):
    """Written three days before it is due."""
    with time_machine.travel(at - timedelta(days=3)):
        agent = fields.pop("agent", None) or factories.human(by.workspace, name="Sarah")
        return notes.write(agent, by=by, **{"body": "Secret words.", "follow_up_at": at} | fields)


def look(at):
    """The clock looks at that instant, and a worker takes what is due: what it sends, and the rows."""
    with time_machine.travel(at, tick=False):
        reminders.owe_due()
        for pk in Reminder.objects.due().values_list("pk", flat=True):
            reminders.send(str(pk))
    return outbox.outbox


# --- For whom and when ---------------------------------------------------------------------------------------------------


def test_author_is_reminded_at_seven_of_the_day_with_the_agent_and_links_but_not_the_words(owner):
    person = factories.human(owner.workspace, name='Ana "B" <C> & D')
    note = follow_up(owner, agent=person)

    assert look(MONDAY.replace(hour=6, minute=59)) == []
    [sent] = look(MONDAY.replace(hour=7))

    assert (sent.to, sent.subject) == ([owner.user.email], 'Follow up with Ana "B" <C> & D')
    assert 'you wrote a note on Ana "B" <C> & D and asked to come back to it on 22 March 2027, 09:00 (UTC)' in sent.body
    assert f"https://coach.example/team/{person.pk}" in sent.body
    assert "https://coach.example/todo" in sent.body
    html = sent.alternatives[0].content
    assert "Ana &quot;B&quot; &lt;C&gt; &amp; D" in html
    assert "Secret" not in sent.body + html + sent.subject
    reminder = Reminder.objects.get()
    assert (reminder.note, reminder.sent_at, reminder.next_try_at) == (note, MONDAY.replace(hour=7), None)


@pytest.mark.parametrize(
    ("zone", "seven"),
    [
        ("Pacific/Auckland", datetime(2027, 3, 21, 18, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2027, 3, 22, 14, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2027, 3, 22, 1, 15, tzinfo=UTC)),
    ],
)
def test_day_and_seven_are_those_of_the_workspaces_clock(zone, seven, owner):
    owner.workspace.time_zone = zone
    owner.workspace.save_without_historical_record()
    follow_up(owner, at=datetime(2027, 3, 22, 9, tzinfo=owner.workspace.zone))

    assert look(seven - timedelta(minutes=1)) == []
    assert len(look(seven)) == 1


def test_workspaces_of_one_and_of_other_zones_are_each_reminded_in_their_morning(owner, stranger):
    stranger.workspace.time_zone = "America/New_York"
    stranger.workspace.save_without_historical_record()
    follow_up(owner)
    follow_up(stranger, at=MONDAY.replace(hour=20))

    assert [mail.to for mail in look(MONDAY.replace(hour=8))] == [[owner.user.email]]
    assert [mail.to for mail in look(MONDAY.replace(hour=12))] == [[owner.user.email], [stranger.user.email]]


def test_follow_up_before_seven_is_told_at_seven(owner):
    follow_up(owner, at=MONDAY.replace(hour=1))

    assert look(MONDAY.replace(hour=2)) == []
    assert len(look(MONDAY.replace(hour=7))) == 1


def test_who_sets_the_time_on_the_day_itself_is_reminded_when_it_comes(owner):
    with time_machine.travel(MONDAY.replace(hour=10)):
        notes.write(
            factories.human(owner.workspace), by=owner, body="x", follow_up_at=MONDAY.replace(hour=16)
        )  # fmt: skip

    assert look(MONDAY.replace(hour=10, minute=1)) == []
    assert len(look(MONDAY.replace(hour=16))) == 1


def test_days_that_are_over_or_ahead_are_not_reminded_of(owner):
    follow_up(owner, at=MONDAY - timedelta(hours=1))
    follow_up(owner, at=MONDAY + timedelta(days=1))

    assert look(MONDAY.replace(hour=12)) == []
    assert not Reminder.objects.exists()


def test_nothing_is_owed_where_no_mail_is_set_up(owner, settings):
    settings.MAIL_IS_CONFIGURED = False
    follow_up(owner)

    assert look(MONDAY.replace(hour=9)) == []
    assert not Reminder.objects.exists()


def test_who_left_or_leads_no_more_is_not_reminded(owner, admin):
    left, demoted = factories.member(owner.workspace, Member.Role.ADMIN), admin
    for author in (left, demoted):
        follow_up(author)
    Member.objects.filter(pk=left.pk).update(left_at=timezone.now())
    Member.objects.filter(pk=demoted.pk).update(role=Member.Role.MEMBER)

    assert look(MONDAY.replace(hour=9)) == []
    assert not Reminder.objects.exists()


# --- Once ------------------------------------------------------------------------------------------------------------------


def test_each_follow_up_is_told_once_however_often_the_clock_looks(owner):
    follow_up(owner)

    for hour in (7, 8, 9, 23):
        look(MONDAY.replace(hour=hour))

    assert len(outbox.outbox) == 1


def test_put_off_follow_up_is_told_again_on_its_new_day(owner):
    note = follow_up(owner)
    look(MONDAY.replace(hour=7))
    with time_machine.travel(MONDAY.replace(hour=9)):
        notes.snooze(note, by=owner, until=MONDAY.replace(hour=9) + timedelta(days=2))

    assert len(look(MONDAY.replace(hour=12))) == 1
    assert len(look(MONDAY.replace(hour=7) + timedelta(days=2))) == 2
    with time_machine.travel(MONDAY.replace(hour=8) + timedelta(days=2)):
        notes.unsnooze(note, by=owner, version=2)
    assert len(look(MONDAY.replace(hour=9) + timedelta(days=2))) == 2


def meanwhile(note, by):
    return {
        "done": lambda: notes.follow_up_done(note, by=by),
        "archived": lambda: notes.archive(note, by=by),
        "put off": lambda: notes.snooze(note, by=by, until=MONDAY + timedelta(days=9)),
        "taken off": lambda: notes.edit(note, by=by, follow_up_at=None),
        "author left": lambda: Member.objects.filter(pk=note.author_id).update(left_at=timezone.now()),
        "author demoted": lambda: Member.objects.filter(pk=note.author_id).update(role=Member.Role.MEMBER),
    }


@pytest.mark.parametrize("what", ["done", "archived", "put off", "taken off", "author left", "author demoted"])
def test_what_was_settled_between_the_look_and_the_sending_is_not_sent(what, owner, admin):
    note = follow_up(admin)
    with time_machine.travel(MONDAY.replace(hour=7), tick=False):
        reminders.owe_due()
        meanwhile(note, owner)[what]()
        reminders.send(str(Reminder.objects.get().pk))

    assert outbox.outbox == []
    assert not Reminder.objects.exists()


def test_tick_that_is_taken_back_brings_the_reminder_back(owner):
    note = follow_up(owner)
    with time_machine.travel(MONDAY.replace(hour=7), tick=False):
        reminders.owe_due()
        notes.follow_up_done(note, by=owner)
        reminders.send(str(Reminder.objects.get().pk))
        notes.follow_up_not_done(note, by=owner)

    assert len(look(MONDAY.replace(hour=9))) == 1


def test_two_workers_send_it_once(owner):
    follow_up(owner)
    with time_machine.travel(MONDAY.replace(hour=7), tick=False):
        reminders.owe_due()
        taken = work.claim(Reminder.objects.all(), Reminder.objects.get().pk)
        reminders.send(str(taken.pk))

    assert outbox.outbox == []
    assert Reminder.objects.get().claim == taken.claim


def test_worker_that_died_at_the_mail_server_sends_no_second_mail(owner):
    follow_up(owner)
    with time_machine.travel(MONDAY.replace(hour=7), tick=False):
        reminders.owe_due()
        died = work.claim(Reminder.objects.all(), Reminder.objects.get().pk)
        Reminder.objects.filter(pk=died.pk).update(sent_at=timezone.now())

    look(MONDAY.replace(hour=8))

    reminder = Reminder.objects.get()
    assert (outbox.outbox, reminder.next_try_at) == ([], None)
    assert reminder.last_error == "The worker stopped while this was sent; it is not sent a second time."


def test_clock_sends_out_what_is_owed(owner, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.send_reminder, "apply_async", lambda args, **_: sent.append(args))
    follow_up(owner)

    with time_machine.travel(MONDAY.replace(hour=7), tick=False):
        tasks.find_reminders()
        tasks.find_owed_work()

    assert sent == [[str(Reminder.objects.get().pk)]] * 2


def test_look_at_many_takes_as_many_queries_as_at_one(owner, django_assert_num_queries):
    def fill(count):
        person = factories.human(owner.workspace)
        Note.objects.bulk_create(
            Note(
                workspace=owner.workspace, agent=person, author=owner, body="x", follow_up_at=MONDAY.replace(hour=9),
                created_at=MONDAY,
            )
            for _ in range(count)
        )  # fmt: skip

    for count in (1, 30):
        fill(count)
        with time_machine.travel(MONDAY.replace(hour=9)), django_assert_num_queries(3):
            reminders.owe_due()

    assert Reminder.objects.count() == 31


# --- A mail server that is away ----------------------------------------------------------------------------------------------


def test_refused_connection_is_tried_again_later_and_then_sent_once(settings, owner):
    port = nobody_listens(settings)
    follow_up(owner)
    look(MONDAY.replace(hour=7))
    waits = Reminder.objects.get()
    assert (waits.sent_at, waits.attempts) == (None, 1)
    assert waits.last_error == "Nothing answers at the mail server 127.0.0.1."
    assert timedelta(0) < waits.next_try_at - MONDAY.replace(hour=7) < timedelta(minutes=1)

    with smtp_server(settings, port) as server:
        look(waits.next_try_at)
        look(MONDAY.replace(hour=12))

    sent = Reminder.objects.get()
    assert (sent.sent_at, sent.next_try_at, sent.last_error) == (waits.next_try_at, None, "")
    [taken] = server.mails
    assert taken["Subject"] == "Follow up with Sarah"
    assert "Secret" not in taken.as_string()


@pytest.mark.parametrize(("answer", "again"), [("450 busy", True), ("550 nobody here", False)])
def test_refusal_for_now_is_tried_again_and_one_for_good_is_given_up(answer, again, settings, owner):
    follow_up(owner)

    with smtp_server(settings, RCPT=answer):
        look(MONDAY.replace(hour=7))

    reminder = Reminder.objects.get()
    assert (reminder.sent_at, reminder.next_try_at is not None) == (None, again)
    assert reminder.last_error == f"The mail server refused the address: {answer}"
    look(MONDAY.replace(hour=9))
    assert Reminder.objects.get().attempts == (2 if again else 1)


def test_mail_that_could_not_leave_is_given_up_when_the_next_day_is_over(settings, owner):
    port = nobody_listens(settings)
    follow_up(owner)
    look(MONDAY.replace(hour=7))

    with smtp_server(settings, port) as server:
        look(MONDAY + timedelta(days=2))

    reminder = Reminder.objects.get()
    assert (server.mails, reminder.sent_at, reminder.next_try_at) == ([], None, None)
    assert reminder.last_error == "Too late: the day is over. Nothing answers at the mail server 127.0.0.1."
