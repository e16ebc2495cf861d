"""`manage.py up`: the whole product under one process."""

import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    help = "Run web, worker, beat and Slack's socket until Ctrl-C; what stops is started again."
    requires_system_checks = []  # `migrate` and the tests run them; here they would load every page for nothing

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT, help="default: %(default)s, from PORT")

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        refuse_port_in_use(settings.HOST, port)
        refuse_unapplied_migrations()
        connections.close_all()
        become_product(settings.HOST, port)


def become_product(host: str, port: int) -> None:
    """Replace this process by the supervisor, which needs neither Django nor a database (see config/product.py)."""
    command = [sys.executable, "-m", "config.product", "--host", host, "--port", str(port)]
    command += ["--log-level", settings.LOG_LEVEL.lower()]
    command += ["--proxies", ",".join(settings.PROXIES)]
    command += ["--logins", str(settings.DATA_DIR / "demo-logins.txt")]
    command += ["--slack", str(settings.SLACK_SOCKET_WANTED)]
    os.chdir(settings.BASE_DIR)
    os.execv(sys.executable, command)  # noqa: S606 (our own program)


def refuse_port_in_use(host: str, port: int) -> None:
    """Raise CommandError when nothing can listen there: the web process would only fail again and again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}, port {port}: {error.strerror}. "
                f"Stop what uses it, or choose another port: manage.py up --port {port + 1}"
            ) from error


def refuse_unapplied_migrations() -> None:
    """Raise CommandError when the database cannot be reached or is not as new as the code."""
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError as error:
        raise CommandError(f"The database cannot be reached: {error}") from error
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("The database is not as new as the code. Run first: manage.py migrate")
