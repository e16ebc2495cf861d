"""Text that a model or a customer wrote, made safe to stand on a page."""

import re

import nh3
from django import template
from django.utils.safestring import mark_safe

from coaching.texts.prose import PARSER

register = template.Library()

TAGS = {"p", "br", "hr", "ul", "ol", "li", "strong", "em", "code", "pre", "blockquote", "h3", "h4", "h5", "h6"}


TURN = re.compile(r"\bturn (\d{1,4})\b", re.IGNORECASE)


@register.filter
def turn_links(html):
    """Prose about a conversation that stands on the same page, with "turn 7" as a link to that turn."""
    return mark_safe(TURN.sub(r'<a href="#turn-\1" data-turn-link="\1">\g<0></a>', html))  # noqa: S308 (digits only)


@register.filter
def prose(text):
    """Markdown as HTML without links, pictures and raw HTML. Headings begin at the third level."""
    tokens = PARSER.parse(text or "")
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = PARSER.renderer.render(tokens, PARSER.options, {})
    return mark_safe(nh3.clean(html, tags=TAGS, attributes={"ol": {"start"}}))  # noqa: S308 (cleaned in this very line)
