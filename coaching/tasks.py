"""What workers do: one call each. A message carries the id of an owed row; a message that is lost is sent again by the clock."""

from celery import shared_task
from celery.signals import worker_init
from django.db.models import Q

from agents.models import Invitation, PasswordReset
from agents.tasks import send_invitation, send_password_reset
from coaching import sdk
from coaching.actions import backtests, hygiene, imports, reminders, sessions, sweeps, viewings
from coaching.actions.slack import posts
from coaching.actions.slack import receipts as slack_receipts
from coaching.coach import captures, model_tests, turns
from coaching.models import (
    Backtest,
    ConfigurationImport,
    ModelTest,
    Reminder,
    Sample,
    SlackPost,
    SlackReceipt,
    Sweep,
    Turn,
)
from coaching.slack import delivery, socket, switchboard
from helpdesk.actions import connections, mapping, receipts
from helpdesk.models import ConnectionTest, HelpdeskAgent, HelpdeskSync, TimeZoneChange
from helpdesk.tasks import change_time_zone, credit_ratings, follow_hooks, read_ratings, test_connection

AT_ONCE = 50  # rows of a kind that one look of the clock sends out, the longest waiting first
MOST_BATCHES = 50  # of conversations that one look notes; an import can bring hundreds of thousands
LOOK_SECONDS = 5  # the clock looks again by then: a message that no worker took until then is not needed any more
SLACK_LOOK_SECONDS = 2  # that of Slack looks every second


@worker_init.connect
def load_sdk(**_):
    """A worker waits for it before its first question, not in the middle of one."""
    sdk.load()


@shared_task
def run_turn(turn_id):
    turn = sessions.claim(turn_id)
    if turn is not None:
        turns.run(turn)
        # Questions of one session are answered one after the other: the next need not wait for the clock.
        _send(run_turn, Turn.objects.unfinished().due().filter(session_id=turn.session_id))


@shared_task
def capture_sample(sample_id):
    captures.summarise(sample_id)


@shared_task
def run_sweep(sweep_id):
    sweeps.run(sweep_id)


@shared_task
def run_backtest(backtest_id):
    backtests.run(backtest_id)


@shared_task
def run_import(import_id):
    imports.run(import_id)


@shared_task
def run_model_test(test_id):
    model_tests.run(test_id)


@shared_task
def send_reminder(reminder_id):
    reminders.send(reminder_id)


@shared_task
def follow_slack(receipt_id):
    if turn_id := switchboard.follow(receipt_id):
        run_turn.delay(turn_id)


@shared_task
def deliver_to_slack(post_id):
    delivery.deliver(post_id)


@shared_task
def note_served():
    """Let memories know of the conversations they were served in, so far as one look goes."""
    for _ in range(MOST_BATCHES):
        if hygiene.note_served() < hygiene.BATCH:
            break


@shared_task
def find_due_sweeps():
    """Ask which workspaces are due for a look, and send them out."""
    sweeps.owe_due()
    _send(run_sweep, Sweep.objects.due())


@shared_task
def find_reminders():
    """Ask for which follow-ups a mail is owed, and send them out."""
    reminders.owe_due()
    _send(send_reminder, Reminder.objects.due())


@shared_task
def find_owed_work():
    """Send out everything that is due and held by nobody: new, put off, or left behind by a worker that died."""
    _send(run_turn, Turn.objects.unfinished().due())
    _send(capture_sample, Sample.objects.kept().due())
    _send(run_sweep, Sweep.objects.due())
    _send(run_backtest, Backtest.objects.unfinished().due())
    _send(run_import, ConfigurationImport.objects.due())
    _send(run_model_test, ModelTest.objects.unfinished().due())
    _send(send_invitation, Invitation.objects.due())
    _send(send_password_reset, PasswordReset.objects.due())
    _send(send_reminder, Reminder.objects.due())
    _send(change_time_zone, TimeZoneChange.objects.unfinished().due())
    _send(test_connection, ConnectionTest.objects.unfinished().due())
    _send(credit_ratings, HelpdeskAgent.objects.due())


@shared_task
def read_helpdesks():
    """Ask which connections are to be read, which hooks came, and who was mapped meanwhile, and send them out."""
    connections.owe_due()
    mapping.recognise()
    _send(read_ratings, HelpdeskSync.objects.takeable().due())
    for connection_id in receipts.owing()[:AT_ONCE]:
        follow_hooks.apply_async([str(connection_id)], expires=LOOK_SECONDS)


@shared_task
def serve_slack():
    """Send out what Slack told and what is owed to it; as often as people there may wait."""
    posts.redraw_stale()
    _send(follow_slack, SlackReceipt.objects.due(), expires=SLACK_LOOK_SECONDS)
    # Somebody waits in front of an answer: however much else is owed, it goes first.
    due, answers = SlackPost.objects.takeable().due(), Q(kind=SlackPost.Kind.ANSWER)
    for rows in (due.filter(answers), due.exclude(answers)):
        _send(deliver_to_slack, rows, expires=SLACK_LOOK_SECONDS)


@shared_task
def note_slack_socket():
    """Leave word whether somebody has to listen to Slack's socket."""
    socket.note_wanted()


@shared_task
def forget_slack_receipts():
    """Delete what is known of what Slack told, once nobody needs it."""
    slack_receipts.forget()


@shared_task
def forget_viewings():
    """Delete what is known of who looked at which proposal, once nobody needs it."""
    viewings.forget()


@shared_task
def forget_backtests():
    """Delete backtests that nobody will look at again."""
    backtests.forget()


def _send(task, rows, *, expires=LOOK_SECONDS):
    for pk in rows.order_by("next_try_at").values_list("pk", flat=True)[:AT_ONCE]:
        task.apply_async([str(pk)], expires=expires)
