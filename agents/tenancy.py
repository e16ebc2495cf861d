"""A row never points into another workspace: the database itself refuses it.

Every table that belongs to a workspace carries `workspace`. For each of its foreign keys to another such table a trigger
compares the two on insert and update, on SQLite and on PostgreSQL alike. The triggers are made after every `migrate`,
because SQLite drops them whenever Django rebuilds a table.
"""

from django.apps import apps
from django.db import connections

OURS = ("agents", "memories", "helpdesk", "coaching")


def guarded_keys():
    """Yield (model, foreign key) for every pointer from one workspace's row to another row of a workspace."""
    for label in OURS:
        for model in apps.get_app_config(label).get_models():
            if not _has_workspace(model) or not model._meta.managed or hasattr(model, "instance_type"):
                continue  # history rows are copies: what they point at may be gone
            for field in model._meta.concrete_fields:
                if field.many_to_one or field.one_to_one:
                    target = field.remote_field.model
                    if target._meta.model_name != "workspace" and _has_workspace(target):
                        yield model, field


def _has_workspace(model):
    return any(f.name == "workspace" for f in model._meta.concrete_fields)


def _trigger_name(model, field):
    return f"{model._meta.db_table}_{field.column}_same_workspace"


def _sqlite(model, field):
    table, column, target = model._meta.db_table, field.column, field.remote_field.model._meta
    for event, short in (("INSERT", "ins"), (f'UPDATE OF "{column}", "workspace_id"', "upd")):
        yield (
            f'CREATE TRIGGER IF NOT EXISTS "{_trigger_name(model, field)}_{short}" BEFORE {event} ON "{table}" '
            f'WHEN NEW."{column}" IS NOT NULL AND NEW."workspace_id" <> '
            f'(SELECT "workspace_id" FROM "{target.db_table}" WHERE "{target.pk.column}" = NEW."{column}") '
            f"BEGIN SELECT RAISE(ABORT, '{table}.{column} points into another workspace'); END"
        )


def _postgresql(model, field):
    table, column, target = model._meta.db_table, field.column, field.remote_field.model._meta
    name = _trigger_name(model, field)[:60]
    yield (
        f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger AS $$ BEGIN '
        f'IF NEW."workspace_id" <> (SELECT "workspace_id" FROM "{target.db_table}" '
        f'WHERE "{target.pk.column}" = NEW."{column}") THEN '
        f"RAISE EXCEPTION '{table}.{column} points into another workspace' USING ERRCODE = 'integrity_constraint_violation'; "
        f"END IF; RETURN NEW; END $$ LANGUAGE plpgsql"
    )
    yield (
        f'CREATE OR REPLACE TRIGGER "{name}" BEFORE INSERT OR UPDATE OF "{column}", "workspace_id" ON "{table}" '
        f'FOR EACH ROW WHEN (NEW."{column}" IS NOT NULL) EXECUTE FUNCTION "{name}"()'
    )


STATEMENTS = {"sqlite": _sqlite, "postgresql": _postgresql}


def install_guards(using, **_):
    """Make what is missing of the triggers. Called after `migrate`; harmless to repeat."""
    connection = connections[using]
    existing = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for model, field in guarded_keys():
            if model._meta.db_table in existing:
                for statement in STATEMENTS[connection.vendor](model, field):
                    cursor.execute(statement)
