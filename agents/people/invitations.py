"""Asking people into a workspace: inviting, the signed link, sending it, taking it back, accepting it.

The link carries the invitation's id and number, signed; nothing that opens it is stored. Sending an invitation again counts the
number up, so that every link before is dead.
"""

import enum
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from agents import work
from agents.access import Refusal, Right, require
from agents.models import Invitation, Member, User
from agents.people import accounts, mail, members

LASTS = timedelta(days=7)
SALT = "agents.invitation"
SEPARATOR = "~"  # what the default, a colon, would look like in an address that a mail program has to recognise
TOO_LATE = "It had expired before the mail could be sent."
GIVEN_UP = "It was given up."


class NotOpen(Refusal):
    """The invitation was accepted or taken back meanwhile, has expired, or was sent anew with another link."""


class OtherAddress(Refusal):
    """Somebody signed in with another address than the invited one."""


class State(enum.Enum):
    """What became of a link."""

    OPEN = "open"
    RENEWED = "renewed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class Joined:
    """How accepting ended. `was_member`: nothing was to do. `row_is_taken`: the agent is somebody else's row meanwhile."""

    member: Member
    was_member: bool = False
    row_is_taken: bool = False


def invite(workspace, email, *, by, role=Member.Role.MEMBER, agent=None):
    """Ask the person behind an address into the workspace, for seven days. Returns the Invitation, which owes its mail.

    One that has expired unused makes room for the new one. `by` is None for operators, who alone invite an owner.
    Raises NotAllowed, ValidationError.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise ValidationError({"email": error.messages}) from error
    roles = Member.Role.values if by is None else [Member.Role.ADMIN, Member.Role.MEMBER]
    if role not in roles:
        raise ValidationError({"role": "Choose admin or member. Ownership is handed over by the owner."})
    members.check_own_row(workspace, agent)
    if agent is not None and Member.objects.filter(agent=agent).exists():
        raise ValidationError({"agent": members.ROW_IS_TAKEN})
    if Member.objects.filter(workspace=workspace, user__email__iexact=email, left_at=None).exists():
        raise ValidationError({"email": f"{email} is a member of this workspace already."})
    now = timezone.now()
    try:
        with transaction.atomic():
            _revoke(_waiting(workspace, email).filter(expires_at__lte=now), by=by)
            return Invitation.objects.create(
                workspace=workspace,
                email=email,
                role=role,
                agent=agent,
                invited_by=by,
                created_at=now,
                expires_at=now + LASTS,
                next_try_at=_first_try(now),
            )
    except IntegrityError as error:
        if not _waiting(workspace, email).exists():
            raise
        raise ValidationError({"email": f"{email} has an invitation already. You can send that one again."}) from error


def add_or_invite(workspace, email, *, role, agent=None, password=None):
    """What an operator does for somebody: a Member where they have an account or are given a password, else an Invitation.

    Raises ValidationError.
    """
    if password is not None or User.objects.filter(email__iexact=email.strip()).exists():
        return members.add_member(workspace, email, by=None, role=role, agent=agent, password=password)
    return invite(workspace, email, by=None, role=role, agent=agent)


def send_again(invitation, *, by):
    """Another seven days and a new link; every earlier one is dead from now on. Raises NotAllowed, NotOpen."""
    require(by, Right.MANAGE_WORKSPACE)
    now = timezone.now()
    waiting = Invitation.objects.visible_to(by).waiting().filter(pk=invitation.pk)
    mail_is_owed = work.anew(now) | {"next_try_at": _first_try(now)}
    if not waiting.update(number=F("number") + 1, expires_at=now + LASTS, sent_at=None, **mail_is_owed):
        raise NotOpen("This invitation was accepted or taken back meanwhile.")
    invitation.refresh_from_db()


def mail_again(invitation, *, by=None):
    """Try the mail that is owed now, with the link it has; `by` is None for operators. Raises NotAllowed, work.NothingOwed."""
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if not work.owe_all_again(Invitation.objects.open().owed().filter(pk=invitation.pk)):
        invitation.refresh_from_db()
        if invitation.next_try_at and invitation.expires_at <= timezone.now():
            raise work.NothingOwed("It has expired. Send it again instead, which makes a new link.")
        raise work.NothingOwed
    invitation.refresh_from_db()


def give_up_mail(invitation, *, by=None):
    """Send no mail; the invitation stands, and can be sent again. `by` is None for operators.

    Raises NotAllowed, work.NothingOwed.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if not work.drop(invitation, last_error=f"{GIVEN_UP} {invitation.last_error}".strip()):
        raise work.NothingOwed


