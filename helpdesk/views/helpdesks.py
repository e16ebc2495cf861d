"""Settings › Helpdesks: where ratings come from, how far they are read, and who is whom."""

from functools import partial
from http import HTTPStatus

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from agents import work
from agents.access import Refusal, Right, require
from agents.forms import Typed
from agents.models import Door
from agents.pages import page, wants_fragment
from helpdesk.actions import connections, mapping
from helpdesk.models import ConnectionTest, HelpdeskAgent, HelpdeskConnection, HelpdeskSync
from helpdesk.pages import connections as connections_page
from helpdesk.pages import people as people_page
from helpdesk.tasks import credit_ratings, read_ratings, test_connection
from helpdesk.vendors.registry import VENDORS

CREATED_AT_ONCE = 100  # agents made by one press; making one writes its place in the decision log
# Helpdesks that publish no list of ratings which could be read.
BY_FILE = ("Front", "HubSpot", "Kustomer", "Plain", "Zammad")


class ConnectionForm(Typed):
    """What a vendor asks for, as its fields say; secrets are never sent back to the page."""

    def __init__(self, data=None, *, vendor, stored=None, suggested="", **kwargs):
        self.vendor, self.stored = vendor, stored
        initial = {"source": suggested, "backfill_days": 180, "version": 0}
        if stored is not None:
            initial = {"base_url": stored.base_url, "source": stored.source, "backfill_days": stored.backfill_days}
            initial |= stored.account | {"version": stored.version}
        super().__init__(data, initial=initial, **kwargs)
        if vendor.reads:
            self.fields["base_url"] = forms.CharField(
                label="Address",
                required=False,
                widget=_text(placeholder=vendor.address.default or vendor.address.example, inputmode="url"),
                help_text=_address_help(vendor.address),
            )
        for field in vendor.fields:
            widget = forms.PasswordInput(attrs=_plain()) if field.is_secret else _text()
            label = field.label if field.is_required else f"{field.label} (optional)"
            self.fields[field.name] = forms.CharField(label=label, required=False, widget=widget, help_text=field.help)
        if vendor.reads:
            self.fields["backfill_days"] = forms.IntegerField(
                label="Days to read first",
                min_value=0,
                max_value=connections.MOST_BACKFILL_DAYS,
                error_messages=dict.fromkeys(
                    ("required", "invalid", "min_value", "max_value"),
                    f"It is a number of days from 0 to {connections.MOST_BACKFILL_DAYS:,}.",
                ),
                help_text="How far back ratings are read at the beginning. A flag wants half a year to judge by.",
            )
        if stored is None:
            self.fields["source"] = forms.CharField(
                label="Name of the source",
                required=False,
                widget=_text(),
                help_text="How its conversations are named here. Give another where two accounts of one helpdesk are connected.",
            )
        self.fields["version"] = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    @property
    def main_fields(self):
        return [self[name] for name in self.fields if name not in ("source", "version")]

    @property
    def kept(self):
        """The names of the secrets that are stored and can be read."""
        told = self.stored.credentials if self.stored is not None else {}
        return {field.name for field in self.vendor.fields if field.is_secret and told.get(field.name)}

    @property
    def secret_names(self):
        return {field.name for field in self.vendor.fields if field.is_secret}

    @property
    def credentials(self):
        return {field.name: self.cleaned_data.get(field.name, "") for field in self.vendor.fields}


def _plain():
    return {"autocomplete": "off", "spellcheck": "false"}


def _text(**attrs):
    return forms.TextInput(attrs=_plain() | {name: value for name, value in attrs.items() if value})


def _address_help(address):
    if address.default:
        return f"Empty: {address.default}."
    return f"For example {address.example}" if address.example else ""


# --- The list ----------------------------------------------------------------------------------------------------------


@page()
def helpdesks(request):
    """A card for each connection, and what can be connected."""
    require(request.member, Right.MANAGE_WORKSPACE)
    cards = connections_page.load(request.member)
    context = {
        "section": "settings",
        "tab": "settings-helpdesks",
        "cards": cards,
        "vendors": [vendor for vendor in VENDORS.values() if vendor.reads],
        "own_desks": [vendor for vendor in VENDORS.values() if not vendor.reads],
        "by_file": BY_FILE,
    }
    return render(request, "helpdesk/settings_helpdesks.html", context)


@page()
def helpdesk(request, connection_id):
    """The part of a card that moves: its state, how far it is read, its test."""
    found = _connection(request, connection_id)
    if not wants_fragment(request):
        return redirect(_address(found))
    (card,) = connections_page.load(request.member, found.pk) or (None,)
    if card is None:
        raise Http404
    return render(request, "helpdesk/_helpdesk_now.html", {"card": card, "is_fragment": True})


# --- Connect and change ------------------------------------------------------------------------------------------------


