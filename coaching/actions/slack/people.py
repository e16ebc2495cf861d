"""Who somebody in Slack is here: stored once they are known, looked up again later while they are not."""

from datetime import timedelta

from django.utils import timezone

from agents.models import Member
from coaching.models import SlackConnection, SlackPerson, SlackTrigger

Problem = SlackPerson.Problem
LOOKED_UP_EVERY = timedelta(minutes=10)  # who is nobody here may have been invited meanwhile


def known(connection: SlackConnection, user_id: str) -> SlackPerson | None:
    """The person, if it need not be asked of Slack who they are: a current member, or somebody looked up a moment ago."""
    rows = SlackPerson.objects.select_related("member__user", "member__workspace", "direct_trigger")
    person = rows.filter(connection=connection, user_id=user_id).first()
    if person is None or member_of(person) is not None:
        return person
    return person if person.looked_up_at > timezone.now() - LOOKED_UP_EVERY else None


def member_of(person: SlackPerson) -> Member | None:
    """The member that somebody in Slack is, as long as they are one."""
    member = person.member
    if member is None or member.left_at is not None or not member.user.is_active:
        return None
    return member


def recognise(connection: SlackConnection, user_id: str, *, name: str, email: str, problem: str = "") -> SlackPerson:
    """Store whom Slack's `email` stands for in the connection's workspace; a `problem` says why it stands for nobody."""
    member = None
    if not problem:
        found = Member.objects.current().filter(workspace=connection.workspace_id, user__email__iexact=email)
        member = found.first()
        problem = Problem.STRANGER if member is None else ""
    told = {"name": name[:200], "member": member, "problem": problem, "looked_up_at": timezone.now()}
    SlackPerson.objects.update_or_create(
        connection=connection,
        user_id=user_id,
        defaults=told,
        create_defaults=told | {"workspace_id": connection.workspace_id},
    )
    return SlackPerson.objects.select_related("member__user", "member__workspace", "direct_trigger").get(
        connection=connection, user_id=user_id
    )


def choose_direct(person: SlackPerson, trigger: SlackTrigger) -> None:
    """From now on their direct messages go to the coach of this trigger. Choosing again is another choice, not an error."""
    SlackPerson.objects.filter(pk=person.pk).update(direct_trigger=trigger)
    others = SlackPerson.objects.filter(user_id=person.user_id, connection__team_id=trigger.team_id)
    others.exclude(pk=person.pk).update(direct_trigger=None)
