"""What can be done to ratings.

The rule of a rating: the latest of a conversation counts, by the time at which the customer gave it; of several at the
same instant the one that was received last. Earlier ones stay, and so does a withdrawn one, which then leaves the
conversation without a rating until the customer gives a later one, or the helpdesk lists it again. A rating is known by its
conversation, instant, scale and score: the same one again changes nothing, however often and in whatever order it comes. One with
an id of its own at its source is the same as long as its score is, even where the source says that it was touched since.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import transaction
from django.utils import timezone

from agents.access import Right, require
from agents.models import Agent, Door, Workspace
from helpdesk.actions.days import Days, enter
from helpdesk.actions.directory import Directory
from helpdesk.models import Conversation, Rating
from helpdesk.rows import RatingRow, Refused

BATCH = 1_000  # rows that one transaction takes
SURENESS = (Rating.Credit.LAST_REPLY, Rating.Credit.ASSIGNEE, Rating.Credit.RATED)


class Outcome(StrEnum):
    """What became of a row."""

    ACCEPTED = "accepted"  # the first rating of its conversation
    UPDATED = "updated"  # it counts now, in place of an earlier one, or corrects something
    UNCHANGED = "unchanged"  # known already
    SUPERSEDED = "superseded"  # stored, but a later rating of its conversation counts


@dataclass(frozen=True)
class Recorded:
    """What became of each row, in their order, and the agents that were made on the way."""

    fates: list[Outcome | Refused] = field(default_factory=list)
    made: list[Agent] = field(default_factory=list)


def record_ratings(
    workspace: Workspace, rows: Sequence[RatingRow], *, by=None, door: Door = Door.COMMAND, make_agents: bool = False
) -> Recorded:
    """Take ratings in, `BATCH` rows a transaction. `by` is None for the product's own imports. Raises NotAllowed.

    A row that cannot be taken (an agent that is not known, or not alone in its name) is a Refused among the fates; the
    others land. With `make_agents` an unknown name becomes a person of that name, in the row's team.
    """
    if by is not None:
        require(by, Right.IMPORT)
    recorded = Recorded()
    for start in range(0, len(rows), BATCH):
        with transaction.atomic():
            fates, made = _record(enter(workspace), rows[start : start + BATCH], make_agents, door)
        recorded.fates.extend(fates)
        recorded.made.extend(made)
    return recorded


def withdraw_rating(conversation: Conversation) -> bool:
    """The customer took the rating back: nothing counts until they give a later one. False where nothing counted."""
    with transaction.atomic():
        workspace = enter(conversation.workspace)
        rating = Rating.objects.counting().filter(conversation=conversation).first()
        if rating is None:
            return False
        Rating.objects.filter(pk=rating.pk, counts=True).update(counts=False, withdrawn_at=timezone.now())
        days = Days(workspace)
        days.subtract(rating)
        days.store()
    return True


class Case:
    """One conversation while a batch is at work: its known ratings and the one that counts."""

    __slots__ = ("by_id", "changed", "conversation", "counting", "events", "is_new", "latest")

    def __init__(self, conversation, *, is_new=False):
        self.conversation, self.is_new, self.changed = conversation, is_new, False
        self.events: dict[tuple, Rating] = {}
        self.by_id: dict[str, Rating] = {}  # the latest of each id that ratings have at their source
        self.latest: Rating | None = None
        self.counting: Rating | None = None  # empty where the latest was withdrawn

    def add(self, rating: Rating) -> bool:
        """Take in a rating, in the order of arrival. True where it is the latest now."""
        self.events[rating.rated_at, rating.scale, rating.score_hundredths] = rating
        if rating.external_id:
            former = self.by_id.get(rating.external_id)
            if former is None or rating.rated_at >= former.rated_at:
                self.by_id[rating.external_id] = rating
        if self.latest is None or rating.rated_at >= self.latest.rated_at:
            self.latest = rating
            return True
        return False

    def known(self, row: RatingRow) -> Rating | None:
        """The rating that a row tells of again."""
        same = self.events.get((row.rated_at, row.scale, row.score))
        if same is None and row.rating_id:
            last = self.by_id.get(row.rating_id)
            if last is not None and (last.scale, last.score_hundredths) == (row.scale, row.score):
                return last
        return same


class Batch:
    """Rows taken in memory, then written at once: the same number of queries however many rows there are."""

    def __init__(self, workspace: Workspace, keys: set[tuple[str, str]], rating_ids: Iterable[tuple[str, str]] = ()):
        """`keys` are (source, external id) of the conversations, `rating_ids` (source, id there) of ratings that have one."""
        self.workspace, self.days = workspace, Days(workspace)
        self.added: list[Rating] = []
        self.displaced: set[int] = set()
        self.credited: dict[int, Rating] = {}
        self.reinstated: set[int] = set()
        self.gone: dict[int, Rating] = {}
        self.places: dict[tuple[str, str], Case] = {}  # where a rating with an id of its own counts
        keys = keys | self._counting_elsewhere(set(rating_ids))
        sources, external_ids = {source for source, _ in keys}, {external_id for _, external_id in keys}
        found = Conversation.objects.filter(workspace=workspace, source__in=sources, external_id__in=external_ids)
        self.cases = {key: Case(c) for c in found if (key := (c.source, c.external_id)) in keys}
        by_id = {case.conversation.pk: case for case in self.cases.values()}
        for rating in Rating.objects.filter(conversation__in=by_id).order_by("pk") if by_id else ():
            case = by_id[rating.conversation_id]
            case.add(rating)
            if rating.counts:
                case.counting = rating
                self._place(case, rating)
        for case in self.cases.values():
            if case.counting and case.latest and case.counting.rated_at == case.latest.rated_at:
                case.latest = case.counting

    def take(self, row: RatingRow, agent_id: uuid.UUID | None) -> Outcome:
        """Let one row change its case; `agent_id` is None where a helpdesk names nobody who is known here. Raises Refused."""
        key = row.source, row.external_id
        case = self.cases.get(key) or Case(self._conversation(row, agent_id), is_new=True)
        opened_at = case.conversation.opened_at
        if row.closed_at and opened_at and row.closed_at < opened_at:
            raise Refused("closedAt", "It lies before the conversation was opened.")
        if not self._is_here(case, row):
            return Outcome.UNCHANGED
        self.cases[key] = case
        known = case.known(row)
        outcome = self._credit(case, known, agent_id, row) if known else self._add(case, row, agent_id)
        if known and row.told_at and self._reinstate(case, known, row.told_at):
            outcome = Outcome.UPDATED
        if outcome is not Outcome.SUPERSEDED and known in (None, case.latest) and self._correct(case, row):
            return Outcome.UPDATED if outcome is Outcome.UNCHANGED else outcome
        return outcome

    def _conversation(self, row, agent_id):
        """A conversation known by its rating. Who does not tell when it was closed: the customer is asked then."""
        return Conversation(
            workspace_id=self.workspace.pk,
            source=row.source,
            external_id=row.external_id,
            agent_id=agent_id,
            channel=row.channel,
            opened_at=row.opened_at,
            closed_at=row.closed_at or max(row.rated_at, row.opened_at or row.rated_at),
        )

    def _add(self, case, row, agent_id):
        rating = Rating(
            workspace_id=self.workspace.pk,
            conversation_id=case.conversation.pk,
            agent_id=agent_id,
            helpdesk_agent_id=row.helpdesk_agent_id,
            external_id=row.rating_id,
            value=row.value,
            scale=row.scale,
            score_hundredths=row.score,
            rated_at=row.rated_at,
            credit=row.credit,
            counts=False,
        )
        self.added.append(rating)
        former = case.latest
        if not case.add(rating):
            return Outcome.SUPERSEDED
        self._follow(case, row, former and former.agent_id, agent_id)
        self._count(case, rating)
        return Outcome.UPDATED if former else Outcome.ACCEPTED

    def _credit(self, case, rating, agent_id, row):
        """The same rating again; somebody else may be named, if it is known at least as surely that it was them."""
        if agent_id is None and row.helpdesk_agent_id is None:
            return Outcome.UNCHANGED
        is_named = rating.agent_id is not None or rating.helpdesk_agent_id is not None
        if is_named and SURENESS.index(row.credit) < SURENESS.index(rating.credit):
            return Outcome.UNCHANGED
        # Who has the conversation now may not be who had it when it was rated: of those, the first that was told stays.
        is_same_sureness = row.told_at and row.credit == rating.credit != Rating.Credit.RATED
        if is_named and is_same_sureness and row.helpdesk_agent_id != rating.helpdesk_agent_id:
            return Outcome.UNCHANGED
        person = row.helpdesk_agent_id or rating.helpdesk_agent_id
        if (rating.agent_id, rating.helpdesk_agent_id, rating.credit) == (agent_id, person, row.credit):
            return Outcome.UNCHANGED
        if rating is case.latest:
            self._follow(case, row, rating.agent_id, agent_id)
        if rating.counts:
            self.days.subtract(rating)
        rating.agent_id, rating.helpdesk_agent_id, rating.credit = agent_id, person, row.credit
        if rating.counts:
            self.days.add(rating)
        if rating.pk is not None:
            self.credited[rating.pk] = rating
        return Outcome.UPDATED

    def _reinstate(self, case, rating, told_at):
        """A known rating is what its helpdesk has now, withdrawn or changed though it was. True where that is news.

        Vendors who tell only when a rating was first given let it change at one and the same instant.
        """
        was_withdrawn = rating.withdrawn_at is not None
        if rating is case.counting or (was_withdrawn and rating.withdrawn_at >= told_at):
            return False
        if rating.rated_at == case.latest.rated_at:
            self._count(case, rating)
        elif was_withdrawn:
            rating.withdrawn_at = None
        else:
            return False
        if rating.pk is not None:
            self.reinstated.add(rating.pk)
        return True

    def _count(self, case, rating):
        """Let this rating of the case count in place of the one that does."""
        if case.counting is not None:
            self.days.subtract(case.counting)
            case.counting.counts = False
            if case.counting.pk is not None:
                self.displaced.add(case.counting.pk)
        rating.counts, rating.withdrawn_at = True, None
        case.counting = case.latest = rating
        self._place(case, rating)
        self.days.add(rating)

    def _counting_elsewhere(self, rating_ids):
        """The keys of the conversations whose counting rating has one of these ids."""
        rows = Rating.objects.counting().filter(
            workspace=self.workspace,
            external_id__in={one for _, one in rating_ids},
            conversation__source__in={source for source, _ in rating_ids},
        )
        told = (
            rows.values_list("conversation__source", "conversation__external_id", "external_id") if rating_ids else ()
        )
        return {(source, place) for source, place, one in told if (source, one) in rating_ids}

    def _place(self, case, rating):
        if rating.external_id:
            self.places[case.conversation.source, rating.external_id] = case

    def _is_here(self, case, row):
        """Whether a row's rating is the row's conversation's; where it counts in another, it is taken from there.

        An answer that is older than what is known of the other moves nothing.
        """
        there = self.places.get((row.source, row.rating_id)) if row.rating_id and row.told_at else None
        if there is None or there is case:
            return True
        rating = there.counting
        if rating is None or (rating.external_id, rating.scale) != (row.rating_id, row.scale):
            return True
        if rating.pk is not None and rating.received_at > row.told_at:
            return False
        self.days.subtract(rating)
        rating.counts, rating.withdrawn_at, there.counting = False, timezone.now(), None
        if rating.pk is not None:
            self.gone[rating.pk] = rating
        return True

    def _follow(self, case, row, former_agent_id, agent_id):
        """A conversation known by its ratings alone, or by a helpdesk, belongs to who was rated; another keeps its agent."""
        conversation = case.conversation
        by_ratings_alone = row.told_at is not None or (
            conversation.opened_at is None and conversation.turn_count is None
        )
        if conversation.agent_id is None or (by_ratings_alone and conversation.agent_id == former_agent_id):
            case.changed |= conversation.agent_id != agent_id
            conversation.agent_id = agent_id

    def _correct(self, case, row):
        """What the latest rating's row tells of its conversation. True where that was not known."""
        conversation = case.conversation
        closed = conversation.status == Conversation.Status.CLOSED
        changed = False
        if row.closed_at and not (closed and conversation.closed_at == row.closed_at):
            conversation.closed_at, conversation.status, changed = row.closed_at, Conversation.Status.CLOSED, True
        if row.channel and conversation.channel != row.channel:
            conversation.channel, changed = row.channel, True
        if row.opened_at and conversation.opened_at != row.opened_at and row.opened_at <= conversation.closed_at:
            conversation.opened_at, changed = row.opened_at, True
        case.changed |= changed
        return changed

    def store(self):
        """Write what changed. What no longer counts goes first: only one rating of a conversation may."""
        new = [case.conversation for case in self.cases.values() if case.is_new]
        changed = [case.conversation for case in self.cases.values() if case.changed and not case.is_new]
        Conversation.objects.bulk_create(new)
        if changed:
            now = timezone.now()
            for conversation in changed:
                conversation.updated_at = now
            told = ["agent", "opened_at", "closed_at", "status", "channel", "updated_at"]
            Conversation.objects.bulk_update(changed, told)
        if self.displaced:
            Rating.objects.filter(pk__in=self.displaced).update(counts=False)
        gone = {
            pk for pk, rating in self.gone.items() if rating.withdrawn_at is not None
        }  # and did not come back since
        if gone:
            Rating.objects.filter(pk__in=gone).update(counts=False, withdrawn_at=timezone.now())
        if self.credited:
            Rating.objects.bulk_update(self.credited.values(), ["agent", "helpdesk_agent", "credit"])
        if self.reinstated:
            again = Rating.objects.filter(pk__in=self.reinstated - gone)
            again.update(withdrawn_at=None)
            again.filter(pk__in=self._counting()).update(counts=True)
        Rating.objects.bulk_create(self.added)
        self.days.store()

    def _counting(self) -> set[int]:
        """The keys of the stored ratings that count now."""
        return {case.counting.pk for case in self.cases.values() if case.counting is not None and case.counting.pk}


def _record(workspace, rows, make_agents, door):
    directory = Directory(workspace, {(row.source, row.agent) for row in rows})
    made = directory.make_missing(rows, door) if make_agents else []
    batch = Batch(workspace, {(row.source, row.external_id) for row in rows})
    fates: list[Outcome | Refused] = []
    for row in rows:
        try:
            fates.append(batch.take(row, directory.id_of(row.source, row.agent)))
        except Refused as refused:
            fates.append(refused)
    batch.store()
    return fates, made
