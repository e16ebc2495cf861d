"""What a helpdesk tells is taken in: ratings, who gave what answer, what was withdrawn.

Whoever calls this holds a transaction, in which it stores how far it has read as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from helpdesk import scales, times
from helpdesk.actions.days import enter
from helpdesk.actions.ratings import Batch, Outcome, withdraw_rating
from helpdesk.models import Conversation, HelpdeskAgent, HelpdeskConnection
from helpdesk.rows import RatingRow, Refused
from helpdesk.vendors import contract

LONGEST_ID = 300


@dataclass
class Taken:
    """What became of what was told: how many are new, changed something, were withdrawn, and which could not be taken."""

    n_read: int = 0
    n_new: int = 0
    n_changed: int = 0
    n_withdrawn: int = 0
    refused: list[contract.Unreadable] = field(default_factory=list)


def take_in(connection: HelpdeskConnection, ratings: Sequence[contract.Rating], withdrawn: Iterable[str] = ()) -> Taken:
    """Store what a helpdesk tells, inside the caller's transaction. Somebody nobody knows yet becomes a HelpdeskAgent.

    Ratings of people who are not mapped are kept without an agent. A rating that cannot be taken is named; the others land.
    """
    workspace = enter(connection.workspace)
    taken = Taken()
    people = known_people(connection, {rating.person_id for rating in ratings if rating.person_id})
    batch = Batch(workspace, {(connection.source, rating.conversation_id) for rating in ratings})
    now = timezone.now()
    for rating in ratings:
        taken.n_read += 1
        person = people.get(rating.person_id)
        try:
            outcome = batch.take(_row(connection, rating, person, now), person.agent_id if person else None)
        except Refused as refusal:
            taken.refused.append(contract.Unreadable(rating.id or rating.conversation_id, refusal.detail))
            continue
        taken.n_new += outcome is Outcome.ACCEPTED
        taken.n_changed += outcome is Outcome.UPDATED
    batch.store()
    taken.n_withdrawn = sum(_withdraw(connection, conversation_id) for conversation_id in set(withdrawn))
    return taken


def known_people(connection: HelpdeskConnection, ids: Iterable[str]) -> dict[str, HelpdeskAgent]:
    """{id there: row} of these, those that nobody knew made on the way, mapped by what is known of them."""
    wanted = set(ids)
    rows = HelpdeskAgent.objects.filter(connection=connection)
    found = {row.external_id: row for row in rows.filter(external_id__in=wanted)}
    missing = wanted - found.keys()
    if missing:
        new = [
            HelpdeskAgent(workspace_id=connection.workspace_id, connection=connection, external_id=one)
            for one in sorted(missing)
        ]
        HelpdeskAgent.objects.bulk_create(new, ignore_conflicts=True)
        found |= {row.external_id: row for row in rows.filter(external_id__in=missing)}
    return found


def _row(connection, rating, person, now) -> RatingRow:
    if not rating.conversation_id or len(rating.conversation_id) > LONGEST_ID:
        raise Refused("conversation", "Its conversation has no usable id.")
    try:
        score = scales.hundredths(rating.value, rating.scale)
    except scales.UnknownValue as error:
        raise Refused("value", str(error)) from None
    told = rating.conversation
    return RatingRow(
        external_id=rating.conversation_id,
        agent="",
        value=rating.value,
        scale=rating.scale,
        score=score,
        rated_at=_possible(rating.rated_at, now),
        source=connection.source,
        closed_at=told.closed_at if told else None,
        opened_at=told.opened_at if told else None,
        channel=told.channel[:50] if told else "",
        credit=rating.credit,
        rating_id=rating.id[:LONGEST_ID],
        helpdesk_agent_id=person.pk if person else None,
        is_current=True,
    )


def _possible(rated_at: datetime, now: datetime) -> datetime:
    if not times.FIRST <= rated_at <= now + times.AHEAD:
        raise Refused("ratedAt", "Its time lies before 2000 or more than a day ahead.")
    return rated_at


def _withdraw(connection, conversation_id) -> bool:
    rated = Conversation.objects.filter(
        workspace=connection.workspace_id, source=connection.source, external_id=conversation_id
    ).first()
    return rated is not None and withdraw_rating(rated)


def found(connection: HelpdeskConnection, told: contract.Found) -> Taken:
    """Store what one conversation's rating is now, inside the caller's transaction."""
    if told.rating is not None:
        return take_in(connection, [told.rating])
    return take_in(connection, [], [told.conversation.id])
