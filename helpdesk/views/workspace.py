"""Settings › Workspace: what it is called, by which clock it lives, whose it is."""

import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from itertools import pairwise

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from agents import work
from agents.access import Refusal, Right, require
from agents.forms import Typed
from agents.models import Member, Workspace
from agents.pages import page, wants_fragment
from agents.people import workspaces
from helpdesk import clocks
from helpdesk.models import TimeZoneChange
from helpdesk.tasks import change_time_zone

SHOWN_CHANGES = 5
LATE = timedelta(seconds=20)  # after which a leader should know that no worker has taken it
AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


class NameForm(Typed):
    name = forms.CharField(
        label="Name",
        max_length=Workspace._meta.get_field("name").max_length,
        error_messages={"required": "A workspace has a name.", "max_length": "A name has at most 200 characters."},
        help_text="Shown in the menu of every page, in invitations and in mail.",
    )


class TimeZoneForm(Typed):
    time_zone = forms.CharField(
        label="Time zone",
        max_length=Workspace._meta.get_field("time_zone").max_length,
        error_messages={
            "required": "Choose a time zone, as Europe/Berlin.",
            "max_length": "No time zone has so long a name. Choose one, as Europe/Berlin.",
        },
        help_text="Type a city or a region; the list narrows.",
        widget=forms.TextInput(
            attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false", "data-time-zone": ""}
        ),
    )


@dataclass(frozen=True)
class ClockPart:
    """The newest change of the clock, None where there was none; while one is owed the page asks again every second."""

    workspace: Workspace
    change: TimeZoneChange | None

    @property
    def is_owed(self):
        return self.change is not None and self.change.next_try_at is not None

    @property
    def is_at_work(self):
        held = self.change.claimed_until if self.is_owed else None
        return held is not None and held > timezone.now()

    @property
    def has_failed(self):
        return self.change is not None and not self.is_owed and self.change.done_at is None

    @property
    def is_late(self):
        """Whether nobody has taken it for a while."""
        return self.is_owed and not self.change.attempts and timezone.now() - self.change.asked_at > LATE

    @property
    def is_done(self):
        """Whether the newest change is what the workspace lives by now."""
        return (
            self.change is not None
            and self.change.done_at is not None
            and self.change.time_zone == self.workspace.time_zone
        )

    @property
    def state(self):
        if self.is_owed:
            return "at-work" if self.is_at_work else "waiting"
        return "failed" if self.has_failed else "settled"

    @property
    def now(self):
        """What the workspace's clock says: "Saturday, 21 Nov, 20:54"."""
        there = timezone.now().astimezone(self.workspace.zone)
        return f"{there:%A}, {there.day} {there:%b, %H:%M}"


@dataclass(frozen=True)
class Change:
    words: str
    by: str
    at: datetime


@page("GET", "POST")
def workspace(request):
    """The page; a POST gives the workspace another name, or asks for another time zone."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if request.method != "POST":
        return _show(request)
    return _set_time_zone(request) if "time_zone" in request.POST else _rename(request)


@page()
def clock(request):
    """How far the change of the time zone is."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if not wants_fragment(request):
        return redirect(f"{reverse('settings-workspace')}#clock")
    return render(request, "helpdesk/_clock.html", {"clock": _clock_of(request.member.workspace)})


@page("POST")
def try_again(request, change_id):
    """Owe a failed change of the time zone anew."""
    found = get_object_or_404(TimeZoneChange.objects.visible_to(request.member), pk=change_id)
    try:
        _send(clocks.try_again(found, by=request.member))
    except (work.NothingOwed, clocks.AnotherIsOwed) as refusal:
        messages.info(request, str(refusal))
    return redirect(f"{reverse('settings-workspace')}#clock")


def _rename(request):
    form = NameForm(request.POST)
    if form.is_valid():
        try:
            renamed = workspaces.rename(request.member.workspace, by=request.member, name=form.cleaned_data["name"])
        except ValidationError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "Saved." if renamed else "Nothing was changed.")
            return redirect("settings-workspace")
    return _show(request, name_form=form, status=HTTPStatus.BAD_REQUEST)


def _set_time_zone(request):
    form = TimeZoneForm(request.POST)
    status = HTTPStatus.BAD_REQUEST
    if form.is_valid():
        try:
            time_zone = meant(form.cleaned_data["time_zone"])
            change = clocks.ask(request.member.workspace, by=request.member, time_zone=time_zone)
        except ValidationError as refusal:
            form.refuse(refusal)
        except Refusal as refusal:
            form.add_error("time_zone", str(refusal))
            status = HTTPStatus.CONFLICT
        else:
            if change is None:
                messages.success(request, "Nothing was changed: the workspace lives by this clock.")
            else:
                _send(change)
            return redirect(f"{reverse('settings-workspace')}#clock")
    return _show(request, zone_form=form, status=status)


def _send(change):
    work.start_soon(change_time_zone, str(change.pk))


def _show(request, *, name_form=None, zone_form=None, status=HTTPStatus.OK):
    workspace = Workspace.objects.get(pk=request.member.workspace_id)  # as it is stored, whatever was typed
    changes, clock = _changes(workspace), _clock_of(workspace)
    chosen = clock.change.time_zone if clock.is_owed else workspace.time_zone
    context = {
        "section": "settings",
        "tab": "settings-workspace",
        "workspace": workspace,
        "owner": Member.objects.filter(workspace=workspace, role=Member.Role.OWNER).select_related("user").first(),
        "name_form": name_form or NameForm(initial={"name": workspace.name}),
        "zone_form": zone_form or TimeZoneForm(initial={"time_zone": chosen}),
        "clock": clock,
        "zones": zones(timezone.now().replace(minute=0, second=0, microsecond=0)),
        "changes": changes[:SHOWN_CHANGES],
        "more_changes": len(changes) > SHOWN_CHANGES,
    }
    return render(request, "helpdesk/settings_workspace.html", context, status=status)


def _clock_of(workspace):
    changes = TimeZoneChange.objects.filter(workspace=workspace).select_related("asked_by__user")
    return ClockPart(workspace, changes.order_by("-asked_at", "-pk").first())


def _changes(workspace):
    """The newest first, one more than is shown."""
    rows = list(workspace.history.select_related("history_user").order_by("-version")[: SHOWN_CHANGES + 2])
    return [
        Change(words, str(after.history_user or "an operator"), after.history_date)
        for after, before in pairwise(rows)
        if (words := _change(before, after))
    ]


def _change(before, after):
    said = []
    if before.name != after.name:
        said.append(f"Called “{after.name}”, before “{before.name}”")
    if before.time_zone != after.time_zone:
        said.append(f"Lives by {after.time_zone}, before {before.time_zone}")
    return ". ".join(said)


@cache
def _names():
    """The time zones that people live by, without the aliases that are kept for old files."""
    return [*sorted(name for name in zoneinfo.available_timezones() if name.split("/")[0] in AREAS), "UTC"]


def zones(at):
    """The time zones to choose from as (name, its distance from UTC at the moment `at`)."""
    return [(name, _distance(at.astimezone(zoneinfo.ZoneInfo(name)).utcoffset())) for name in _names()]


def _distance(offset):
    minutes = round(offset.total_seconds() / 60)
    return f"UTC{'−' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def meant(typed):
    """The time zone that somebody means who types its name, or its city, without care for capitals and blanks."""
    word = "_".join(typed.split())
    if word in zoneinfo.available_timezones():
        return word
    low = word.casefold()
    fit = [name for name in _names() if low in (name.casefold(), name.split("/")[-1].casefold())]
    return fit[0] if len(fit) == 1 else word
