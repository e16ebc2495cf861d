"""Who is looking at a proposal, so that two people do not work on the same one."""

from datetime import timedelta

from django.utils import timezone

from agents.models import Member
from coaching.actions import changes
from coaching.models import Proposal, Viewing

STAYS = timedelta(seconds=30)  # after the last sign of life; an open page gives one every ten seconds
KEPT = timedelta(days=1)


def see(proposal: Proposal, *, by: Member) -> None:
    """`by` has the proposal open now. Raises NotAllowed."""
    changes.require_place(proposal, by)
    Viewing.objects.update_or_create(
        workspace_id=proposal.workspace_id, proposal=proposal, member=by, defaults={"seen_at": timezone.now()}
    )


def others(proposal: Proposal, *, than: Member) -> list[Member]:
    """The other members who have it open now, by name."""
    fresh = Viewing.objects.filter(proposal=proposal, seen_at__gt=timezone.now() - STAYS).exclude(member=than)
    return sorted((each.member for each in fresh.select_related("member__user")), key=lambda each: each.display_name)


def forget() -> int:
    """Delete what nobody needs any more; returns how many."""
    return Viewing.objects.filter(seen_at__lt=timezone.now() - KEPT).delete()[0]
