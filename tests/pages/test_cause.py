"""What the drawer asks of an open flag, and the channels beside it: every number leads to the conversations it counts."""

import re
from datetime import datetime, time, timedelta
from html import unescape

import pytest
from django.db import connection
from django.utils import timezone

from coaching.actions import flags
from coaching.models import Flag
from coaching.pages import drawer
from helpdesk.models import Rating
from tests import factories
from tests.pages.test_team import PARTIAL, flag, queries
from tests.pages.test_todo import text_of


def rated(agent, channel, score, days_ago, *, hour=12, by=None, **fields):
    """A conversation of `agent` with its counting rating so many days ago, by the workspace's clock."""
    zone = agent.workspace.zone
    today = timezone.now().astimezone(zone).date()
    at = datetime.combine(today - timedelta(days=days_ago), time(hour), zone)
    conversation = factories.conversation(agent, channel=channel, opened_at=None, closed_at=at)
    return Rating.objects.create(
        workspace=agent.workspace, conversation=conversation, agent=by or agent, value=str(score), scale="percent",
        score_hundredths=100 * score, rated_at=at, **fields,
    )  # fmt: skip


def fallen_on_chat(workspace, n=10):
    """Sarah, flagged: her chat fell from 90 to 50 in the last five weeks, her email stayed at 90."""
    sarah = factories.human(workspace, name="Sarah")
    for number in range(n):
        rated(sarah, "chat", (40, 60)[number % 2], number % 35)
        rated(sarah, "chat", (80, 100)[number % 2], 35 + number % 100)
        for days_ago in (number % 35, 35 + number % 100):
            rated(sarah, "email", (80, 100)[number % 2], days_ago)
    return flag(sarah)


# --- The question -------------------------------------------------------------------------------------------------------


def test_open_flag_asks_first_and_says_what_each_answer_covers(owner, signed_in):
    raised = flag(factories.human(owner.workspace))

    body = signed_in(owner).get(f"/team/{raised.agent_id}").content.decode()

    text = unescape(re.sub(r"<[^>]*>", "", body))
    assert body.index("What was it?") < body.index("samples-title")
    assert re.findall(r'name="cause" value="(\w*)"', body) == ["person", "policy", "product", "wait", "tool", "unknown"]
    for hint in ("Tone, care or knowledge", "A rule they must apply", "The samples do not tell"):
        assert hint in text


@pytest.mark.parametrize(
    ("cause", "next_step"),
    [
        ("person", "Write a note and talk about it in the 1:1. Write a note"),
        ("product", "Not the agent’s fault: tell whoever owns the product."),
        ("unknown", "Ask in the 1:1, and say it here when it is known."),
    ],
)
@pytest.mark.parametrize("headers", [{}, PARTIAL], ids=["form", "htmx"])
def test_answer_is_one_line_with_what_follows_from_it(headers, cause, next_step, owner, signed_in):
    raised = flag(factories.human(owner.workspace))

    answer = signed_in(owner).post(f"/flags/{raised.pk}/cause", {"cause": cause}, headers=headers, follow=True)

    text = text_of(answer)
    assert f"Cause: {Flag.Cause(cause).label} · change" in text
    assert next_step in text
    assert f'href="/team?cause={cause}"' in answer.content.decode()


def test_cause_of_an_ai_agent_leads_to_its_coach_or_to_the_switch(owner, signed_in):
    on, off = (factories.ai_agent(owner.workspace, coaching=coaching) for coaching in (True, False))
    client = signed_in(owner)

    for bot in (on, off):
        flags.set_cause(flag(bot), by=owner, cause="prompt")

    assert f'<a href="/agents/{on.pk}/coaching">Open its coach</a>' in client.get(f"/team/{on.pk}").content.decode()
    assert f'<a href="/agents/{off.pk}/settings">Switch it on</a>' in client.get(f"/team/{off.pk}").content.decode()


@pytest.mark.parametrize("headers", [{}, PARTIAL], ids=["form", "htmx"])
def test_answer_can_be_taken_back(headers, owner, signed_in):
    raised = flags.set_cause(flag(factories.human(owner.workspace)), by=owner, cause="wait")

    answer = signed_in(owner).post(f"/flags/{raised.pk}/cause", {"cause": ""}, headers=headers, follow=True)

    assert Flag.objects.get().cause == ""
    assert "What was it? A first guess is enough" in text_of(answer)


def test_nobody_is_asked_about_a_flag_that_is_closed_or_not_theirs(linked_member, signed_in):
    owner = factories.owner(linked_member.workspace)
    closed = factories.human(linked_member.workspace)
    flags.dismiss(flag(closed), by=owner, reason="Over.")
    flag(linked_member.agent)

    for member, agent in ((owner, closed), (linked_member, linked_member.agent)):
        text = text_of(signed_in(member).get(f"/team/{agent.pk}"))
        assert "What was it?" not in text
        assert "By channel" not in text


