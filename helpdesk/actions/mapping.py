"""Whom a helpdesk means: its agents, mapped to ours by id, by email or by hand, and the crediting that hangs on that."""

import contextlib
import logging
from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from agents import actions as agents
from agents import work
from agents.access import Refusal, Right, require
from agents.models import Agent, ExternalId, Member
from helpdesk.actions.days import Days, enter
from helpdesk.actions.directory import Directory
from helpdesk.models import Conversation, HelpdeskAgent, HelpdeskConnection, Rating
from helpdesk.rows import Refused
from helpdesk.vendors import contract

BATCH = 1_000  # ratings that one transaction credits

log = logging.getLogger(__name__)


class ChangedMeanwhile(Refusal):
    """Somebody else mapped this agent since the page was opened."""


def learn(connection: HelpdeskConnection, people: Iterable[contract.Person]) -> int:
    """Store who answers customers at the helpdesk now; who is not listed any more is gone. Returns how many there are."""
    seen = {person.id: person for person in people}
    with transaction.atomic():
        rows = HelpdeskAgent.objects.filter(connection=connection)
        known = {row.external_id: row for row in rows}
        new = [
            HelpdeskAgent(workspace_id=connection.workspace_id, connection=connection, external_id=one)
            for one in seen.keys() - known.keys()
        ]
        HelpdeskAgent.objects.bulk_create(new, ignore_conflicts=True)
        told = list(rows.filter(external_id__in=seen))
        for row in told:
            person = seen[row.external_id]
            row.name, row.email = person.name[:300], person.email[:254].lower()
            row.is_bot, row.is_gone, row.seen_at = person.is_bot, not person.is_active, timezone.now()
        HelpdeskAgent.objects.bulk_update(told, ["name", "email", "is_bot", "is_gone", "seen_at"], batch_size=500)
        if seen:  # somebody always answers: an empty list says nothing about anybody
            rows.filter(is_gone=False).exclude(external_id__in=seen).update(is_gone=True)
    return len(seen)


def recognise() -> int:
    """Map who is known by their id or email, unless somebody decided by hand. One query where there is nobody.

    By id: an agent of ours says how this source calls them. By email: a member with that email is linked to an agent. Returns
    how many.
    """
    theirs = {"workspace": OuterRef("workspace")}
    by_id = ExternalId.objects.filter(**theirs, source=OuterRef("connection__source"), value=OuterRef("external_id"))
    linked = Member.objects.current().filter(**theirs, user__email=OuterRef("email"), agent__isnull=False)
    unmapped = HelpdeskAgent.objects.unmapped()
    known = unmapped.annotate(
        by_id=Subquery(by_id.values("agent")[:1]), by_email=Subquery(linked.order_by("pk").values("agent")[:1])
    ).exclude(by_id=None, by_email=None)
    n_mapped = 0
    for pk, agent_id, linked_id in known.values_list("pk", "by_id", "by_email"):
        how = HelpdeskAgent.Mapping.ID if agent_id else HelpdeskAgent.Mapping.EMAIL
        n_mapped += unmapped.filter(pk=pk).update(agent=agent_id or linked_id, mapping=how, **work.anew())
    return n_mapped


def recognise_words(connection: HelpdeskConnection, words: Collection[str]) -> None:
    """Let those be known whom an in-house desk names: by an id of ours, by the exact name, or as ExternalId has them.

    Whoever nobody is meant by is listed by that name, to be mapped by hand, and so is a name that several have.
    """
    new = [
        HelpdeskAgent(workspace_id=connection.workspace_id, connection=connection, external_id=word, name=word)
        for word in sorted(words)
    ]
    HelpdeskAgent.objects.bulk_create(new, ignore_conflicts=True)
    unmapped = HelpdeskAgent.objects.unmapped().filter(connection=connection, mapping="", external_id__in=words)
    unknown = dict(unmapped.values_list("external_id", "pk"))
    directory = Directory(connection.workspace, {(connection.source, word) for word in unknown})
    for word, pk in unknown.items():
        with contextlib.suppress(Refused):
            agent_id = directory.id_of(connection.source, word)
            unmapped.filter(pk=pk).update(agent=agent_id, mapping=HelpdeskAgent.Mapping.ID, **work.anew())


