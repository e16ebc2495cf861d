"""History rows of versioned things: django-simple-history, with each version stored at most once."""

from django.db import models
from simple_history.models import HistoricalRecords


class VersionHistory(HistoricalRecords):
    """One row per version, with its author and reason. Two rows of one version cannot be stored."""

    def get_meta_options(self, model):
        options = super().get_meta_options(model)
        options["constraints"] = [
            models.UniqueConstraint(fields=["id", "version"], name=f"{model._meta.model_name}_version_once")
        ]
        return options