# --- The channels -------------------------------------------------------------------------------------------------------


def test_channel_that_carries_the_fall_is_named_with_its_numbers(owner, signed_in):
    raised = fallen_on_chat(owner.workspace)

    text = text_of(signed_in(owner).get(f"/team/{raised.agent_id}"))

    assert "By channel. Chat: 10 ratings at 50 %, before 10 at 90 %; email shows no change." in text
    assert "chat 50 % 10 ratings , 50 % of all 90 % 10 ratings , 50 % of all" in text
    assert "All of the 20 points lie within the channels; their mix did next to nothing." in text


def test_each_number_leads_to_the_conversations_it_counts(owner, signed_in):
    """Also where a conversation went to somebody else later, was closed on another day, or has no known channel."""
    raised = fallen_on_chat(owner.workspace)
    sarah, other = raised.agent, factories.human(owner.workspace)
    rated(other, "chat", 40, 3, by=sarah)
    rated(sarah, "chat", 40, 3, by=other)
    rated(sarah, "", 40, 34, hour=0)
    rated(sarah, "", 40, 35, hour=23)
    rated(sarah, "chat", 40, 2, counts=False)
    late = rated(sarah, "email", 40, 40)
    late.conversation.closed_at = timezone.now()
    late.conversation.save()
    client = signed_in(owner)

    links = re.findall(
        r'href="(/conversations\?[^"]*rated=1[^"]*)">([\d,]+) rating', client.get(f"/team/{sarah.pk}").content.decode()
    )

    found = [(int(n), client.get(unescape(address)).context["history"].n_found) for address, n in links]
    assert sorted(found) == [(1, 1), (1, 1), (10, 10), (10, 10), (11, 11), (11, 11)]


def test_weeks_before_go_back_as_far_as_the_flag_does(owner):
    raised = fallen_on_chat(owner.workspace)
    rated(raised.agent, "phone", 40, 181)
    rated(raised.agent, "fax", 40, 182)

    names = [one.name for one in drawer.channel_mix(raised).mix.channels]

    assert names == ["chat", "email", "phone"]


def test_unknown_channels_are_said_to_be_unknown(owner, signed_in):
    raised = flag(factories.human(owner.workspace))
    for days_ago in range(60):
        rated(raised.agent, "", 80, days_ago)

    answer = signed_in(owner).get(f"/team/{raised.agent_id}")

    assert "By channel. No channel is known for these conversations." in text_of(answer)
    assert "mix-table" not in answer.content.decode()


def test_drawer_takes_one_query_for_the_channels_however_many_ratings(owner, signed_in):
    few, many = fallen_on_chat(owner.workspace), fallen_on_chat(owner.workspace, n=60)
    client = signed_in(owner)

    assert queries(client, f"/team/{few.agent_id}") == queries(client, f"/team/{many.agent_id}")


def test_channels_are_read_by_the_index_of_the_agents_ratings(owner, django_assert_num_queries):
    """Among many ratings of others, those of one agent are found without reading the table."""
    raised = fallen_on_chat(owner.workspace)
    other = factories.human(owner.workspace)
    for _ in range(3):
        fallen_on_chat(owner.workspace, n=100)
    rated(other, "chat", 50, 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    with django_assert_num_queries(1) as asked:
        drawer.channel_mix(raised)

    with connection.cursor() as cursor:
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + asked[0]["sql"])
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert re.search("counting_rating_by_agent|helpdesk_rating_agent_id", plan)  # all of its ratings lie in these weeks
    assert not re.search(r"SCAN helpdesk_rating\b|Seq Scan on helpdesk_rating\b", plan)


# --- The list they lead to ----------------------------------------------------------------------------------------------


def test_conversations_are_found_by_channel(owner, signed_in):
    person = factories.human(owner.workspace)
    for channel, external_id in (("chat", "c-1"), ("email", "e-1"), ("", "n-1")):
        factories.conversation(person, channel=channel, external_id=external_id)
    client = signed_in(owner)

    def shown(query):
        return [row.conversation.external_id for row in client.get(f"/conversations{query}").context["history"].rows]

    assert (shown("?channel=chat"), shown("?channel=-"), shown("?channel=fax")) == (["c-1"], ["n-1"], [])
    page = client.get("/conversations?channel=chat")
    assert "Channel: chat" in text_of(page)
    assert 'name="channel" value="chat" checked' in page.content.decode()
    assert "Channel not known" in text_of(client.get("/conversations?channel=-"))
    assert "Channel" not in text_of(client.get("/conversations"))
