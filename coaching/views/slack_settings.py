"""Settings › Slack: which Slack workspaces, and what goes there. Which coach listens where: slack_coaches."""

from http import HTTPStatus

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from agents.access import Refusal, Right, require
from agents.forms import Typed
from agents.pages import page
from coaching.actions.slack import connections, policy
from coaching.models import SlackConnection, SlackTrigger
from coaching.pages import slack as slack_page
from coaching.pages.typed import uuid_or_none
from coaching.slack import channels, checks, errors, identity, install, manifest
from coaching.views.slack_coaches import TYPED

PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class AppForm(Typed):
    """What an app of one's own is spoken with; nothing of it is sent back to the page."""

    bot_token = forms.CharField(
        label="Bot token",
        required=False,
        widget=forms.PasswordInput(attrs=PLAIN),
        help_text="Begins with xoxb-. Under OAuth & Permissions, once the app is installed in your Slack workspace.",
    )
    signing_secret = forms.CharField(
        label="Signing secret",
        required=False,
        widget=forms.PasswordInput(attrs=PLAIN),
        help_text="32 letters and digits, under Basic Information › App Credentials. It proves that a request comes from Slack.",
    )
    app_token = forms.CharField(
        label="App-level token (optional)",
        required=False,
        widget=forms.PasswordInput(attrs=PLAIN),
        help_text="Begins with xapp-. For Socket Mode: Slack then needs no public address of this Touchline.",
    )
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data=None, *, stored=None):
        super().__init__(data, initial={"version": stored.version if stored else 0})
        self.stored = stored

    @property
    def kept(self):
        """The names of the secrets that are stored and can be read."""
        names = ("bot_token", "signing_secret", "app_token")
        return [name for name in names if self.stored is not None and getattr(self.stored, name)]


class PolicyForm(Typed):
    """What goes to Slack."""

    quotes = forms.BooleanField(label="Short quotes of conversations", required=False)
    flags_connection = forms.ChoiceField(label="Slack workspace for flags", required=False)
    flags_channel = forms.CharField(
        label="Channel for flags",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=TYPED),
        help_text="A new flag is posted there with its sentence and a drafted agenda for the 1:1. "
        "Empty: none is posted, unless by the webhook below.",
    )
    flags_webhook = forms.CharField(
        label="Incoming webhook",
        required=False,
        widget=forms.PasswordInput(attrs=PLAIN),
        help_text="Used where there is no channel, or it cannot be posted in. Messages by a webhook do not change afterwards.",
    )
    forget_webhook = forms.BooleanField(label="Forget the stored webhook", required=False)
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data=None, *, member, stored):
        super().__init__(
            data,
            initial={
                "quotes": stored.quotes,
                "flags_connection": str(stored.flags_connection_id or ""),
                "flags_channel": f"#{stored.flags_channel_name}"
                if stored.flags_channel_name
                else stored.flags_channel_id,
                "version": stored.version,
            },
        )
        self.connections = {str(one.pk): one for one in slack_page.connected(member)}
        self.fields["flags_connection"].choices = [(pk, slack_page.called(one)) for pk, one in self.connections.items()]


# --- The page ----------------------------------------------------------------------------------------------------------


@page()
def slack(request):
    """A card for each Slack workspace, and what goes there."""
    require(request.member, Right.MANAGE_WORKSPACE)
    return _show(request)


def _show(request, policy_form=None, status=HTTPStatus.OK):
    shown = slack_page.load(request.member, uuid_or_none(request.GET.get("removed")))
    form = policy_form or PolicyForm(member=request.member, stored=shown.policy)
    context = {"section": "settings", "tab": "settings-slack", "page": shown, "form": form}
    return render(request, "coaching/settings_slack.html", context | _addresses(), status=status)


def _addresses():
    public = settings.PUBLIC_URL
    return {
        "events_url": f"{public}{manifest.EVENTS_PATH}",
        "actions_url": f"{public}{manifest.ACTIONS_PATH}",
        "manifest_sockets": manifest.manifest(public, socket_mode=True),
        "manifest_http": manifest.manifest(public, socket_mode=False),
    }


# --- Connect and disconnect --------------------------------------------------------------------------------------------


@page("GET", "POST")
@sensitive_post_parameters()
def connect(request):
    """An app of the workspace's own."""
    require(request.member, Right.MANAGE_WORKSPACE)
    return _own_app(request, None)


@page("GET", "POST")
@sensitive_post_parameters()
def change(request, connection_id):
    """The same form for one that is there. What is left empty stays as it is stored."""
    own = SlackConnection.objects.visible_to(request.member).filter(mode=SlackConnection.Mode.OWN)
    return _own_app(request, get_object_or_404(own, pk=connection_id))


