"""The lines of samples as markup, in one go, as the lines of notes are: each of them has a form and four addresses.

What a customer, a helpdesk or a model wrote is escaped here, piece by piece.
"""

from html import escape
from uuid import UUID

from django import template
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.text import Truncator

from agents.templatetags.words import ago, day, source_name
from coaching.models import Sample

register = template.Library()

NOBODY = UUID(int=0)


@register.simple_tag(takes_context=True)
def sample_lines(context, lines):
    """The SampleLines `lines` of the drawer's `agent`; `may_write` of the `drawer` says whether a leader reads them."""
    written = _Lines(context)
    return mark_safe("\n".join(map(written.line, lines)))  # noqa: S308 (escaped below)


class _Lines:
    """What all lines of one drawer share."""

    def __init__(self, context):
        self.leads = context["drawer"].may_write
        if not self.leads:
            return
        self.about = f"{reverse('team-agent', args=[context['agent'].pk])}?sample="
        self.unpin, self.talk = (reverse(name, args=[NOBODY]) for name in ("sample-unpin", "conversation"))
        self.token = escape(get_token(context["request"]))

    def line(self, line):
        sample = line.sample
        pill = f'<span class="pill{" pill-bad" if line.is_low else ""}">{escape(line.said or "not rated")}</span>'
        acts = self._acts(line) if self.leads else ""
        return (
            f'<li class="sample" id="sample-{sample.pk}"><div class="sample-head">{pill} <span>{self._where(sample)}</span> '
            f'<span class="sample-open">{self._open(sample)}</span></div>{_summary(line)}{acts}</li>'
        )

    def _where(self, sample):
        source = escape(source_name(sample.conversation.source))
        if sample.closed_at:
            where = f"{day(sample.closed_at)} · {source}"
        else:
            where = f"{source} {escape(Truncator(sample.conversation.external_id).chars(24))}"
        by = sample.captured_by
        return f"{where} · pinned by {escape(by.display_name)}" if by is not None and self.leads else where

    def _open(self, sample):
        links = []
        if self.leads:
            links.append(f'<a href="{self.talk.replace(str(NOBODY), str(sample.conversation_id))}">Conversation</a>')
        if sample.url:
            links.append(
                f'<a href="{escape(sample.url)}" rel="noopener noreferrer" target="_blank">Open in helpdesk'
                '<span aria-hidden="true"> ↗</span><span class="visually-hidden"> (new tab)</span></a>'
            )
        return "\n".join(links)

    def _acts(self, line):
        pk = line.sample.pk
        unpin = self.unpin.replace(str(NOBODY), str(pk))
        return (
            f'<div class="sample-acts"><a class="link-quiet" href="{self.about}{pk}#note" data-about="{pk}" '
            f'data-about-name="{escape(line.name)}">Write a note about this</a>\n'
            f'<form method="post" action="{unpin}" hx-post="{unpin}" hx-target="#samples" hx-swap="outerHTML">'
            f'<input type="hidden" name="csrfmiddlewaretoken" value="{self.token}"><button class="link-button" type="submit">'
            'Put away<span class="visually-hidden"> this conversation</span></button></form></div>'
        )


def _summary(line):
    sample = line.sample
    if sample.summary:
        return f'<p class="sample-words">{escape(sample.summary)}</p>'
    if sample.summary_state == Sample.Summary.PENDING:
        failed = ": the last try did not succeed" if sample.last_error else ""
        next_try = f". Next try {ago(line.next_try_at)}" if line.next_try_at else ""
        return f'<p class="sample-words second">Summary pending{failed}{next_try}.</p>'
    return f'<p class="sample-words second">{escape(sample.get_summary_state_display())}.</p>'
