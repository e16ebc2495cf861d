"""Secrets of others (keys, tokens) rest encrypted: Fernet under the keys of FIELD_KEYS, the newest first.

Reading tries every key, writing uses the newest, so keys are exchanged by putting a new one in front and, once every row
was written anew, taking the old one away.
"""

from collections.abc import Iterator
from enum import Enum, auto
from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Value
from django.db.models.functions import Cast

BATCH = 500  # rows that a rotation reads at a time


class UnreadableSecret(Exception):
    """None of the keys in FIELD_KEYS opens this secret: it was written under one that is gone."""


def encrypt(plain: str) -> str:
    """The text under the newest key, as URL-safe text."""
    return _keys(tuple(settings.FIELD_KEYS)).encrypt(plain.encode()).decode()


def decrypt(secret: str) -> str:
    """What `encrypt` was given. Raises UnreadableSecret."""
    try:
        return _keys(tuple(settings.FIELD_KEYS)).decrypt(secret.encode()).decode()
    except InvalidToken:
        raise UnreadableSecret from None


def renew(secret: str) -> str:
    """The same secret under the newest key. Raises UnreadableSecret."""
    return encrypt(decrypt(secret))


def is_newest(secret: str) -> bool:
    """Whether the secret is under the newest key."""
    try:
        _keys(tuple(settings.FIELD_KEYS[:1])).decrypt(secret.encode())
    except InvalidToken:
        return False
    return True


@cache
def _keys(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedTextField(models.TextField):
    """Text that is encrypted in the database and plain on the row. It cannot be searched for. Empty stays empty.

    A secret that no key opens reads as empty: whoever depends on it then says that it is missing, and it can be put in anew.
    """

    def from_db_value(self, value, expression, connection):
        if not value:
            return value
        try:
            return decrypt(value)
        except UnreadableSecret:
            return ""

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return encrypt(value) if value else value


class Rotated(Enum):
    """What became of one secret: written anew, under the newest key already, or opened by no key."""

    WRITTEN = auto()
    ALREADY = auto()
    UNREADABLE = auto()


def rotate() -> Iterator[tuple[Rotated, str]]:
    """Write every secret of every table anew under the newest key, and say of each what became of it and where it stands.

    A secret that somebody changes meanwhile is left as they wrote it: it is under the newest key then. No version is made.
    """
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield from _rotate(model, field)


def _rotate(model, field):
    # As text the column is what is stored; as itself it would be read and written decrypted.
    rows = model._base_manager.annotate(stored=Cast(field.name, models.TextField())).exclude(stored="").order_by("pk")
    last = None
    while batch := (rows if last is None else rows.filter(pk__gt=last)).values_list("pk", "stored")[:BATCH]:
        for pk, secret in list(batch):
            where = f"{model._meta.db_table} {pk}: {field.name}"
            last = pk
            if is_newest(secret):
                yield Rotated.ALREADY, where
                continue
            try:
                anew = Value(renew(secret), output_field=models.TextField())
            except UnreadableSecret:
                yield Rotated.UNREADABLE, where
                continue
            unchanged = rows.order_by().filter(pk=pk, stored=secret)
            yield (Rotated.WRITTEN if unchanged.update(**{field.name: anew}) else Rotated.ALREADY), where
