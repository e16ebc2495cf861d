"""Signing in and out."""

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView


class SignInForm(AuthenticationForm):
    """Email and password. The errors do not tell whether the address is known."""

    error_messages = {
        "invalid_login": "This email and password do not go together. Check both; capitals count in the password.",
        "inactive": "This email and password do not go together. Check both; capitals count in the password.",
    }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "autofocus": True}


class SignIn(LoginView):
    template_name = "agents/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """By POST only, so that no link elsewhere can sign anybody out."""


sign_in = SignIn.as_view()
sign_out = SignOut.as_view()