def revoke(invitation, *, by):
    """Take an invitation back: its link is dead from now on. Raises NotAllowed, NotOpen."""
    require(by, Right.MANAGE_WORKSPACE)
    if not _revoke(Invitation.objects.visible_to(by).waiting().filter(pk=invitation.pk), by=by):
        raise NotOpen("This invitation was accepted or taken back meanwhile.")
    invitation.refresh_from_db()


def link(invitation) -> str:
    """The address with which the invited person comes in, as long as the invitation keeps its number."""
    token = signing.dumps([invitation.pk.hex, invitation.number], salt=SALT)
    return f"{settings.PUBLIC_URL}/invitations/{token.replace(':', SEPARATOR)}"


def read(token: str):
    """What a link points at: (Invitation, number), or None where it was not made here or what it points at is gone."""
    try:
        pk, number = signing.loads(token.replace(SEPARATOR, ":"), salt=SALT)
    except signing.BadSignature:
        return None
    found = Invitation.objects.select_related("workspace", "agent", "invited_by__user").filter(pk=uuid.UUID(pk)).first()
    return (found, number) if found else None


def state(invitation, number) -> State:
    """What became of the link with this number."""
    if invitation.accepted_at:
        return State.ACCEPTED
    if invitation.revoked_at:
        return State.REVOKED
    if invitation.number != number:
        return State.RENEWED
    return State.OPEN if invitation.expires_at > timezone.now() else State.EXPIRED


def accept(invitation, number, *, user):
    """Make `user`, signed in with the invited address, a member. Returns Joined. Raises OtherAddress, NotOpen, ValidationError.

    The row they were to have may be somebody else's by now: they come in without one.
    """
    if user.email.lower() != invitation.email.lower():
        raise OtherAddress(f"This invitation is for {invitation.email}; you are signed in as {user.email}.")
    with transaction.atomic():
        _hold(invitation, number)
        return _join(invitation, user)


def accept_as_new(invitation, number, *, name, password):
    """The same for somebody without an account: it is made with `name` and `password`. Raises NotOpen, ValidationError."""
    if User.objects.filter(email__iexact=invitation.email).exists():
        raise ValidationError(f"{invitation.email} has an account already. Sign in with it to go on.")
    with transaction.atomic():
        _hold(invitation, number)
        return _join(invitation, accounts.create(invitation.email, name=name, password=password))


def deliver(invitation_id) -> None:
    """Send the mail that an invitation owes, if it is due and nobody else is at it."""
    invitation = work.claim(Invitation.objects.all(), invitation_id)
    if invitation is None:
        return
    if state(invitation, invitation.number) is not State.OPEN:
        work.give_up(invitation, error=TOO_LATE)
        return
    by = invitation.invited_by
    context = {"invitation": invitation, "link": link(invitation), "by": by}
    subject = (
        f"{by.display_name} invites you to {invitation.workspace.name}" if by else f"Join {invitation.workspace.name}"
    )
    mail.deliver(invitation, invitation.email, f"{subject} on Touchline", "invitation", context)


def _first_try(now):
    """When the mail is due; never, where none reaches people: then the page and the command show the link instead."""
    return now if settings.MAIL_IS_CONFIGURED else None


def _waiting(workspace, email):
    return Invitation.objects.waiting().filter(workspace=workspace, email__iexact=email)


def _revoke(rows, *, by):
    """Nothing is owed any more either: a worker that is sending this very moment finds its lease gone."""
    return rows.waiting().update(
        revoked_at=timezone.now(), revoked_by=by, next_try_at=None, claim=None, claimed_until=None
    )


def _hold(invitation, number):
    """Whoever else accepts at the same time waits here until this transaction ends, and then finds it accepted."""
    if not Invitation.objects.open().filter(pk=invitation.pk, number=number).update(number=F("number")):
        raise NotOpen("This invitation cannot be used any more.")


def _join(invitation, user):
    agent = Invitation.objects.select_related("agent").get(pk=invitation.pk).agent
    joining = {"by": invitation.invited_by, "role": invitation.role}
    row_is_taken = False
    try:
        member, is_new = members.join(invitation.workspace, user, agent=agent, **joining)
    except ValidationError as refusal:
        if agent is None or "agent" not in refusal.message_dict:
            raise
        row_is_taken = True
        member, is_new = members.join(invitation.workspace, user, agent=None, **joining)
    Invitation.objects.filter(pk=invitation.pk).update(
        accepted_at=timezone.now(), accepted_as=member, next_try_at=None, claim=None, claimed_until=None
    )
    invitation.refresh_from_db()
    return Joined(member, was_member=not is_new, row_is_taken=row_is_taken and is_new)
