"""What can be done to conversations and ratings. Every door calls these.

The rule of a rating: the latest of a conversation counts, by the time at which the customer gave it; of several at the
same instant the one that was received last. Earlier ones stay, and so does a withdrawn one, which then leaves the
conversation without a rating until the customer gives a later one. A rating is known by its conversation, instant, scale
and score: the same one again changes nothing, however often and in whatever order it comes.

All that writes ratings passes one turnstile per workspace (`_enter`), so that what counts and the daily table are read
and written by one at a time.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from agents import actions as agents
from agents import history
from agents.access import Right, require
from agents.models import Agent, Door, ExternalId, Member, Workspace, known_time_zone
from helpdesk.models import Conversation, Rating, RatingDay, StoredTranscript
from helpdesk.rows import ConversationRow, RatingRow, Refused
from helpdesk.transcripts import Transcript

BATCH = 1_000  # rows that one transaction takes
SURENESS = (Rating.Credit.LAST_REPLY, Rating.Credit.ASSIGNEE, Rating.Credit.RATED)
AGENTS_AT_ONCE = 200  # whose days are compared together
SUMS = ("n", "sum_hundredths", "sum_squares")  # of the daily table


class Outcome(StrEnum):
    """What became of a row."""

    ACCEPTED = "accepted"  # the first rating of its conversation
    UPDATED = "updated"  # it counts now, in place of an earlier one, or corrects something
    UNCHANGED = "unchanged"  # known already
    SUPERSEDED = "superseded"  # stored, but a later rating of its conversation counts


class AmbiguousAgent(Exception):
    """The name fits several agents; `candidates` are they."""

    def __init__(self, candidates: list[Agent]):
        super().__init__("Several agents have this name; use the id.")
        self.candidates = candidates


@dataclass(frozen=True)
class Recorded:
    """What became of each row, in their order, and the agents that were made on the way."""

    fates: list[Outcome | Refused] = field(default_factory=list)
    made: list[Agent] = field(default_factory=list)


# --- Ratings ---------------------------------------------------------------------------------------------------------


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
            fates, made = _record(_enter(workspace), rows[start : start + BATCH], make_agents, door)
        recorded.fates.extend(fates)
        recorded.made.extend(made)
    return recorded


def withdraw_rating(conversation: Conversation) -> bool:
    """The customer took the rating back: nothing counts until they give a later one. False where nothing counted."""
    with transaction.atomic():
        workspace = _enter(conversation.workspace)
        rating = Rating.objects.counting().filter(conversation=conversation).first()
        if rating is None:
            return False
        Rating.objects.filter(pk=rating.pk, counts=True).update(counts=False, withdrawn_at=timezone.now())
        days = _Days(workspace)
        days.subtract(rating)
        days.store()
    return True


class _Case:
    """One conversation while a batch is at work: its known ratings and the one that counts."""

    __slots__ = ("changed", "conversation", "counting", "events", "is_new", "latest")

    def __init__(self, conversation, *, is_new=False):
        self.conversation, self.is_new, self.changed = conversation, is_new, False
        self.events: dict[tuple, Rating] = {}
        self.latest: Rating | None = None
        self.counting: Rating | None = None  # empty where the latest was withdrawn

    def add(self, rating: Rating) -> bool:
        """Take in a rating, in the order of arrival. True where it is the latest now."""
        self.events[rating.rated_at, rating.scale, rating.score_hundredths] = rating
        if self.latest is None or rating.rated_at >= self.latest.rated_at:
            self.latest = rating
            return True
        return False


class _Batch:
    """Rows taken in memory, then written at once: the same number of queries however many rows there are."""

    def __init__(self, workspace: Workspace, keys: set[tuple[str, str]]):
        self.workspace, self.days = workspace, _Days(workspace)
        self.added: list[Rating] = []
        self.displaced: set[int] = set()
        self.credited: dict[int, Rating] = {}
        sources, external_ids = {source for source, _ in keys}, {external_id for _, external_id in keys}
        found = Conversation.objects.filter(workspace=workspace, source__in=sources, external_id__in=external_ids)
        self.cases = {key: _Case(c) for c in found if (key := (c.source, c.external_id)) in keys}
        by_id = {case.conversation.pk: case for case in self.cases.values()}
        for rating in Rating.objects.filter(conversation__in=by_id).order_by("pk") if by_id else ():
            case = by_id[rating.conversation_id]
            case.add(rating)
            if rating.counts:
                case.counting = rating

    def take(self, row: RatingRow, agent_id: uuid.UUID) -> Outcome:
        """Let one row change its case. Raises Refused."""
        key = row.source, row.external_id
        case = self.cases.get(key) or _Case(self._conversation(row, agent_id), is_new=True)
        opened_at = case.conversation.opened_at
        if row.closed_at and opened_at and row.closed_at < opened_at:
            raise Refused("closedAt", "It lies before the conversation was opened.")
        self.cases[key] = case
        known = case.events.get((row.rated_at, row.scale, row.score))
        outcome = self._credit(case, known, agent_id, row.credit) if known else self._add(case, row, agent_id)
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
            closed_at=row.closed_at or row.rated_at,
        )

    def _add(self, case, row, agent_id):
        rating = Rating(
            workspace_id=self.workspace.pk,
            conversation_id=case.conversation.pk,
            agent_id=agent_id,
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
        self._follow(case, former and former.agent_id, agent_id)
        if case.counting is not None:
            self.days.subtract(case.counting)
            case.counting.counts = False
            if case.counting.pk is not None:
                self.displaced.add(case.counting.pk)
        rating.counts, case.counting = True, rating
        self.days.add(rating)
        return Outcome.UPDATED if former else Outcome.ACCEPTED

    def _credit(self, case, rating, agent_id, credit):
        """The same rating again; somebody else may be named, if it is known at least as surely that it was them."""
        if rating.agent_id is not None and SURENESS.index(credit) < SURENESS.index(rating.credit):
            return Outcome.UNCHANGED
        if (rating.agent_id, rating.credit) == (agent_id, credit):
            return Outcome.UNCHANGED
        if rating is case.latest:
            self._follow(case, rating.agent_id, agent_id)
        if rating.counts:
            self.days.subtract(rating)
        rating.agent_id, rating.credit = agent_id, credit
        if rating.counts:
            self.days.add(rating)
        if rating.pk is not None:
            self.credited[rating.pk] = rating
        return Outcome.UPDATED

    def _follow(self, case, former_agent_id, agent_id):
        """A conversation known by its ratings alone belongs to who was rated; one that was told of keeps its agent."""
        conversation = case.conversation
        by_ratings_alone = conversation.opened_at is None and conversation.turn_count is None
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
            Conversation.objects.bulk_update(changed, ["agent", "closed_at", "status", "channel", "updated_at"])
        if self.displaced:
            Rating.objects.filter(pk__in=self.displaced).update(counts=False)
        if self.credited:
            Rating.objects.bulk_update(self.credited.values(), ["agent", "credit"])
        Rating.objects.bulk_create(self.added)
        self.days.store()


def _enter(workspace) -> Workspace:
    """Wait for one's turn at the workspace's ratings, until the end of the transaction. SQLite has one writer anyway."""
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def _record(workspace, rows, make_agents, door):
    directory = _Directory(workspace, {(row.source, row.agent) for row in rows})
    made = directory.make_missing(rows, door) if make_agents else []
    batch = _Batch(workspace, {(row.source, row.external_id) for row in rows})
    fates: list[Outcome | Refused] = []
    for row in rows:
        try:
            fates.append(batch.take(row, directory.id_of(row.source, row.agent)))
        except Refused as refused:
            fates.append(refused)
    batch.store()
    return fates, made


class _Directory:
    """Whom the references of a batch mean: an id, the exact name, or how the row's source calls an agent."""

    def __init__(self, workspace, references: set[tuple[str, str]]):
        self.workspace = workspace
        words = {word for _, word in references}
        ids = {pk for word in words if (pk := _as_id(word))}
        self.by_id: dict[uuid.UUID, Agent] = {}
        self.by_name: dict[str, list[Agent]] = defaultdict(list)
        wanted = Q(name__in=words) | Q(pk__in=ids) if ids else Q(name__in=words)
        for agent in Agent.objects.filter(wanted, workspace=workspace).order_by("created_at"):
            self.by_id[agent.pk] = agent
            self.by_name[agent.name].append(agent)
        called = ExternalId.objects.filter(
            workspace=workspace, source__in={source for source, _ in references}, value__in=words
        )
        self.by_external_id = {(e.source, e.value): e.agent_id for e in called}

    def id_of(self, source: str, word: str) -> uuid.UUID:
        """Raises Refused where nobody, or more than one, is meant."""
        named = self.by_name.get(word)
        if named:
            if len(named) > 1:
                ids = ", ".join(str(agent.pk) for agent in named)
                raise Refused("agent", f"Several agents are called {word}; use one of the ids {ids}.")
            return named[0].pk
        pk = _as_id(word)
        if pk in self.by_id:
            return pk
        if (source, word) in self.by_external_id:
            return self.by_external_id[source, word]
        raise Refused("agent", f"No agent is called {word}.")

    def make_missing(self, rows, door) -> list[Agent]:
        """Make a person for each name that means nobody; an id that means nobody is a mistake, not a name."""
        made = []
        for row in rows:
            word = row.agent
            if word in self.by_name or _as_id(word) or (row.source, word) in self.by_external_id:
                continue
            agent = agents.create_agent(self.workspace, name=word, team=row.team, by=None, door=door)
            self.by_name[word].append(agent)
            made.append(agent)
        return made


