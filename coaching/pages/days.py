"""Days in an address: typed by people, meant by the workspace's clock."""

from datetime import date, datetime, time, timedelta

from django.utils.dateparse import parse_date


def day_or_none(value):
    """The day; None where it is none, or in the first or last year of the calendar, whose edges lie outside it elsewhere."""
    try:
        day = parse_date(value)
    except ValueError:
        return None
    return day if day and date.min.year < day.year < date.max.year else None


def within(rows, moment, zone, after=None, before=None):
    """The rows whose field `moment` lies on the days `after` to `before`, both included, by the clock of `zone`."""
    if after:
        rows = rows.filter(**{f"{moment}__gte": datetime.combine(after, time.min, tzinfo=zone)})
    if before:
        end = datetime.combine(before + timedelta(days=1), time.min, tzinfo=zone)
        rows = rows.filter(**{f"{moment}__lt": end})
    return rows
