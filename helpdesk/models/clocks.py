from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.models import Member, Workspace


class TimeZoneChangeQuerySet(Scoped, work.OwedQuerySet):
    def unfinished(self):
        return self.filter(done_at=None).owed()


class TimeZoneChange(work.Owed):
    """A workspace is to live by another clock: every rating may belong to another day then, so its days are summed anew."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="time_zone_changes")
    time_zone = models.CharField(max_length=64)
    asked_by = models.ForeignKey(Member, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    done_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TimeZoneChangeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(next_try_at__isnull=False), name="one_time_zone_change_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(next_try_at=None), name="done_time_zone_change_owes_nothing"
            ),
            work.owed_constraint("time_zone_change_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("time_zone_change_owed")]

    def __str__(self):
        return f"{self.workspace} to {self.time_zone}"