def _as_id(word):
    try:
        return uuid.UUID(word) if len(word) == 36 else None
    except ValueError:
        return None


# --- The daily table -------------------------------------------------------------------------------------------------


class _Days:
    """What a transaction adds to and takes from the daily table, written once at its end."""

    def __init__(self, workspace):
        self.workspace, self.zone = workspace, workspace.zone
        self.deltas: dict[tuple[uuid.UUID, date], list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, rating, sign=1):
        if rating.agent_id is not None:
            delta = self.deltas[rating.agent_id, rating.rated_at.astimezone(self.zone).date()]
            score = rating.score_hundredths
            delta[0] += sign
            delta[1] += sign * score
            delta[2] += sign * score * score

    def subtract(self, rating):
        self.add(rating, sign=-1)

    def store(self):
        deltas = {key: delta for key, delta in self.deltas.items() if any(delta)}
        if not deltas:
            return
        sums = {(day.agent_id, day.day): (day.n, day.sum_hundredths, day.sum_squares) for day in _days_of(deltas)}
        full: list[RatingDay] = []
        empty: list[RatingDay] = []
        for (agent_id, on), (n, total, squares) in deltas.items():
            had = sums.get((agent_id, on), (0, 0, 0))
            day = RatingDay(
                workspace_id=self.workspace.pk,
                agent_id=agent_id,
                day=on,
                n=had[0] + n,
                sum_hundredths=had[1] + total,
                sum_squares=had[2] + squares,
            )
            (full if day.n else empty).append(day)
        RatingDay.objects.bulk_create(
            full, update_conflicts=True, unique_fields=["agent", "day"], update_fields=list(SUMS)
        )
        if empty:
            RatingDay.objects.filter(pk__in=[day.pk for day in _days_of([(d.agent_id, d.day) for d in empty])]).delete()
        # Whoever reads the daily table on a clock sees by this number that there is news.
        Workspace.objects.filter(pk=self.workspace.pk).update(ratings_revision=F("ratings_revision") + 1)


