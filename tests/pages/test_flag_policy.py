"""Settings › Flag policy: what it says of each level, what saving does, and the backtest in every state."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import work
from agents.models import Agent
from coaching.actions import backtests, policies
from coaching.csat import backtests as replaying
from coaching.csat import sentences
from coaching.models import Backtest, Flag, FlagPolicy
from coaching.pages import policy as policy_page
from helpdesk.actions import record_ratings
from tests import factories
from tests.factories import ratings

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request-Type": "partial"}
URL = "/settings/flags"


@pytest.fixture(autouse=True)
def _one_shuffling(monkeypatch):
    monkeypatch.setattr(replaying, "MOST_REPEATS", 1)


@pytest.fixture
def page(signed_in, owner):
    """A function: query -> the page's text."""
    client = signed_in(owner)
    return lambda query="": client.get(URL + query).content.decode()


def yesterday():
    return timezone.now().date() - timedelta(days=1)


def ran(owner):
    return backtests.run(backtests.ask(owner.workspace, by=owner).pk)


def stored(owner, n_flags, agent):
    """A finished backtest with so many flags on one agent, as a worker would have stored it."""
    done = ran(owner)
    [flag] = done.result["levels"]["balanced"]["flags"]
    done.result["levels"]["balanced"]["flags"] = [flag | {"agent": str(agent.pk)}] * n_flags
    done.save()
    return done


# --- The policy


def test_each_level_says_how_often_it_is_wrong_here(page, workspace, monkeypatch):
    monkeypatch.setattr(sentences, "RARITY", {3.1: 60, 3.4: 150})
    for _ in range(14):
        factories.human(workspace)

    said = page()

    assert (
        'fewer than 1 in <span class="num">60</span> quarters. With your 14 agents: at most about one false flag in a year.'
        in said
    )
    assert "at most about one false flag in 2½ years." in said
    assert said.count("was not measured for a workspace of your size") == 1


def test_each_level_says_what_it_finds_as_far_as_it_was_measured(page, monkeypatch):
    monkeypatch.setattr(sentences, "FINDS", {3.4: {(20, 8): sentences.Found(70, 7)}})

    said = page()

    assert "70 of 100 falls by 20 points at 8 ratings a week, half of these by week 7" in said
    assert said.count("Within a quarter it finds at least") == 1


@pytest.mark.parametrize(
    ("rarity", "agents", "words"),
    [
        (150, 14, "one false flag in 2½ years"),
        (150, 1, "one false flag in 37 years"),
        (150, 37, "one false flag in a year"),
        (150, 50, "one false flag in 9 months"),
        (150, 150, "one false flag in 3 months"),
        (150, 151, "2 false flags a quarter"),
        (400, 10_000, "25 false flags a quarter"),
    ],
)
def test_pace_in_words(rarity, agents, words):
    assert policy_page.pace(rarity, agents) == words


def test_saving_is_said_kept_and_listed_and_taken_back_by_choosing_again(signed_in, owner, workspace):
    client = signed_in(owner)

    saved = client.post(URL, {"automatic": "on", "sensitivity": "early"}, follow=True).content.decode()
    client.post(URL, {"automatic": "on", "sensitivity": "balanced"})
    last = client.post(URL, {"sensitivity": "balanced"}, follow=True).content.decode()

    assert "Saved: Early. It counts from the next look" in saved
    assert f'From Balanced to Early</span> <span class="second">by {owner.user}, ' in saved
    assert "open ones stay and still clear" in last
    assert [last.find(words) >= 0 for words in ("Automatic flags off", "From Early to Balanced")] == [True, True]
    assert policies.of(workspace).version == 3


def test_saving_what_is_so_already_is_said(signed_in, owner):
    answer = signed_in(owner).post(URL, {"automatic": "on", "sensitivity": "balanced"}, follow=True)

    assert "Nothing was changed." in answer.content.decode()
    assert FlagPolicy.objects.count() == 0


def test_unknown_level_is_refused_beside_the_choice(signed_in, owner):
    answer = signed_in(owner).post(URL, {"sensitivity": "nervous"})

    assert (answer.status_code, FlagPolicy.objects.count()) == (400, 0)
    assert "Choose one of the three." in answer.content.decode()


def test_members_find_neither_the_page_nor_its_link(signed_in, linked_member):
    client = signed_in(linked_member)

    assert client.get(URL).status_code == 403
    assert "/settings" not in client.get("/team").content.decode()


# --- The backtest


def test_never_run_it_says_what_it_would_show(page):
    said = page()

    assert 'data-state="none"' in said
    assert "Replay my history" in said


def test_asking_queues_one_for_a_worker(signed_in, owner):
    client = signed_in(owner)

    assert client.post(f"{URL}/backtest")["Location"] == f"{URL}#backtest"
    again = client.post(f"{URL}/backtest", headers=FRAGMENT).content.decode()

    assert Backtest.objects.get().asked_by == owner
    assert 'data-state="queued"' in again
    assert "Waiting for a worker" in again
    assert 'hx-trigger="every 1s"' in again


def test_running_shows_a_bar_and_asks_again(page, owner, signed_in):
    asked = backtests.ask(owner.workspace, by=owner)
    work.claim(Backtest.objects.all(), asked.pk)
    Backtest.objects.update(state="running", progress=37)

    polled = signed_in(owner).get(f"{URL}/backtest", headers=FRAGMENT).content.decode()

    for said in (page(), polled):
        assert '<progress class="progress" max="100" value="37"' in said
        assert f'hx-get="{URL}/backtest"' in said
    assert signed_in(owner).get(f"{URL}/backtest")["Location"] == f"{URL}#backtest"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"asked_at": timezone.now() - timedelta(hours=1)}, "No worker has taken it yet"),
        ({"last_error": "OSError"}, "It broke off and is tried again by itself"),
    ],
)
def test_waiting_longer_than_usual_is_said(page, owner, row, words):
    backtests.ask(owner.workspace, by=owner)
    Backtest.objects.update(**row)

    assert words in page()


