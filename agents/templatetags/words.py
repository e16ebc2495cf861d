"""How pages say times and numbers: short, the exact value within reach, nothing claimed that is not known."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.safestring import mark_safe

register = template.Library()

STEPS = ((60, 60, "min"), (3600, 24, "h"), (86_400, 7, "d"), (7 * 86_400, 5, "w"), (30 * 86_400, 12, "mo"))
YEAR = 365 * 86_400


@register.filter
def ago(at):
    """A moment as a short distance from now, "3 d ago" or "in 2 h", with the exact time on hover and on focus."""
    if not isinstance(at, datetime):
        return ""
    seconds = (timezone.now() - at).total_seconds()
    distance = _distance(seconds) if seconds > 0 else _distance(-seconds, counted=round)
    words = f"{distance} ago" if seconds > 0 else f"in {distance}"
    if not distance:
        words = "just now" if seconds > 0 else "in a moment"
    local = timezone.localtime(at)
    told = f'<time datetime="{local.isoformat(timespec="seconds")}" data-exact="{_in_full(local)}" tabindex="0">{words}</time>'
    return mark_safe(told)  # noqa: S308 (digits and names of months)


@register.filter
def age(at):
    """How long ago a moment was, as bare words ("2 h").

    For places inside a link, where nothing else can take the focus.
    """
    return _distance((timezone.now() - at).total_seconds()) or "now"


@register.filter
def aged(at):
    """The same as it ends a phrase: "2 h ago", "just now"."""
    words = age(at)
    return "just now" if words == "now" else f"{words} ago"


@register.filter
def exact(at):
    """A moment in full: "20 Nov 2026, 10:42" in the time zone of the workspace."""
    return _in_full(timezone.localtime(at))


@register.filter
def exact_in(at, workspace):
    """The same for who may live by another clock: "20 Nov 2026, 10:42 (Europe/Berlin)"."""
    return f"{_in_full(at.astimezone(workspace.zone))} ({workspace.time_zone})"


def _in_full(local):
    return f"{local.day} {local:%b %Y, %H:%M}"


@register.filter
def day(at):
    """The day of a date or moment: "20 Nov", with the year where it is not this one."""
    today = timezone.localdate()
    date = timezone.localtime(at).date() if isinstance(at, datetime) else at
    return f"{date.day} {date:%b}" if date.year == today.year else f"{date.day} {date:%b %Y}"


@register.filter
def signed(value):
    """Points with their sign, "+0.3" or "−6.1"; a zero has none."""
    words = f"{abs(value):.1f}"
    return words if words == "0.0" else f"{'+' if value > 0 else '−'}{words}"


@register.filter
def share(part):
    """A part of a whole, 0..1, as "38 %"; one that is there never reads as nothing."""
    return "under 1 %" if 0 < part < 0.005 else f"{100 * part:.0f} %"


@register.filter
def source_name(source):
    """Where a conversation came from, as it begins a phrase: "Zendesk", and "API" for what was pushed to us."""
    return "API" if source == "api" else source[:1].upper() + source[1:]


@register.filter
def ratings(n):
    """A number of ratings: "1 rating", "1,204 ratings"."""
    return "1 rating" if n == 1 else f"{n:,} ratings"


def _distance(seconds, counted=int):
    """In the largest unit that fits, `counted` in whole units.

    What lies ahead is rounded to the nearest: what was set to 90 days a moment ago ends in three months.
    """
    if seconds < 60:
        return ""
    for size, limit, unit in STEPS:
        if (n := counted(seconds / size)) < limit:
            return f"{n} {unit}"
    return f"{counted(seconds / YEAR) or 1} y"
