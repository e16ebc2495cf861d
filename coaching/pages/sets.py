"""A set of conversations that the coach is asked about: how it is chosen, named and listed."""

from dataclasses import dataclass
from datetime import date

from django.db.models import F

from coaching.actions import sessions
from coaching.csat.figures import LOW, said
from coaching.models import Sample
from coaching.pages import history
from coaching.texts.numbers import counted
from helpdesk.models import Conversation, Rating

RATED = {"low": "low ratings", "middle": "middling ratings", "high": "high ratings", "none": "not rated"}


@dataclass(frozen=True)
class SetLine:
    """One conversation of a set: its number in it from 1, and its rating in the words of its scale."""

    number: int
    conversation: Conversation
    said: str
    is_low: bool


def of_filter(member, question, agent):
    """The conversations of `agent` that a filter finds, at most SET_LIMIT, and the words for them.

    Of more the newest are taken; the worst first where the filter is about bad ratings.
    """
    found = history.find(member, question, agent).filter(agent=agent)
    worst = question.score == "low" or question.flagged
    order = [F("hundredths").asc(nulls_last=True)] if worst else []
    rows = found.order_by(*order, F("closed_at").desc(nulls_first=True), "pk")
    chosen, total = list(rows[: sessions.SET_LIMIT]), found.count()
    return chosen, _words(question, len(chosen), total, "worst" if worst else "newest")


def of_flag(member, flag):
    """The conversations of a flag's samples, the worst first, and the words for them."""
    samples = Sample.objects.visible_to(member).kept().filter(flag=flag).select_related("conversation")
    chosen = [
        each.conversation
        for each in samples.order_by(F("score_hundredths").asc(nulls_last=True), "-closed_at", "pk")
        if each.conversation.agent_id == flag.agent_id
    ][: sessions.SET_LIMIT]
    return chosen, f"{counted(len(chosen), 'sample')} of the flag of {_day(flag.opened_on)}"


def load(member, session):
    """The conversations of a session's set in their order; three queries. Empty where it is about none or one."""
    ids = sessions.members([session])[session.pk] if session.about else []
    rows = Conversation.objects.visible_to(member).in_bulk(ids)
    ratings = {each.conversation_id: each for each in Rating.objects.counting().filter(conversation__in=ids)}
    lines = []
    for number, pk in enumerate(ids, start=1):
        if pk in rows:
            rating = ratings.get(pk)
            words = said(rating.value, rating.scale) if rating else ""
            lines.append(SetLine(number, rows[pk], words, rating is not None and rating.score < LOW))
    return lines


def _words(question, n, total, which):
    """ "34 conversations: low ratings, 1 Nov to 30 Nov 2026" """
    parts = [
        RATED.get(question.score, ""),
        "samples" if question.flagged else "",
        "with transcript" if question.transcript else "",
        "channel not known" if question.channel == history.NO_CHANNEL else question.channel,
        f"“{question.search[:40]}”" if question.search else "",
        _days(question.after, question.before),
    ]
    how_many = counted(n, "conversation") if n == total else f"the {which} {n} of {total:,} conversations"
    given = ", ".join(part for part in parts if part)
    return f"{how_many}: {given}" if given else how_many


def _days(after, before):
    if after and before:
        return f"{_day(after)} to {_day(before)}"
    return f"since {_day(after)}" if after else f"until {_day(before)}" if before else ""


def _day(day: date):
    return f"{day.day} {day:%b %Y}"
