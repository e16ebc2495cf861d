"""What a helpdesk tells is taken in: ratings, who gave what answer, what was withdrawn.

Whoever calls this holds a transaction, in which it stores how far it has read as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from helpdesk import scales, times
from helpdesk.actions import mapping
from helpdesk.actions.days import Days, enter
from helpdesk.actions.ratings import Batch, Outcome
from helpdesk.models import HelpdeskAgent, HelpdeskConnection, Rating
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


def take_in(
    connection: HelpdeskConnection,
    ratings: Sequence[contract.Rating],
    withdrawn: Iterable[str] = (),
    *,
    as_of: datetime | None = None,
) -> Taken:
    """Store what a helpdesk tells, inside the caller's transaction. Somebody nobody knows yet becomes a HelpdeskAgent.

    Ratings of people who are not mapped are kept without an agent. A rating that cannot be taken is named; the others land.
    `as_of` is when the helpdesk was asked, now by default: what was learned since then is not undone by an older answer.
    """
    workspace, as_of = enter(connection.workspace), as_of or timezone.now()
    taken = Taken(n_read=len(ratings))
    people = known_people(connection, {rating.person_id for rating in ratings if _is_id(rating.person_id)})
    usable = {(connection.source, rating.conversation_id) for rating in ratings if _is_id(rating.conversation_id)}
    batch = Batch(workspace, usable, [(connection.source, rating.id) for rating in ratings if _is_id(rating.id)])
    now = timezone.now()
    for rating in ratings:
        person = people.get(rating.person_id)
        try:
            row = _row(connection, rating, person, now, as_of)
            outcome = batch.take(row, person.agent_id if person else None)
        except Refused as refusal:
            taken.refused.append(contract.Unreadable(_shown(rating), refusal.detail))
            continue
        taken.n_new += outcome is Outcome.ACCEPTED
        taken.n_changed += outcome is Outcome.UPDATED
    batch.store()
    taken.n_withdrawn = _withdraw(workspace, connection, set(withdrawn), as_of)
    return taken


def _is_id(told: str) -> bool:
    """Whether a database can hold it as an id."""
    return 0 < len(told) <= LONGEST_ID and told.isprintable()


def _shown(rating) -> str:
    return next((one for one in (rating.id, rating.conversation_id) if _is_id(one)), "")


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
        mapping.recognise()
        found |= {row.external_id: row for row in rows.filter(external_id__in=missing)}
    return found


def _row(connection, rating, person, now, as_of) -> RatingRow:
    if not _is_id(rating.conversation_id):
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
        rating_id=rating.id if _is_id(rating.id) else "",
        helpdesk_agent_id=person.pk if person else None,
        told_at=as_of,
    )


def _possible(rated_at: datetime, now: datetime) -> datetime:
    if not times.FIRST <= rated_at <= now + times.AHEAD:
        raise Refused("ratedAt", "Its time lies before 2000 or more than a day ahead.")
    return rated_at


def _withdraw(workspace, connection, conversation_ids, as_of) -> int:
    """Let these conversations have no rating any more. One that came in since the helpdesk was asked stays. Returns how many."""
    if not conversation_ids:
        return 0
    gone = list(
        Rating.objects.counting().filter(
            conversation__workspace=connection.workspace_id,
            conversation__source=connection.source,
            conversation__external_id__in=conversation_ids,
            received_at__lte=as_of,
        )
    )
    days = Days(workspace)
    for rating in gone:
        days.subtract(rating)
    Rating.objects.filter(pk__in=[rating.pk for rating in gone]).update(counts=False, withdrawn_at=timezone.now())
    days.store()
    return len(gone)


def found(connection: HelpdeskConnection, told: contract.Found, *, as_of: datetime | None = None) -> Taken:
    """Store what one conversation's rating is now, inside the caller's transaction. `as_of` as in `take_in`."""
    if told.rating is not None:
        return take_in(connection, [told.rating], as_of=as_of)
    return take_in(connection, [], [told.conversation.id], as_of=as_of)
