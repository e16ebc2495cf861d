"""Ratings that arrive late, are corrected, taken back or credited to somebody else, and the flag that was raised without them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from coaching.actions import flags, sweeps
from coaching.models import Flag, Sample
from helpdesk.actions import record_ratings, withdraw_rating
from helpdesk.models import Rating
from tests import factories
from tests.factories import ratings
from tests.factories.ratings import good_or_bad

pytestmark = pytest.mark.django_db

TODAY = date(2026, 5, 20)
TOMORROW = TODAY + timedelta(days=1)
FALL = TODAY - timedelta(days=34)  # its first day


@pytest.fixture
def fallen(workspace):
    """Somebody with an open automatic flag raised today, and four peers."""
    agent, _ = ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    return agent


def counting(agent, first=FALL):
    rows = Rating.objects.counting().filter(agent=agent, rated_at__date__gte=first).order_by("rated_at")
    return list(rows.select_related("conversation"))


def again(rating, agent=None, *, good, hours=1):
    """The customer rates the same conversation once more, later."""
    row = good_or_bad(agent or rating.agent, rating.rated_at.date(), good=good)
    later = rating.rated_at + timedelta(hours=hours)
    return replace(row, external_id=rating.conversation.external_id, rated_at=later)


def all_good(agent):
    record_ratings(agent.workspace, [again(one, good=True) for one in counting(agent)])


def test_a_flag_whose_ratings_were_corrected_is_taken_back(workspace, fallen):
    all_good(fallen)

    swept = sweeps.sweep(workspace, TOMORROW)

    assert (swept.taken_back, swept.raised, swept.cleared) == (1, 0, 0)
    flag = Flag.objects.get()
    assert (flag.status, flag.closed_on, flag.closed_by) == ("cleared", TOMORROW, None)
    assert flags.sentence(flag) == (
        "Cleared on 21 May 2026: ratings of these weeks were corrected since; with them as they are now it would not have been "
        "raised."
    )
    was, now = flag.close_evidence["was"], flag.close_evidence["is"]
    assert (flag.close_evidence["corrected"], was["observed"], now["observed"]) == (True, 51.4286, 100)
    assert (was["statistic"] >= 3.4, now["statistic"]) == (True, None)
    assert [(row.version, row.status, row.history_user) for row in flag.history.order_by("version")] == [
        (1, "open", None),
        (2, "cleared", None),
    ]


def test_a_flag_with_too_few_ratings_left_is_taken_back(workspace, fallen):
    for one in counting(fallen)[11:]:
        withdraw_rating(one.conversation)

    assert sweeps.sweep(workspace, TOMORROW).taken_back == 1
    assert Flag.objects.get().close_evidence["is"]["ratings"] == 11


def test_a_flag_follows_its_ratings_to_whom_they_were_meant_for(workspace, fallen):
    meant = factories.human(workspace, team="First line")
    record_ratings(workspace, ratings.steady(meant, ratings.days_until(TODAY, 182)[:-35]))
    rows = [again(one, meant, good=one.score > 0, hours=0) for one in counting(fallen)]
    record_ratings(workspace, rows + ratings.steady(fallen, ratings.days_until(TODAY, 35)))

    swept = sweeps.sweep(workspace, TOMORROW)

    assert (swept.taken_back, swept.raised) == (1, 1)
    assert dict(Flag.objects.values_list("agent", "status")) == {fallen.pk: "cleared", meant.pk: "open"}
    # What the conversations were is a fact: who answered them is written there.
    assert Sample.objects.kept().filter(agent=fallen).count() == 17


def test_a_late_rating_brings_the_evidence_up_to_date_once(workspace, fallen):
    record_ratings(workspace, [good_or_bad(fallen, TODAY - timedelta(days=3), good=False, external_id="late")])

    swept = [sweeps.sweep(workspace, TOMORROW) for _ in range(2)]

    assert [(one.brought_up_to_date, one.taken_back) for one in swept] == [(1, 0), (0, 0)]
    flag = Flag.objects.get()
    assert (flag.status, flag.version, flag.opened_on) == ("open", 2, TODAY)
    assert (flag.evidence["day"], flag.evidence["ratings"], flag.evidence["observed"]) == ("2026-05-20", 36, 50)
    assert list(flag.history.order_by("version").values_list("evidence__ratings", flat=True)) == [35, 36]
    assert Sample.objects.filter(agent=fallen, conversation__external_id="late").exists()


def test_a_flag_that_is_nearly_due_stands_and_claims_no_rarity(workspace, fallen):
    flag = Flag.objects.get()
    for one in counting(fallen):
        if flag.evidence["statistic"] >= 3.4:
            record_ratings(workspace, [again(one, good=True)])
            sweeps.sweep(workspace, TOMORROW)
            flag.refresh_from_db()

    assert flag.status == "open"
    assert 2.7 <= flag.evidence["statistic"] < 3.4
    assert (flag.evidence["rarity"], flag.evidence["holds_without_worst"]) == (None, False)
    assert flags.sentence(flag).endswith("weeks.")


def test_the_day_a_flag_is_raised_on_is_not_held_against_it_while_it_lasts(workspace, fallen):
    all_good(fallen)

    swept = sweeps.sweep(workspace, TODAY)

    assert (swept.taken_back, swept.brought_up_to_date, Flag.objects.get().version) == (0, 0, 1)


def test_corrections_of_the_past_count_as_well(workspace, fallen):
    past = [one for one in counting(fallen, date(2025, 11, 1)) if one.rated_at.date() < FALL]
    record_ratings(workspace, [again(one, good=number % 2 == 0) for number, one in enumerate(past)])

    assert sweeps.sweep(workspace, TOMORROW).taken_back == 1


def test_an_outage_that_the_peers_ratings_tell_of_late_takes_the_flag_back(workspace, fallen):
    for peer in workspace.agents.exclude(pk=fallen.pk):
        record_ratings(workspace, [again(one, good=n % 2 == 0) for n, one in enumerate(counting(peer))])

    swept = sweeps.sweep(workspace, TOMORROW)

    assert (swept.taken_back, swept.raised) == (1, 0)


def test_a_peers_single_late_rating_is_not_looked_at(workspace, fallen):
    peer = workspace.agents.exclude(pk=fallen.pk).first()
    record_ratings(workspace, [good_or_bad(peer, TODAY, good=True)])

    swept = sweeps.sweep(workspace, TOMORROW)

    assert (swept.taken_back, swept.brought_up_to_date, Flag.objects.get().version) == (0, 0, 1)


def test_what_is_taken_back_is_raised_anew_where_it_is_right_now_and_at_the_second_time_the_scan_rests(
    workspace, fallen
):
    """Ratings that keep changing cannot raise and take back in turns."""
    days = ratings.days_until(TODAY + timedelta(days=40), 40)
    record_ratings(workspace, ratings.steady(fallen, days[:20], bad_one_in=1))
    all_of_the_fall = [one for one in counting(fallen) if one.rated_at.date() <= TODAY]
    record_ratings(workspace, [again(one, good=True) for one in all_of_the_fall])
    later = days[19]

    first = sweeps.sweep(workspace, later)
    again_wrong = [again(one, good=True) for one in counting(fallen, days[0])]
    record_ratings(workspace, again_wrong)
    second = sweeps.sweep(workspace, later + timedelta(days=1))
    record_ratings(workspace, ratings.steady(fallen, days[21:], bad_one_in=1))
    rest = [sweeps.sweep(workspace, day) for day in (days[35], days[39])]

    assert (first.taken_back, first.raised) == (1, 1)
    assert (second.taken_back, second.raised) == (1, 0)
    assert [one.raised for one in rest] == [0, 0]
    assert sweeps.sweep(workspace, later + timedelta(days=29)).raised == 1


def test_a_flag_raised_by_hand_is_not_held_against_ratings(workspace, fallen, owner):
    flags.dismiss(Flag.objects.get(), by=owner, reason="Known.")
    flags.raise_manual(fallen, by=owner, reason="Calls.")
    all_good(fallen)

    assert sweeps.sweep(workspace, TOMORROW).taken_back == 0
    assert set(Flag.objects.values_list("status", "version")) == {("dismissed", 2), ("open", 1)}


def test_the_number_of_queries_does_not_grow_with_the_open_flags(workspace):
    counts = []
    for team in ("One", "Two", "Three"):
        ratings.team_with_a_fall(workspace, TODAY, team=team)
        sweeps.sweep(workspace, TODAY)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert sweeps.sweep(workspace, TOMORROW).brought_up_to_date == 0
        counts.append(len(asked))

    assert Flag.objects.open().count() == 3
    assert len(set(counts)) == 1
