from django.db import models

from agents.access import Scoped
from agents.history import VersionHistory
from agents.models import Workspace


class DeepLink(models.Model):
    """How a conversation of one source is opened in its helpdesk."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="deep_links")
    source = models.SlugField(max_length=50)
    conversation_pattern = models.CharField(max_length=500, help_text="With {id}; http or https only.")
    account_pattern = models.CharField(max_length=500, blank=True)
    keys = models.JSONField(default=dict, blank=True, help_text='Values for further keys, such as {"subdomain": "…"}.')
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory()
    objects = Scoped.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "source"], name="one_deep_link_per_source")]

    def __str__(self):
        return f"{self.source}: {self.conversation_pattern}"
