"""The project: settings, addresses, processes. Nothing imports this package but the processes that start it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
