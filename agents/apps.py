from django.apps import AppConfig
from django.db.models.signals import post_migrate

from agents.tenancy import install_guards


def install(sender, using, **_):
    install_guards(using)


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self):
        post_migrate.connect(install, sender=self, dispatch_uid="agents.tenancy")
