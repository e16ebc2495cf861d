"""The web process: uvicorn serves `config.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django = get_asgi_application()

from helpdesk.views.hooks import HooksFirst  # noqa: E402  models can be imported only now

application = HooksFirst(django)
