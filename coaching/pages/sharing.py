"""Since when a note is shared: to the person it is about it is no older than that, whatever page or script they read it with."""

from django.db.models import Case, IntegerField, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce

from coaching.models import Note


def as_shared(rows):
    """Notes that are shared, with `shared_at`, since when they are without a break, and `words_at`, since when they say what
    they say; no earlier than `shared_at`. One that was never private was shared when it was written."""
    versions = Note.history.filter(id=OuterRef("pk"))
    private = versions.filter(shared_with_agent=False).order_by("-version").values("version")[:1]
    since = versions.filter(version__gt=OuterRef("last_private")).order_by("version").values("history_date")[:1]
    other = versions.filter(version__gt=OuterRef("last_private")).exclude(body=OuterRef("body"))
    other = other.order_by("-version").values("version")[:1]
    words = versions.filter(version__gt=OuterRef("last_other")).order_by("version").values("history_date")[:1]
    return (
        rows.filter(shared_with_agent=True)
        .annotate(last_private=Coalesce(Subquery(private), Value(0), output_field=IntegerField()))
        .annotate(last_other=Coalesce(Subquery(other), "last_private", output_field=IntegerField()))
        .annotate(
            shared_at=Case(When(last_private=0, then="created_at"), default=Subquery(since)),
        )
        # Words that stand in no version were written past the product; nothing says that they are newer.
        .annotate(words_at=Coalesce(Case(When(last_other=0, then="created_at"), default=Subquery(words)), "shared_at"))
    )
