"""From a file or a call to a flag or none: what is no fall raises nothing, what is no rating is refused, and nothing breaks."""

import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import time_machine
from django.core.management import call_command

from agents.models import Agent
from coaching.actions import sweeps
from coaching.models import Flag
from helpdesk import actions
from helpdesk.models import Rating, RatingDay
from tests import factories
from tests.calls import Script
from tests.factories.ratings import days_until

pytestmark = pytest.mark.django_db

TODAY = date(2026, 5, 20)
DAYS = days_until(TODAY, 182)
FALL = 35  # days
WATCHED = [TODAY - timedelta(days=back) for back in reversed(range(0, 57, 14))]


@pytest.fixture(autouse=True)
def _evening():
    with time_machine.travel(datetime(2026, 5, 20, 21, tzinfo=UTC), tick=False):
        yield


class File:
    """A file of ratings, good or bad, as somebody would import it."""

    def __init__(self):
        self.lines = []

    def rate(self, agent, day, *, good, n=1, team="First line", conversation=None):
        for number in range(n):
            named = conversation or f"{len(self.lines)}-{number}"
            at = f"{day}T12:{len(self.lines) % 60:02}:00Z"
            self.lines.append(f"{named},{agent},{'good' if good else 'bad'},{at},{team},binary")

    def steady(self, agent, days=DAYS, *, bad=0.1, a_day=1, seed=0, **fields):
        """`a_day` ratings every day, bad as often as chance says."""
        rng = np.random.default_rng([seed, *agent.encode()])
        for day in days:
            for is_bad in rng.random(a_day) < bad:
                self.rate(agent, day, good=not is_bad, **fields)

    def team(self, names, **fields):
        for name in names:
            self.steady(name, **fields)

    def land(self, workspace, tmp_path, source="desk"):
        path = tmp_path / "ratings.csv"
        path.write_text("\n".join(["external_id,agent,value,rated_at,team,scale", *self.lines]))
        call_command("import_ratings", path, workspace=workspace.slug, source=source, stdout=io.StringIO())


@pytest.fixture
def swept(workspace, tmp_path):
    """A function: File, sources -> the names of those who were flagged on any of five looks, a fortnight apart."""

    def look(file, *sources):
        for source in sources or ("desk",):
            file.land(workspace, tmp_path, source)
        assert list(actions.check_days(workspace)) == []
        for day in WATCHED:
            call_command("sweep_flags", workspace=workspace.slug, at=day, stdout=io.StringIO())
        return sorted(Flag.objects.values_list("agent__name", flat=True))

    return look


PEERS = ["Ana", "Ben", "Cleo", "Dan", "Eve"]


def test_a_fall_is_found_by_the_same_way(swept):
    """Without this the tests below would show nothing."""
    file = File()
    file.team(PEERS)
    file.steady("Noor", DAYS[:-FALL])
    file.steady("Noor", DAYS[-FALL:], bad=0.6)

    assert swept(file) == ["Noor"]


@pytest.mark.parametrize("seed", range(3))
def test_ratings_that_came_twice_under_other_ids_flag_nobody(swept, seed):
    file = File()
    file.team([*PEERS, "Noor"], seed=seed)

    assert swept(file, "desk", "copy") == []
    assert Rating.objects.counting().count() == 2 * len(file.lines)


@pytest.mark.parametrize(
    ("good", "as_one", "back"),
    [(False, False, 14), (True, False, 60), (False, True, 14)],
    ids=["anger", "applause before", "votes on one conversation"],
)
def test_98_votes_on_what_went_viral_flag_nobody(swept, good, as_one, back):
    file = File()
    file.team([*PEERS, "Noor"], bad=0.3)
    file.rate("Noor", TODAY - timedelta(days=back), good=good, n=98, conversation="viral" if as_one else None)

    assert swept(file) == []
    busiest = RatingDay.objects.filter(agent__name="Noor").order_by("-n").first()
    assert busiest.n == (2 if as_one else 99)


