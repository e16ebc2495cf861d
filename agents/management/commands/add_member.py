"""manage.py add_member: a member without the page."""

from django.core.management.base import BaseCommand, CommandError

from agents.management.operators import add_password_option, password_of, refusals, told_how_to_come_in, workspace_of
from agents.models import Agent, Member
from agents.people import invitations


class Command(BaseCommand):
    help = (
        "Give a person a place in a workspace. Who is new here gets an account by --password-stdin, else an invitation."
    )

    def add_arguments(self, parser):
        parser.add_argument("email")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--role", required=True, choices=Member.Role.values)
        parser.add_argument("--agent", metavar="NAME", help="their own row in the team")
        add_password_option(parser)

    def handle(self, *args, email, workspace, role, agent, **options):
        workspace = workspace_of(workspace)
        own = None if agent is None else agent_called(workspace, agent)
        password = password_of(options)
        with refusals():
            made = invitations.add_or_invite(workspace, email, role=role, agent=own, password=password)
        if isinstance(made, Member):
            self.stdout.write(f"{made.user.email} is {made.role} of {workspace.slug}.")
        else:
            self.stdout.write(f"{made.email} is invited to {workspace.slug} as {made.role}.")
            self.stdout.write(told_how_to_come_in(made))


def agent_called(workspace, name):
    """The agent of that name. Raises CommandError where there is none, or more than one."""
    found = list(Agent.objects.filter(workspace=workspace, name=name)[:2])
    if len(found) != 1:
        raise CommandError(f"{'Several agents are' if found else 'No agent is'} called “{name}” in {workspace.slug}.")
    return found[0]
