from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from agents.templatetags import words

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(seconds=-20), "in a moment"),
        (timedelta(minutes=11), "11 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=3), "3 d ago"),
        (timedelta(days=15), "2 w ago"),
        (timedelta(days=40), "1 mo ago"),
        (timedelta(days=800), "2 y ago"),
        (timedelta(days=-4), "in 4 d"),
        (timedelta(days=-90, seconds=5), "in 3 mo"),
        (timedelta(hours=-1, seconds=20), "in 1 h"),
        (timedelta(days=-364), "in 1 y"),
        (timedelta(days=-900), "in 2 y"),
        (timedelta(days=-7, seconds=20), "in 1 w"),
        (timedelta(days=-6, hours=-23), "in 1 w"),
        (timedelta(hours=-25), "in 1 d"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_ago_says_how_far_and_keeps_the_exact_time_in_reach(distance, said):
    at = NOW - distance

    assert words.ago(at) == (
        f'<time datetime="{at.isoformat()}" data-exact="{words.exact(at)}" tabindex="0">{said}</time>'
    )


def test_ago_of_nothing_is_nothing():
    assert words.ago(None) == ""


@time_machine.travel(NOW, tick=False)
def test_day_names_the_year_only_where_it_is_another():
    assert words.day(date(2026, 3, 4)) == "4 Mar"
    assert words.day(date(2025, 3, 4)) == "4 Mar 2025"


@pytest.mark.parametrize(("value", "said"), [(0.34, "+0.3"), (-6.1, "−6.1"), (0.04, "0.0"), (-0.04, "0.0")])
def test_signed_says_its_direction(value, said):
    assert words.signed(value) == said


@pytest.mark.parametrize(("n", "said"), [(0, "0 ratings"), (1, "1 rating"), (1204, "1,204 ratings")])
def test_ratings_are_counted_in_words(n, said):
    assert words.ratings(n) == said


@pytest.mark.parametrize(("part", "said"), [(0, "0 %"), (0.004, "under 1 %"), (0.384, "38 %"), (1.0, "100 %")])
def test_share_never_hides_what_is_there(part, said):
    assert words.share(part) == said