@sensitive_variables()
def _own_app(request, stored):
    if request.method != "POST":
        return _show_app(request, AppForm(stored=stored))
    form = AppForm(request.POST, stored=stored)
    if not form.is_valid():
        return _show_app(request, form, HTTPStatus.BAD_REQUEST)
    told = dict(form.cleaned_data)
    version = told.pop("version")
    try:
        saved = identity.connect_own(
            request.member.workspace, **told, by=request.member, expected=stored, version=version if stored else None
        )
    except ValidationError as refusal:
        form.refuse(refusal)
    except connections.ChangedMeanwhile as refusal:
        messages.error(request, str(refusal))
        return redirect("settings-slack")
    except errors.SlackError as failure:
        form.add_error(None, failure.sentence)
        return _show_app(request, form, HTTPStatus.BAD_GATEWAY)
    else:
        messages.success(request, _connected_words(saved, stored is not None))
        return redirect("settings-slack")
    return _show_app(request, form, HTTPStatus.BAD_REQUEST)


def _show_app(request, form, status=HTTPStatus.OK):
    context = {"section": "settings", "tab": "settings-slack", "form": form, "connection": form.stored}
    return render(request, "coaching/settings_slack_app.html", context | _addresses(), status=status)


def _connected_words(connection, was_there):
    begun = "Saved" if was_there else f"{connection} is connected"
    return f"{begun}. Add a coach to one of its channels." if not connection.triggers.kept().exists() else f"{begun}."


@page()
def begin_install(request):
    """Off to Slack, where the app of this Touchline is installed."""
    try:
        return HttpResponseRedirect(install.begin(request.member))
    except install.NotInstalled as refusal:
        messages.error(request, str(refusal))
        return redirect("settings-slack")


@page()
@sensitive_variables()
def installed(request):
    """Back from Slack."""
    brought = {name: request.GET.get(name, "") for name in ("state", "code", "error")}
    try:
        saved, was_there = install.finish(request.member, **brought)
    except (install.NotInstalled, connections.ChangedMeanwhile) as refusal:
        messages.error(request, str(refusal))
        return redirect("settings-slack")
    messages.success(request, _connected_words(saved, was_there))
    return redirect("settings-slack")


@page("POST")
def check(request, connection_id):
    """Ask Slack how the connection and its channels are."""
    found = _connection(request, connection_id)
    try:
        looked_at = checks.check(found, by=request.member)
    except errors.SlackError as failure:
        messages.error(request, failure.sentence)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        lost = looked_at.triggers.filter(state=SlackTrigger.State.LOST).exists()
        if looked_at.is_active and not lost:
            messages.success(request, "Slack accepts the token, and every coach’s channel can be spoken in.")
        else:
            messages.error(request, "Slack was asked, and not all is well. It stands below.")
    return redirect("settings-slack")


@page("POST")
def disconnect(request, connection_id):
    """Forget its secrets."""
    found = _connection(request, connection_id)
    try:
        connections.disconnect(found, by=request.member)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, "Disconnected. Its tokens are deleted here; you may also want to remove the app in Slack."
        )
    return redirect("settings-slack")


# --- What goes there ---------------------------------------------------------------------------------------------------


@page("POST")
@sensitive_post_parameters("flags_webhook")
def choose_policy(request):
    """Short quotes, and where flags go."""
    require(request.member, Right.MANAGE_WORKSPACE)
    stored = policy.of(request.member.workspace)
    form = PolicyForm(request.POST, member=request.member, stored=stored)
    status = HTTPStatus.BAD_REQUEST
    if form.is_valid():
        told = form.cleaned_data
        connection = form.connections.get(told["flags_connection"])
        try:
            channel = _flags_channel(form, stored, connection)
            policy.choose(
                request.member.workspace,
                quotes=told["quotes"],
                flags_connection=connection,
                flags_channel_id=channel.id if channel else "",
                flags_channel_name=channel.name if channel else "",
                flags_webhook="" if told["forget_webhook"] else told["flags_webhook"] or None,
                by=request.member,
                version=told["version"],
            )
        except channels.NotThere as lost:
            form.add_error("flags_channel", lost.sentence)
        except connections.ChangedMeanwhile as refusal:
            messages.error(request, str(refusal))
            return redirect("settings-slack")
        except ValidationError as refusal:
            form.refuse(refusal)
        except errors.SlackError as failure:
            form.add_error(None, failure.sentence)
            status = HTTPStatus.BAD_GATEWAY
        else:
            messages.success(request, "Saved.")
            return redirect("settings-slack")
    return _show(request, form, status)


def _flags_channel(form, stored, connection):
    """The channel that was typed; Slack is not asked again about the one that is stored."""
    words = form.cleaned_data["flags_channel"].strip()
    if not words:
        return None
    if connection is None:
        raise ValidationError({"flags_connection": "Choose the Slack workspace that this channel is in."})
    if words == form.initial["flags_channel"] and connection.pk == stored.flags_connection_id:
        return channels.Channel(stored.flags_channel_id, stored.flags_channel_name)
    return channels.typed(connection, words)


# -----------------------------------------------------------------------------------------------------------------------


def _connection(request, pk):
    return get_object_or_404(SlackConnection.objects.visible_to(request.member), pk=pk)