@page("GET", "POST")
@sensitive_post_parameters()
def connect(request, vendor):
    """The form of a vendor, its steps beside it. Saving owes a test and the first reading."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if vendor not in VENDORS:
        raise Http404
    kind = VENDORS[vendor]
    made = partial(ConnectionForm, vendor=kind, suggested=_free_source(request.member, kind))
    if request.method != "POST":
        return _show_form(request, made())
    form = made(request.POST)
    if form.is_valid():
        source = form.cleaned_data["source"] or form.initial["source"]
        if HelpdeskConnection.objects.visible_to(request.member).filter(source=source).exists():
            form.add_error("source", f"{source} is connected already. Choose another name, or change that connection.")
        else:
            return _save(request, form, source, version=0)
    return _show_form(request, form, HTTPStatus.BAD_REQUEST)


@page("GET", "POST")
@sensitive_post_parameters()
def change(request, connection_id):
    """The same form for a connection that is there. A secret that is left empty stays as it is stored."""
    found = _connection(request, connection_id)
    kind = _vendor(found)
    if request.method != "POST":
        return _show_form(request, ConnectionForm(vendor=kind, stored=found))
    form = ConnectionForm(request.POST, vendor=kind, stored=found)
    if form.is_valid():
        return _save(request, form, found.source, version=form.cleaned_data["version"])
    return _show_form(request, form, HTTPStatus.BAD_REQUEST)


def _save(request, form, source, *, version):
    try:
        saved = connections.connect(
            request.member.workspace,
            vendor=form.vendor.name,
            source=source,
            base_url=form.cleaned_data.get("base_url", ""),
            credentials=form.credentials,
            backfill_days=form.cleaned_data.get("backfill_days"),
            by=request.member,
            version=version,
        )
    except ValidationError as refusal:
        form.refuse(refusal)
        return _show_form(request, form, HTTPStatus.BAD_REQUEST)
    except connections.ChangedMeanwhile as refusal:
        return _changed_meanwhile(request, form, str(refusal))
    _send(saved)
    messages.success(request, _saved(form))
    return redirect(_address(saved))


def _saved(form):
    if not form.vendor.reads:
        return "Saved. Its desk can send ratings now."
    if form.stored is None:
        return "Connected. It is being tested, and the first reading has begun."
    return "Saved. The connection is being tested now."


def _changed_meanwhile(request, form, words):
    """Say who was first, and show what they made of it."""
    stored = form.stored and HelpdeskConnection.objects.filter(pk=form.stored.pk).first()
    if stored is None:
        messages.error(request, words)
        return redirect("settings-helpdesks")
    newest = stored.history.select_related("history_user").order_by("-version").first()
    messages.error(request, f"{words} It was {newest.history_user or 'an operator'}.")
    return _show_form(request, ConnectionForm(vendor=form.vendor, stored=stored), HTTPStatus.CONFLICT)


def _show_form(request, form, status=HTTPStatus.OK):
    webhook = connections.webhook_url(form.stored, settings.PUBLIC_URL) if form.stored is not None else ""
    context = {
        "section": "settings",
        "tab": "settings-helpdesks",
        "form": form,
        "vendor": form.vendor,
        "connection": form.stored,
        "set_up": connections_page.steps(form.vendor, webhook),
        "webhook": webhook,
    }
    return render(request, "helpdesk/settings_helpdesk.html", context, status=status)


def _free_source(member, vendor):
    """The vendor's name, or with a number behind it where that is taken."""
    taken = set(HelpdeskConnection.objects.visible_to(member).values_list("source", flat=True))
    numbered = (f"{vendor.name}-{number}" for number in range(2, len(taken) + 3))
    return vendor.name if vendor.name not in taken else next(one for one in numbered if one not in taken)


# --- What can be done with a connection --------------------------------------------------------------------------------


@page("POST")
def read_now(request, connection_id):
    """Read what is new without waiting for the clock."""
    return _act(request, connection_id, connections.read_now)


@page("POST")
def test(request, connection_id):
    """Try the connection, check by check."""
    return _act(request, connection_id, connections.ask_for_test)


@page("POST")
def pause(request, connection_id):
    """Read nothing until somebody resumes it."""
    return _act(request, connection_id, connections.pause)


@page("POST")
def resume(request, connection_id):
    """Go on where it was paused or refused."""
    return _act(request, connection_id, connections.resume)


@page("POST")
def disconnect(request, connection_id):
    """Forget what opens the account."""
    done = "Disconnected. What opened the account is deleted here; you may also want to revoke it where it was made."
    return _act(request, connection_id, connections.disconnect, done)


def _act(request, connection_id, action, done=""):
    found = _connection(request, connection_id)
    try:
        action(found, by=request.member)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        _send(found)
        if done:
            messages.success(request, done)
    return redirect(_address(found))


