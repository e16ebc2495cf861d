"""Who guesses passwords is told to wait; who knows theirs hardly notices."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.utils import timezone

from agents.models import SignInTries
from agents.people import sign_ins
from tests import factories

pytestmark = pytest.mark.django_db
TOO_MANY = "Too many tries to sign in. Wait 15 minutes, then try again."


@pytest.fixture
def user():
    return factories.owner(factories.workspace()).user


def sign_in(client, email, password="wrong", place="192.0.2.1"):
    return client.post("/sign-in", {"username": email, "password": password}, REMOTE_ADDR=place)


def guess(client, email, times, **told):
    return [sign_in(client, email, **told).status_code for _ in range(times)]


@pytest.mark.parametrize("known", [True, False])
def test_tenth_guess_is_told_to_wait_whether_the_email_is_known_or_not(client, user, known):
    email = user.email if known else "nobody@test.example"

    with time_machine.travel(timezone.now(), tick=False):
        assert guess(client, email, 11) == [200] * 9 + [429] * 2
        assert TOO_MANY in sign_in(client, email).content.decode()


def test_right_password_is_not_even_looked_at_until_the_window_is_over(client, user):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        guess(client, user.email, 10)
        assert sign_in(client, user.email, factories.PASSWORD).status_code == 429

        clock.shift(sign_ins.WINDOW - timedelta(seconds=1))
        assert "Wait 1 minute," in sign_in(client, user.email.upper(), factories.PASSWORD).content.decode()

        clock.shift(timedelta(seconds=1))
        assert sign_in(client, user.email, factories.PASSWORD).status_code == 302


def test_others_sign_in_meanwhile(client, user):
    other = factories.owner(factories.workspace()).user
    guess(client, user.email, 11)

    assert sign_in(client, other.email, factories.PASSWORD).status_code == 302
    client.logout()
    assert sign_in(client, user.email, factories.PASSWORD, place="192.0.2.2").status_code == 302


def test_signing_in_forgets_what_was_mistyped_before(client, user):
    guess(client, user.email, 9)
    sign_in(client, user.email, factories.PASSWORD)
    client.logout()

    assert guess(client, user.email, 9) == [200] * 9


def test_one_place_cannot_try_one_password_with_everybody(client, monkeypatch):
    monkeypatch.setattr(sign_ins, "MOST_FROM_ONE_PLACE", 3)

    codes = [sign_in(client, f"person-{n}@guess.example").status_code for n in range(4)]

    assert codes == [200, 200, 429, 429]


def test_neither_email_nor_place_is_kept_and_old_counts_go(client, user):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        guess(client, user.email, 1)
        kept = str(list(SignInTries.objects.values()))
        clock.shift(sign_ins.WINDOW)
        guess(client, "nobody@test.example", 1)

    assert user.email not in kept
    assert "192.0.2.1" not in kept
    assert SignInTries.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_many_tries_at_once_are_counted_one_by_one():
    def take(_):
        try:
            return sign_ins.take("one@test.example", "192.0.2.9")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        let_through = sum(pool.map(take, range(40)))

    assert let_through == sign_ins.MOST_WITH_ONE_EMAIL
