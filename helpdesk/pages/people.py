"""Who is who: the people of a helpdesk, how many ratings hang on each, and whom they stand for here."""

from collections import defaultdict
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.db.models import Case, Count, IntegerField, Q, Value, When

from agents import names
from agents.models import Agent
from agents.paging import Paged, n_pages_of, page_asked
from helpdesk.models import HelpdeskAgent, HelpdeskConnection

PAGE_SIZE = 50
MOST_OFFERED = 2_000  # agents of ours in the list to choose from
SHOWN = ("all", "unmapped", "mapped", "nobody")


@dataclass(frozen=True)
class Question:
    """What the address asks for. Values that mean nothing are taken as not given."""

    show: str = "all"
    q: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        show = query.get("show", "")
        return cls(
            show=show if show in SHOWN else "all",
            q=" ".join(query.get("q", "").replace("\0", "").split())[:100],
            page=page_asked(query),
        )

    def query(self, **changes):
        """The query string, with its question mark, after `changes`."""
        asked = replace(self, **changes)
        given = {
            "show": asked.show if asked.show != "all" else "",
            "q": asked.q,
            "page": asked.page if asked.page > 1 else "",
        }
        encoded = urlencode({name: value for name, value in given.items() if value})
        return f"?{encoded}"


@dataclass(frozen=True)
class Line:
    """Somebody at the helpdesk. `label` is the name of whom they stand for, as the list of agents has it; `suggestion` is an
    agent of ours, with its label, who is called alike."""

    row: HelpdeskAgent
    n: int
    label: str
    suggestion: tuple[Agent, str] | None

    @property
    def is_crediting(self):
        return self.row.next_try_at is not None


@dataclass(frozen=True)
class Counts:
    """How many people there are; `n_creatable` is how many have ratings and stand for nobody."""

    n_all: int
    n_unmapped: int
    n_nobody: int
    n_creatable: int
    n_crediting: int

    @property
    def n_mapped(self):
        return self.n_all - self.n_unmapped - self.n_nobody


@dataclass(frozen=True)
class People(Paged):
    """A page of them. `offered` are the labels of our agents."""

    connection: HelpdeskConnection
    question: Question
    lines: list[Line]
    offered: list[str]
    counts: Counts
    n_pages: int


def load(member, connection, question) -> People:
    """The people of a connection: who stands for nobody first, and among them who has most ratings."""
    asked = _asked(with_ratings(connection), question)
    n_pages = n_pages_of(asked.count(), PAGE_SIZE)
    question = replace(question, page=min(question.page, n_pages))
    first = (question.page - 1) * PAGE_SIZE
    order = Case(When(HelpdeskAgent.UNMAPPED, then=Value(0)), default=Value(1), output_field=IntegerField())
    shown = asked.order_by(order, "-n", "name", "external_id")[first : first + PAGE_SIZE]
    known = Names.of(member)
    return People(
        connection=connection,
        question=question,
        lines=[line(row, known) for row in shown],
        offered=known.offered,
        counts=count(connection),
        n_pages=n_pages,
    )


def count(connection) -> Counts:
    """How many of each kind, in two queries."""
    told = HelpdeskAgent.objects.filter(connection=connection).aggregate(
        n_all=Count("pk"),
        n_unmapped=Count("pk", filter=HelpdeskAgent.UNMAPPED),
        n_nobody=Count("pk", filter=HelpdeskAgent.NOBODY),
        n_crediting=Count("pk", filter=Q(next_try_at__isnull=False)),
    )
    return Counts(**told, n_creatable=creatable(connection).count())


def with_ratings(connection):
    """The people of a connection with `n`, how many counting ratings hang on them."""
    rows = HelpdeskAgent.objects.filter(connection=connection).select_related("agent__team")
    return rows.annotate(n=Count("ratings", filter=Q(ratings__counts=True)))


def creatable(connection):
    """Who has ratings and stands for nobody yet: whom it makes sense to make agents of."""
    return with_ratings(connection).unmapped().filter(n__gt=0).order_by("pk")


def line(row, known) -> Line:
    """A row of `with_ratings` as it is shown; `known` are the Names of our agents."""
    label = known.label_of(row.agent) if row.agent else ""
    return Line(row, row.n, label, known.like(row) if row.is_unmapped else None)


def _asked(rows, question):
    if question.show == "unmapped":
        rows = rows.unmapped()
    elif question.show == "nobody":
        rows = rows.filter(HelpdeskAgent.NOBODY)
    elif question.show == "mapped":
        rows = rows.filter(agent__isnull=False)
    if question.q:
        named = Q(name__icontains=question.q) | Q(email__icontains=question.q) | Q(agent__name__icontains=question.q)
        rows = rows.filter(named | Q(external_id=question.q))
    return rows


class Names:
    """The agents of a workspace by the names under which they are offered, no two alike."""

    def __init__(self, agents):
        self.agents = {agent.pk: agent for agent in agents}
        told = [(agent.pk, agent.name, agent.team and agent.team.name) for agent in agents]
        self.labels = dict(zip(self.agents, names.labels(told), strict=True))
        self._by_words, self._by_first = defaultdict(list), defaultdict(list)
        for agent in agents:
            self._by_words[_words(agent.name)].append(agent)
            self._by_first[_first(agent.name)].append(agent)

    @classmethod
    def of(cls, member):
        """Those that the member may see, in one query."""
        rows = Agent.objects.visible_to(member).filter(active=True).select_related("team")
        return cls(list(rows.order_by("name", "pk")[:MOST_OFFERED]))

    @property
    def offered(self):
        return list(self.labels.values())

    def label_of(self, agent):
        return self.labels.get(agent.pk, agent.name)

    def find(self, typed):
        """The agent that was typed, by its label or a name that only one has; None where there is no such."""
        wanted = " ".join(typed.split()).casefold()
        labelled = [pk for pk, label in self.labels.items() if " ".join(label.split()).casefold() == wanted]
        return self.agents[labelled[0]] if len(labelled) == 1 else None

    def like(self, row):
        """(agent, label) of the only one who is called as somebody at the helpdesk, or as their address begins."""
        address = row.email.partition("@")[0].replace(".", " ").replace("_", " ")
        for name in (row.name, address):
            words, first = _words(name), _first(name)
            is_short = len(words) == 1
            whole = self._by_words.get(words, []) if words else []
            part = [one for one in self._by_first.get(first, []) if is_short or len(_words(one.name)) == 1]
            for found in (whole, part if words else []):
                fits = [one for one in found if one.is_ai == row.is_bot]
                if len(fits) == 1:
                    return fits[0], self.labels[fits[0].pk]
        return None


def _words(name):
    return tuple(sorted(name.casefold().split()))


def _first(name):
    return name.casefold().split()[:1][0] if name.split() else ""
