"""A real worker on the real queue: what the clock finds gets done once, also when workers die."""

from contextlib import ExitStack, suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from agents import work
from coaching import tasks
from coaching.actions import backtests, samples, sessions
from coaching.models import Backtest, Sample, Sweep, Turn, TurnEvent
from config.celery import app
from helpdesk import clocks
from helpdesk.models import StoredTranscript
from tests import factories, model_server
from tests.processes import until, worker

pytestmark = pytest.mark.django_db(transaction=True)

KILLS, AT_ONCE = 20, 5


@pytest.fixture(autouse=True)
def _empty_queue():
    app.control.purge()
    yield
    app.control.purge()


def pinned(owner):
    conversation = factories.conversation(
        factories.ai_agent(owner.workspace, storage_mode="full"), source="api", turn_count=1
    )
    StoredTranscript.objects.create(
        workspace=owner.workspace,
        conversation=conversation,
        turns=[{"role": "customer", "text": "Where is my parcel?"}],
        masked=False,
        delete_at=timezone.now() + timedelta(days=9),
    )
    return samples.pin(conversation, by=owner)


def asked(owner, agent):
    return sessions.ask(sessions.start(agent, by=owner), by=owner, text="What can you do?")


def test_a_worker_does_what_the_clock_finds(owner, agent):
    sample, turn = pinned(owner), asked(owner, agent)

    with worker():
        tasks.find_due_sweeps()
        until(lambda: not Sweep.objects.owed().exists(), tasks.find_due_sweeps)
        until(lambda: not (Sample.objects.owed().exists() or Turn.objects.unfinished().exists()), tasks.find_owed_work)

    sample.refresh_from_db()
    turn.refresh_from_db()
    assert (sample.summary_state, sample.attempts) == ("metadata", 1)
    assert (turn.state, turn.attempts) == ("done", 1)
    assert Sweep.objects.get().swept_on == timezone.now().date() - timedelta(days=1)


def test_the_clock_sends_out_only_what_is_due(owner):
    at_work, put_away, later, due = (pinned(owner) for _ in range(4))
    work.claim(Sample.objects.all(), at_work.pk)
    samples.unpin(put_away, by=owner)
    Sample.objects.filter(pk=later.pk).update(next_try_at=timezone.now() + timedelta(minutes=1))

    tasks.find_owed_work()

    assert waiting() == [("coaching.tasks.capture_sample", [str(due.pk)])]


def test_the_next_question_of_a_session_does_not_wait_for_the_clock(owner, agent):
    first = asked(owner, agent)
    second = sessions.ask(first.session, by=owner, text="And what else?")

    tasks.run_turn(str(first.pk))

    assert waiting() == [("coaching.tasks.run_turn", [str(second.pk)])]


def test_the_clock_sends_out_backtests_that_are_due(owner):
    stopped = backtests.stop(backtests.ask(owner.workspace, by=owner), by=owner)
    due = backtests.ask(owner.workspace, by=owner)
    Backtest.objects.filter(pk=stopped.pk).update(next_try_at=timezone.now())

    tasks.find_owed_work()

    assert waiting() == [("coaching.tasks.run_backtest", [str(due.pk)])]


def test_the_clock_sends_out_changes_of_the_time_zone_that_are_due(owner):
    done = clocks.run(clocks.ask(owner.workspace, by=owner, time_zone="Asia/Tokyo").pk)
    due = clocks.ask(owner.workspace, by=owner, time_zone="Europe/Oslo")

    tasks.find_owed_work()

    assert done.done_at is not None
    assert waiting() == [("helpdesk.tasks.change_time_zone", [str(due.pk)])]


def test_a_worker_runs_the_backtest_that_the_page_asked_for(owner, client):
    client.force_login(owner.user)

    with worker():
        client.post("/settings/flags/backtest")
        until(lambda: not Backtest.objects.unfinished().exists())

    assert Backtest.objects.get().state == "done"


def waiting():
    """Tasks in the queue, as (name, arguments)."""
    found = []
    name = app.conf.task_default_queue
    with app.connection_for_read() as broker, broker.SimpleQueue(name) as queue, suppress(queue.Empty):
        while message := queue.get(block=False):
            message.ack()
            found.append((message.headers["task"], message.payload[0]))
    return found


@pytest.mark.slow
def test_workers_that_die_in_the_middle_lose_nothing_and_nothing_ends_twice(owner, agent):
    """Twenty workers are killed, five at a time, while the model is answering the turns and summaries they work on."""
    with model_server.serving([model_server.stall(model_server.start())]) as server:
        for _ in range(KILLS // AT_ONCE):
            for _ in range(AT_ONCE):
                pinned(owner)
                asked(owner, agent)
            with ExitStack() as stack:
                model = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": server.url}
                children = [stack.enter_context(worker(threads=2, **model)) for _ in range(AT_ONCE)]
                until(lambda: held() == 2 * AT_ONCE, tasks.find_owed_work)  # every thread of every worker
                for child in children:
                    child.kill()
            for rows in (Sample.objects, Turn.objects):  # a minute later
                rows.filter(claimed_until__isnull=False).update(claimed_until=timezone.now())

    with worker():
        until(lambda: not (Sample.objects.owed().exists() or Turn.objects.unfinished().exists()), tasks.find_owed_work)

    assert set(Sample.objects.values_list("summary_state", flat=True)) == {"metadata"}
    assert set(Turn.objects.values_list("state", flat=True)) <= {"done", "failed"}
    endings = TurnEvent.objects.filter(type__in=TurnEvent.CLOSING)
    assert endings.count() == Turn.objects.count() == KILLS
    assert set(endings.values_list("turn", flat=True)) == set(Turn.objects.values_list("pk", flat=True))


def held():
    """How many rows some worker is at work on."""
    return sum(rows.filter(claimed_until__isnull=False).count() for rows in (Sample.objects, Turn.objects))
