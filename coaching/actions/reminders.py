"""Mails that remind the author of a note, on the day, that they wanted to come back to it.

A reminder is owed once for each time that a follow-up is set to. What it is about is looked at again when it is sent: nothing
is sent for what was done, archived or put off meanwhile, nor to who left or leads no more.
"""

import logging
import zoneinfo
from datetime import datetime, time, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from agents import work
from agents.models import Member
from agents.people import mail
from coaching.models import Note, Reminder

SEVEN = time(7)  # in the morning, on the workspace's clock: nobody is woken
AT_ONCE = 500  # of a time zone that one look of the clock makes, those that are due first

log = logging.getLogger(__name__)


def owe_due() -> None:
    """Owe a reminder for each follow-up whose day has come; for none where no mail is set up.

    Days that went by before mail was set up, or while nothing ran, are not made up for: they stand on the To do page.
    """
    if not settings.MAIL_IS_CONFIGURED:
        return
    now = timezone.now()
    near = _waiting().filter(follow_up_at__range=(now - timedelta(days=2), now + timedelta(days=2)))
    for name in near.order_by().values_list("workspace__time_zone", flat=True).distinct():
        zone = zoneinfo.ZoneInfo(name)
        today = now.astimezone(zone).date()
        seven = datetime.combine(today, SEVEN, zone)
        if now < seven:
            continue
        of_today = _waiting().filter(
            workspace__time_zone=name,
            follow_up_at__gte=datetime.combine(today, time(), zone),
            follow_up_at__lt=datetime.combine(today + timedelta(days=1), time(), zone),
        )
        found = of_today.order_by("follow_up_at", "pk").values_list("pk", "workspace_id", "follow_up_at", "updated_at")
        Reminder.objects.bulk_create(
            (
                # Who set the time this very day knows of it, and is reminded when it comes.
                Reminder(note_id=pk, workspace_id=home, follow_up_at=at, next_try_at=at if changed > seven else now)
                for pk, home, at, changed in found[:AT_ONCE]
            ),
            ignore_conflicts=True,
        )


def send(reminder_id) -> None:
    """Send the reminder that is owed, if it still is wanted. What could not be sent is tried again until the next day is over.

    No transaction is open while the mail server is asked.
    """
    reminder = work.claim(Reminder.objects.all(), reminder_id)
    if reminder is None:
        return
    try:
        with work.holding(reminder):
            _settle(reminder)
    except work.LeaseLost:
        log.info("Reminder %s was taken over while it was sent.", reminder.pk)


def _waiting():
    """Follow-ups that wait, whose author still leads and was not reminded of this time yet."""
    reminded = Reminder.objects.filter(note=OuterRef("pk"), follow_up_at=OuterRef("follow_up_at"))
    return Note.objects.following_up().filter(
        ~Exists(reminded),
        author__left_at=None,
        author__user__is_active=True,
        author__role__in=Member.LEADING,
    )


def _settle(reminder):
    if reminder.sent_at is not None:
        # Whoever had it before got as far as the mail server. Twice would be worse than perhaps not at all.
        work.give_up(reminder, error="The worker stopped while this was sent; it is not sent a second time.")
        return
    note = _wanted(reminder)
    if note is None:
        # Not kept as done: where the tick or the snooze is taken back, it is owed again.
        Reminder.objects.filter(pk=reminder.pk, claim=reminder.claim).delete()
        return
    zone = note.workspace.zone
    if timezone.now().astimezone(zone).date() > reminder.follow_up_at.astimezone(zone).date() + timedelta(days=1):
        work.give_up(reminder, error=f"Too late: the day is over. {reminder.last_error}".strip())
        return
    if not settings.MAIL_IS_CONFIGURED:
        work.put_off(reminder, error="No mail is set up on this server.", pause=work.LONGEST_PAUSE)
        return
    if not Reminder.objects.filter(pk=reminder.pk, claim=reminder.claim).update(sent_at=timezone.now()):
        raise work.LeaseLost
    try:
        mail.send(note.author.user.email, f"Follow up with {note.agent.name}", "reminder", _context(note, zone))
    except mail.MailFailed as failure:
        settled = work.give_up if failure.permanent else work.put_off
        settled(reminder, error=failure.sentence, sent_at=None)
    except Exception as error:
        log.exception("Reminder %s could not be written.", reminder.pk)
        work.put_off(reminder, error=f"The mail broke ({type(error).__name__}).", sent_at=None)
    else:
        work.settle(reminder)


def _wanted(reminder):
    """The note, if it still waits for this very follow-up of its author's; else None."""
    notes = Note.objects.following_up().filter(pk=reminder.note_id, follow_up_at=reminder.follow_up_at)
    note = notes.select_related("agent", "workspace", "author__user").first()
    if note is None:
        return None
    author = note.author
    return note if author.left_at is None and author.user.is_active and author.is_leader else None


def _context(note, zone):
    """What the mail says: whom, when and where. Not what the note says: mail passes through many hands."""
    at = note.follow_up_at.astimezone(zone)
    return {
        "agent": " ".join(note.agent.name.split()),
        "at": f"{at.day} {at:%B %Y, %H:%M}",
        "time_zone": note.workspace.time_zone,
        "workspace": note.workspace.name,
        "written_on": f"{note.created_at.astimezone(zone).day} {note.created_at.astimezone(zone):%B %Y}",
        "record_url": f"{settings.PUBLIC_URL}/team/{note.agent_id}",
        "todo_url": f"{settings.PUBLIC_URL}/todo",
    }
