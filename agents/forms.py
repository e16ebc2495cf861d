"""What is typed into the pages about people. Forms read and name fields; rules stand in the actions."""

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS

from agents.models import Member

PASSWORD_LIMIT = 1024  # characters; hashing more costs time and makes nothing safer
ROLES = [(Member.Role.MEMBER, "Member"), (Member.Role.ADMIN, "Admin")]


class Typed(forms.Form):
    """A form whose refusals come from an action: `refuse` puts each beside its field."""

    required_css_class = "field-required"

    def refuse(self, error):
        """Take over a ValidationError of an action; what names no field of this form is said above it."""
        told = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
        for name, sentences in told.items():
            self.add_error(name if name in self.fields else None, sentences)


def describe_password(field):
    """What a new password has to be, in the words of the settings' validators."""
    field.help_text = "At least 10 characters, none of the passwords everybody uses, and unlike your name and email."


class PasswordField(forms.CharField):
    """A password as it is typed: nothing is stripped, and nothing comes back to the page."""

    def __init__(self, *, new=False, **kwargs):
        attrs = {"autocomplete": "new-password" if new else "current-password"}
        super().__init__(strip=False, max_length=PASSWORD_LIMIT, widget=forms.PasswordInput(attrs=attrs), **kwargs)
        if new:
            describe_password(self)


class TypedTwice(Typed):
    """A new password that is typed twice, for nobody sees what they type."""

    password = PasswordField(label="Password", new=True)
    again = PasswordField(label="The same again", new=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["again"].help_text = ""

    def clean(self):
        typed = super().clean()
        if typed.get("password") and typed.get("again") and typed["password"] != typed["again"]:
            self.add_error("again", "This is not what stands above.")
        return typed


class ForgottenForm(Typed):
    """Whose password was forgotten."""

    email = forms.EmailField(
        label="Email", widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )


class NewAccountForm(TypedTwice):
    """What somebody who is new here says of themselves."""

    name = forms.CharField(label="Your name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ("name", "password", "again")


class NameForm(Typed):
    """What somebody is called."""

    name = forms.CharField(
        label="How others see you", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


class ChangePasswordForm(TypedTwice):
    """A new password; the old one says that it is really them."""

    old = PasswordField(label="Your password until now")
    field_order = ("old", "password", "again")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["password"].label = "New password"


class OwnRowField(forms.CharField):
    """An agent by the name under which agents.people.own_rows offers it. Empty is none."""

    def __init__(self, **kwargs):
        attrs = {"list": "free-rows", "autocomplete": "off"}
        super().__init__(required=False, max_length=400, widget=forms.TextInput(attrs=attrs), **kwargs)


class InviteForm(Typed):
    """Whom to ask in, as what."""

    email = forms.EmailField(label="Email", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label="Role", choices=ROLES, initial=Member.Role.MEMBER)
    agent = OwnRowField(label="Their own row in the team", help_text="Whose ratings are theirs. Can be said later.")


class RoleForm(Typed):
    """What a member may do."""

    role = forms.ChoiceField(label="Role", choices=ROLES)


class OwnRowForm(Typed):
    """Which agent a member is."""

    agent = OwnRowField(label="Name in the team")


class HandOverForm(Typed):
    """Ownership is handed over once, and by its owner: the workspace's name typed, and the password again."""

    confirmation = forms.CharField(
        label="The name of the workspace", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    password = PasswordField(label="Your password")
