"""The conversations of one agent or of a workspace, as the History tab and the Conversations page list them."""

from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery

from agents.models import Agent
from agents.paging import Paged, n_pages_of, page_asked
from coaching.csat.figures import LOW, said
from coaching.models import Proposal, Sample, Session, SessionConversation
from coaching.pages import days
from coaching.pages.typed import uuid_or_none
from helpdesk.models import Conversation, Rating

PAGE_SIZE = 50
NO_CHANNEL = "-"  # asks for conversations whose channel is not known


@dataclass(frozen=True)
class HistoryQuestion:
    """Which conversations the address asks for. Values that mean nothing are taken as not given.

    With `rated`, `agent` and the days are those of the rating that counts, not of the conversation: then as many are found as
    a number of ratings on another page counts.
    """

    after: date | None = None
    before: date | None = None
    score: str = ""  # "low" (under 50), "middle", "high" (80 and more) or "none" (not rated)
    flagged: bool = False
    transcript: bool = False
    rated: bool = False  # only what counts in CSAT: dates are those of the rating, the agent is whom it is credited to
    channel: str = ""  # NO_CHANNEL: not known
    agent: str = ""
    search: str = ""
    page: int = 1

    SCORES = (
        ("low", f"Low (under {LOW})"),
        ("middle", f"Middle ({LOW} to 79)"),
        ("high", "High (80 and more)"),
        ("none", "Not rated"),
    )

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        score, agent = query.get("score", ""), query.get("agent", "")
        return cls(
            after=days.day_or_none(query.get("after", "")),
            before=days.day_or_none(query.get("before", "")),
            score=score if score in dict(cls.SCORES) else "",
            flagged=query.get("flagged") == "1",
            transcript=query.get("transcript") == "1",
            rated=query.get("rated") == "1",
            channel=query.get("channel", "").replace("\0", "").strip()[:50],
            agent=str(uuid_or_none(agent) or ""),
            search=query.get("q", "").replace("\0", "").strip()[:300],
            page=page_asked(query),
        )

    @property
    def narrows(self):
        return replace(self, page=1) != HistoryQuestion()

    @property
    def is_backwards(self):
        """Whether the first day comes after the last, so that nothing can be found."""
        return bool(self.after and self.before and self.after > self.before)

    @property
    def the_other_way_round(self):
        """The query string with the two days exchanged."""
        return self.query(after=self.before, before=self.after, page=1)

    def query(self, **changes):
        """The query string, with its question mark, after `changes`."""
        q = replace(self, **changes)
        given = {
            "after": q.after,
            "before": q.before,
            "score": q.score,
            "flagged": "1" if q.flagged else "",
            "transcript": "1" if q.transcript else "",
            "rated": "1" if q.rated else "",
            "channel": q.channel,
            "agent": q.agent,
            "q": q.search,
            "page": q.page if q.page > 1 else "",
        }
        return "?" + urlencode({key: value for key, value in given.items() if value})


@dataclass(frozen=True)
class HistoryRow:
    """One conversation with its rating in the words of its scale and its sample.

    `n_talks` and `n_proposals` count the talks with the coach about it and what was proposed in them; `in_set` is the newest
    talk about a set of conversations that it belongs to.
    """

    conversation: Conversation
    said: str
    score: float | None
    sample: Sample | None
    n_talks: int
    n_proposals: int
    in_set: UUID | None

    @property
    def is_low(self):
        return self.score is not None and self.score < LOW

    @property
    def may_be_analyzed(self):
        """Whether its agent has a coach and there is something for it to read: here, or in the helpdesk it came from."""
        agent = self.conversation.agent
        has_coach = agent is not None and agent.is_ai and agent.coaching
        return has_coach and bool(self.conversation.turn_count or not self.conversation.is_ours)


@dataclass(frozen=True)
class History(Paged):
    """A page of what was found. `coached` is the AI agent whose coach can be asked about all of it together."""

    question: HistoryQuestion
    rows: list[HistoryRow]
    agents: list[Agent]
    coached: Agent | None
    n_found: int
    n_pages: int


