"""The coach's Markdown as rich text. Links and pictures stay as they were typed, so that every address is in plain sight."""

from itertools import groupby

from markdown_it.token import Token

from coaching.slack.blocks.parts import Part, listing, merged, preformatted, quote, section, text
from coaching.slack.blocks.text import clean
from coaching.texts.prose import PARSER

DEEPEST = 4  # lists in lists that Slack indents and that can still be read
RULE = "———"


def rich_text(markdown: str) -> list[Part]:
    """The elements of rich text that a Markdown text becomes, of any length."""
    return _Reading(PARSER.parse(clean(markdown))).blocks()


class _Reading:
    """One pass over the tokens of a text, which open and close like brackets."""

    def __init__(self, tokens: list[Token]):
        self.tokens = tokens
        self.at = 0

    def blocks(self, until: str = "", depth: int = 0) -> list[Part]:
        """What stands up to the token `until` (or the end), which is passed."""
        found: list[Part] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            if token.type == until:
                break
            found += self._block(token, depth)
        return found

    def _block(self, token: Token, depth: int) -> list[Part]:
        match token.type:
            case "inline":
                return [section(*inline(token))]
            case "heading_open":
                [title] = self.blocks("heading_close") or [section()]
                return [
                    section(*(text(one["text"], **one.get("style", {}) | {"bold": True}) for one in title["elements"]))
                ]
            case "bullet_list_open" | "ordered_list_open":
                return self._list(token, depth)
            case "blockquote_open":
                inside = self.blocks("blockquote_close", depth)
                return [quote(*_flattened(inside))]
            case "fence" | "code_block":
                return [preformatted(text(token.content.rstrip("\n")))]
            case "hr":
                return [section(text(RULE))]
        return []

    def _list(self, token: Token, depth: int) -> list[Part]:
        """A list as Slack has it: one level each, those inside an item as lists of their own between its neighbours."""
        ordered = token.type == "ordered_list_open"
        number = int(token.attrs.get("start", 1)) if ordered else 1
        close = token.type.replace("open", "close")
        found: list[Part] = []
        while self.at < len(self.tokens) and self.tokens[self.at].type != close:
            self.at += 1  # list_item_open
            for is_list, parts in groupby(
                self.blocks("list_item_close", depth + 1), key=lambda part: part["type"] == "rich_text_list"
            ):
                if is_list:
                    found += parts
                else:
                    item = section(*_flattened(list(parts)))
                    found.append(
                        listing([item], ordered=ordered, indent=min(depth, DEEPEST), offset=max(0, number - 1))
                    )
            number += 1
        self.at += 1
        return _joined(found)


def inline(token: Token) -> list[Part]:
    """The runs of words of a paragraph, each with what holds for it: bold, italic, code."""
    runs: list[Part] = []
    bold = italic = 0
    for child in token.children or []:
        style = ({"bold": True} if bold else {}) | ({"italic": True} if italic else {})
        match child.type:
            case "strong_open" | "strong_close":
                bold += child.nesting
            case "em_open" | "em_close":
                italic += child.nesting
            case "code_inline":
                runs.append(text(child.content, **style, code=True))
            case "softbreak" | "hardbreak":
                runs.append(text("\n", **style))
            case _:
                runs.append(text(child.content, **style))
    return merged(runs)


def _flattened(parts: list[Part]) -> list[Part]:
    """Several elements as the runs of one: what stands in a quote or in an item. Lists in it become lines with bullets."""
    runs: list[Part] = []
    for part in parts:
        if part["type"] == "rich_text_list":
            for n, item in enumerate(part["elements"], start=part.get("offset", 0) + 1):
                mark = f"{n}. " if part["style"] == "ordered" else "• "
                runs += [text("\n" if runs else ""), text("   " * part.get("indent", 0) + mark), *item["elements"]]
        else:
            runs += [text("\n" if runs else ""), *part["elements"]]
    return merged(runs)


def _joined(lists: list[Part]) -> list[Part]:
    """Neighbouring items of one list as one element."""
    kept: list[Part] = []
    for one in lists:
        if kept and _goes_on(kept[-1], one):
            kept[-1]["elements"] += one["elements"]
        else:
            kept.append(one)
    return kept


def _goes_on(last: Part, one: Part) -> bool:
    if any(last.get(key) != one.get(key) for key in ("style", "indent")):
        return False
    return one["style"] == "bullet" or one.get("offset", 0) == last.get("offset", 0) + len(last["elements"])
