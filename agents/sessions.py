"""Browser sessions that know whose they are (Django's own way to extend them), so that people can see and end theirs."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions

from agents.models import BrowserSession


class SessionStore(DatabaseSessions):
    """What SESSION_ENGINE names."""

    @classmethod
    def get_model_class(cls):
        return BrowserSession

    def create_model_instance(self, data):
        """The row to be stored. What else is known of a browser that was here before stays as it is."""
        new = super().create_model_instance(data)
        row = BrowserSession.objects.filter(pk=new.pk).first() or new
        row.session_data, row.expire_date = new.session_data, new.expire_date
        row.user_id = data.get(SESSION_KEY)
        return row
