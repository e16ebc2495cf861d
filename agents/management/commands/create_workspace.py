"""manage.py create_workspace: a further workspace with its owner."""

from django.core.management.base import BaseCommand

from agents import members
from agents.management.operators import add_password_option, password_of, refusals


class Command(BaseCommand):
    help = "Make a workspace. The owner's account is made if new; then --password-stdin is needed."

    def add_arguments(self, parser):
        parser.add_argument("slug")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--name", default="", help="default: the slug")
        add_password_option(parser)

    def handle(self, *args, slug, owner, name, **options):
        password = password_of(options)
        with refusals():
            made = members.create_workspace(slug, owner_email=owner, name=name, password=password)
        self.stdout.write(f"Workspace {made.workspace.slug} belongs to {made.user.email}.")