def _days_of(keys):
    """The rows of the daily table for these (agent id, day), and no others."""
    agent, day = RatingDay._meta.get_field("agent"), RatingDay._meta.get_field("day")
    values = [
        value
        for agent_id, on in keys
        for value in (agent.get_db_prep_value(agent_id, connection), day.get_db_prep_value(on, connection))
    ]
    places = ", ".join(["(%s, %s)"] * len(keys))
    return RatingDay.objects.raw(
        f"SELECT * FROM {RatingDay._meta.db_table} WHERE (agent_id, day) IN (VALUES {places})",  # noqa: S608
        values,
    )


@dataclass(frozen=True)
class DayDifference:
    """A day of one agent whose row in the daily table is not what the ratings say: (n, sum, sum of squares)."""

    agent_id: uuid.UUID
    day: date
    stored: tuple[int, int, int]
    right: tuple[int, int, int]


def check_days(workspace: Workspace) -> Iterator[DayDifference]:
    """Compare the daily table with the counting ratings, agents in portions, so that memory stays bounded."""
    ids = list(Agent.objects.filter(workspace=workspace).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), AGENTS_AT_ONCE):
        portion = ids[start : start + AGENTS_AT_ONCE]
        right = _Days(workspace)
        counting = Rating.objects.counting().filter(agent__in=portion)
        for rating in counting.only("agent", "rated_at", "score_hundredths").order_by("agent").iterator():
            right.add(rating)
        stored = {
            (agent_id, day): (n, total, squares)
            for agent_id, day, n, total, squares in RatingDay.objects.filter(agent__in=portion).values_list(
                "agent", "day", *SUMS
            )
        }
        for agent_id, day in sorted(stored.keys() | right.deltas.keys()):
            n, total, squares = right.deltas.get((agent_id, day), (0, 0, 0))
            had, has = stored.get((agent_id, day), (0, 0, 0)), (n, total, squares)
            if had != has:
                yield DayDifference(agent_id, day, stored=had, right=has)


