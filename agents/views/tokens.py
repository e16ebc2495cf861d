"""Settings › Tokens: the ways in for scripts. A secret is shown once, in the answer to the form that made it."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from agents.access import Right, require
from agents.forms import Typed
from agents.models import ApiToken
from agents.pages import page
from agents.people import members

SHOWN_ENDED = 50  # revoked and expired tokens; earlier ones are in the back office
SOON = timedelta(days=7)  # before its end a token says so
SCOPES = (
    ("read", "Read", "All that you can see: team, samples, notes, conversations, proposals, settings of agents."),
    (
        "write",
        "Write",
        "Change what you can change: notes, flags, memories, prompts; send conversations and ratings.",
    ),
    ("approve", "Approve", "Decide on proposals. An approval changes what an AI agent is told, at once."),
    (
        "runtime",
        "Runtime",
        "What a running AI agent asks for: its configuration, and the search of its memories. Sending conversations is Write.",
    ),
)
NEVER = "never"
EXPIRIES = (("30", "30 days"), ("90", "90 days"), ("365", "1 year"), (NEVER, "Does not expire"))


class TokenForm(Typed):
    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        label="Name",
        max_length=ApiToken._meta.get_field("name").max_length,
        error_messages={"required": "Name the script that will use it.", "max_length": "At most 200 characters."},
        help_text="What uses it, so that it can be told apart later.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="May",
        choices=[(value, name) for value, name, _ in SCOPES],
        error_messages={"required": "Choose at least one.", "invalid_choice": "Choose from the four."},
    )
    expires = forms.ChoiceField(
        label="Expires",
        choices=EXPIRIES,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose when it expires.", "invalid_choice": "Choose when it expires."},
    )

    @property
    def scope_choices(self):
        """The scopes as (value, name, what it lets a script do, whether it is chosen)."""
        chosen = self["scopes"].value() or []
        return [(*scope, scope[0] in chosen) for scope in SCOPES]


@dataclass(frozen=True)
class Shown:
    """A token as the list shows it. `state` is usable, soon, expired, revoked or dead (its person cannot come in)."""

    token: ApiToken
    state: str

    @property
    def is_usable(self):
        return self.state in ("usable", "soon")


@page("GET", "POST")
@sensitive_variables("secret")
def tokens(request):
    """The list and the form; a POST makes a token and shows its secret, this once."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if request.method != "POST":
        return _show(request, _empty())
    form = TokenForm(request.POST)
    status = HTTPStatus.BAD_REQUEST
    if form.is_valid():
        typed = form.cleaned_data
        try:
            secret = members.issue_token(
                request.member,
                id=typed["id"],
                name=typed["name"],
                scopes=typed["scopes"],
                expires_at=_expiry(typed["expires"]),
            )
        except ValidationError as refusal:
            form.refuse(refusal)
        except members.AlreadyIssued as refusal:
            messages.info(request, str(refusal))
            return redirect("settings-tokens")
        else:
            return _show(request, _empty(), made={"secret": secret, "name": typed["name"]})
    return _show(request, form, status=status)


@page("POST")
def revoke(request, token_id):
    """End a token's use."""
    token = get_object_or_404(ApiToken.objects.visible_to(request.member), pk=token_id)
    members.revoke_token(token, by=request.member)
    messages.success(request, f"Revoked. The next request with “{token.name}” is refused.")
    return redirect("settings-tokens")


def _empty():
    return TokenForm(initial={"id": uuid.uuid4(), "scopes": ["read"], "expires": "90"})


def _expiry(choice):
    return None if choice == NEVER else timezone.now() + timedelta(days=int(choice))


@sensitive_variables("made")
def _show(request, form, *, made=None, status=HTTPStatus.OK):
    found = ApiToken.objects.visible_to(request.member).select_related("member__user", "revoked_by__user")
    usable = found.usable().order_by("-created_at")
    ended = found.exclude(pk__in=found.usable().values("pk")).order_by("-created_at")[: SHOWN_ENDED + 1]
    over = [Shown(token, _state(token)) for token in ended]
    context = {
        "section": "settings",
        "tab": "settings-tokens",
        "form": form,
        "made": made,
        "usable": [Shown(token, _state(token)) for token in usable],
        "ended": over[:SHOWN_ENDED],
        "more_ended": len(over) > SHOWN_ENDED,
    }
    return render(request, "agents/settings_tokens.html", context, status=status)


def _state(token):
    now = timezone.now()
    if token.revoked_at:
        return "revoked"
    if token.expires_at and token.expires_at <= now:
        return "expired"
    if token.member.left_at or not token.member.user.is_active:
        return "dead"
    return "soon" if token.expires_at and token.expires_at <= now + SOON else "usable"
