"""Settings › Slack: which coach listens in which channel."""

from http import HTTPStatus

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from agents.access import Refusal, Right, require
from agents.forms import Typed
from agents.pages import page
from coaching.actions.slack import connections, triggers
from coaching.models import SlackTrigger
from coaching.pages import slack as slack_page
from coaching.slack import channels, errors

# A channel is typed as text, for which names are offered.
TYPED = {"autocomplete": "off", "spellcheck": "false", "list": "channel-names"}


class CoachForm(Typed):
    """Which coach listens where."""

    connection = forms.ChoiceField(label="Slack workspace", error_messages={"required": "Choose a Slack workspace."})
    channel = forms.CharField(
        label="Channel",
        max_length=200,
        widget=forms.TextInput(attrs=TYPED),
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
        self.connections = {str(one.pk): one for one in slack_page.connected(member)}
        if stored is not None:
            del self.fields["connection"], self.fields["channel"]
        else:
            self.fields["connection"].choices = [(pk, slack_page.called(one)) for pk, one in self.connections.items()]


@page()
def channel_names(request):
    """The channels of a Slack workspace, to choose from while one types."""
    require(request.member, Right.MANAGE_WORKSPACE)
    asked = request.GET.get("connection") or request.GET.get("flags_connection") or ""
    found = next((one for one in slack_page.connected(request.member) if str(one.pk) == asked), None)
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
    """Let a coach into a channel, once a Slack workspace is connected."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if not slack_page.connected(request.member).exists():
        messages.info(request, "Connect a Slack workspace first.")
        return redirect("settings-slack")
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
    try:
        triggers.bring_back(_trigger(request, trigger_id), by=request.member)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "It listens there again.")
    return redirect("settings-slack")


def _trigger(request, pk):
    rows = SlackTrigger.objects.visible_to(request.member).select_related("connection", "agent")
    return get_object_or_404(rows, pk=pk)
