"""What became of the ratings since a note, for the foot of that note."""

from django import template

from coaching.pages import since_note as page

register = template.Library()


@register.filter
def since_note(note):
    """The SinceNote of a note; None where nothing is to be said."""
    return page.of(note)
