"""What is a person's own: name, password, the browsers they are signed in with, and which workspace they look at."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from agents.forms import ChangePasswordForm, NameForm
from agents.middleware import SESSION_KEY
from agents.models import BrowserSession
from agents.pages import page
from agents.people import accounts, browsers, members
from agents.views.signing_in import wait_of


@dataclass(frozen=True)
class Browser:
    """One browser that the person is signed in with."""

    id: UUID
    words: str
    place: str
    started_at: datetime
    seen_at: datetime
    is_this_one: bool


@page("GET", "POST", of_account=True)
def account(request):
    """Who they are here; a POST changes their name."""
    if request.method != "POST":
        return _show(request)
    form = NameForm(request.POST)
    if form.is_valid():
        try:
            accounts.rename(request.user, name=form.cleaned_data["name"])
        except ValidationError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "Saved.")
            return redirect("account")
    return _show(request, name_form=form, status=HTTPStatus.BAD_REQUEST)


@page("POST", of_account=True)
@sensitive_post_parameters("old", "password", "again")
def change_password(request):
    """A new password, for who knows the old one. The other browsers are signed out."""
    form = ChangePasswordForm(request.POST)
    status = HTTPStatus.BAD_REQUEST
    if form.is_valid():
        refused = wrong_password(request, form.cleaned_data["old"])
        if refused:
            form.add_error("old", refused)
        else:
            user = request.user
            user.refresh_from_db(fields=["password"])  # looking at it may have hashed it anew
            try:
                ended = accounts.set_password(user, form.cleaned_data["password"], keep=request.session.session_key)
            except ValidationError as refusal:
                form.add_error("password", refusal)
            except accounts.ChangedMeanwhile as refusal:
                form.add_error(None, str(refusal))
                status = HTTPStatus.CONFLICT
            else:
                update_session_auth_hash(request, user)
                messages.success(request, f"Your password is changed. {_ended(ended)}")
                return redirect("account")
    return _show(request, password_form=form, status=status)


def wrong_password(request, password) -> str | None:
    """Why the password of who is signed in is not taken; None where it is theirs. Tries count as they do at the door."""
    if authenticate(request, username=request.user.email, password=password) == request.user:
        return None
    wait = wait_of(request.user.email, request)
    return f"Too many tries. {wait}" if wait else "This is not your password."


@page("POST", of_account=True)
def end_session(request, session_id):
    """Sign one browser out."""
    session = BrowserSession.objects.filter(user=request.user, id=session_id).first()
    if session is None:
        raise Http404
    if request.session.session_key == session.session_key:
        request.session.flush()
        return redirect("sign-in")
    with suppress(accounts.SignedOut):  # it went by itself in this moment
        accounts.end_session(session)
    messages.success(request, "That browser is signed out.")
    return redirect("account")


@page("POST", of_account=True)
def end_other_sessions(request):
    """Sign all other browsers out."""
    messages.success(request, _ended(accounts.end_sessions(request.user, keep=request.session.session_key)))
    return redirect("account")


@page("POST")
def choose_workspace(request):
    """Look at another of their workspaces from the next request on."""
    for member in request.memberships:
        if str(member.workspace_id) == request.POST.get("workspace"):
            request.session[SESSION_KEY] = str(member.workspace_id)
            return redirect(settings.LOGIN_REDIRECT_URL)
    raise Http404


@page("POST")
def leave(request):
    """Go out of this workspace by themselves."""
    name = request.member.workspace.name
    try:
        members.remove(request.member, by=request.member)
    except members.NotAMember as refusal:
        messages.error(request, str(refusal))
        return redirect("account")
    request.session.pop(SESSION_KEY, None)
    messages.success(request, f"You have left {name}.")
    return redirect(settings.LOGIN_REDIRECT_URL)


def _ended(n):
    return {0: "No other browser was signed in.", 1: "One other browser was signed out."}.get(
        n, f"{n} other browsers were signed out."
    )


def _browsers(request):
    rows = BrowserSession.objects.filter(user=request.user, expire_date__gt=timezone.now()).order_by("-seen_at")
    shown = [
        Browser(
            row.id,
            browsers.in_words(row.browser),
            row.place,
            row.started_at,
            row.seen_at,
            row.session_key == request.session.session_key,
        )
        for row in rows
    ]
    return sorted(shown, key=lambda browser: not browser.is_this_one)


def _show(request, *, name_form=None, password_form=None, status=HTTPStatus.OK):
    context = {
        "name_form": name_form or NameForm(initial={"name": request.user.name}),
        "password_form": password_form or ChangePasswordForm(),
        "browsers": _browsers(request),
        "memberships": list(request.memberships),
    }
    return render(request, "agents/account.html", context, status=status)
