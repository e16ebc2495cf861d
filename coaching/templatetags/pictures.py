"""The weeks of a picture as markup, in one go: a template spends more on 26 points and as many rows of a table than the page that
shows them has to give.

Every word is escaped here.
"""

from html import escape

from django import template
from django.utils.safestring import mark_safe

from agents.templatetags.words import day

register = template.Library()


@register.simple_tag
def picture_points(picture):
    """The dots of a picture.Trajectory, each with the circle that is hit and the words that are shown for it."""
    newest = picture.dots[-1] if picture.dots else None
    return mark_safe("\n".join(_point(picture, dot, is_newest=dot is newest) for dot in picture.dots))  # noqa: S308 (escaped below)


def _point(picture, dot, *, is_newest):
    at = f'cx="{dot.x}" cy="{dot.y}"'
    worst = "; in the worst seven days" if dot.worst else ""
    ring = f'<circle class="pic-ring" {at} r="8" />' if dot.worst else ""
    return (
        f'<g class="pic-point" role="img" aria-label="{escape(dot.words)}{escape(dot.beside)}{worst}" data-point '
        f'tabindex="{0 if is_newest else -1}"><circle class="pic-hit" {at} r="8" />{ring}'
        f'<circle class="pic-dot{" pic-dot-recent" if dot.recent else ""}" {at} r="{dot.r}" />'
        f'<g class="pic-tip" aria-hidden="true"><rect x="0" y="{picture.bottom + 3}" width="{picture.width}" height="21" />'
        f'<text x="{picture.middle}" y="{picture.height}" dy="-4" text-anchor="middle">{escape(dot.words)}</text></g></g>'
    )


@register.simple_tag
def picture_rows(picture):
    """The same weeks as rows of a table, newest first, with a column for every line that is drawn."""
    rows = []
    for week in picture.newest_first:
        levels = [week.score]
        if picture.expected:
            levels.append(week.expected)
        if picture.team:
            levels.append(week.team)
        cells = "".join(f"<td>{'—' if level is None else f'{level:.1f}'}</td>" for level in levels)
        rows.append(f'<tr><th scope="row">{day(week.start)}</th><td>{week.n}</td>{cells}</tr>')
    return mark_safe("\n".join(rows))  # noqa: S308 (numbers and days)
