"""What a proposal would change, field by field: removed and added lines under their sign. Pure."""

from coaching.slack.blocks.parts import Part, link, preformatted, section, text
from coaching.slack.blocks.text import cut, length
from coaching.texts.diffs import FieldDiff, Gap, Line

MOST = 1_800  # characters of all fields together
LEAST = 80  # under so many a further field is not begun
WORD = {None: "nothing", "": "nothing", True: "yes", False: "no"}


def changes(told: list[tuple[FieldDiff, str, str]], url: str) -> list[Part]:
    """Elements of rich text. `told` are the changed fields, each with its old and new value in words where it has such (else
    empty); `url` opens the whole."""
    left = MOST
    elements: list[Part] = []
    for n, (field, old, new) in enumerate(told):
        if left < LEAST:
            elements.append(section(text(f"… {len(told) - n} more of what changes: "), link(url, "the whole diff")))
            break
        whole = "\n".join(_lines(field, old, new))
        shown = cut(whole, left)
        left -= length(shown)
        elements += [section(text(field.label, bold=True)), preformatted(text(shown))]
        if shown != whole:
            elements.append(section(text("… "), link(url, "the whole diff")))
    return elements


def _lines(field: FieldDiff, old: str, new: str) -> list[str]:
    if field.lines is not None:
        return [_line(row) for row in field.lines.rows]
    before, after = old or field.old, new or field.new
    gone = [] if before in (None, "") else [f"− {line}" for line in _value(before).splitlines()]
    come = [] if after in (None, "") else [f"+ {line}" for line in _value(after).splitlines()]
    return gone + come


def _line(row: Line | Gap) -> str:
    if isinstance(row, Gap):
        return f"  … {row.count} unchanged lines"
    sign = {"-": "−", "+": "+"}.get(row.sign, " ")
    return f"{sign} {''.join(piece.text for piece in row.pieces)}"


def _value(value: object) -> str:
    return value if isinstance(value, str) else WORD.get(value, str(value))  # type: ignore[call-overload]
