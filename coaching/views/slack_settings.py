"""Settings › Slack: which Slack workspaces, which coach in which channel, and what goes there."""

from http import HTTPStatus
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from agents.access import Refusal, Right, require
from agents.forms import Typed
from agents.pages import page
from coaching.actions.slack import connections, policy, triggers
from coaching.models import SlackConnection, SlackTrigger
from coaching.pages import slack as slack_page
from coaching.slack import channels, checks, errors, identity, install, manifest

PLAIN = {"autocomplete": "off", "spellcheck": "false"}
NAMES = {"list": "channel-names"}


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


class CoachForm(Typed):
    """Which coach listens where."""

    connection = forms.ChoiceField(label="Slack workspace", error_messages={"required": "Choose a Slack workspace."})
    channel = forms.CharField(
        label="Channel",
        max_length=200,
        widget=forms.TextInput(attrs=PLAIN | NAMES),
        error_messages={"required": "Choose a channel."},
        help_text="Its messages go to the coach, not to the agent. One coach a channel.",
    )
    agent = forms.ChoiceField(
        label="Coach",
        error_messages={"required": "Choose a coach."},
        help_text="AI agents whose coach is switched on, in their settings under Advanced.",
    )
    posts_every_proposal = forms.BooleanField(label="Post every proposal", required=False, initial=True)
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data=None, *, member, stored=None, initial=None):
        told = {"version": 0} | (initial or {})
        if stored is not None:
            told = {
                "agent": str(stored.agent_id),
                "posts_every_proposal": stored.posts_every_proposal,
                "version": stored.version,
            }
        super().__init__(data, initial=told)
        agents = {str(one.pk): one for one in slack_page.coached(member)}
        if stored is not None:
            agents.setdefault(str(stored.agent_id), stored.agent)
        self.agents = agents
        self.fields["agent"].choices = [("", "Choose …"), *((pk, one.coach_name) for pk, one in agents.items())]
        self.connections = {str(one.pk): one for one in _connected(member)}
        if stored is not None:
            del self.fields["connection"], self.fields["channel"]
        else:
            self.fields["connection"].choices = [(pk, str(one)) for pk, one in self.connections.items()]


class PolicyForm(Typed):
    """What goes to Slack."""

    quotes = forms.BooleanField(label="Short quotes of conversations", required=False)
    flags_connection = forms.ChoiceField(label="Slack workspace for flags", required=False)
    flags_channel = forms.CharField(
        label="Channel for flags",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=PLAIN | NAMES),
        help_text="A new flag is posted there with its sentence and a drafted agenda for the 1:1. Empty: no flag is posted.",
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
        self.connections = {str(one.pk): one for one in _connected(member)}
        self.fields["flags_connection"].choices = [(pk, str(one)) for pk, one in self.connections.items()]


def _connected(member):
    return SlackConnection.objects.visible_to(member).connected().order_by("team_name", "pk")


# --- The page ----------------------------------------------------------------------------------------------------------


@page()
def slack(request):
    """A card for each Slack workspace, and what goes there."""
    require(request.member, Right.MANAGE_WORKSPACE)
    return _show(request)


def _show(request, policy_form=None, status=HTTPStatus.OK):
    shown = slack_page.load(request.member, _uuid(request.GET.get("removed")))
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
    done = "Disconnected. Its tokens are deleted here; you may also want to remove the app in Slack."
    return _act(request, _connection(request, connection_id), connections.disconnect, done)


# --- Coaches in channels -----------------------------------------------------------------------------------------------


@page()
def channel_names(request):
    """The channels of a Slack workspace, to choose from while one types."""
    require(request.member, Right.MANAGE_WORKSPACE)
    asked = request.GET.get("connection") or request.GET.get("flags_connection") or ""
    found = next((one for one in _connected(request.member) if str(one.pk) == asked), None)
    context = {"channels": [], "error": "" if found else "Choose a Slack workspace first."}
    if found is not None:
        try:
            context["channels"] = channels.every(found)
        except errors.SlackError as failure:
            context["error"] = f"{failure.sentence} Type the channel’s id instead."
    context["n_joined"] = sum(one.is_member for one in context["channels"])
    return render(request, "coaching/_slack_channels.html", context)


