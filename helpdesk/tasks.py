"""What the clock starts. Each task finds its work by a query."""

from celery import shared_task
from django.utils import timezone

from agents.api_base import idempotency
from helpdesk import actions, clocks


@shared_task(name="helpdesk.tasks.delete_expired_transcripts")
def delete_expired_transcripts():
    """The hourly clean-up: transcripts, and answers that were kept for repeated requests."""
    now = timezone.now()
    actions.keep_storage_promises(now)
    idempotency.forget_expired(now)


@shared_task(name="helpdesk.tasks.change_time_zone")
def change_time_zone(change_id):
    clocks.run(change_id)
