"""Changing the decision log behind the product's back, as somebody with the database in their hands would."""

from django.db import connection

from agents.models import Decision


def edit(decision, column, value):
    """Write `value` into one column of an entry."""
    _execute(f"UPDATE {Decision._meta.db_table} SET {column} = %s WHERE id = %s", [value, decision.pk])


def remove(decision):
    """Take one entry out."""
    _execute(f"DELETE FROM {Decision._meta.db_table} WHERE id = %s", [decision.pk])


def _execute(statement, values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
