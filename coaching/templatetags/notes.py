"""The lines of notes as markup, in one go: a template spends more on fifty of them, each with its addresses and its foot, than
the drawer has to give.

What somebody wrote is escaped here, piece by piece.
"""

from html import escape
from uuid import UUID

from django import template
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

from agents.templatetags.words import ago, day
from coaching import calendar
from coaching.pages import since_note
from coaching.pages.drawer import place

register = template.Library()

NOBODY = UUID(int=0)
EDIT, HISTORY, ARCHIVE, FILE = "note-edit", "note-history", "note-archive", "todo-follow-up-file"
NEW_TAB = 'rel="noopener noreferrer" target="_blank"'


@register.simple_tag(takes_context=True)
def note_line(context, note, reader, said):
    """One note as it stands. `may_write` of the context says whether it is a leader's line; `reader` is who reads shared ones;
    `just` of the context is the key of the one that something was done to, `said` what.
    """
    return mark_safe(_Lines(context, reader).line(note, just=context.get("just"), said=said))  # noqa: S308 (escaped below)


@register.simple_tag(takes_context=True)
def note_lines(context, notes):
    """The lines of `notes.shown`. With `goes_on` in the context the first of them takes the focus: they were asked for."""
    lines = _Lines(context, notes.reader)
    just = notes.shown[0].pk if context.get("goes_on") and notes.shown else context.get("just")
    return mark_safe("\n".join(lines.line(note, just=just) for note in notes.shown))  # noqa: S308 (escaped below)


class _Lines:
    """What all lines of one page share."""

    def __init__(self, context, reader):
        self.leads, self.reader = context.get("may_write"), reader
        if not self.leads:
            return
        self.addresses = {name: reverse(name, args=[NOBODY]) for name in (EDIT, HISTORY, ARCHIVE, FILE)}
        self.token = escape(get_token(context["request"]))
        self.zone = timezone.get_current_timezone_name()
        self.measuring = reverse("help-after-coaching")

    def line(self, note, *, just, said=""):
        focus = ' tabindex="-1" autofocus' if just == note.pk else ""
        done = f'<p class="note-said" role="status">{escape(said)}</p>' if said else ""
        since = self._since(note) if self.leads else ""
        parts = [self._sharing(note), self._written(note), self._follow_up(note)] if self.leads else [_written_by(note)]
        foot = "\n".join(part for part in (*parts, _about(note), self._acts(note) if self.leads else "") if part)
        return (
            f'<li class="note" id="note-{note.pk}"{focus}>{done}<p class="note-body">{escape(note.body)}</p>{since}'
            f'<div class="note-foot">{foot}</div></li>'
        )

    def _at(self, name, note):
        return self.addresses[name].replace(str(NOBODY), str(note.pk))

    def _sharing(self, note):
        if not note.shared_with_agent:
            return '<span class="pill">Private</span>'
        if note.acknowledged_at:
            seen = f"read by {escape(note.acknowledged_by.display_name)} {ago(note.acknowledged_at)}"
        elif self.reader:
            seen = "not marked as read"
        else:
            seen = "nobody is linked yet, so nobody sees it"
        return f'<span class="pill pill-accent">Shared</span><span>{seen}</span>'

    def _written(self, note):
        return _written_by(note)

    def _follow_up(self, note):
        if not note.follow_up_at:
            return ""
        if note.followed_up_at:
            return f"<span>followed up {ago(note.followed_up_at)}</span>"
        return f"<span>follow up {day(note.follow_up_at)}</span>{self._calendars(note)}"

    def _calendars(self, note):
        whom = escape(note.agent.name)
        google = escape(calendar.google_link(note, self.zone))
        return (
            f'<span class="calendar-links small"><a class="link-quiet" href="{self._at(FILE, note)}" download>Calendar file'
            f'<span class="visually-hidden"> of the follow-up with {whom}</span></a> '
            f'<a class="link-quiet" href="{google}" {NEW_TAB}>Add to Google Calendar<span aria-hidden="true"> ↗</span>'
            f'<span class="visually-hidden">: follow-up with {whom} (new tab)</span></a></span>'
        )

    def _acts(self, note):
        swap = f'hx-target="#note-{note.pk}" hx-swap="outerHTML"'
        edit, archive = self._at(EDIT, note), self._at(ARCHIVE, note)
        history = ""
        if note.version > 1:
            at = self._at(HISTORY, note)
            history = (
                f'<a class="link-quiet" href="{at}" hx-get="{at}" {swap}>History<span class="visually-hidden"> of this note: '
                f"{note.version} versions</span></a>\n"
            )
        return (
            f'<span class="note-acts"><a class="link-quiet" href="{edit}" hx-get="{edit}" {swap}>Edit'
            f'<span class="visually-hidden"> this note</span></a>\n{history}'
            f'<form method="post" action="{archive}" hx-post="{archive}" {swap}>'
            f'<input type="hidden" name="csrfmiddlewaretoken" value="{self.token}"><button class="link-button" type="submit">'
            'Archive<span class="visually-hidden"> this note</span></button></form></span>'
        )

    def _since(self, note):
        """What became of the ratings since, for leaders: it may speak of notes that were not shared."""
        since = since_note.of(note)
        if since is None:
            return ""
        if not since.behind:
            return f'<p class="since-note">{escape(since.words)}</p>'
        behind = "".join(f"<p>{escape(sentence)}</p>" for sentence in since.behind)
        return (
            f'<details class="since-note"><summary>{escape(since.words)}</summary>{behind}'
            f"<p>Ratings up to {day(since.until)} count; looked at every week until 12 weeks after the note. "
            f'<a href="{self.measuring}">How this is measured</a></p></details>'
        )


def _written_by(note):
    at = ago(getattr(note, "shared_at", None)) or ago(note.created_at)
    return f"<span>{escape(note.author.display_name)}, {at}</span>"


def _about(note):
    sample = note.sample
    if sample is None:
        return ""
    name = escape(place(sample))
    if sample.url:
        hidden = '<span class="visually-hidden"> (new tab)</span>'
        name = f'<a class="link-quiet" href="{escape(sample.url)}" {NEW_TAB}>{name}{hidden}</a>'
    return f"<span>about {name}</span>"
