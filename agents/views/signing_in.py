"""Signing in and out, and the way back in for who forgot the password."""

import math
from http import HTTPStatus
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.contrib.auth.views import (
    INTERNAL_RESET_SESSION_TOKEN,
    LoginView,
    LogoutView,
    PasswordResetConfirmView,
)
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from agents.forms import ForgottenForm, describe_password
from agents.people import accounts, sign_ins


class SignInForm(AuthenticationForm):
    """Email and password. The errors do not tell whether the address is known."""

    error_messages = {
        "invalid_login": "This email and password do not go together. Check both; capitals count in the password.",
        "inactive": "This email and password do not go together. Check both; capitals count in the password.",
    }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        known = "username" in self.initial
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "autofocus": not known}
        self.fields["password"].widget.attrs |= {"autofocus": known}

    def get_invalid_login_error(self):
        """Why it did not work; after too many tries, how long to wait, whether or not the password was right."""
        wait = wait_of(self.cleaned_data["username"], self.request)
        if wait is None:
            return super().get_invalid_login_error()
        return ValidationError(f"Too many tries to sign in. {wait}", code="throttled")


def wait_of(email, request) -> str | None:
    """How long the next password for `email` has to wait, as a sentence; None where it would be looked at now."""
    until = sign_ins.open_again_at(email, sign_ins.place_of(request))
    if until is None:
        return None
    minutes = max(1, math.ceil((until - timezone.now()).total_seconds() / 60))
    return f"Wait {'1 minute' if minutes == 1 else f'{minutes} minutes'}, then try again."


class SignIn(LoginView):
    template_name = "agents/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_initial(self):
        """An invitation knows the address already."""
        email = self.request.GET.get("email", "")
        return {"username": email} if email else {}

    def form_valid(self, form):
        sign_ins.enter(self.request, form.get_user())
        return HttpResponseRedirect(self.get_success_url())

    def form_invalid(self, form):
        response = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, code="throttled"):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        return response


class SignOut(LogoutView):
    """By POST only, so that no link elsewhere can sign anybody out."""


@cache_control(private=True, no_store=True)
@require_http_methods(["GET", "HEAD", "POST"])
def forgot_password(request):
    """Ask for a link. What is answered, and how fast, does not tell whether there is such an account: the clock sends it."""
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    asked, status = None, HTTPStatus.OK
    if form.is_bound:
        status = HTTPStatus.BAD_REQUEST
        if form.is_valid():
            asked, status = form.cleaned_data["email"], HTTPStatus.OK
            if not accounts.ask_for_reset(asked, place=sign_ins.place_of(request)):
                form.add_error(
                    None, "Too many links were asked for from here. Wait a quarter of an hour, then try again."
                )
                asked, status = None, HTTPStatus.TOO_MANY_REQUESTS
    context = {"form": form, "asked": asked, "mail_is_configured": settings.MAIL_IS_CONFIGURED}
    return render(request, "agents/forgot_password.html", context, status=status)


class NewPasswordForm(SetPasswordForm):
    """A new password, twice."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        describe_password(self.fields["new_password1"])
        self.fields["new_password1"].label = "New password"
        self.fields["new_password2"].label = "The same again"


@method_decorator(cache_control(private=True, no_store=True), name="dispatch")
class ResetPassword(PasswordResetConfirmView):
    """Where the link of the mail leads: a new password, which ends every session of the account."""

    template_name = "agents/reset_password.html"
    form_class = NewPasswordForm

    def form_valid(self, form):
        try:
            accounts.set_password(self.user, form.cleaned_data["new_password1"])
        except accounts.ChangedMeanwhile:
            self.validlink = False
            return self.render_to_response(self.get_context_data())
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        sign_ins.forget(self.user.email, sign_ins.place_of(self.request))
        messages.success(
            self.request, "Your password is changed, and every browser was signed out. Sign in with the new one."
        )
        return redirect(f"{reverse('sign-in')}?{urlencode({'email': self.user.email})}")

    def form_invalid(self, form):
        response = super().form_invalid(form)
        response.status_code = HTTPStatus.BAD_REQUEST
        return response

    def render_to_response(self, context, **kwargs):
        if not self.validlink:
            kwargs["status"] = HTTPStatus.GONE
        return super().render_to_response(context, **kwargs)


sign_in = SignIn.as_view()
sign_out = SignOut.as_view()
reset_password = ResetPassword.as_view()
