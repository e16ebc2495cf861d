"""What workers do about people: one call each. A message carries the id of an owed row; the clock sends lost ones again."""

from celery import shared_task
from django.utils import timezone

from agents.api_base import idempotency
from agents.people import accounts, invitations


@shared_task
def send_invitation(invitation_id):
    invitations.deliver(invitation_id)


@shared_task
def send_password_reset(reset_id):
    accounts.deliver_reset(reset_id)


@shared_task
def forget_sessions():
    """The hourly clean-up of what is over: sessions, password resets, and answers that were kept for repeated requests."""
    accounts.forget()
    idempotency.forget_expired(timezone.now())