def find(member, question, agent=None):
    """The conversations that `question` asks for, of `agent` or of the whole workspace, each with its rating as
    `hundredths`, `value` and `scale`."""
    whose = agent.pk if agent is not None else question.agent
    found = Conversation.objects.visible_to(member)
    if question.rated:
        rated = Rating.objects.counting().filter(workspace_id=member.workspace_id)
        rated = days.within(rated, "rated_at", member.workspace.zone, question.after, question.before)
        found = found.filter(pk__in=(rated.filter(agent_id=whose) if whose else rated).values("conversation"))
    else:
        found = found.filter(agent_id=whose) if whose else found
        found = days.within(found, "closed_at", member.workspace.zone, question.after, question.before)
    if question.channel:
        found = found.filter(channel="" if question.channel == NO_CHANNEL else question.channel)
    rating = Rating.objects.counting().filter(conversation=OuterRef("pk"))
    found = found.annotate(
        hundredths=Subquery(rating.values("score_hundredths")[:1]),
        value=Subquery(rating.values("value")[:1]),
        scale=Subquery(rating.values("scale")[:1]),
    )
    if question.score:
        found = found.filter(
            {
                "low": Q(hundredths__lt=100 * LOW),
                "middle": Q(hundredths__range=(100 * LOW, 7_999)),
                "high": Q(hundredths__gte=8_000),
                "none": Q(hundredths=None),
            }[question.score]
        )
    samples = Sample.objects.kept().filter(conversation=OuterRef("pk"))
    if question.transcript:
        found = found.filter(turn_count__gt=0)
    if question.flagged:
        found = found.filter(Exists(samples))
    if question.search:
        found = found.filter(
            Q(external_id__istartswith=question.search)
            # What was put together from metadata is not shown as a summary, so a hit in it could not be understood.
            | Exists(samples.filter(summary__icontains=question.search).exclude(summary_state=Sample.Summary.METADATA))
        )
    return found


def load_history(member, question, agent=None):
    """The conversations of `agent`, or of the whole workspace, newest first. Eight queries at most."""
    found = find(member, question, agent)
    n_found = found.count()
    n_pages = n_pages_of(n_found, PAGE_SIZE)
    question = replace(question, page=min(question.page, n_pages))
    start = (question.page - 1) * PAGE_SIZE
    newest = found.select_related("agent").order_by(F("closed_at").desc(nulls_first=True), "pk")
    rows = list(newest[start : start + PAGE_SIZE])
    ids = [row.pk for row in rows]
    samples = {s.conversation_id: s for s in Sample.objects.visible_to(member).kept().filter(conversation__in=ids)}
    made = Proposal.objects.visible_to(member).filter(session__conversation__in=ids).order_by()
    made = dict(made.values_list("session__conversation").annotate(Count("pk")))
    talks = Session.objects.visible_to(member).filter(conversation__in=ids).order_by()
    talks = dict(talks.values_list("conversation").annotate(Count("pk")))
    sets = SessionConversation.objects.visible_to(member).filter(conversation__in=ids)
    sets = dict(sets.order_by("session__updated_at").values_list("conversation", "session"))
    agents = list(Agent.objects.visible_to(member).order_by("name")) if agent is None else []
    chosen = agent or next((one for one in agents if str(one.pk) == question.agent), None)
    return History(
        question=question,
        rows=[
            HistoryRow(
                conversation=row,
                said=said(row.value, row.scale),
                score=None if row.hundredths is None else row.hundredths / 100,
                sample=samples.get(row.pk),
                n_talks=talks.get(row.pk, 0),
                n_proposals=made.get(row.pk, 0),
                in_set=sets.get(row.pk),
            )
            for row in rows
        ],
        agents=agents,
        coached=chosen if chosen is not None and chosen.is_ai and chosen.coaching else None,
        n_found=n_found,
        n_pages=n_pages,
    )