def map_to(row: HelpdeskAgent, agent: Agent | None, *, by, was: Agent | None) -> HelpdeskAgent:
    """Say by hand whom the helpdesk means; None for nobody, which no look by id or email overrules. Owes the crediting.

    `was` is whom the page showed. Raises NotAllowed, ChangedMeanwhile.
    """
    require(by, Right.MANAGE_WORKSPACE)
    as_shown = HelpdeskAgent.objects.filter(pk=row.pk, agent=was)
    if not as_shown.update(agent=agent, mapping=HelpdeskAgent.Mapping.PERSON, **work.anew()):
        raise ChangedMeanwhile("Somebody mapped this agent meanwhile. Look at whom it stands for now.")
    row.refresh_from_db()
    return row


def forget(row: HelpdeskAgent, *, by, was: Agent | None) -> HelpdeskAgent:
    """Take back what was said by hand, so that they may be recognised again. Owes the crediting.

    `was` is whom the page showed. Raises NotAllowed, ChangedMeanwhile.
    """
    require(by, Right.MANAGE_WORKSPACE)
    if not HelpdeskAgent.objects.filter(pk=row.pk, agent=was).update(agent=None, mapping="", **work.anew()):
        raise ChangedMeanwhile("Somebody mapped this agent meanwhile. Look at whom it stands for now.")
    row.refresh_from_db()
    return row


def make_agent(row: HelpdeskAgent, *, by, door, team: str = "") -> Agent:
    """Make an agent of ours for somebody nobody here knows, and map them to it. Raises NotAllowed, ChangedMeanwhile,
    ValidationError.
    """
    require(by, Right.MANAGE_WORKSPACE)
    kind = Agent.Kind.AI if row.is_bot else Agent.Kind.HUMAN
    with transaction.atomic():
        agent = agents.create_agent(row.workspace, name=str(row), kind=kind, team=team, by=by, door=door)
        map_to(row, agent, by=by, was=None)
    return agent


def credit(row_id) -> HelpdeskAgent | None:
    """Credit the ratings of somebody to whom they are mapped now. Returns the row, or None where it is not due or taken."""
    row = work.claim(HelpdeskAgent.objects.all(), row_id)
    if row is None:
        return None
    try:
        with work.holding(row):
            while _credit_some(row):
                pass
            work.settle(row)
    except work.LeaseLost:
        log.info("Helpdesk agent %s was mapped anew while ratings were credited.", row.pk)
    row.refresh_from_db()
    return row


def _credit_some(row) -> int:
    """One transaction's ratings that hang on somebody else than the row says. Returns how many there were."""
    with transaction.atomic():
        workspace = enter(row.workspace)
        work.renew(row)
        wrong = ~Q(agent=row.agent_id) | Q(agent=None) if row.agent_id else Q(agent__isnull=False)
        ratings = list(Rating.objects.filter(wrong, helpdesk_agent=row).order_by("pk")[:BATCH])
        days = Days(workspace)
        former = {rating.agent_id for rating in ratings}
        for rating in ratings:
            if rating.counts:
                days.subtract(rating)
            rating.agent_id = row.agent_id
            if rating.counts:
                days.add(rating)
        Rating.objects.filter(pk__in=[rating.pk for rating in ratings]).update(agent=row.agent_id)
        theirs = Conversation.objects.filter(pk__in=[r.conversation_id for r in ratings if r.counts])
        theirs.filter(Q(agent=None) | Q(agent__in=former - {None})).update(
            agent=row.agent_id, updated_at=timezone.now()
        )
        days.store()
    return len(ratings)
