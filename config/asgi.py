"""The web process: uvicorn serves `config.asgi:application`."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django = get_asgi_application()

from config.bodies import Bounded  # noqa: E402 (models can be imported only now)
from helpdesk.views.hooks import HooksFirst  # noqa: E402 (models can be imported only now)

application = HooksFirst(Bounded(django))
import_module(settings.ROOT_URLCONF)  # the pages and the API, which the first request would load
# What is loaded stays: to look through 285,000 objects for garbage would hold a request up for a tenth of a second.
gc.freeze()
