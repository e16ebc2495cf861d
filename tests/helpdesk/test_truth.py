"""In whatever order a helpdesk's news comes in, all that is known here ends as the helpdesk has it."""

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from helpdesk import actions
from helpdesk.actions import arrivals, connections, mapping
from helpdesk.models import HelpdeskAgent, Rating
from helpdesk.vendors import contract
from tests import factories
from tests.desks.world import NOON

pytestmark = pytest.mark.django_db(transaction=True)

CONVERSATIONS = ("1", "2")
PEOPLE = ("11", "12")
WORDS = ("good", "bad")
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("rate"), st.sampled_from(CONVERSATIONS), st.sampled_from(WORDS), st.sampled_from(PEOPLE)),
        st.tuples(st.just("withdraw"), st.sampled_from(CONVERSATIONS)),
        st.tuples(st.just("restore"), st.sampled_from(CONVERSATIONS)),
        st.tuples(st.just("list"), st.permutations(CONVERSATIONS), st.integers(1, 2)),
        st.tuples(st.just("hook"), st.sampled_from(CONVERSATIONS)),
        st.tuples(st.just("stale"), st.sampled_from(CONVERSATIONS)),
        st.tuples(st.just("map"), st.sampled_from(PEOPLE), st.sampled_from(["Ana", "Ben", None])),
    ),
    max_size=12,
)


class Helpdesk:
    """What customers gave there, and what is told of it here: all at once, one by one, or late.

    `one_instant`: it tells only when a rating was first given, whatever the customer made of it since.
    """

    def __init__(self, connection, has_ids, one_instant):
        self.connection, self.has_ids, self.one_instant = connection, has_ids, one_instant
        self.truth: dict[str, contract.Rating] = {}
        self.former: dict[str, contract.Rating] = {}
        self.minutes = 0

    def rate(self, conversation_id, value, person):
        self.minutes += 1
        known = self.truth.get(conversation_id)
        is_touched = self.one_instant and known is not None
        at = known.rated_at if is_touched else NOON + timedelta(minutes=self.minutes)
        own = f"r{conversation_id}" if self.has_ids else ""
        if known is not None:
            self.former[conversation_id] = known
        self.truth[conversation_id] = contract.Rating(conversation_id, value, "binary", at, id=own, person_id=person)

    def withdraw(self, conversation_id):
        gone = self.truth.pop(conversation_id, None)
        if gone is not None:
            self.former[conversation_id] = gone

    def restore(self, conversation_id):
        """What was taken back a moment ago is there again."""
        if conversation_id not in self.truth and conversation_id in self.former:
            self.truth[conversation_id] = self.former[conversation_id]

    def list(self, order, size):
        for first in range(0, len(order), size):
            self.tell(order[first : first + size])

    def hook(self, conversation_id):
        self.tell([conversation_id])

    def stale(self, conversation_id):
        """An answer of long ago comes in now, as from a slow worker."""
        if conversation_id in self.former:
            with transaction.atomic():
                long_ago = NOON - timedelta(days=365)
                arrivals.take_in(self.connection, [self.former[conversation_id]], as_of=long_ago)

    def map(self, person, name):
        row = HelpdeskAgent.objects.get(connection=self.connection, external_id=person)
        agent = row.workspace.agents.get(name=name) if name else None
        mapping.map_to(row, agent, by=row.workspace.members.get(role="owner"), was=row.agent)
        mapping.credit(row.pk)

    def tell(self, conversation_ids):
        told = [self.truth[one] for one in conversation_ids if one in self.truth]
        with transaction.atomic():
            arrivals.take_in(self.connection, told, [one for one in conversation_ids if one not in self.truth])


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(happened=happenings, has_ids=st.booleans(), one_instant=st.booleans(), is_hooked=st.booleans())
@example(
    happened=[("rate", "1", "good", "11"), ("withdraw", "1"), ("restore", "1")],
    has_ids=True, one_instant=False, is_hooked=True,
)  # fmt: skip
@example(
    happened=[("rate", "1", "good", "11"), ("rate", "1", "bad", "11"), ("rate", "1", "good", "12")],
    has_ids=True, one_instant=True, is_hooked=True,
)  # fmt: skip
def test_any_order_of_news_ends_as_the_helpdesk_has_it(workspace, owner, happened, has_ids, one_instant, is_hooked):
    Rating.objects.all().delete()
    workspace.conversations.all().delete()
    HelpdeskAgent.objects.all().delete()
    connection = connections.connect(
        workspace, vendor="zendesk", base_url="https://desk.zendesk.com", by=owner,
        credentials={"email": "a@desk.example", "api_token": "t"},
    )  # fmt: skip
    for name in ("Ana", "Ben"):
        if not workspace.agents.filter(name=name).exists():
            factories.human(workspace, name=name)
    mapping.learn(connection, [contract.Person(one, f"Person {one}") for one in PEOPLE])
    actions.rebuild_days(workspace)
    desk = Helpdesk(connection, has_ids, one_instant)

    for what, *told in happened:
        getattr(desk, what)(*told)
        if is_hooked and what in ("rate", "withdraw", "restore"):
            desk.hook(told[0])
        assert list(actions.check_days(workspace)) == []
    desk.list(CONVERSATIONS, 2)

    counting = Rating.objects.counting().select_related("conversation", "helpdesk_agent", "agent")
    known = {one.conversation.external_id: (one.value, one.helpdesk_agent.external_id) for one in counting}
    assert known == {one.conversation_id: (one.value, one.person_id) for one in desk.truth.values()}
    assert all(one.agent == one.helpdesk_agent.agent for one in counting)
    assert list(actions.check_days(workspace)) == []
