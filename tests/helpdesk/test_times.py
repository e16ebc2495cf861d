"""Times as sources write them: read in one way, or refused with the reason."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from helpdesk import times

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00+00:00"),
        ("2026-03-01T10:00:00.250+02:00", "2026-03-01T08:00:00.250000+00:00"),
        ("2026-03-01 10:00:00 UTC", "2026-03-01T10:00:00+00:00"),
        ("2026-03-01 10:00", "2026-03-01T09:00:00+00:00"),  # without an offset: the workspace's clock
        ("2026-03-01", "2026-02-28T23:00:00+00:00"),
        ("2026/3/1", "2026-02-28T23:00:00+00:00"),
        ("2026/03/01 10:00:00", "2026-03-01T09:00:00+00:00"),
        ("20260301", "2026-02-28T23:00:00+00:00"),
        ("1772359200000", "2026-03-01T10:00:00+00:00"),
        (" 2026-03-11T11:59:59Z ", "2026-03-11T11:59:59+00:00"),
    ],
)
def test_time_that_can_be_read_in_one_way_is_read(text, read):
    assert times.from_text(text, zone=BERLIN, now=NOW).isoformat() == read


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "blank"),
        ("03/04/2026", "one way only"),
        ("3.4.2026", "one way only"),
        ("10 March 2026", "one way only"),
        ("2026-13-01", "one way only"),
        ("yesterday", "one way only"),
        ("1772359200", "looks like seconds; times are in milliseconds since 1970 (1772359200000)"),
        ("1772359200000000", "looks like microseconds; times are in milliseconds since 1970 (1772359200000)"),
        ("99999999999999999999", "not a time in milliseconds"),
        ("1999-12-31T23:59:59Z", "before the year 2000"),
        ("0001-01-01T00:00:00+14:00", "before the year 2000"),
        ("2026-03-11T12:00:01Z", "more than a day ahead"),
        ("9999-12-31", "more than a day ahead"),
    ],
)
def test_other_times_are_refused_with_the_reason(text, why):
    with pytest.raises(times.NotATime) as refused:
        times.from_text(text, zone=BERLIN, now=NOW)

    assert why in str(refused.value)


@pytest.mark.parametrize("value", [-1, 0, 10**30, -(10**30), 946_684_799_999])
def test_impossible_milliseconds_are_refused(value):
    with pytest.raises(times.NotATime):
        times.from_ms(value, now=NOW)


def test_milliseconds_keep_their_fraction():
    assert times.from_ms(1_772_359_200_007, now=NOW).isoformat() == "2026-03-01T10:00:00.007000+00:00"
