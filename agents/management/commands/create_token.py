"""manage.py create_token: a script's way in."""

from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents.management.operators import member_of, refusals, workspace_of
from agents.models import ApiToken
from agents.people import members

LONGEST = 3650  # days


class Command(BaseCommand):
    help = "Make an API token that speaks for a member. It is printed once, alone on the last line, and kept nowhere."

    def add_arguments(self, parser):
        parser.add_argument("email")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--scopes", required=True, help=f"of {','.join(ApiToken.SCOPES)}, separated by commas")
        parser.add_argument("--name", default="Made by command", help="what it is for, as the list of tokens shows it")
        parser.add_argument(
            "--expires", type=int, metavar="DAYS", help=f"days until it ends by itself, 1 to {LONGEST}; default: never"
        )

    def handle(self, *args, email, workspace, scopes, name, expires, **options):
        if expires is not None and not 1 <= expires <= LONGEST:
            raise CommandError(f"A token lasts 1 to {LONGEST} days.")
        expires_at = None if expires is None else timezone.now() + timedelta(days=expires)
        member = member_of(workspace_of(workspace), email)
        with refusals():
            asked = [scope.strip() for scope in scopes.split(",") if scope.strip()]
            secret = members.issue_token(member, name=name, scopes=asked, expires_at=expires_at)
        until = "" if expires_at is None else f", until {expires_at:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(f"A token for {member.user.email} in {workspace}{until}:")
        self.stdout.write(secret)
