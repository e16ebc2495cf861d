"""What the commands for operators share: a password that stands in no process list, and refusals in one line."""

import sys
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from agents.models import Member, Workspace
from agents.people import invitations


def add_password_option(parser):
    parser.add_argument(
        "--password-stdin", action="store_true", help="read a new person's password from standard input, one line"
    )


def password_of(options) -> str | None:
    """The line on standard input where it was asked for, else None. Raises CommandError where it is empty."""
    if not options["password_stdin"]:
        return None
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("There is no password on standard input.")
    return password


def told_how_to_come_in(invitation) -> str:
    """Until when the link works, whether it was mailed, and the link alone on the last line."""
    mailed = "It is being mailed to them too. " if invitation.next_try_at else ""
    until = f"{invitation.expires_at:%d %b %Y, %H:%M} UTC"
    return f"{mailed}The link works until {until}, for that address only:\n{invitations.link(invitation)}"


@contextmanager
def refusals():
    """A ValidationError inside becomes the command's error."""
    try:
        yield
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error


def workspace_of(slug) -> Workspace:
    """The workspace of that slug. Raises CommandError (2)."""
    found = Workspace.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no workspace {slug}.", returncode=2)
    return found


def member_of(workspace, email) -> Member:
    """The current member with that address. Raises CommandError (2)."""
    found = Member.objects.current().filter(workspace=workspace, user__email__iexact=email.strip()).first()
    if found is None:
        raise CommandError(f"{email} is no member of {workspace.slug}.", returncode=2)
    return found
