"""A flag as it stands, read into its message."""

from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone

from agents.templatetags.words import exact, ratings
from coaching.actions import flags as actions
from coaching.coach import agendas
from coaching.csat import sentences
from coaching.models import Flag, SlackPost
from coaching.slack import addresses
from coaching.slack.blocks.flags import Shown, flag
from coaching.slack.blocks.message import Drawing
from helpdesk.models import RatingDay

WEEKS = 8
Status = Flag.Status


def draw(post: SlackPost, *, short: bool = False) -> Drawing:
    """The flag as it stands. It waits for its agenda, and that for the summaries of its samples."""
    people = ("opened_by__user", "closed_by__user", "coached_by__user")
    row = Flag.objects.select_related("agent", "workspace", *people).get(slack_posts=post)
    agenda = agendas.of(row)
    if agenda is None and agendas.is_to_come(row):
        return Drawing([], drawn="waiting", is_waiting=True)
    if agenda is None and row.status == Status.OPEN:
        agenda = agendas.draft(row)
    with timezone.override(row.workspace.zone):
        shown = Shown(
            agent=row.agent.name,
            kind=_kind(row),
            sentence=_claim(row),
            url=addresses.drawer(row.agent_id),
            weeks=_weeks(row),
            agenda=agenda.points if agenda is not None else [],
            heading=agendas.heading(row.agent),
            drafted_by=agendas.drafted_words(agenda) if agenda is not None else "",
            ended=_ended(row),
            by_webhook=post.connection_id is None,
        )
    return Drawing([flag(shown, short=short)], drawn=f"{row.status}{' coached' if row.coached_at else ''}")


def _claim(row):
    """Why it was raised, also once it is over."""
    if row.kind == Flag.Kind.MANUAL:
        return row.reason
    return sentences.sentence(row.agent.name, row.evidence, today=timezone.localdate())


def _kind(row):
    by = f"by {row.opened_by.display_name}" if row.opened_by is not None else "by itself"
    raised = f"Raised {by}, {exact(row.opened_at)}"
    if row.coached_at is None:
        return raised
    return f"{raised} · Coached by {row.coached_by.display_name}, {exact(row.coached_at)}"


def _ended(row):
    """How it ended; a dismissal's reason stays with its page."""
    if row.status == Status.OPEN:
        return ""
    if row.status == Status.DISMISSED:
        return f"Dismissed by {row.closed_by.display_name}, {exact(row.closed_at)}."
    return actions.sentence(row)


def _weeks(row):
    """The weeks up to the day it was raised on, in words, oldest first; those before the first rating are left out."""
    first = row.opened_on - timedelta(days=7 * WEEKS - 1)
    days = RatingDay.objects.filter(agent=row.agent_id, day__range=(first, row.opened_on))
    sums = [[0, 0] for _ in range(WEEKS)]
    for day, n, total in days.values_list("day").annotate(Sum("n"), Sum("sum_hundredths")):
        week = sums[(day - first).days // 7]
        week[0] += n
        week[1] += total
    starts = [first + timedelta(days=7 * n) for n in range(WEEKS)]
    told = [_week(row, start, n, total) for start, (n, total) in zip(starts, sums, strict=True)]
    rated = next((at for at, (n, _) in enumerate(sums) if n), WEEKS)
    return told[rated:]


def _week(row, start, n, total):
    scale = row.evidence.get("scale", "")
    named = f"Week of {start.day} {start:%b}"
    if not n:
        return f"{named}: no ratings"
    key = "own_level" if start + timedelta(days=6) < row.since else "expected"
    expected = row.evidence.get(key)
    beside = f", {sentences.level(expected, scale)} expected" if expected is not None else ""
    return f"{named}: {sentences.level(total / n / 100, scale)} from {ratings(n)}{beside}"
