"""The way in for scripts: the command that makes a token, and what a token is worth once something has ended it."""

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents.models import ApiToken
from agents.people import members
from tests import factories
from tests.calls import Script, problem

pytestmark = pytest.mark.django_db


def made(member, *more, scopes="read,write"):
    """(the secret on the last line, everything that was printed)."""
    out = StringIO()
    where = ("--workspace", member.workspace.slug, "--scopes", scopes)
    call_command("create_token", member.user.email, *where, *more, stdout=out)
    return out.getvalue().splitlines()[-1], out.getvalue()


def script_with(secret):
    script = Script()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return script


def test_token_stands_alone_on_the_last_line_once_and_opens_the_api(owner):
    secret, printed = made(owner, "--name", "nightly export")

    token = ApiToken.objects.get()
    assert printed.count(secret) == 1
    assert (token.name, token.scopes, token.expires_at, token.last_used_at) == (
        "nightly export",
        ["read", "write"],
        None,
        None,
    )
    assert script_with(secret).read("/agents").status_code == 200
    token.refresh_from_db()
    assert timezone.now() - token.last_used_at < timedelta(minutes=1)


def test_token_ends_after_its_days(owner):
    secret, printed = made(owner, "--expires", "30")
    end = ApiToken.objects.get().expires_at

    assert timedelta(days=29) < end - timezone.now() <= timedelta(days=30)
    assert f"{end:%Y-%m-%d}" in printed
    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        assert script_with(secret).read("/agents").status_code == 200
    with time_machine.travel(end, tick=False):
        assert problem(script_with(secret).read("/agents"))[0] == 401


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        (("--expires", "0"), "read"),
        (("--expires", "-1"), "read"),
        (("--expires", "3651"), "read"),
        (("--name", ""), "read"),
        (("--name", "x" * 201), "read"),
        ((), "everything"),
        ((), ""),
    ],
)
def test_token_that_cannot_be_is_refused_and_not_made(owner, options, scopes):
    with pytest.raises(CommandError):
        made(owner, *options, scopes=scopes)

    assert not ApiToken.objects.exists()


def test_token_is_made_for_current_members_only(owner, admin, stranger):
    members.remove(admin, by=owner)

    for email in (admin.user.email, stranger.user.email, "nobody@test.example"):
        with pytest.raises(CommandError, match="no member"):
            call_command("create_token", email, "--workspace", owner.workspace.slug, "--scopes", "read")


def test_every_end_of_a_token_answers_as_a_token_that_never_was(owner, admin, workspace):
    revoked, expired, removed = (factories.token(admin) for _ in range(3))
    members.revoke_token(ApiToken.objects.get(hash=ApiToken.hashed(revoked)), by=owner)
    ApiToken.objects.filter(hash=ApiToken.hashed(expired)).update(expires_at=timezone.now())
    leaver = factories.member(workspace)
    left = factories.token(leaver)
    members.remove(leaver, by=owner)
    ApiToken.objects.filter(hash=ApiToken.hashed(removed)).delete()

    answers = {
        (response.status_code, response.content, tuple(sorted(response.headers.items())))
        for response in (
            script_with(secret).read("/agents") for secret in (revoked, expired, removed, left, "tl_never")
        )
    }

    assert [status for status, *_ in answers] == [401]


def test_demoted_leader_has_a_members_view_with_the_same_token(owner, admin, agent):
    script = Script(admin)
    assert script.read(f"/agents/{agent.pk}").status_code == 200

    members.change_role(admin, by=owner, role="member")

    assert script.read(f"/agents/{agent.pk}").status_code == 404
    assert script.read("/flags").status_code == 403
