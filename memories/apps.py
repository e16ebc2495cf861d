from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

from memories.search.engines import ENGINES


def install_search(sender, using, **_):
    """The index is no model's: it is made after every migrate, as `agents.tenancy` makes its triggers."""
    database = connections[using]
    if "memories_memory" in database.introspection.table_names():
        ENGINES[database.vendor].install(database)


class MemoriesConfig(AppConfig):
    name = "memories"

    def ready(self):
        post_migrate.connect(install_search, sender=self, dispatch_uid="memories.search")
