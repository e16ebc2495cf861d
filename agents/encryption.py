"""Secrets of others (keys, tokens) rest encrypted: Fernet under the keys of FIELD_KEYS, the newest first.

Reading tries every key, writing uses the newest, so keys are exchanged by putting a new one in front and, once every row
was written anew, taking the old one away.
"""

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


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
