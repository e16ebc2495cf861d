"""What people write in a channel with a coach, and in a thread that it owns."""

from typing import Any

from coaching.actions.slack import people as links
from coaching.actions.slack import threads, triggers
from coaching.models import SlackReceipt, SlackTrigger
from coaching.slack import addresses, people, questions
from coaching.slack.following import Followed, to_whom
from coaching.slack.places import calls_bot, post_above, thread_of, triggers_of, wait_for_earlier

NO_COACH = "No coach listens in this channel. An owner or admin can choose one under Settings › Slack."


def follow(receipt: SlackReceipt, facts: dict[str, Any]) -> Followed:
    """Put a message in a channel to its coach, if it is for the coach. Raises following.Wait, errors.SlackError."""
    connection = receipt.connection
    trigger = triggers_of([connection]).filter(channel_id=facts["channel"]).first()
    if trigger is None:
        no_coach = to_whom(facts, NO_COACH, words="Open the settings", url=addresses.slack_settings())
        return Followed("The channel has no coach.", notice=no_coach if facts["is_mention"] else None)
    wait_for_earlier(receipt, facts)
    thread_ts = thread_of(facts)
    is_owned = threads.is_owned(connection.pk, facts["channel"], thread_ts)
    above = None if is_owned else post_above(connection, facts)
    is_called = facts["is_mention"] or calls_bot(facts["text"], connection)
    if not (is_owned or above or is_called):
        return Followed("Not in a thread of the coach.")
    person = people.find(connection, facts["user"])
    member = links.member_of(person)
    if member is None:
        return Followed("From nobody who is known here.", notice=to_whom(facts, people.why_not(person)))
    if trigger.state == SlackTrigger.State.LOST:
        triggers.find(connection, facts["channel"])  # where somebody is heard, the coach is again
    return questions.ask(trigger, facts, person=person, by=member, thread_ts=thread_ts, above=above)
