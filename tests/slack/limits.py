"""What Slack takes: every limit of Block Kit and of messages that its reference names, and two that it does not.

    problems(blocks) -> ["blocks[0].text: 3,001 characters, and 3,000 are taken"]
    too_long(text, blocks) -> "" | "msg_too_long" | "msg_blocks_too_long"

A message or view without problems is taken. Slack counts characters as JavaScript does, in UTF-16 units, so an emoji beyond the
basic plane is two.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

MESSAGE_BLOCKS = 50  # https://docs.slack.dev/reference/block-kit/blocks
VIEW_BLOCKS = 100  # https://docs.slack.dev/reference/views
MESSAGE_TEXT = 40_000  # https://docs.slack.dev/reference/methods/chat.postMessage, "Truncating content"
# https://docs.slack.dev/reference/methods/chat.update, "msg_too_long". It counts bytes, after & < > are escaped:
# https://gitlab.com/gitlab-org/gitlab/-/merge_requests/258898
UPDATE_TEXT_BYTES = 4_000
# Not in the reference. Measured by users: 13,297 characters in one block, 125 less with a divider beside it
# (https://github.com/slackapi/bolt-js/issues/2509), and 11,341 were refused in many blocks (issue 2867 there).
BLOCKS_TOGETHER = 13_422
BLOCK_ITSELF = 125

BLOCK_ID = ACTION_ID = CALLBACK_ID = 255
SECTION_TEXT = 3_000  # https://docs.slack.dev/reference/block-kit/blocks/section-block
SECTION_FIELDS, SECTION_FIELD = 10, 2_000
HEADER_TEXT = 150  # https://docs.slack.dev/reference/block-kit/blocks/header-block
CONTEXT_ELEMENTS = 10  # https://docs.slack.dev/reference/block-kit/blocks/context-block
ACTIONS_ELEMENTS = 25  # https://docs.slack.dev/reference/block-kit/blocks/actions-block
INPUT_LABEL = INPUT_HINT = 2_000  # https://docs.slack.dev/reference/block-kit/blocks/input-block
IMAGE_URL, IMAGE_TEXT = 3_000, 2_000  # https://docs.slack.dev/reference/block-kit/blocks/image-block
TEXT_OBJECT = 3_000  # https://docs.slack.dev/reference/block-kit/composition-objects/text-object
BUTTON_TEXT, BUTTON_VALUE, BUTTON_URL = 75, 2_000, 3_000  # …/reference/block-kit/block-elements/button-element
SELECT_OPTIONS, PLACEHOLDER = 100, 150  # …/block-elements/select-menu-element
OPTION_TEXT, OPTION_VALUE = 75, 150  # …/composition-objects/option-object
CONFIRM_TITLE, CONFIRM_TEXT, CONFIRM_BUTTON = 100, 300, 30  # …/composition-objects/confirmation-dialog-object
INPUT_LENGTH = 3_000  # …/block-elements/plain-text-input-element
VIEW_TITLE = VIEW_BUTTON = 24  # https://docs.slack.dev/reference/views/modal-views
PRIVATE_METADATA = 3_000
METADATA_NAME = 255

Problems = Iterator[str]
BARE = re.compile("&(?!(?:amp|lt|gt);)")  # what was escaped by the sender is not escaped again


def length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def problems(blocks: Any, *, most: int = MESSAGE_BLOCKS) -> list[str]:
    """What is wrong with these blocks, a line each. `most` is VIEW_BLOCKS where they are those of a view."""
    if not isinstance(blocks, list):
        return ["blocks: not a list"]
    found = [] if len(blocks) <= most else [f"blocks: {len(blocks)}, and {most} are taken"]
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        at = f"blocks[{number}]"
        if not isinstance(block, dict) or block.get("type") not in BLOCKS:
            found.append(f"{at}: no block of a known type")
            continue
        found += _short(block.get("block_id"), BLOCK_ID, f"{at}.block_id", needed=False)
        if block.get("block_id") in seen:
            found.append(f"{at}.block_id: there twice")
        seen |= {block["block_id"]} if block.get("block_id") else set()
        found += BLOCKS[block["type"]](block, at)
    return found


def view_problems(view: Any) -> list[str]:
    if not isinstance(view, dict) or view.get("type") != "modal":
        return ["view: not a modal"]
    found = [*_text(view.get("title"), VIEW_TITLE, "view.title", plain=True)]
    for button in ("submit", "close"):
        if button in view:
            found += _text(view[button], VIEW_BUTTON, f"view.{button}", plain=True)
    found += _short(view.get("private_metadata"), PRIVATE_METADATA, "view.private_metadata", needed=False)
    found += _short(view.get("callback_id"), CALLBACK_ID, "view.callback_id", needed=False)
    found += problems(view.get("blocks"), most=VIEW_BLOCKS)
    if "submit" not in view and any(block.get("type") == "input" for block in view.get("blocks", [])):
        found.append("view.submit: needed where there is an input")
    return found


def too_long(text: str, blocks: list[dict], *, is_update: bool = False) -> str:
    """Slack's name for the error, or nothing."""
    escaped = BARE.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;") if is_update else text
    if is_update and len(escaped.encode("utf-8", "surrogatepass")) > UPDATE_TEXT_BYTES:
        return "msg_too_long"
    if length(text) > MESSAGE_TEXT:
        return "msg_too_long"
    return "msg_blocks_too_long" if weight(blocks) > BLOCKS_TOGETHER else ""


