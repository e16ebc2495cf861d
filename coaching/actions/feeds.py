"""The private calendar address of a leader: which number its key carries, and renewing it."""

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from agents.access import Refusal, Right, require
from coaching.models import CalendarFeed


class AlreadyRenewed(Refusal):
    """The address is not any more the one that was to be replaced."""


def of(member):
    """The member's feed; one that is not stored, with the number 1, for who never renewed theirs."""
    stored = CalendarFeed.objects.filter(member=member).first()
    return stored or CalendarFeed(workspace_id=member.workspace_id, member=member)


def renew(member, *, number):
    """Replace the member's own address, whose number is `number`: it is dead from this moment on. Returns the new feed.

    Raises NotAllowed, AlreadyRenewed.
    """
    require(member, Right.COACH_PEOPLE)
    now, theirs = timezone.now(), CalendarFeed.objects.filter(member=member)
    try:
        with transaction.atomic():
            if not theirs.filter(number=number).update(number=F("number") + 1, renewed_at=now):
                if number != CalendarFeed._meta.get_field("number").default:
                    raise AlreadyRenewed("The address was renewed before. Nothing was changed.")
                CalendarFeed.objects.create(
                    workspace_id=member.workspace_id, member=member, number=number + 1, renewed_at=now
                )
    except IntegrityError as error:
        raise AlreadyRenewed("The address was renewed before. Nothing was changed.") from error
    return theirs.get()
