"""What workers do about people: one call each. A message carries the id of an owed row; the clock sends lost ones again."""

from celery import shared_task

from agents.people import accounts, invitations


@shared_task
def send_invitation(invitation_id):
    invitations.deliver(invitation_id)


@shared_task
def send_password_reset(reset_id):
    accounts.deliver_reset(reset_id)


@shared_task
def forget_sessions():
    """Delete what is left of sessions and password resets that are over."""
    accounts.forget()
