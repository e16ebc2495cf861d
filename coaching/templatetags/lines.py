"""The lines of a diff as markup, in one go: a template spends seconds on the ten thousand lines that a prompt may have.

Every word of a line is escaped here.
"""

from html import escape

from django import template
from django.utils.safestring import mark_safe

from coaching.texts.diffs import Gap

register = template.Library()

CLASSES = {"+": " diff-add", "-": " diff-del", "": ""}
SIGNS = {
    "+": '<span aria-hidden="true">+</span><span class="visually-hidden">added</span>',
    "-": '<span aria-hidden="true">−</span><span class="visually-hidden">removed</span>',
    "": "",
}
NOTHING = '<td class="diff-none" colspan="3"></td>'


@register.simple_tag
def diff_rows(change, side=False, opened=False, fold_link="", whose=""):
    """The table rows of a FieldDiff's lines; as parameters of `coaching/_lines.html`."""
    name = f"{whose}-{change.field}"
    rows = change.lines.pairs if side else change.lines.rows
    told = []
    for place, row in enumerate(rows, start=1):
        first = row[0] if side else row
        if isinstance(first, Gap):
            told.append(_gap(first, f"{name}-{place}", side, opened, fold_link))
        elif side:
            told.append(f"<tr>{_cells(row[0], 'old_no', side)}{_cells(row[1], 'new_no', side)}</tr>\n")
        else:
            told.append(f'<tr class="{CLASSES[row.sign].strip() or "diff-same"}">{_cells(row, "number", side)}</tr>\n')
    return mark_safe("".join(told))  # noqa: S308 (escaped piece by piece)


def _gap(gap, fold, side, opened, fold_link):
    if opened:
        numbers = ("old_no", "new_no") if side else ("new_no",)
        return "".join(
            f'<tr class="diff-same" data-fold="{escape(fold)}">{"".join(_cells(row, each, side) for each in numbers)}</tr>\n'
            for row in gap.lines
        )
    words = f"⋯ {gap.count} unchanged line{'' if gap.count == 1 else 's'}"
    if fold_link:
        words = (
            f'<a class="link-quiet" href="{escape(str(fold_link))}" data-fold-of="{escape(fold)}">{words}'
            '<span class="visually-hidden">, show</span></a>'
        )
    return f'<tr class="diff-gap"><td colspan="{6 if side else 3}">{words}</td></tr>\n'


def _cells(row, number, side):
    """Number, sign and words of a line. Side by side each cell carries its colour, for the row has two of them."""
    if row is None:
        return NOTHING
    colour = CLASSES[row.sign] if side else ""
    return (
        f'<td class="diff-no{colour}">{getattr(row, number)}</td><td class="diff-sign{colour}">{SIGNS[row.sign]}</td>'
        f'<td class="diff-text{colour}">{"".join(map(_piece, row.pieces))}</td>'
    )


def _piece(piece):
    if piece.sign == "+":
        return f"<ins>{escape(piece.text)}</ins>"
    return f"<del>{escape(piece.text)}</del>" if piece.sign else escape(piece.text)
