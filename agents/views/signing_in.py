"""Signing in and out."""

import math
from http import HTTPStatus

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone

from agents import sign_ins


class SignInForm(AuthenticationForm):
    """Email and password. The errors do not tell whether the address is known."""

    error_messages = {
        "invalid_login": "This email and password do not go together. Check both; capitals count in the password.",
        "inactive": "This email and password do not go together. Check both; capitals count in the password.",
    }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "autofocus": True}

    def get_invalid_login_error(self):
        """Why it did not work; after too many tries, how long to wait, whether or not the password was right."""
        email = self.cleaned_data["username"]
        until = sign_ins.open_again_at(email, sign_ins.place_of(self.request))
        if until is None:
            return super().get_invalid_login_error()
        minutes = max(1, math.ceil((until - timezone.now()).total_seconds() / 60))
        wait = "1 minute" if minutes == 1 else f"{minutes} minutes"
        return ValidationError(f"Too many tries to sign in. Wait {wait}, then try again.", code="throttled")


class SignIn(LoginView):
    template_name = "agents/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_invalid(self, form):
        response = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, code="throttled"):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        return response


class SignOut(LogoutView):
    """By POST only, so that no link elsewhere can sign anybody out."""


sign_in = SignIn.as_view()
sign_out = SignOut.as_view()
