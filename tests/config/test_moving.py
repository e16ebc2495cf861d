"""`manage.py move_to_postgresql`: everything or nothing, on a real server."""

import json
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.apps import apps
from django.conf import global_settings
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agents.models import Decision, Team, User, Workspace
from config import moving
from helpdesk.models import HelpdeskConnection
from tests.config.embedded_file import SECRET
from tests.config.test_up import manage

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="moves into PostgreSQL")
MODELS = apps.get_models(include_auto_created=True)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """The data directory of a product that ran in the embedded mode."""
    directory = tmp_path_factory.mktemp("embedded")
    child = manage(data_dir=directory)
    child["args"] = [sys.executable, "-m", "tests.config.embedded_file"]
    child["env"] |= {"SECRET_KEY": "", "FIELD_KEYS": "", "DJANGO_SETTINGS_MODULE": "config.settings"}
    subprocess.run(**child, check=True, timeout=120)
    return directory


@pytest.fixture
def file(embedded, tmp_path, settings):
    """A copy of its database, with its keys in the settings."""
    settings.FIELD_KEYS = [(embedded / "field_key").read_text().strip()]
    return shutil.copy(embedded / "touchline.sqlite3", tmp_path)


def changed(file, *statements):
    with sqlite3.connect(file) as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def moved(file):
    out = StringIO()
    call_command("move_to_postgresql", file, stdout=out)
    return out.getvalue()


def refusal(file):
    """Why nothing was moved; and nothing was."""
    permissions = Permission.objects.count()
    with pytest.raises(CommandError) as refused:
        moved(file)
    assert str(refused.value).endswith("\nNothing was moved.")
    assert not User.objects.filter(email="owner@demo.example").exists()
    assert Permission.objects.count() == permissions
    return str(refused.value)


def counted(cursor):
    counts = {}
    for model in MODELS:
        cursor.execute(f'SELECT count(*) FROM "{model._meta.db_table}"')
        counts[model._meta.db_table] = cursor.fetchone()[0]
    return counts


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_demo_moves_whole_and_works_on(embedded, file, client, settings):
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    with sqlite3.connect(file) as database:
        there = counted(database.cursor())
        gone = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'agents_team'").fetchone()[0]
    database.close()

    said = moved(file)

    with connection.cursor() as cursor:
        assert counted(cursor) == there
    assert there["helpdesk_rating"] > 1000
    assert f"{sum(there.values()):,} rows moved, each compared" in said
    assert f"demo: {Decision.objects.count()} entries of the decision log, unbroken." in said
    call_command("verify_log", stdout=StringIO())
    call_command("rebuild_days", check=True, stdout=StringIO())
    assert HelpdeskConnection.objects.get().credentials["api_token"] == SECRET
    assert Team.objects.filter(name="Odd \\N \t\n\"'\u2028 🦜 ماء").exists()
    assert Team.objects.create(workspace=Workspace.objects.get(), name="New").pk == gone + 1
    login = (embedded / "demo-logins.txt").read_text().splitlines()[0].split()
    assert client.post("/sign-in", dict(zip(("username", "password"), login, strict=True))).status_code == 302
    assert client.get("/team").status_code == 200


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_database_with_rows_is_refused(file, owner):
    said = refusal(file)

    assert "The database is not empty: rows stand in " in said
    assert User.objects.get() == owner.user


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_file_that_somebody_has_open_is_refused(file, monkeypatch):
    monkeypatch.setattr(moving, "PATIENCE", 0.1)
    reader = sqlite3.connect(file)
    reader.execute("SELECT count(*) FROM agents_user").fetchone()

    assert "has " in (said := refusal(file))
    assert "Stop Touchline, all of it, and try again." in said

    reader.close()
    moved(file)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_file_of_another_version_is_refused(file):
    changed(file, "INSERT INTO django_migrations (app, name, applied) VALUES ('agents', '9999_later', '2026-01-01')")
    assert "The file is newer than the database." in refusal(file)

    changed(file, "DELETE FROM django_migrations WHERE name = '9999_later' OR app = 'memories'")
    assert "The file is older than the database." in refusal(file)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_other_keys_are_refused(file, settings):
    settings.FIELD_KEYS = ["d2hhdGV2ZXIgdGhpcyBpcywgaXQgaXMgbm90IHRoZSA="]

    said = refusal(file)

    pk = HelpdeskConnection._meta.db_table
    assert f"FIELD_KEYS does not open what stands at {pk} " in said
    assert ": secrets." in said


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE agents_team SET name = 'secret' || char(0) || 'words' WHERE id = {pk}", "cannot contain NUL"),
        ("UPDATE agents_team SET name = '{long}' WHERE id = {pk}", "value too long for type character varying(200)"),
        ("UPDATE agents_team SET workspace_id = '{nobody}' WHERE id = {pk}", "violates foreign key constraint"),
    ],
)
def test_row_that_postgresql_refuses_is_named_without_its_words(file, statement, said):
    with sqlite3.connect(file) as database:
        (pk,) = database.execute("SELECT max(id) FROM agents_team").fetchone()
    database.close()
    changed(
        file,
        "DROP TRIGGER IF EXISTS agents_agent_team_id_same_workspace_upd",
        statement.format(pk=pk, long="secretwords" * 20, nobody="0" * 32),
    )

    refused = refusal(file)

    assert said in refused
    assert "secret" not in refused
    if "foreign key" not in said:
        assert f"agents_team {pk} is refused: " in refused


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_row_that_arrives_otherwise_is_found(file):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION shout() RETURNS trigger AS $$ BEGIN NEW.name = upper(NEW.name); RETURN NEW; END $$ LANGUAGE plpgsql"
        )
        cursor.execute("CREATE TRIGGER shouted BEFORE INSERT ON agents_team FOR EACH ROW EXECUTE FUNCTION shout()")
    try:
        assert "did not arrive as it was sent." in refusal(file)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION shout CASCADE")


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_what_is_no_database_is_refused(tmp_path):
    assert "There is no file " in refusal(tmp_path / "not-here")
    assert not (tmp_path / "not-here").exists()

    (tmp_path / "words").write_text("These are words. " * 100)
    assert "cannot be read: file is not a database." in refusal(tmp_path / "words")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="refused only where no server is named")