def weight(blocks: list[dict]) -> int:
    """How much of BLOCKS_TOGETHER these take."""
    return sum(BLOCK_ITSELF + sum(map(length, _words(block))) for block in blocks)


def _words(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if isinstance(value, str) and name in ("text", "url", "value", "alt_text", "image_url"):
                yield value
            else:
                yield from _words(value)
    elif isinstance(part, list):
        for each in part:
            yield from _words(each)


# --- Parts -------------------------------------------------------------------------------------------------------------


def _short(value: Any, most: int, at: str, *, needed: bool = True) -> Problems:
    if value is None and not needed:
        return
    if not isinstance(value, str):
        yield f"{at}: no text"
    elif needed and not value:
        yield f"{at}: empty"
    elif length(value) > most:
        yield f"{at}: {length(value):,} characters, and {most:,} are taken"


def _text(value: Any, most: int, at: str, *, plain: bool = False) -> Problems:
    """A text object."""
    if not isinstance(value, dict) or value.get("type") not in ("plain_text", "mrkdwn"):
        yield f"{at}: no text object"
        return
    if plain and value["type"] != "plain_text":
        yield f"{at}: only plain_text is taken"
    allowed = {"type", "text", "emoji"} if value["type"] == "plain_text" else {"type", "text", "verbatim"}
    if stray := set(value) - allowed:
        yield f"{at}: unknown {sorted(stray)}"
    yield from _short(value.get("text"), most, at)


def _section(block: dict, at: str) -> Problems:
    fields = block.get("fields")
    if "text" in block:
        yield from _text(block["text"], SECTION_TEXT, f"{at}.text")
    elif not fields:
        yield f"{at}: neither text nor fields"
    if fields is not None and not 1 <= len(fields) <= SECTION_FIELDS:
        yield f"{at}.fields: {len(fields)}, and {SECTION_FIELDS} are taken"
    for number, each in enumerate(fields or []):
        yield from _text(each, SECTION_FIELD, f"{at}.fields[{number}]")
    if "accessory" in block:
        yield from _element(block["accessory"], f"{at}.accessory", {"button", "static_select", "image", "overflow"})


def _header(block: dict, at: str) -> Problems:
    yield from _text(block.get("text"), HEADER_TEXT, f"{at}.text", plain=True)


def _divider(block: dict, at: str) -> Problems:
    yield from (f"{at}: unknown {name}" for name in set(block) - {"type", "block_id"})


def _context(block: dict, at: str) -> Problems:
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= CONTEXT_ELEMENTS:
        yield f"{at}.elements: {len(elements)}, and 1 to {CONTEXT_ELEMENTS} are taken"
    for number, each in enumerate(elements):
        if each.get("type") == "image":
            yield from _image(each, f"{at}.elements[{number}]")
        else:
            yield from _text(each, TEXT_OBJECT, f"{at}.elements[{number}]")


def _actions(block: dict, at: str) -> Problems:
    elements = block.get("elements") or []
    if not 1 <= len(elements) <= ACTIONS_ELEMENTS:
        yield f"{at}.elements: {len(elements)}, and 1 to {ACTIONS_ELEMENTS} are taken"
    names = [each.get("action_id") for each in elements if each.get("action_id")]
    if len(names) != len(set(names)):
        yield f"{at}.elements: an action_id is there twice"
    for number, each in enumerate(elements):
        yield from _element(each, f"{at}.elements[{number}]", {"button", "static_select", "overflow"})


def _input(block: dict, at: str) -> Problems:
    yield from _text(block.get("label"), INPUT_LABEL, f"{at}.label", plain=True)
    if "hint" in block:
        yield from _text(block["hint"], INPUT_HINT, f"{at}.hint", plain=True)
    yield from _element(block.get("element"), f"{at}.element", {"plain_text_input", "static_select"})


def _image(block: dict, at: str) -> Problems:
    yield from _short(block.get("image_url"), IMAGE_URL, f"{at}.image_url")
    yield from _short(block.get("alt_text"), IMAGE_TEXT, f"{at}.alt_text")


def _element(element: Any, at: str, taken: set[str]) -> Problems:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in taken:
        yield f"{at}: {kind} is not taken here"
        return
    yield from _short(element.get("action_id"), ACTION_ID, f"{at}.action_id", needed=False)
    if "confirm" in element:
        yield from _confirm(element["confirm"], f"{at}.confirm")
    if "placeholder" in element:
        yield from _text(element["placeholder"], PLACEHOLDER, f"{at}.placeholder", plain=True)
    if kind == "button":
        yield from _text(element.get("text"), BUTTON_TEXT, f"{at}.text", plain=True)
        yield from _short(element.get("value"), BUTTON_VALUE, f"{at}.value", needed=False)
        yield from _short(element.get("url"), BUTTON_URL, f"{at}.url", needed=False)
        yield from _short(element.get("accessibility_label"), BUTTON_TEXT, f"{at}.accessibility_label", needed=False)
        if element.get("style", "primary") not in ("primary", "danger"):
            yield f"{at}.style: {element['style']} is not known"
    elif kind == "static_select":
        yield from _options(element.get("options") or [], at)
    elif kind == "image":
        yield from _image(element, at)
    elif kind == "plain_text_input" and not 0 <= element.get("max_length", INPUT_LENGTH) <= INPUT_LENGTH:
        yield f"{at}.max_length: up to {INPUT_LENGTH:,}"


def _options(options: list[dict], at: str) -> Problems:
    if not 1 <= len(options) <= SELECT_OPTIONS:
        yield f"{at}.options: {len(options)}, and 1 to {SELECT_OPTIONS} are taken"
    for number, each in enumerate(options):
        yield from _text(each.get("text"), OPTION_TEXT, f"{at}.options[{number}].text")
        yield from _short(each.get("value"), OPTION_VALUE, f"{at}.options[{number}].value")


def _confirm(confirm: dict, at: str) -> Problems:
    yield from _text(confirm.get("title"), CONFIRM_TITLE, f"{at}.title", plain=True)
    yield from _text(confirm.get("text"), CONFIRM_TEXT, f"{at}.text")
    yield from _text(confirm.get("confirm"), CONFIRM_BUTTON, f"{at}.confirm", plain=True)
    yield from _text(confirm.get("deny"), CONFIRM_BUTTON, f"{at}.deny", plain=True)


# --- Rich text: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block ---------------------------------------

RICH_PARTS = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
INLINE = {
    "text": "text",
    "link": "url",
    "emoji": "name",
    "user": "user_id",
    "usergroup": "usergroup_id",
    "channel": "channel_id",
    "broadcast": "range",
    "date": "timestamp",
    "color": "value",
}
STYLES = {"bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"}


def _rich_text(block: dict, at: str) -> Problems:
    elements = block.get("elements")
    if not elements:
        yield f"{at}.elements: empty"
    for number, each in enumerate(elements or []):
        yield from _rich_part(each, f"{at}.elements[{number}]", RICH_PARTS)
    if (whole := sum(map(length, _words(block)))) > SECTION_TEXT:
        yield f"{at}: {whole:,} characters, and {SECTION_TEXT:,} are taken"  # the reference names none; that of a text object


def _rich_part(part: dict, at: str, taken: set[str]) -> Problems:
    kind = part.get("type")
    if kind not in taken:
        yield f"{at}: {kind} is not taken here"
        return
    if kind == "rich_text_list":
        if part.get("style") not in ("bullet", "ordered"):
            yield f"{at}.style: bullet or ordered"
        if not 0 <= part.get("indent", 0) <= 8:
            yield f"{at}.indent: 0 to 8"
        if not part.get("elements"):
            yield f"{at}.elements: empty"
        for number, each in enumerate(part.get("elements") or []):
            yield from _rich_part(each, f"{at}.elements[{number}]", {"rich_text_section"})
        return
    inline = {"text", "link"} if kind == "rich_text_preformatted" else set(INLINE)
    for number, each in enumerate(part.get("elements") or []):
        yield from _inline(each, f"{at}.elements[{number}]", inline)


def _inline(element: dict, at: str, taken: set[str]) -> Problems:
    kind = element.get("type")
    if kind not in taken:
        yield f"{at}: {kind} is not taken here"
        return
    if not element.get(INLINE[kind]):
        yield f"{at}.{INLINE[kind]}: empty"
    if stray := set(element.get("style") or {}) - STYLES:
        yield f"{at}.style: unknown {sorted(stray)}"


BLOCKS: dict[str, Callable[[dict, str], Problems]] = {
    "section": _section,
    "header": _header,
    "divider": _divider,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "image": _image,
    "rich_text": _rich_text,
}