def rebuild_days(workspace: Workspace) -> int:
    """Make the daily table what the ratings say, as after a change of the time zone. Returns how many days differed."""
    with transaction.atomic():
        workspace = _enter(workspace)
        days = _Days(workspace)
        for difference in check_days(workspace):
            change = [has - had for had, has in zip(difference.stored, difference.right, strict=True)]
            days.deltas[difference.agent_id, difference.day] = change
        days.store()
    return len(days.deltas)


def change_time_zone(workspace: Workspace, name: str, *, by: Member | None = None) -> int:
    """Let the workspace live by another clock, and its daily table with it. Returns how many days differed.

    Nothing reads the one without the other: what was a rating of Monday night may be one of Tuesday now. Raises ValidationError.
    """
    known_time_zone(name)
    with transaction.atomic():
        history.change(_enter(workspace), Workspace.objects.all(), by=by, time_zone=name)
        return rebuild_days(workspace)


# --- Conversations ---------------------------------------------------------------------------------------------------


def agent_meant(workspace: Workspace, word: str, *, source: str = "") -> Agent:
    """The agent that an id, an exact name or the source's own id means. Raises Refused, AmbiguousAgent."""
    directory = _Directory(workspace, {(source, word)})
    if len(directory.by_name.get(word, ())) > 1:
        raise AmbiguousAgent(directory.by_name[word])
    pk = directory.id_of(source, word)
    return directory.by_id.get(pk) or Agent.objects.get(pk=pk)


def upsert_conversation(workspace: Workspace, row: ConversationRow, *, by=None) -> tuple[Conversation, Outcome]:
    """Take in what is told of one conversation, known by (source, external id); what is not told stays as it is.

    Its transcript is stored as the agent's storage mode allows: nothing unmasked leaves this function in mode `masked`.
    The outcome is ACCEPTED for a new one, UPDATED or UNCHANGED. `by` is None for the product's own imports.
    Raises NotAllowed, Refused, AmbiguousAgent.
    """
    if by is not None:
        require(by, Right.IMPORT)
    agent = agent_meant(workspace, row.agent, source=row.source)
    if row.transcript is not None and not agent.is_ai:
        raise Refused("transcript", f"{agent} is a person; transcripts are taken for AI agents only.")
    if row.configuration_version is not None and row.configuration_version > agent.configuration_version:
        raise Refused("configurationVersion", f"{agent} is at configuration {agent.configuration_version}.")
    kept = None if row.transcript is None else _kept(row.transcript, agent.storage_mode)
    with transaction.atomic():
        workspace = _enter(workspace)
        conversation = Conversation.objects.filter(
            workspace=workspace, source=row.source, external_id=row.external_id
        ).first() or Conversation(
            workspace=workspace, source=row.source, external_id=row.external_id, status=Conversation.Status.OPEN
        )
        is_new = conversation._state.adding
        changed = _tell(conversation, row, agent)
        if is_new:
            conversation.save(force_insert=True)
        elif changed:
            conversation.save(update_fields=[*changed, "updated_at"])
        if row.transcript is not None:
            changed |= _keep_transcript(conversation, agent, kept)
        if row.csat is not None:
            changed |= _rate(workspace, conversation, agent, row.csat)
        elif row.withdrawn and withdraw_rating(conversation):
            changed.add("csat")
    outcome = Outcome.ACCEPTED if is_new else Outcome.UPDATED if changed else Outcome.UNCHANGED
    return conversation, outcome