@page("GET", "POST")
def add_coach(request):
    """Let a coach into a channel."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if request.method != "POST":
        initial = {"connection": request.GET.get("connection", "")}
        return _show_coach(request, CoachForm(member=request.member, initial=initial))
    form = CoachForm(request.POST, member=request.member)
    if form.is_valid():
        told = form.cleaned_data
        try:
            channel = channels.typed(form.connections[told["connection"]], told["channel"])
            made = triggers.add(
                form.connections[told["connection"]],
                channel_id=channel.id,
                channel_name=channel.name,
                agent=form.agents[told["agent"]],
                posts_every_proposal=told["posts_every_proposal"],
                by=request.member,
            )
        except channels.NotThere as lost:
            form.add_error("channel", lost.sentence)
        except triggers.ChannelTaken as refusal:
            form.add_error("channel", str(refusal))
            return _show_coach(request, form, HTTPStatus.CONFLICT)
        except ValidationError as refusal:
            form.refuse(refusal)
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        except errors.SlackError as failure:
            form.add_error(None, failure.sentence)
            return _show_coach(request, form, HTTPStatus.BAD_GATEWAY)
        else:
            where = f"#{made.channel_name}" if made.channel_name else made.channel_id
            messages.success(
                request, f"{made.agent.coach_name} listens in {where} now. Mention the app there to begin."
            )
            return redirect("settings-slack")
    return _show_coach(request, form, HTTPStatus.BAD_REQUEST)


@page("GET", "POST")
def change_coach(request, trigger_id):
    """Another coach for the channel, or other proposals."""
    found = _trigger(request, trigger_id)
    if request.method != "POST":
        return _show_coach(request, CoachForm(member=request.member, stored=found), trigger=found)
    form = CoachForm(request.POST, member=request.member, stored=found)
    if form.is_valid():
        told = form.cleaned_data
        try:
            triggers.change(
                found,
                agent=form.agents[told["agent"]],
                posts_every_proposal=told["posts_every_proposal"],
                by=request.member,
                version=told["version"],
            )
        except connections.ChangedMeanwhile as refusal:
            messages.error(request, str(refusal))
            fresh = _trigger(request, trigger_id)
            if fresh.state == SlackTrigger.State.REMOVED:
                return redirect("settings-slack")
            stored = CoachForm(member=request.member, stored=fresh)
            return _show_coach(request, stored, HTTPStatus.CONFLICT, trigger=fresh)
        except ValidationError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "Saved. Threads that stand there go on with the coach they began with.")
            return redirect("settings-slack")
    return _show_coach(request, form, HTTPStatus.BAD_REQUEST, trigger=found)


def _show_coach(request, form, status=HTTPStatus.OK, trigger=None):
    context = {"section": "settings", "tab": "settings-slack", "form": form, "trigger": trigger}
    return render(request, "coaching/settings_slack_coach.html", context, status=status)


@page("POST")
def remove_coach(request, trigger_id):
    """Listen no more in the channel; the page offers to undo it."""
    found = _trigger(request, trigger_id)
    try:
        triggers.remove(found, by=request.member)
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect("settings-slack")
    return redirect(f"{reverse('settings-slack')}?removed={found.pk}#slack-{found.connection_id}")


@page("POST")
def bring_coach_back(request, trigger_id):
    """Undo a removal."""
    found = _trigger(request, trigger_id)
    return _act(request, found, triggers.bring_back, "It listens there again.")


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


def _act(request, row, action, done):
    try:
        action(row, by=request.member)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("settings-slack")


def _uuid(value):
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


def _connection(request, pk):
    return get_object_or_404(SlackConnection.objects.visible_to(request.member), pk=pk)


def _trigger(request, pk):
    rows = SlackTrigger.objects.visible_to(request.member).select_related("connection", "agent")
    return get_object_or_404(rows, pk=pk)
