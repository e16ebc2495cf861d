"""What the clock starts. Each task finds its work by a query."""

from celery import shared_task
from django.utils import timezone

from helpdesk import actions, clocks
from helpdesk.actions import connections, mapping
from helpdesk.sync import connection_tests, ratings, receipts


@shared_task(name="helpdesk.tasks.delete_expired_transcripts")
def delete_expired_transcripts():
    """The hourly clean-up: transcripts, and receipts of webhooks that nobody sends again."""
    now = timezone.now()
    actions.keep_storage_promises(now)
    connections.forget_receipts(now)


@shared_task(name="helpdesk.tasks.change_time_zone")
def change_time_zone(change_id):
    clocks.run(change_id)


@shared_task(name="helpdesk.tasks.read_ratings")
def read_ratings(sync_id):
    ratings.run(sync_id)


@shared_task(name="helpdesk.tasks.test_connection")
def test_connection(test_id):
    connection_tests.run(test_id)


@shared_task(name="helpdesk.tasks.credit_ratings")
def credit_ratings(helpdesk_agent_id):
    mapping.credit(helpdesk_agent_id)


@shared_task(name="helpdesk.tasks.follow_hooks")
def follow_hooks(connection_id):
    receipts.run(connection_id)