@pytest.mark.django_db
def test_embedded_mode_is_no_place_to_move_to(tmp_path):
    assert "DATABASE_URL names no PostgreSQL server" in refusal(tmp_path / "not-here")


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
WHOLE = {
    "PositiveSmallIntegerField": st.integers(0, 2**15 - 1),
    "PositiveIntegerField": st.integers(0, 2**31 - 1),
    "PositiveBigIntegerField": st.integers(0, 2**63 - 1),
    "BigIntegerField": st.integers(-(2**63), 2**63 - 1),
    "AutoField": st.integers(1, 2**31 - 1),
    "BigAutoField": st.integers(1, 2**63 - 1),
}
VALUES = WHOLE | {
    "TextField": TEXT,
    "UUIDField": st.uuids(),
    "BooleanField": st.booleans(),
    "DateField": st.dates(date(1, 1, 2)),
    "DateTimeField": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    "JSONField": st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5,
    ).filter(lambda value: value is not None),
}  # fmt: skip


def values_of(field):
    """Any value that the column can hold, by the type that its field says it is of."""
    plain = field
    while plain.remote_field:
        plain = plain.target_field
    kind = plain.get_internal_type()
    if kind in ("CharField", "SlugField"):
        values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=plain.max_length)
    else:
        values = VALUES[kind]
    return st.none() | values if field.null else values


@on_postgresql
@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.db_table)
@settings(max_examples=10, deadline=None, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_any_row_of_any_model_arrives_as_it_is(model, data):
    fields = model._meta.concrete_fields
    table, key = model._meta.db_table, fields.index(model._meta.pk)
    rows = data.draw(st.lists(st.tuples(*map(values_of, fields)), unique_by=lambda row: row[key], max_size=5))
    source = moving.SQLiteWrapper({**plain_settings(), "NAME": ":memory:"}, alias="drawn")
    columns = ", ".join(f'"{field.column}" {field.db_type(source)}' for field in fields)
    with source.cursor() as cursor:
        cursor.execute(f'CREATE TABLE "{table}" ({columns})')
        places = ", ".join(["%s"] * len(fields))
        for row in rows:
            written = [stored_form(field, value, source) for field, value in zip(fields, row, strict=True)]
            cursor.execute(f'INSERT INTO "{table}" VALUES ({places})', written)
    with transaction.atomic(), connection.cursor() as cursor:
        # Of the same columns, without the constraints between them.
        cursor.execute(f'CREATE TEMPORARY TABLE "{table}" (LIKE public."{table}")')

        assert moving.copy_table(source, connection, model) == len(rows)

        cursor.execute(f'SELECT {", ".join(f"{chr(34)}{field.column}{chr(34)}" for field in fields)} FROM "{table}"')
        arrived = {row[key]: row for row in cursor.fetchall()}
        cursor.execute(f'DROP TABLE pg_temp."{table}"')
    assert set(arrived) == {row[key] for row in rows}
    for row in rows:
        for field, sent, got in zip(fields, row, arrived[row[key]], strict=True):
            if isinstance(field, models.JSONField) and sent is not None:
                got, sent = numbers_exact(got), numbers_exact(json.dumps(sent))
            assert got == sent
    source.close()


def numbers_exact(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def plain_settings():
    return connection.settings_dict | {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}


def stored_form(field, value, database):
    """As the database keeps it; a secret as the text that it is there."""
    if field.get_internal_type() == "TextField":
        return value
    return field.get_db_prep_save(value, database)


def test_every_model_comes_after_those_its_rows_point_at():
    order = moving.in_order(MODELS)

    assert sorted(order, key=str) == sorted(MODELS, key=str)
    for at, model in enumerate(order):
        for field in model._meta.concrete_fields:
            if field.remote_field and field.db_constraint and field.remote_field.model is not model:
                assert field.remote_field.model in order[:at], f"{model.__name__}.{field.name}"