def test_stopped_it_shows_what_was_found_before(signed_in, owner, workspace):
    ratings.team_with_a_fall(workspace, yesterday())
    ran(owner)
    asked = backtests.ask(workspace, by=owner)
    client = signed_in(owner)

    said = client.post(f"{URL}/backtest/{asked.pk}/stop", headers=FRAGMENT).content.decode()
    late = client.post(f"{URL}/backtest/{asked.pk}/stop", follow=True).content.decode()

    assert "What stands below was found before." in said
    assert "who would have been flagged" in said
    assert "hx-trigger" not in said
    assert "This backtest has ended already." in late


def test_failed_it_says_why_and_offers_another_try(page, owner):
    asked = backtests.ask(owner.workspace, by=owner)
    Backtest.objects.filter(pk=asked.pk).update(
        state="failed", finished_at=timezone.now(), next_try_at=None, last_error=backtests.UNFINISHABLE
    )

    said = page()

    assert backtests.UNFINISHABLE in said
    assert "Try again" in said


def test_done_it_names_who_would_have_been_flagged_with_the_numbers(page, owner, workspace):
    falling, _ = ratings.team_with_a_fall(workspace, yesterday())
    [flag] = ran(owner).result["levels"]["balanced"]["flags"]

    said = page()

    assert f'<a class="who" href="/team/{falling.pk}">{falling}</a>' in said
    span = f"rated=1&amp;after={flag['since']}&amp;before={flag['raised_on']}"
    assert f'/agents/{falling.pk}/history?{span}">{flag["ratings"]} ratings' in said
    assert "It would be open still." in said
    assert sentences.sentence(falling.name, flag, today=timezone.now().date()) in said
    assert said.count("false flags per 1,000 agent-quarters") == 3
    assert "Nobody would have been flagged" not in said


def test_another_level_can_be_looked_at_without_choosing_it(page, owner, workspace):
    ratings.team_with_a_fall(workspace, yesterday())
    ran(owner)

    assert "Balanced: who would have been flagged" in page()
    assert "Cautious: who would have been flagged" in page("?level=cautious")
    assert "Balanced: who would have been flagged" in page("?level=nervous")


def test_flags_that_were_really_raised_are_counted_against_it(page, owner, workspace):
    falling, others = ratings.team_with_a_fall(workspace, yesterday())
    for agent in (falling, others[0]):
        Flag.objects.create(workspace=workspace, agent=agent, kind="auto", since=yesterday(), opened_on=yesterday())
    ran(owner)

    assert "Of 2 flags really raised on these days, 1 is among these." in page()


def test_result_of_other_ratings_or_agents_is_called_out_of_date(page, owner, workspace):
    person = ratings.team_with_a_fall(workspace, yesterday())[0]
    stale = "Ratings or agents have changed since."
    ran(owner)
    assert stale not in page()
    record_ratings(workspace, [ratings.good_or_bad(person, yesterday(), good=True)])
    assert stale in page()
    ran(owner)
    assert stale not in page()
    Agent.objects.filter(pk=person.pk).update(active=False)
    assert stale in page()


def test_empty_states_say_why(page, owner, workspace):
    ran(owner)
    assert "No ratings to replay" in page()
    person = factories.human(workspace)
    record_ratings(workspace, ratings.steady(person, ratings.days_until(yesterday(), 9)))
    ran(owner)
    assert "Too few ratings for anyone" in page()
    record_ratings(workspace, ratings.steady(person, ratings.days_until(yesterday(), 90)))
    ran(owner)
    assert "Nobody would have been flagged" in page()


def test_long_lists_are_paged(page, owner, workspace):
    falling, _ = ratings.team_with_a_fall(workspace, yesterday())
    stored(owner, policy_page.PAGE_SIZE + 3, falling)

    first, second = page(), page("?level=balanced&page=2")

    assert first.count('class="entry entry-pad"') == policy_page.PAGE_SIZE
    assert f'href="{URL}?level=balanced&amp;page=2#backtest"' in first
    assert second.count('class="entry entry-pad"') == 3
    assert page("?page=99").count('class="entry entry-pad"') == 3


def test_queries_are_the_same_for_one_flag_and_for_many(signed_in, owner, workspace):
    falling, others = ratings.team_with_a_fall(workspace, yesterday())
    client = signed_in(owner)

    done = stored(owner, 1, falling)
    policies.choose(workspace, by=owner, sensitivity="early", automatic=True)
    policies.choose(workspace, by=owner, sensitivity="balanced", automatic=True)
    with CaptureQueriesContext(connection) as one:
        client.get(URL)
    flags = done.result["levels"]["balanced"]["flags"]
    done.result["levels"]["balanced"]["flags"] = [flags[0] | {"agent": str(a.pk)} for a in (falling, *others)] * 4
    done.save()
    for agent in others:
        Flag.objects.create(workspace=workspace, agent=agent, kind="auto", since=yesterday(), opened_on=yesterday())
    for level in ("early", "cautious", "balanced"):
        policies.choose(workspace, by=owner, sensitivity=level, automatic=True)
    with CaptureQueriesContext(connection) as many:
        client.get(URL)

    assert len(many) == len(one)


def test_an_agent_who_is_not_there_any_more_is_said(page, owner, workspace):
    falling, _ = ratings.team_with_a_fall(workspace, yesterday())
    ran(owner)
    falling.delete()

    assert "An agent who is not here any more" in page()
