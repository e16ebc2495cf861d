"""Where the link of an invitation leads: what became of it, and coming in."""

from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from agents.forms import NewAccountForm
from agents.middleware import SESSION_KEY
from agents.models import User
from agents.pages import refuse_nul
from agents.people import invitations, sign_ins
from agents.people.invitations import State

ROW_WAS_TAKEN = "The row of the team that was meant for you is somebody else’s by now."
STATUS = {None: HTTPStatus.NOT_FOUND, State.OPEN: HTTPStatus.OK}  # what was there and is no more: gone


@cache_control(private=True, no_store=True)
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password", "again")
def invitation(request, token):
    """Open to anybody who has the link: it tells no more than the workspace's name, and to whom it was sent."""
    refuse_nul(request)
    found = invitations.read(token)
    if found is None:
        return _show(request, None)
    asked_in, number = found
    became = invitations.state(asked_in, number)
    if became is not State.OPEN:
        return _show(request, became, asked_in)
    user = request.user if request.user.is_authenticated else None
    if user is None and not User.objects.filter(email__iexact=asked_in.email).exists():
        return _come_in_new(request, asked_in, number)
    if user is None or user.email.lower() != asked_in.email.lower():
        return _show(request, became, asked_in, way="sign-in" if user is None else "other-address")
    if request.method != "POST":
        return _show(request, became, asked_in, way="join")
    try:
        joined = invitations.accept(asked_in, number, user=user)
    except invitations.NotOpen:
        return _again(request)
    except ValidationError as refusal:
        return _show(request, became, asked_in, status=HTTPStatus.CONFLICT, way="join", refusal=refusal.messages)
    return _lead_on(request, joined)


def _come_in_new(request, asked_in, number):
    form = NewAccountForm(request.POST if request.method == "POST" else None)
    status = HTTPStatus.BAD_REQUEST if form.is_bound else HTTPStatus.OK
    if form.is_bound and form.is_valid():
        typed = {name: form.cleaned_data[name] for name in ("name", "password")}
        try:
            joined = invitations.accept_as_new(asked_in, number, **typed)
        except invitations.NotOpen:
            return _again(request)
        except ValidationError as refusal:
            form.refuse(refusal)
        else:
            sign_ins.enter(request, joined.member.user)
            return _lead_on(request, joined)
    return _show(request, State.OPEN, asked_in, status=status, way="new", form=form)


def _again(request):
    """Somebody was first, perhaps this person in another tab: the page says how it stands now."""
    return HttpResponseRedirect(request.get_full_path())


def _lead_on(request, joined):
    request.session[SESSION_KEY] = str(joined.member.workspace_id)
    name = joined.member.workspace.name
    messages.success(request, f"You were in {name} already." if joined.was_member else f"You are in {name} now.")
    if joined.row_is_taken:
        messages.info(request, f"{ROW_WAS_TAKEN} Ask an owner or admin to link you.")
    return redirect(settings.LOGIN_REDIRECT_URL)


def _show(request, became, asked_in=None, *, status=None, **context):
    theirs = (
        asked_in is not None and request.user.is_authenticated and request.user.email.lower() == asked_in.email.lower()
    )
    context |= {
        "state": became.value if became else "unknown",
        "invitation": asked_in,
        "is_theirs": theirs,
        "here": request.get_full_path(),
        "home": resolve_url(settings.LOGIN_REDIRECT_URL),
    }
    return render(request, "agents/invitation.html", context, status=status or STATUS.get(became, HTTPStatus.GONE))
