"""manage.py create_token: a script's way in."""

from django.core.management.base import BaseCommand

from agents import members
from agents.management.operators import member_of, refusals, workspace_of
from agents.models import ApiToken


class Command(BaseCommand):
    help = "Make an API token that speaks for a member. It is printed once, alone on the last line, and kept nowhere."

    def add_arguments(self, parser):
        parser.add_argument("email")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--scopes", required=True, help=f"of {','.join(ApiToken.SCOPES)}, separated by commas")
        parser.add_argument("--name", default="Made by command")

    def handle(self, *args, email, workspace, scopes, name, **options):
        member = member_of(workspace_of(workspace), email)
        with refusals():
            asked = [scope.strip() for scope in scopes.split(",") if scope.strip()]
            secret = members.issue_token(member, name=name, scopes=asked)
        self.stdout.write(f"A token for {member.user.email} in {workspace}:")
        self.stdout.write(secret)
