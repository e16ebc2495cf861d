"""What is typed into the pages about people. Forms read and name fields; rules stand in the actions."""

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS


class Typed(forms.Form):
    """A form whose refusals come from an action: `refuse` puts each beside its field."""

    required_css_class = "field-required"

    def refuse(self, error):
        """Take over a ValidationError of an action; what names no field of this form is said above it."""
        told = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
        for name, sentences in told.items():
            self.add_error(name if name in self.fields else None, sentences)
