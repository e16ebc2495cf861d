"""What people write to the bot alone: to the one coach there is for them, or to the one they chose."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.access import Right, may
from agents.models import Member
from coaching.actions.slack import people as links
from coaching.actions.slack import receipts, threads
from coaching.models import SlackPerson, SlackReceipt, SlackTrigger
from coaching.slack import addresses, people, questions
from coaching.slack.following import Followed, Notice, Wait, tell, to_whom
from coaching.slack.places import post_above, siblings, triggers_of, wait_for_earlier

SWITCH = "switch"
CHOICE = timedelta(minutes=10)  # that a message waits for its author to choose a coach
LOOK = timedelta(seconds=15)  # at whether they have
NO_COACH = "No coach listens in Slack yet. An owner or admin can choose a channel and a coach under Settings › Slack."
NOT_LEADING = "Only owners and admins may talk to the coach."
WHICH = "Which coach are your direct messages for? Write “switch” to choose again."


def follow(receipt: SlackReceipt, facts: dict[str, Any]) -> Followed:
    """Put a direct message to a coach. Raises following.Wait, errors.SlackError."""
    found = {each.pk: people.find(each, facts["user"]) for each in siblings(receipt.connection) if each.is_active}
    if not found:
        return Followed("The Slack workspace is not connected.")
    members = {pk: (person, member) for pk, person in found.items() if (member := links.member_of(person))}
    if not members:
        sentence = people.why_not(next(iter(found.values())))
        return Followed("From nobody who is known here.", notice=to_whom(facts, sentence))
    if not any(may(member, Right.COACH_AI) for _, member in members.values()):
        return Followed("Refused.", notice=to_whom(facts, NOT_LEADING))
    coaches = coaches_of(members)
    if not coaches:
        link = {"words": "Open the settings", "url": addresses.slack_settings()}
        return Followed("There is no coach.", notice=to_whom(facts, NO_COACH, **link))
    if facts["text"].strip().casefold() == SWITCH:
        return _switched(coaches, facts)
    trigger = _in_thread(coaches, facts) or _chosen(coaches, members)
    if trigger is None:
        return _offered(receipt, coaches, facts)
    wait_for_earlier(receipt, facts)
    person, member = members[trigger.connection_id]
    above = post_above(trigger.connection, facts)
    return questions.ask(trigger, facts, person=person, by=member, thread_ts=facts["thread_ts"], above=above)


def choose(receipt: SlackReceipt, facts: dict[str, Any]) -> Followed:
    """Somebody chose a coach for their direct messages; what they wrote before is asked now. Raises errors.SlackError."""
    found = {each.pk: people.find(each, facts["user"]) for each in siblings(receipt.connection) if each.is_active}
    members = {pk: (person, member) for pk, person in found.items() if (member := links.member_of(person))}
    trigger = next((each for each in coaches_of(members) if str(each.pk) == facts["value"]), None)
    if trigger is None:
        return Followed("Refused.", notice=to_whom(facts, "This coach is not there for you any more. Write again."))
    links.choose_direct(members[trigger.connection_id][0], trigger)
    receipts.release(siblings(receipt.connection), facts["user"])
    return Followed("Chosen.", notice=to_whom(facts, f"Your direct messages go to {trigger.agent.coach_name} now."))


def coaches_of(members: dict[UUID, tuple[SlackPerson, Member]]) -> list[SlackTrigger]:
    """The coaches that somebody may talk to, each once, by {connection's id: (who they are in Slack, who they are here)}."""
    leading = [pk for pk, (_, member) in members.items() if may(member, Right.COACH_AI)]
    rows = triggers_of(leading).filter(agent__coaching=True, agent__active=True).order_by("agent__name", "created_at")
    return list({each.agent_id: each for each in reversed(rows)}.values())[::-1]


def _in_thread(coaches, facts) -> SlackTrigger | None:
    """A thread goes on with the coach it began with."""
    if not facts["thread_ts"]:
        return None
    for each in coaches:
        thread = threads.find(each.connection_id, facts["channel"], facts["thread_ts"])
        if thread is not None:
            return next((one for one in coaches if one.agent_id == thread.trigger.agent_id), None)
    return None


def _chosen(coaches, members) -> SlackTrigger | None:
    if len(coaches) == 1:
        return coaches[0]
    chosen = {person.direct_trigger.agent_id for person, _ in members.values() if person.direct_trigger is not None}
    return next((each for each in coaches if each.agent_id in chosen), None)


def _switched(coaches, facts) -> Followed:
    if len(coaches) == 1:
        return Followed(
            "There is one coach.", notice=to_whom(facts, f"There is one coach here: {coaches[0].agent.coach_name}.")
        )
    return Followed("Asked which coach.", notice=_offer(coaches, facts))


def _offered(receipt, coaches, facts) -> Followed:
    """Ask once which coach is meant, and keep the message until that is said."""
    if "offered" in facts:
        if timezone.now() - receipt.received_at > CHOICE:
            return Followed("Nobody chose a coach for it.")
        raise Wait(LOOK, facts)
    waiting = SlackReceipt.objects.owed().filter(connection=receipt.connection_id, payload__user=facts["user"])
    if not waiting.filter(payload__offered=True).exists():
        tell(receipt.connection, _offer(coaches, facts))
    raise Wait(LOOK, facts | {"offered": True})


def _offer(coaches, facts) -> Notice:
    several = len({each.workspace_id for each in coaches}) > 1
    options = tuple(
        (str(each.pk), f"{each.agent.coach_name}, {each.workspace.name}" if several else each.agent.coach_name)
        for each in coaches
    )
    return Notice(WHICH, facts["channel"], facts["user"], facts["thread_ts"], options=options)