def _send(connection):
    """Tell workers of what the connection owes by now; a message that is lost is sent again by the clock."""
    for pk in ConnectionTest.objects.unfinished().due().filter(connection=connection).values_list("pk", flat=True):
        work.start_soon(test_connection, str(pk))
    for pk in HelpdeskSync.objects.takeable().due().filter(connection=connection).values_list("pk", flat=True):
        work.start_soon(read_ratings, str(pk))


# --- Who is who --------------------------------------------------------------------------------------------------------


@page()
def people(request, connection_id):
    """The people of a helpdesk, and whom they stand for here."""
    found = _connection(request, connection_id)
    shown = people_page.load(request.member, found, people_page.Question.parse(request.GET))
    context = {"section": "settings", "tab": "settings-helpdesks", "page": shown, "vendor": _vendor(found)}
    context |= {"counts": shown.counts, "connection": found, "may_create": CREATED_AT_ONCE}
    return render(request, "helpdesk/settings_helpdesk_people.html", context)


@page("GET", "POST")
def person(request, connection_id, person_id):
    """One of them as they stand now; a POST says whom they stand for, by the button that was pressed.

    `agent` is typed, `suggested` the id of an agent, and `create`, `nobody` and `undo` carry nothing. `was` is whom the page
    showed.
    """
    found = _connection(request, connection_id)
    row = get_object_or_404(HelpdeskAgent.objects.filter(connection=found), pk=person_id)
    error, status = "", HTTPStatus.OK
    if request.method == "POST":
        try:
            _map(request, row)
        except (Refusal, ValidationError) as refusal:
            error = str(refusal) if isinstance(refusal, Refusal) else " ".join(refusal.messages)
            status = HTTPStatus.CONFLICT if isinstance(refusal, Refusal) else HTTPStatus.BAD_REQUEST
        else:
            work.start_soon(credit_ratings, str(row.pk))
    if not wants_fragment(request):
        if error:
            messages.error(request, error)
        return redirect(f"{reverse('settings-helpdesk-people', args=[found.pk])}#person-{row.pk}")
    row = people_page.with_ratings(found).get(pk=row.pk)
    line = people_page.line(row, people_page.Names.of(request.member))
    context = {"line": line, "connection": found, "error": error, "is_fragment": True}
    context["typed"] = request.POST.get("agent", "") if error else ""
    context |= {"counts": people_page.count(found), "may_create": CREATED_AT_ONCE}
    return render(request, "helpdesk/_helpdesk_person.html", context, status=status)


def _map(request, row):
    was = row.agent
    if request.POST.get("was", "") != str(row.agent_id or "") or ("create" in request.POST and was is not None):
        raise mapping.ChangedMeanwhile("Somebody mapped this agent meanwhile. Look at whom it stands for now.")
    if "create" in request.POST:
        mapping.make_agent(row, by=request.member, door=Door.PAGE)
    elif "undo" in request.POST:
        mapping.forget(row, by=request.member, was=was)
    elif "nobody" in request.POST:
        mapping.map_to(row, None, by=request.member, was=was)
    else:
        mapping.map_to(row, _typed_agent(request), by=request.member, was=was)


def _typed_agent(request):
    names = people_page.Names.of(request.member)
    suggested = request.POST.get("suggested", "")
    found = next((one for pk, one in names.agents.items() if str(pk) == suggested), None)
    typed = request.POST.get("agent", "")
    found = found or names.find(typed)
    if found is None:
        raise ValidationError(
            f"Nobody here is called “{typed[:100]}”. Choose a name of the list." if typed else "Type a name first."
        )
    return found


@page("POST")
def create_people(request, connection_id):
    """Make an agent of everybody who has ratings and stands for nobody yet."""
    found = _connection(request, connection_id)
    n_made = 0
    for row in people_page.creatable(found)[:CREATED_AT_ONCE]:
        try:
            mapping.make_agent(row, by=request.member, door=Door.PAGE)
        except (mapping.ChangedMeanwhile, ValidationError):
            continue  # mapped by somebody else, or cannot be made: it stands in the list and says so there
        n_made += 1
        work.start_soon(credit_ratings, str(row.pk))
    messages.success(request, f"Made {n_made} agent{'' if n_made == 1 else 's'}. Their ratings are being credited.")
    return redirect("settings-helpdesk-people", found.pk)


# -----------------------------------------------------------------------------------------------------------------------


def _connection(request, pk):
    return get_object_or_404(HelpdeskConnection.objects.visible_to(request.member), pk=pk)


def _vendor(connection):
    if connection.vendor not in VENDORS:
        raise Http404
    return VENDORS[connection.vendor]


def _address(connection):
    return f"{reverse('settings-helpdesks')}#helpdesk-{connection.pk}"
