"""What the clock starts. Each task finds its work by a query."""

from celery import shared_task
from django.utils import timezone

from helpdesk import actions


@shared_task(name="helpdesk.tasks.delete_expired_transcripts")
def delete_expired_transcripts():
    actions.keep_storage_promises(timezone.now())
