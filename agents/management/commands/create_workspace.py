"""manage.py create_workspace: a further workspace with its owner."""

from django.core.management.base import BaseCommand

from agents.management.operators import add_password_option, password_of, refusals, told_how_to_come_in
from agents.models import Member
from agents.people import workspaces


class Command(BaseCommand):
    help = "Make a workspace. An owner who is new here gets an account by --password-stdin, else the link of an invitation."

    def add_arguments(self, parser):
        parser.add_argument("slug")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--name", default="", help="default: the slug")
        add_password_option(parser)

    def handle(self, *args, slug, owner, name, **options):
        password = password_of(options)
        with refusals():
            made = workspaces.create(slug, owner_email=owner, name=name, password=password)
        if isinstance(made, Member):
            self.stdout.write(f"Workspace {made.workspace.slug} belongs to {made.user.email}.")
        else:
            self.stdout.write(f"Workspace {made.workspace.slug} waits for its owner, {made.email}.")
            self.stdout.write(told_how_to_come_in(made))
