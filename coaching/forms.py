"""What is typed into the pages about AI agents. Forms read and name fields; rules stand in the actions."""

from datetime import UTC, datetime

from django import forms
from django.utils import timezone

from agents.forms import Typed
from agents.models import TEXT_LIMIT, Agent
from coaching.llm import DEFAULT_MODEL
from coaching.models import FlagPolicy, ModelConnection
from memories.models import SUMMARY_LIMIT


class Versioned(Typed):
    """A change to something versioned: the version it was typed against, and why."""

    base_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput, required=False)
    reason = forms.CharField(label="Why", required=False, max_length=300, help_text="For the history; one line.")

    def clean(self):
        """Browsers send CR LF; what is kept has plain line feeds, or every line would count as changed."""
        for name, value in self.cleaned_data.items():
            if isinstance(value, str):
                self.cleaned_data[name] = value.replace("\r\n", "\n")
        return self.cleaned_data

    @property
    def changes(self):
        """The versioned fields, {field: value}."""
        return {k: v for k, v in self.cleaned_data.items() if k not in ("base_version", "reason")}


def _area(rows, **attrs):
    return forms.Textarea(attrs={"rows": rows, **attrs})


def _counted(rows, limit=TEXT_LIMIT, **attrs):
    """A text whose length stands below it. No maxlength: a browser would cut what is pasted and say nothing."""
    return _area(rows, **{"data-count": limit, **attrs})


BEYOND = "That is beyond the calendar."


class LocalTimeField(forms.DateTimeField):
    """A date and a time of day on the clock of the workspace.

    A time that its clocks skip, or show twice, is none: which instant was meant is not guessed.
    """

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    default_error_messages = {"invalid": "Give a date and a time, as in 2027-01-31 18:00."}

    def to_python(self, value):
        try:
            at = super().to_python(value)
            if at is not None:
                at.astimezone(UTC)  # as it is stored
            return at
        except OverflowError as error:  # the first and the last day of the calendar, on a clock that is not UTC
            raise forms.ValidationError(BEYOND, code="invalid") from error
        except forms.ValidationError as error:
            if error.code != "ambiguous_timezone":
                raise
            raise forms.ValidationError(_why_not(error.params["datetime"]), code=error.code) from error


def _why_not(typed):
    """Why this time of day is not one instant."""
    zone, there = timezone.get_current_timezone(), f"{typed.day} {typed:%b %Y}"
    try:
        is_there = typed.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == typed
    except OverflowError:
        return BEYOND
    if is_there:
        return f"{typed:%H:%M} comes twice on {there} in {zone}: the clocks go back. Choose a time before or after that hour."
    return f"{typed:%H:%M} does not exist on {there} in {zone}: the clocks go forward. Choose a time before or after that hour."


class MemoryForm(Versioned):
    summary = forms.CharField(
        label="Summary",
        required=False,
        widget=_counted(2, SUMMARY_LIMIT),
        help_text="One sentence, worded as somebody would search for it.",
    )
    text = forms.CharField(label="Text", required=False, widget=_counted(8))
    expires_at = LocalTimeField(label="Served until", required=False)
    field_order = ("summary", "text", "expires_at", "reason", "base_version")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["expires_at"].help_text = (
            f"Served until that instant, in {timezone.get_current_timezone_name()}; stored in UTC. Afterwards the agent is not "
            "given it any more; the entry stays. Empty: it does not expire."
        )

    def _clean_fields(self):
        """An expiry that was left as the form showed it is the instant it was before (`initial`): the field shows no
        seconds, and of an hour that comes twice not which of the two."""
        super()._clean_fields()
        known, bound = self.initial.get("expires_at"), self["expires_at"]
        if isinstance(known, datetime) and bound.data == timezone.localtime(known).strftime(bound.field.widget.format):
            self._errors.pop("expires_at", None)
            self.cleaned_data["expires_at"] = known


class MergeForm(MemoryForm):
    """What one memory shall say instead of two; it becomes a proposal, whose rationale names the other one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        del self.fields["reason"], self.fields["base_version"]


class ProcedureForm(Versioned):
    name = forms.CharField(label="Name", required=False)
    trigger = forms.CharField(
        label="When it is followed",
        required=False,
        widget=_counted(2, 2_000),
        help_text="What a customer asks or what happens.",
    )
    content = forms.CharField(
        label="Steps", required=False, widget=_counted(14), help_text="Markdown, one step a line."
    )
    folder = forms.CharField(
        label="Folder",
        required=False,
        widget=forms.TextInput(attrs={"list": "folders", "autocomplete": "off"}),
        help_text="Where it stands in the list: one there is, or a new name. Empty: in none.",
    )
    active = forms.BooleanField(label="In use", required=False, initial=True)
    field_order = ("name", "trigger", "content", "folder", "active", "reason", "base_version")


class PromptForm(Versioned):
    system_prompt = forms.CharField(
        label="System prompt", required=False, widget=_counted(24, **{"class": "mono"}), strip=False
    )
    field_order = ("system_prompt", "reason", "base_version")


class SettingsForm(Typed):
    coaching = forms.BooleanField(
        label="Coaching",
        required=False,
        help_text="Gives this agent a coach: ask it about a conversation, and it proposes changes to the prompt, the memories "
        "and the procedures. Nothing changes until somebody approves. Switching it off ends what the coach is at, hides it "
        "and keeps everything: memories, procedures, proposals and talks are there again when it is switched on.",
    )
    storage_mode = forms.ChoiceField(
        label="What is kept of a conversation that is pushed to us",
        choices=Agent.Storage.choices,
        widget=forms.RadioSelect,
    )
    retention_days = forms.IntegerField(
        label="Transcripts are deleted after",
        min_value=1,
        max_value=3650,
        help_text="Days. Ratings, summaries and proposals stay.",
    )


class FlagPolicyForm(Typed):
    automatic = forms.BooleanField(label="Raise flags automatically", required=False)
    sensitivity = forms.ChoiceField(
        label="How readily",
        choices=FlagPolicy.Sensitivity.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of the three.", "invalid_choice": "Choose one of the three."},
    )


class ModelForm(Typed):
    key = forms.CharField(
        label="Key",
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Kept encrypted, sent to this address only, never shown again.",
    )
    base_url = forms.CharField(
        label="Address",
        required=False,
        widget=forms.TextInput(
            attrs={
                "placeholder": "https://api.anthropic.com",
                "inputmode": "url",
                "autocomplete": "off",
                "spellcheck": "false",
            }
        ),
        help_text="Empty: Anthropic. Any other server that speaks the Messages API will do; /v1/messages is added to it.",
    )
    model = forms.CharField(
        label="Model",
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": DEFAULT_MODEL}),
        help_text="Its name at that address. It must stream its answers and use tools.",
    )
    effort = forms.ChoiceField(
        label="Effort",
        required=False,
        choices=[("", "As the model likes"), *ModelConnection.Effort.choices],
        help_text="How hard it thinks. More costs more tokens and time. Not every model takes this.",
    )
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class AsOfForm(Typed):
    """The moment to read an agent's configuration at."""

    asOf = LocalTimeField(  # noqa: N815 (the name of the parameter in the address, as in the API)
        label="At", error_messages={"required": "Give a date and a time, as in 2027-01-31 18:00."}
    )


FORMS = {"memory": MemoryForm, "procedure": ProcedureForm, "prompt": PromptForm}
