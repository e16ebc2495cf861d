"""What several lists are filtered by: only what stands in their rows is offered."""

from django.contrib import admin

AGENT = ("agent", admin.RelatedOnlyFieldListFilter)
TEAM = ("agent__team", admin.RelatedOnlyFieldListFilter)
