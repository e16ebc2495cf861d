from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ConfigConfig(AppConfig):
    name = "config"
    default = True


class BackOfficeConfig(admin_apps.AdminConfig):
    """Django's admin with our own site."""

    default = False
    default_site = "agents.back_office.site.BackOffice"
