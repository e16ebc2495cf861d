"""The turns of a transcript as markup, in one go: a template spends more on two thousand of them than the page has to give.

Every word of a turn is escaped here. What repeats in each turn is kept short; the stylesheet knows the parts by their place:
li.turn > p (who and when) + div (what was said and what is folded) + label (to choose it).
"""

from datetime import date
from html import escape

from django import template
from django.utils.safestring import mark_safe

register = template.Library()
# Named once, for strftime takes as long as all else of a turn.
MONTHS = ["", *(f"{date(1, month, 1):%b}" for month in range(1, 13))]


@register.simple_tag
def turns(lines, picked=None):
    """The items of the list of turns. With `picked` (numbers as text) each can be chosen for the coach's form."""
    return mark_safe("".join(_turn(line, picked) for line in lines))  # noqa: S308 (escaped piece by piece)


def _turn(line, picked):
    n = line.number
    parts = [_day(line.day)] if line.day else []
    parts.append(
        f'<li class="turn{"" if line.answers is None else " turn-answer"}" id="turn-{n}" data-role="{line.role}">'
        f"<p>{escape(line.label)} {_link(n, line.at)}</p>"
    )
    if line.said and not line.rest and not line.folds:
        parts.append(f'<div class="turn-text" dir="auto">{_spans(line.said)}</div>')
    elif line.is_empty:
        parts.append('<div class="quiet">no text</div>')
    else:
        parts += ["<div>", _said(line), *map(_fold, line.folds), "</div>"]
    if picked is not None:
        checked = " checked" if str(n) in picked else ""
        parts.append(
            f'<label><input type="checkbox" name="turn" value="{n}" form="ask" aria-label="Ask about turn {n}"{checked}></label>'
        )
    parts.append("</li>\n")
    return "".join(parts)


def _day(at):
    return f'<li class="turn-day">{at:%A}, {at.day} {at:%B %Y}</li>\n'


def _link(n, at):
    """Its number as a link to the turn, with the minute; the exact moment comes on hover and on focus."""
    if at is None:
        return f'<a href="#turn-{n}">turn {n}</a>'
    day, time = f"{at.day} {MONTHS[at.month]} {at.year}", at.time().isoformat("seconds")
    return f'<a href="#turn-{n}" data-exact="{day}, {time}">{time[:5]} · turn {n}</a>'


def _said(line):
    if not line.said:
        return ""
    said = f'<div class="turn-text" dir="auto">{_spans(line.said)}</div>'
    if not line.rest:
        return said
    is_open = " open" if any(span.proposal for span in line.rest) else ""
    more = f"Show all, {sum(len(span.text) for span in line.rest):,} more characters"
    return (
        f'{said}<details class="turn-rest"{is_open}><summary><span>{more}</span><span>Fold again</span></summary>'
        f'<div class="turn-text" dir="auto">{_spans(line.rest)}</div></details>'
    )


def _fold(fold):
    words = f"<b>{escape(fold.words)}</b> " if fold.words else ""
    mark = '<span class="pill pill-bad">failed</span> ' if fold.is_failure else ""
    if not fold.glimpse:
        return f'<p class="turn-tool">{words}<span class="quiet">no text</span></p>'
    return (
        f'<details class="turn-tool"{" open" if fold.is_open else ""}>'
        f"<summary>{mark}{words}<bdi>{escape(fold.glimpse)}</bdi></summary><pre>{_spans(fold.spans)}</pre></details>"
    )


def _spans(spans):
    return "".join(
        f'<mark class="turn-quote"><a href="#proposal-{span.proposal}">{escape(span.text)}</a></mark>'
        if span.proposal
        else escape(span.text)
        for span in spans
    )
