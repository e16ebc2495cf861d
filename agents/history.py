"""History rows of versioned things: django-simple-history, with each version stored at most once."""

from django.db import IntegrityError, models, transaction
from django.db.models import F
from simple_history.models import HistoricalRecords


class VersionHistory(HistoricalRecords):
    """One row per version, with its author and reason. Two rows of one version cannot be stored."""

    def get_meta_options(self, model):
        options = super().get_meta_options(model)
        options["constraints"] = [
            models.UniqueConstraint(fields=["id", "version"], name=f"{model._meta.model_name}_version_once")
        ]
        return options

    def post_delete(self, instance, using=None, **kwargs):
        """A row that goes without an action, with its workspace for one, claimed no number: its end is the next version."""
        if instance.history.filter(version=instance.version).exists():
            instance.version += 1
        super().post_delete(instance, using=using, **kwargs)


def save_next(row, *, by, **values) -> bool:
    """Give the one row that a workspace has of its kind new values, as the version after the one that was read.

    For settings that carry `workspace`, `version` and a VersionHistory. One that was never stored is stored whole, of another
    only the values. False where somebody was first; then nothing is stored.
    """
    model = type(row)
    if row.pk is not None:
        return change(row, model.objects.filter(version=row.version), by=by, **values)
    for field, value in values.items():
        setattr(row, field, value)
    row.version, row._history_user = 1, by.user
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        if model.objects.filter(workspace=row.workspace_id).exists():
            return False
        raise
    return True


def change(row, rows, *, by, **values) -> bool:
    """Give `row` new values as its next version, if it still is among the queryset `rows`; False where it is not.

    For rows with `version` and a VersionHistory. `row` is read anew, so that what others changed meanwhile stays, and nothing
    else of it is written: a secret that no key opens now reads as empty, and is there again when its key is. `by` is the member
    whose version it is, None for an operator.
    """
    with transaction.atomic():
        if not rows.filter(pk=row.pk).update(version=F("version") + 1):
            return False
        row.refresh_from_db()
        for field, value in values.items():
            setattr(row, field, value)
        row._history_user = by.user if by is not None else None
        moved = [field.name for field in row._meta.concrete_fields if getattr(field, "auto_now", False)]
        row.save(update_fields=[*values, *moved, "version"])
    return True
