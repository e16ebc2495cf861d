"""The counts beside the links of the top bar."""

from functools import cached_property

from django.utils import timezone

from coaching.models import Flag, Note, Proposal


class Navigation:
    """What waits for this member; counted only where a page shows it."""

    def __init__(self, member):
        self.member = member

    @cached_property
    def pending_proposals(self):
        return Proposal.objects.visible_to(self.member).pending().count()

    @cached_property
    def due(self):
        """Open flags, and follow-ups whose day has come."""
        end_of_day = timezone.localtime(timezone=self.member.workspace.zone).replace(hour=23, minute=59, second=59)
        follow_ups = Note.objects.visible_to(self.member).following_up().filter(follow_up_at__lte=end_of_day)
        return Flag.objects.visible_to(self.member).open().count() + follow_ups.count()


def counts(request):
    """Context processor: `navigation` on every page of a member."""
    member = getattr(request, "member", None)
    return {"navigation": Navigation(member)} if member else {}
