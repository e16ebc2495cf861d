"""How long a text is, on pages."""

from django import template

from coaching.texts.sizes import Size

register = template.Library()


@register.filter
def size(text):
    """The Size of a text; of nothing that of an empty one."""
    return Size(text or "")


@register.filter
def limit_of(field):
    """How many characters a bound field may have, where that is counted below it; None elsewhere."""
    return field.field.widget.attrs.get("data-count")
