"""The geometry of the two pictures."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coaching.csat import picture
from coaching.csat.figures import ENOUGH, NOTHING, Csat, Timeline, usual_by_week

MONDAY = date(2026, 6, 1)
scores = st.none() | st.floats(0, 100)


def weeks(*scores, n=10):
    return [
        picture.Week(MONDAY + timedelta(days=7 * i), n if score is not None else 0, score)
        for i, score in enumerate(scores)
    ]


def test_scale_never_zooms_in_on_noise():
    scale = picture.shared_scale([[90, 91], [89, None]])

    assert (scale.low, scale.high) == (80, 100)


def test_scale_holds_every_line_of_the_page():
    scale = picture.shared_scale([[40, 95], [None, 60]])

    assert (scale.low, scale.high) == (40, 95)


def test_scale_without_values_is_the_whole_range():
    assert picture.shared_scale([[], [None]]) == picture.Scale(0, 100)


@given(st.lists(st.lists(scores, min_size=12, max_size=12), min_size=1, max_size=5))
def test_sparklines_stay_in_their_box(series):
    scale = picture.shared_scale(series)

    for own in series:
        end = picture.sparkline(own, [None] * 12, scale).end
        assert (end is None) == all(value is None for value in own)
        assert end is None or (0 <= end[0] <= picture.SPARK_WIDTH and 0 <= end[1] <= picture.SPARK_HEIGHT)


def test_sparkline_breaks_where_nothing_is_known():
    drawn = picture.sparkline([90, 91, None, 92, 93], [None] * 5, picture.Scale(80, 100))

    assert drawn.own == "M4.0 20.0L35.0 18.4M97.0 16.8L128.0 15.2"
    assert drawn.team == ""


def test_trajectory_without_ratings_is_not_drawn():
    assert picture.trajectory(weeks(None, None)) is None


@given(st.lists(scores, min_size=2, max_size=30).filter(lambda values: any(v is not None for v in values)))
def test_trajectory_draws_every_rated_week_inside_its_frame(values):
    drawn = picture.trajectory(weeks(*values))

    assert len(drawn.dots) == sum(value is not None for value in values)
    assert all(picture.LEFT <= dot.x <= picture.RIGHT for dot in drawn.dots)
    assert all(picture.TOP <= dot.y <= picture.BOTTOM for dot in drawn.dots)


def test_dots_grow_with_the_ratings_behind_them():
    some = [*weeks(90, n=4), picture.Week(MONDAY + timedelta(days=7), 100, 90)]

    small, large = picture.trajectory(some).dots

    assert small.r < large.r == picture.LARGEST_DOT


def test_review_window_marks_its_weeks_and_its_level():
    drawn = picture.trajectory(weeks(95, 95, 80, 80), since=MONDAY + timedelta(days=14), recent=80)

    assert [dot.recent for dot in drawn.dots] == [False, False, True, True]
    assert drawn.recent[2] == drawn.dots[2].y
    assert drawn.summary == "CSAT by week over 4 weeks: 40 ratings, 87.5 % on average; since 15 Jun 80.0 %."


def test_worst_days_ring_the_week_that_holds_most_of_them():
    drawn = picture.trajectory(weeks(95, 70, 95), worst=MONDAY + timedelta(days=5))

    assert [dot.worst for dot in drawn.dots] == [False, True, False]
    assert drawn.has_worst


def test_dot_is_read_against_the_other_lines():
    week = picture.Week(MONDAY, 10, 84.0, expected=91.25, team=90.4)

    flagged, usual = (picture.trajectory([week], expected_is_usual=is_usual).dots[0] for is_usual in (False, True))

    assert flagged.words == "Week of 1 Jun: 84.0 %, 10 ratings"
    assert flagged.beside == "; expected 91.2, team 90.4"
    assert usual.beside == "; usual 91.2, team 90.4"
    assert picture.trajectory(weeks(84)).dots[0].beside == ""


def good(n, of):
    """`n` good ones of so many good or bad ratings."""
    return Csat(of, n * 10_000, n * 10_000**2)


def test_usual_weeks_are_the_own_level_where_peers_are_as_usual():
    usual = usual_by_week([good(9, 10), good(7, 10), NOTHING], [good(90, 100)] * 3)

    assert usual == pytest.approx([80, 80, 80])


def test_usual_weeks_follow_the_weather_of_the_peers_on_the_odds_scale():
    storm = usual_by_week([good(9, 10)] * 3, [good(960, 1_000), good(960, 1_000), good(780, 1_000)])

    # 300 of 3,000 unhappy is 1 in 10; 5 usual ones are added to 220 in 1,000: (225 / 825) / (1 / 9) = 2.45 times the odds.
    assert storm[2] == pytest.approx(100 / (1 + 2.4545 / 9), abs=0.01)
    assert storm[0] > 90 > storm[2]


def test_a_handful_of_peers_moves_what_is_usual_little():
    few = usual_by_week([good(9, 10)] * 3, [good(9, 10), good(9, 10), good(0, 2)])

    assert 85 < few[2] < 90


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40)), min_size=1, max_size=26))
def test_usual_weeks_stay_within_the_scale(counts):
    own, peers = ([good(min(n, of), of) for n, of in pairs] for pairs in (counts, [(b, a) for a, b in counts]))

    for value in usual_by_week(own, peers):
        assert value is None or 0 < value < 100


def test_too_few_ratings_have_no_usual_level():
    assert usual_by_week([good(19, 19)], [good(90, 100)]) == [None]
    assert usual_by_week([good(19, 20)], None) == [pytest.approx(95)]


def test_level_needs_enough_ratings():
    assert Csat(ENOUGH, ENOUGH * 10_000, ENOUGH * 10_000**2).enough
    assert not Csat(ENOUGH - 1, 0, 0).enough


def test_a_handful_of_equal_ratings_is_not_certain():
    perfect = Csat(8, 8 * 10_000, 8 * 10_000**2)

    assert perfect.mean == 100
    assert perfect.give_or_take == pytest.approx(11.4, abs=0.1)


def test_range_narrows_with_the_ratings():
    few, many = (Csat(n, n * 8_000, n * 8_000 * 10_000) for n in (10, 1_000))

    assert few.give_or_take == pytest.approx(26.1, abs=0.1)
    assert many.give_or_take == pytest.approx(2.5, abs=0.1)


@given(st.dictionaries(st.integers(90, 210), st.integers(0, 5)), st.integers(80, 220), st.integers(0, 60))
def test_window_adds_up_its_days_only(ratings, first, length):
    sums = [(day, Csat(n, n * 5_000, n * 5_000**2)) for day, n in ratings.items()]

    window = Timeline(100, 200, sums).window(first, first + length)

    inside = range(max(first, 100), min(first + length, 200) + 1)
    assert window.n == sum(n for day, n in ratings.items() if day in inside)