def test_a_newcomers_burst_flags_nobody(swept):
    file = File()
    file.team(PEERS)
    file.steady("Noor", DAYS[-40:], bad=0.5, a_day=6)

    assert swept(file) == []


def test_a_level_that_was_always_low_flags_nobody(swept):
    file = File()
    file.team(PEERS)
    file.steady("Noor", bad=0.6, a_day=3)

    assert swept(file) == []


def test_an_outage_of_the_whole_team_flags_nobody(swept):
    file = File()
    for name in [*PEERS, "Noor"]:
        file.steady(name, DAYS[:-FALL])
        file.steady(name, DAYS[-FALL:], bad=0.5)

    assert swept(file) == []


def test_ratings_of_one_day_only_flag_nobody(swept):
    file = File()
    file.team(PEERS)
    file.rate("Noor", TODAY, good=True, n=100)
    file.rate("Noor", TODAY, good=False, n=100)
    file.rate("Omar", TODAY - timedelta(days=20), good=False, n=200)

    assert swept(file) == []


@pytest.mark.parametrize(("bad", "flagged"), [(0.1, []), (0.7, ["Noor"])])
@pytest.mark.parametrize("peers", [[], PEERS], ids=["alone", "among others"])
def test_somebody_without_a_team_or_alone_is_held_against_what_there_is(swept, bad, flagged, peers):
    file = File()
    file.team(peers)
    file.steady("Noor", DAYS[:-FALL], team="")
    file.steady("Noor", DAYS[-FALL:], bad=bad, team="")

    assert swept(file) == flagged
    assert Agent.objects.get(name="Noor").team is None


def test_what_is_no_rating_is_refused_and_harms_nobody(workspace, tmp_path, capsys):
    factories.human(workspace, name="Noor")
    bad = [
        "1,Noor,7,2026-05-01T12:00:00Z,,stars5",
        "2,Noor,5,2026-06-01T12:00:00Z,,stars5",
        "3,Noor,5,1999-12-31T12:00:00Z,,stars5",
    ]
    path = tmp_path / "ratings.csv"
    path.write_text(
        "\n".join(["external_id,agent,value,rated_at,team,scale", *bad, "4,Noor,5,2026-05-01T12:00:00Z,,stars5"])
    )

    with pytest.raises(SystemExit):
        call_command("import_ratings", path, workspace=workspace.slug, source="desk")

    said = capsys.readouterr().err
    assert [":".join(line.split(":")[:2]) for line in said.splitlines()] == [
        "line 2: value",
        "line 3: rated_at",
        "line 4: rated_at",
    ]
    assert [rating.conversation.external_id for rating in Rating.objects.all()] == ["4"]
    assert sweeps.sweep(workspace, TODAY).raised == 0


def test_what_is_no_rating_is_refused_by_the_api_too(workspace, owner):
    noor = factories.human(workspace, name="Noor")
    item = {"source": "desk", "agent": str(noor.pk), "scale": "stars5"}
    at = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)
    ahead, early = at + 60 * 86_400_000, int(datetime(1999, 12, 31, tzinfo=UTC).timestamp() * 1000)
    items = [
        item | {"externalId": "1", "value": 7, "ratedAt": at},
        item | {"externalId": "2", "value": 5, "ratedAt": ahead},
        item | {"externalId": "3", "value": 5, "ratedAt": early},
        item | {"externalId": "4", "value": 5, "ratedAt": at},
    ]

    answer = Script(owner).send("/ratings", {"items": items}).json()

    assert (answer["accepted"], [row["index"] for row in answer["rejected"]]) == (1, [0, 1, 2])
    assert RatingDay.objects.get().n == 1
    assert sweeps.sweep(workspace, TODAY).raised == 0