def _tell(conversation, row, agent) -> set[str]:
    """Set what the row tells. Returns the names of the fields that changed. Raises Refused."""
    told: dict[str, Any] = {"agent_id": agent.pk}
    if row.opened_at is not None:
        told["opened_at"] = row.opened_at
    if row.closed_at is not None:
        told |= {"closed_at": row.closed_at, "status": Conversation.Status.CLOSED}
    if row.status is not None:
        told["status"] = row.status
        if row.status == Conversation.Status.OPEN:
            told["closed_at"] = None
    if row.channel is not None:
        told["channel"] = row.channel
    if row.transcript is not None:
        told["turn_count"] = len(row.transcript)
    if row.configuration_version is not None:
        told["configuration_version"] = row.configuration_version
    if row.memories_served is not None:
        told["memories_served"] = row.memories_served
    changed = {name for name, value in told.items() if getattr(conversation, name) != value}
    if "memories_served" in changed:
        # Written with the list whatever it was when this was read: somebody may have noted the list before it meanwhile.
        told["memories_are_noted"] = not row.memories_served
        changed.add("memories_are_noted")
    for name in changed:
        setattr(conversation, name, told[name])
    opened_at, closed_at = conversation.opened_at, conversation.closed_at
    if opened_at and closed_at and closed_at < opened_at:
        raise Refused("closedAt" if row.closed_at else "openedAt", "It would be closed before it was opened.")
    return changed


def _kept(transcript, mode) -> list[dict] | None:
    """What of a transcript may rest in the database; None where nothing may."""
    if mode == Agent.Storage.SUMMARY_ONLY:
        return None
    return (transcript if mode == Agent.Storage.FULL else transcript.masked()).as_json()


def _keep_transcript(conversation, agent, turns) -> set[str]:
    stored = StoredTranscript.objects.filter(conversation=conversation)
    if turns is None:
        return {"transcript"} if stored.delete()[0] else set()
    if stored.filter(masked=agent.storage_mode != Agent.Storage.FULL).exists() and stored.get().turns == turns:
        return set()
    StoredTranscript.objects.update_or_create(
        conversation=conversation,
        defaults={
            "workspace_id": conversation.workspace_id,
            "turns": turns,
            "masked": agent.storage_mode != Agent.Storage.FULL,
            "delete_at": timezone.now() + timedelta(days=agent.retention_days),
        },
    )
    return {"transcript"}


def _rate(workspace, conversation, agent, csat) -> set[str]:
    rated_at = csat.rated_at or conversation.closed_at
    if rated_at is None:
        raise Refused("csat.ratedAt", "It is missing.")
    batch = _Batch(workspace, {(conversation.source, conversation.external_id)})
    # Whose conversation it was is told, not whom the customer had in mind.
    row = RatingRow(
        external_id=conversation.external_id,
        agent=str(agent.pk),
        value=csat.value,
        scale=csat.scale,
        score=csat.score,
        rated_at=rated_at,
        source=conversation.source,
        credit=Rating.Credit.ASSIGNEE,
    )
    outcome = batch.take(row, agent.pk)
    batch.store()
    return set() if outcome is Outcome.UNCHANGED else {"csat"}


# --- Retention -------------------------------------------------------------------------------------------------------


def keep_storage_promises(now: datetime) -> int:
    """Bring what is stored in step with what each agent's storage mode and retention allow now.

    Deletes what is due, and everything of agents whose transcripts are not kept any more; masks what was stored before
    masking was switched on; lets a shortened retention count for what is already here. Returns how many were deleted.
    """
    stored = StoredTranscript.objects.order_by("pk")
    gone, _ = stored.filter(delete_at__lte=now).delete()
    dropped, _ = stored.not_to_be_kept().delete()
    unmasked = stored.to_be_masked()
    for pk in list(unmasked.values_list("pk", flat=True)):
        row = unmasked.filter(pk=pk).first()
        if row is not None:
            turns = Transcript.from_json(row.turns).masked().as_json()
            stored.filter(pk=pk, masked=False).update(turns=turns, masked=True)
    for days in Agent.objects.ai().order_by().values_list("retention_days", flat=True).distinct():
        latest = now + timedelta(days=days)
        stored.filter(conversation__agent__retention_days=days, delete_at__gt=latest).update(delete_at=latest)
    return gone + dropped
