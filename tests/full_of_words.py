"""A word of one's own in every text of every row, to see where it comes out again."""

from django.apps import apps
from django.db import models

from agents import tenancy
from coaching.models import Sample
from coaching.pages import hygiene
from helpdesk.models import API_SOURCE

# What is not words: what opens something or proves something (that none of it is shown is tested where it is made), what the
# product itself says or computes, and numbers in the words of a scale.
NO_WORDS = {
    "password", "hash", "previous_hash", "request_hash", "key", "key_tail", "secrets", "session_key", "session_data",
    "fingerprint", "time_zone", "target_kind", "proposal_type", "value",
}  # fmt: skip
PROSE = {
    "text",
    "summary",
    "system_prompt",
    "trigger",
    "content",
    "name",
    "title",
    "note",
    "quote",
    "detail",
    "subdomain",
}
ADDRESSES = ("url", "conversation_pattern", "account_pattern", "base_url")


def models_of_ours():
    return [model for label in tenancy.OURS for model in apps.get_app_config(label).get_models()]


def texts_of(model):
    """The columns of `model` that hold somebody's words, bounded in length or not."""
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, (models.CharField, models.TextField)) and not field.choices
        if is_text and field.name not in NO_WORDS and not field.primary_key:
            yield field


def fill(word):
    """Give every text of every row there is what `word(model's name, field's name, pk)` says, as far as it fits.

    It is written past the actions: what the product remembers of texts by their versions is forgotten.
    """
    hygiene._look.cache_clear()
    Sample.objects.filter(summary="").update(summary="x", summary_state=Sample.Summary.CAPTURED)
    for model in models_of_ours():
        rows = models.QuerySet(model)  # the log's own refuses to be written to
        for row in rows.order_by("pk"):
            values = {field.name: _fitting(field, word, row) for field in texts_of(model)}
            values |= {
                field.name: _reworded(
                    getattr(row, field.name), lambda at=(model.__name__, field.name, row.pk): word(*at)
                )
                for field in model._meta.concrete_fields
                if isinstance(field, models.JSONField) and field.name != "scopes"
            }
            if values:
                rows.filter(pk=row.pk).update(**values)


def _fitting(field, word, row):
    now = getattr(row, field.name)
    if field.name == "source" and now == API_SOURCE:
        return now  # another would make of ours a helpdesk's
    said = word(type(row).__name__, field.name, row.pk)
    if isinstance(field, models.EmailField):
        return f"{said[:60]}@test.example"
    if field.name in ADDRESSES:
        return f"https://desk.example/{said}/{{id}}"
    return said[: field.max_length]


def _reworded(value, word, key=""):
    if isinstance(value, dict):
        return {name: _reworded(inner, word, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_reworded(inner, word, key) for inner in value]
    return word() if isinstance(value, str) and (key in PROSE or " " in value) else value