def test_a_rating_of_tomorrow_counts_tomorrow(workspace, owner):
    """Clocks of sources run ahead and lie in other time zones, so a day is let through."""
    noor = factories.human(workspace, name="Noor")
    at = int(datetime(2026, 5, 21, 12, tzinfo=UTC).timestamp() * 1000)
    item = {"source": "desk", "agent": str(noor.pk), "externalId": "1", "value": 1, "scale": "stars5", "ratedAt": at}

    assert Script(owner).send("/ratings", {"items": [item]}).json()["accepted"] == 1

    assert RatingDay.objects.get().day == date(2026, 5, 21)
    assert sweeps.sweep(workspace, TODAY).raised == 0


def test_of_two_ratings_of_one_conversation_at_one_instant_the_last_received_counts(workspace, owner):
    noor = factories.human(workspace, name="Noor")
    at = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)
    item = {"source": "desk", "agent": str(noor.pk), "externalId": "1", "scale": "stars5", "ratedAt": at}

    Script(owner).send("/ratings", {"items": [item | {"value": 1}, item | {"value": 4}]})

    assert (Rating.objects.count(), Rating.objects.counting().get().value) == (2, "4")
    day = RatingDay.objects.get()
    assert (day.n, day.sum_hundredths) == (1, 7_500)
    assert sweeps.sweep(workspace, TODAY).raised == 0


# --- Days of 23 and 25 hours -----------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("change", [date(2026, 3, 29), date(2025, 10, 26)], ids=["23 hours", "25 hours"])
def test_ratings_around_a_change_of_the_clock_land_on_their_day_once(tmp_path, change):
    workspace = factories.workspace(time_zone="Europe/Berlin")
    days = [change + timedelta(days=by) for by in (-1, 0, 1)]
    local = [datetime(d.year, d.month, d.day, hour, 30, tzinfo=BERLIN) for d in days for hour in (0, 23)]
    twice = [datetime(change.year, change.month, change.day, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)]
    lines = [f"{n},Noor,5,{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ},stars5" for n, at in enumerate([*local, *twice])]
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(["external_id,agent,value,rated_at,scale", *lines]))

    call_command("import_ratings", path, workspace=workspace.slug, stdout=io.StringIO())

    assert dict(RatingDay.objects.values_list("day", "n")) == {days[0]: 2, change: 4, days[2]: 2}
    assert list(actions.check_days(workspace)) == []


@pytest.mark.parametrize("bad", [0.1, 0.6])
def test_a_change_of_the_clock_inside_the_window_changes_no_verdict(tmp_path, bad):
    """Around midnight, where an hour decides the day: the same evenings and nights in both places."""
    found = []
    for zone in ("UTC", "Europe/Berlin"):
        workspace = factories.workspace(time_zone=zone)
        rng = np.random.default_rng(1)
        lines = []
        for name in [*PEERS, "Noor"]:
            for at, day in enumerate(days_until(date(2026, 4, 15), 182)):  # 182 - 35: the window begins on 12 March
                fallen = name == "Noor" and at >= 182 - FALL
                good = rng.random() >= (bad if fallen else 0.1)
                rated_at = datetime(day.year, day.month, day.day, (0, 23)[at % 2], 30, tzinfo=ZoneInfo(zone))
                lines.append(f"{name}-{at},{name},{'good' if good else 'bad'},{rated_at.isoformat()},First line,binary")
        path = tmp_path / "ratings.csv"
        path.write_text("\n".join(["external_id,agent,value,rated_at,team,scale", *lines]))
        call_command("import_ratings", path, workspace=workspace.slug, stdout=io.StringIO())
        sweeps.sweep(workspace, date(2026, 4, 15))
        flags = Flag.objects.filter(workspace=workspace)
        found.append([(flag.agent.name, flag.since, flag.evidence) for flag in flags])

    assert found[0] == found[1]
    assert [name for name, _, _ in found[0]] == (["Noor"] if bad > 0.1 else [])
