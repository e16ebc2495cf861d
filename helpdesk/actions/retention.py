"""What is kept of transcripts, and for how long."""

from datetime import datetime, timedelta

from agents.models import Agent
from helpdesk.models import StoredTranscript
from helpdesk.transcripts import Transcript


def keep_storage_promises(now: datetime) -> int:
    """Bring what is stored in step with what each agent's storage mode and retention allow now.

    Deletes what is due, and everything of agents whose transcripts are not kept any more; masks what was stored before
    masking was switched on; lets a shortened retention count for what is already here. Returns how many were deleted.
    """
    stored = StoredTranscript.objects.order_by("pk")
    gone, _ = stored.filter(delete_at__lte=now).delete()
    dropped, _ = stored.not_to_be_kept().delete()
    unmasked = stored.to_be_masked()
    for pk in list(unmasked.values_list("pk", flat=True)):
        row = unmasked.filter(pk=pk).first()
        if row is not None:
            turns = Transcript.from_json(row.turns).masked().as_json()
            stored.filter(pk=pk, masked=False).update(turns=turns, masked=True)
    for days in Agent.objects.ai().order_by().values_list("retention_days", flat=True).distinct():
        latest = now + timedelta(days=days)
        stored.filter(conversation__agent__retention_days=days, delete_at__gt=latest).update(delete_at=latest)
    return gone + dropped
