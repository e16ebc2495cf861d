"""Links that put a follow-up into a calendar."""

from django import template
from django.utils import timezone

from coaching import calendar

register = template.Library()


@register.filter
def google_calendar(note):
    """The address that opens Google Calendar with the note's follow-up filled in, on the clock of the workspace."""
    return calendar.google_link(note, timezone.get_current_timezone_name())
