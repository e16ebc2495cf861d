"""The parts that messages are made of, each within what Slack takes of it. Values are cleaned and cut here.

Bounds: https://docs.slack.dev/reference/block-kit/blocks
"""

from typing import Any

from coaching.slack.blocks.text import clean, cut, one_line

Part = dict[str, Any]

HEADER = 150
CONTEXT = 1_000  # Slack takes more, but it is small print
BUTTON = 75
CONFIRM_TITLE, CONFIRM_TEXT, CONFIRM_BUTTON = 100, 300, 30


def text(said: str, **style: bool) -> Part:
    """A run of words in rich text; `style` is bold, italic, strike or code."""
    part: Part = {"type": "text", "text": clean(said)}
    return part | ({"style": style} if style else {})


def link(url: str, words: str) -> Part:
    """A link to a page of ours: never to an address that somebody else wrote."""
    return {"type": "link", "url": url, "text": one_line(words)}


def section(*inline: Part) -> Part:
    """A paragraph of rich text."""
    return {"type": "rich_text_section", "elements": _said(inline)}


def quote(*inline: Part) -> Part:
    return {"type": "rich_text_quote", "elements": _said(inline)}


def preformatted(*inline: Part) -> Part:
    return {"type": "rich_text_preformatted", "elements": _said(inline)}


def listing(items: list[Part], *, ordered: bool = False, indent: int = 0, offset: int = 0) -> Part:
    """A list of sections; the first number of an ordered one is `offset` + 1."""
    kept = [item for item in items if item["elements"]]
    told: Part = {"type": "rich_text_list", "style": "ordered" if ordered else "bullet", "elements": kept}
    return told | ({"indent": indent} if indent else {}) | ({"offset": offset} if ordered and offset else {})


def rich(*elements: Part) -> Part:
    """A block of rich text."""
    return {"type": "rich_text", "elements": [one for one in elements if one["elements"]]}


def plain(said: str, most: int) -> Part:
    """Plain text, in which Slack makes nothing of anything, emoji names included."""
    return {"type": "plain_text", "text": cut(one_line(said), most) or "…", "emoji": False}


def header(said: str) -> Part:
    return {"type": "header", "text": plain(said, HEADER)}


def context(said: str) -> Part:
    """A line of small print."""
    return {"type": "context", "elements": [plain(said, CONTEXT)]}


def actions(*buttons: Part) -> Part:
    return {"type": "actions", "elements": list(buttons)}


def button(said: str, action_id: str, **how: Any) -> Part:
    """`how`: value or url, style (primary, danger), confirm."""
    return {"type": "button", "text": plain(said, BUTTON), "action_id": action_id} | how


def confirm(title: str, said: str, yes: str, no: str) -> Part:
    """What asks again before a click counts."""
    return {
        "title": plain(title, CONFIRM_TITLE),
        "text": plain(said, CONFIRM_TEXT),
        "confirm": plain(yes, CONFIRM_BUTTON),
        "deny": plain(no, CONFIRM_BUTTON),
    }


def merged(runs: list[Part]) -> list[Part]:
    """Neighbours of one style as one."""
    kept: list[Part] = []
    for run in runs:
        if not run["text"]:
            continue
        if kept and kept[-1].get("style") == run.get("style") and run["type"] == kept[-1]["type"] == "text":
            kept[-1] = kept[-1] | {"text": kept[-1]["text"] + run["text"]}
        else:
            kept.append(run)
    return kept


def _said(inline: tuple[Part, ...]) -> list[Part]:
    """Slack refuses empty runs of text."""
    return [one for one in inline if one["text"]]
