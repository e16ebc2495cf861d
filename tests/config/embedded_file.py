"""A database of the embedded mode, as its own processes would leave it: the demo workspace, and a secret.

`python -m tests.config.embedded_file` makes it in DATA_DIR. The tables are made from the models: to go through all migrations
would take longer than everything else.
"""

import django

django.setup()

# ruff: noqa: E402  models can be imported only now
from django.apps import apps
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from agents.models import Member, Team, Workspace
from helpdesk.actions import connections

SECRET = "a-token-that-nobody-may-read"


def main():
    with connection.schema_editor() as editor:
        for model in apps.get_models():
            editor.create_model(model)
    recorder = MigrationRecorder(connection)
    recorder.ensure_schema()
    for app, name in MigrationLoader(None).graph.nodes:
        recorder.record_applied(app, name)
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    call_command("load_demo")
    workspace = Workspace.objects.get()
    owner = Member.objects.get(workspace=workspace, role=Member.Role.OWNER)
    credentials = {"email": "ops@example.com", "api_token": SECRET, "webhook_secret": "whs"}
    connections.connect(
        workspace, vendor="zendesk", base_url="https://desk.zendesk.com", by=owner, credentials=credentials
    )
    Team.objects.create(workspace=workspace, name="Odd \\N \t\n\"'\u2028 🦜 ماء")
    Team.objects.create(workspace=workspace, name="gone tomorrow").delete()


if __name__ == "__main__":
    main()
