"""A compiled query tells what the query set it was made of would tell, to each member what is theirs."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import CharField, F, UUIDField
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.compiled import CompiledQuery, Parameter, columns_of, read_models
from agents.models import Agent, ApiToken, Member, Team
from coaching.models import Flag, Note, Sample
from tests import factories

pytestmark = pytest.mark.django_db

AGENTS = CompiledQuery(
    lambda somebody: Agent.objects.visible_to(somebody).order_by("name"), columns_of(Agent) + columns_of(Team, "team__")
)
CALLED = CompiledQuery(
    lambda somebody: Agent.objects.visible_to(somebody).filter(name=Parameter("name", CharField())),
    ("id", "team__name"),
)


def test_every_kind_of_column_comes_as_django_gives_it():
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    token = factories.token(owner, ["read", "write"])
    ApiToken.objects.update(last_used_at=datetime(2026, 3, 29, 1, 30, 0, 5, tzinfo=UTC))
    flagged = factories.human(workspace)
    Flag.objects.create(
        workspace=workspace,
        agent=flagged,
        kind=Flag.Kind.AUTO,
        since=timezone.localdate(),
        opened_on=timezone.localdate(),
        evidence={"ratings": 3, "peers": ["a", None]},
    )
    assert token
    for model in (ApiToken, Member, Agent, Flag):
        everything = CompiledQuery(lambda _, model=model: model.objects.order_by("pk"), columns_of(model))
        assert [tuple(row) for row in everything.rows()] == list(
            model.objects.order_by("pk").values_list(*columns_of(model))
        )
        assert [read_models(row, model)[0] for row in everything.rows()] == list(model.objects.order_by("pk"))


def test_an_instant_that_an_expression_makes_is_an_instant():
    workspace = factories.workspace()
    asked = CompiledQuery(
        lambda somebody: Member.objects.visible_to(somebody).annotate(last=Coalesce("left_at", F("joined_at"))),
        ("last",),
    )
    owner = factories.owner(workspace)
    assert asked.rows(owner) == [(owner.joined_at,)]
    assert asked.rows(owner)[0].last.utcoffset() == timedelta()


def test_compiled_for_one_it_answers_the_other_with_what_is_theirs(django_assert_num_queries):
    here, there = factories.workspace(), factories.workspace()
    ana, ben, cleo = (
        factories.human(place, name=name) for place, name in ((here, "Ana"), (here, "Ben"), (there, "Cleo"))
    )
    asking = {
        "owner": (factories.owner(here), [ana, ben]),
        "owner elsewhere": (factories.owner(there), [cleo]),
        "linked": (factories.member(here, agent=ana), [ana]),
        "linked too": (factories.member(here, agent=ben), [ben]),
        "linked elsewhere": (factories.member(there, agent=cleo), [cleo]),
        "not linked": (factories.member(here), []),
    }
    for _ in range(2):
        for who, (member, theirs) in asking.items():
            assert [row.id for row in AGENTS.rows(member)] == [agent.pk for agent in theirs], who
    with django_assert_num_queries(0):
        assert AGENTS.rows(asking["not linked"][0]) == []


def test_its_values_are_the_asking_one_s_not_the_first_one_s():
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    names = ["Ana", "An%s", "O'Neil “€”"]
    agents = {name: factories.human(workspace, name=name).pk for name in names}
    for name in [*names, *reversed(names)]:
        assert CALLED.rows(owner, name=name) == [(agents[name], None)]
    assert CALLED.rows(owner, name="ana") == []


def test_a_value_that_is_not_told_is_an_error():
    with pytest.raises(KeyError):
        CALLED.rows(factories.owner(factories.workspace()))


def test_whom_a_join_does_not_find_is_none():
    workspace = factories.workspace()
    factories.human(workspace, name="Ana", team="First line")
    factories.human(workspace, name="Ben")
    found = [read_models(row, Agent, Team) for row in AGENTS.rows(factories.owner(workspace))]
    assert [(agent.name, of) for agent, of in found] == [("Ana", Team.objects.get()), ("Ben", None)]


def test_it_is_compiled_once():
    compiled = []

    def build(somebody):
        compiled.append(somebody)
        return Agent.objects.visible_to(somebody).filter(pk=Parameter("id", UUIDField()))

    workspace = factories.workspace()
    owner, agents = factories.owner(workspace), [factories.human(workspace) for _ in range(3)]
    asked = CompiledQuery(build, ("id", "name"))
    assert [asked.rows(owner, id=agent.pk) for agent in agents] == [[(agent.pk, agent.name)] for agent in agents]
    assert len(compiled) == 1


def test_what_the_people_api_reads_is_what_the_query_sets_tell(django_assert_num_queries):
    """The rows of GET /coaching against the models, for a note with a sample and one without."""
    workspace = factories.workspace()
    owner, agent = factories.owner(workspace), factories.human(workspace)
    talk = factories.conversation(agent)
    sample = Sample.objects.create(workspace=workspace, agent=agent, conversation=talk, captured_by=owner)
    for of in (sample, None):
        Note.objects.create(workspace=workspace, agent=agent, author=owner, body="Again.", sample=of)
    everything = CompiledQuery(
        lambda somebody: Note.objects.visible_to(somebody).order_by("created_at"), columns_of(Note)
    )
    with django_assert_num_queries(1):
        rows = everything.rows(owner)
    assert [read_models(row, Note)[0].sample_id for row in rows] == [sample.pk, None]
