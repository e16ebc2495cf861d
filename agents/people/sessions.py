"""Browser sessions that know whose they are (Django's own way to extend them), so that people can see and end theirs."""

from datetime import timedelta

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.db.models import DateTimeField
from django.utils import timezone

from agents.compiled import CompiledQuery, Parameter, columns_of, read_models
from agents.models import BrowserSession

OPENED_BY = CompiledQuery(
    lambda _: BrowserSession.objects.filter(
        session_key=Parameter("key", BrowserSession._meta.pk), expire_date__gt=Parameter("now", DateTimeField())
    ),
    columns_of(BrowserSession),
)
SEEN_NOTED_EVERY = timedelta(minutes=5)
BROWSER_LIMIT = BrowserSession._meta.get_field("browser").max_length
PLACE_LIMIT = BrowserSession._meta.get_field("place").max_length


class SessionStore(DatabaseSessions):
    """What SESSION_ENGINE names."""

    row = None  # as it was read

    @classmethod
    def get_model_class(cls):
        return BrowserSession

    def _get_session_from_db(self):
        self.row = None
        for row in OPENED_BY.rows(key=self.session_key, now=timezone.now()):
            [self.row] = read_models(row, BrowserSession)
        if self.row is None:
            self._session_key = None  # a key that opens nothing is not taken up for a session that begins
        return self.row

    def create_model_instance(self, data):
        """The row to be stored. What else is known of a browser that was here before stays as it is."""
        new = super().create_model_instance(data)
        row = BrowserSession.objects.filter(pk=new.pk).first() or new
        row.session_data, row.expire_date = new.session_data, new.expire_date
        row.user_id = data.get(SESSION_KEY)
        return row

    def cycle_key(self):
        """A new key for the same browser: since when it is here, and as what, is not forgotten with the old key."""
        before = BrowserSession.objects.filter(pk=self.session_key).first() if self.session_key else None
        super().cycle_key()
        if before is not None:
            BrowserSession.objects.filter(pk=self.session_key).update(
                started_at=before.started_at, browser=before.browser, place=before.place
            )

    def begin(self, *, browser: str, place: str) -> None:
        """Somebody has just signed in: with what (as it calls itself) and from which network address."""
        if self.session_key is None:
            self.create()
        now = timezone.now()
        told = {"browser": _printable(browser)[:BROWSER_LIMIT], "place": place[:PLACE_LIMIT]}
        BrowserSession.objects.filter(pk=self.session_key).update(started_at=now, seen_at=now, **told)

    def seen(self, *, place: str) -> None:
        """A browser that somebody is signed in with asked for something. Written every few minutes at most."""
        if self.row is None or self.row.user_id is None or self.row.pk != self.session_key:
            return
        now = timezone.now()
        if self.row.seen_at <= now - SEEN_NOTED_EVERY:
            BrowserSession.objects.filter(pk=self.row.pk).update(seen_at=now, place=place[:PLACE_LIMIT])


def _printable(words):
    return "".join(character for character in words if character.isprintable())
