"""One message: its blocks, and its words for where blocks are not shown. What is too long for one becomes several."""

import itertools
from dataclasses import dataclass, field

from coaching.slack.blocks.parts import Part, listing, merged, rich, section, text
from coaching.slack.blocks.text import cut, escape, split, weight

MOST = 2_900  # a block may weigh; Slack takes 3,000 characters of text in one, and says nothing of rich text
# All blocks together may weigh so much: Slack refuses from some 13,200 on. They are never as many as 50 then.
MOST_A_MESSAGE = 11_000
MOST_SHORT = 4_500  # where Slack found even that too long
ROOM = 1_600  # of that is left to what stands after an answer, which would else be a message of its own
WORDS = 3_800  # bytes of the text beside the blocks; chat.update refuses more than 4,000, counted after escaping
LEAST = 200  # weight that a run of words is worth being cut for, rather than beginning a new block


@dataclass(frozen=True)
class Piece:
    """One message in Slack. `text` is for notifications and screen readers, escaped."""

    text: str
    blocks: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Drawing:
    """What a post should look like now: its messages in order.

    `drawn` names the state that was drawn, in at most 100 characters ("pending", "pending stale", "approved"). `is_moving`: an
    answer is still being written, draw again soon. `is_waiting`: there is nothing to post yet, try again in a few seconds.
    """

    pieces: list[Piece]
    drawn: str
    is_moving: bool = False
    is_waiting: bool = False


def piece(blocks: list[Part]) -> Piece:
    """The message of these blocks; its words are theirs."""
    return Piece(_escaped("\n".join(filter(None, map(words, blocks)))), blocks)


def pieces(elements: list[Part], after: list[Part] | None = None, *, most: int = MOST_A_MESSAGE) -> list[Piece]:
    """The messages that these elements of rich text, of any length, and the blocks `after` them become: at least one.

    A text that only grew gives the same messages as before, but for the last ones.
    """
    told: list[list[Part]] = [[]]
    used = 0
    bounded = [(block, most - ROOM) for block in blocks_of(elements)]
    for block, heaviest in [*bounded, *((block, most) for block in after or [])]:
        if told[-1] and used + weight(block) > heaviest:
            told.append([])
            used = 0
        told[-1].append(block)
        used += weight(block)
    return [piece(blocks) for blocks in told if blocks]


def blocks_of(elements: list[Part], *, most: int = MOST) -> list[Part]:
    """Blocks of rich text that hold these elements, none heavier than `most`."""
    blocks: list[list[Part]] = [[]]
    for element in (part for whole in elements for part in _in_parts(whole, most - weight(rich()))):
        if not element["elements"]:
            continue
        grown = _with(blocks[-1], element)
        if blocks[-1] and weight(rich(*grown)) > most:
            blocks.append([element])
        else:
            blocks[-1] = grown
    return [rich(*one) for one in blocks if one]


def words(block: Part) -> str:
    """What a block says, as plain text."""
    match block["type"]:
        case "header" | "section":
            return block["text"]["text"]
        case "context":
            return " ".join(one["text"] for one in block["elements"])
        case "rich_text":
            return "\n".join(_words_of(one) for one in block["elements"])
    return ""


def _words_of(element: Part) -> str:
    if element["type"] == "rich_text_list":
        first = element.get("offset", 0) + 1 if element["style"] == "ordered" else None
        marks = ("•" if first is None else f"{n}." for n in itertools.count(first or 0))
        return "\n".join(f"{mark} {_words_of(item)}" for mark, item in zip(marks, element["elements"], strict=False))
    return "".join(one["text"] for one in element["elements"])


def _escaped(said: str) -> str:
    """Escaped, and cut so that it fits then."""
    most = WORDS
    while len((told := escape(cut(said, most))).encode()) > WORDS:
        most = most * 9 // 10
    return told


def _with(elements: list[Part], element: Part) -> list[Part]:
    """The elements of a block with one more. Two paragraphs are one section with a line between them, as Slack's own editor
    has it."""
    if elements and elements[-1]["type"] == element["type"] == "rich_text_section":
        runs = merged([*elements[-1]["elements"], text("\n\n"), *element["elements"]])
        return [*elements[:-1], section(*runs)]
    return [*elements, element]


def _in_parts(element: Part, most: int) -> list[Part]:
    """An element as elements of its kind that weigh at most `most` each."""
    if weight(element) <= most:
        return [element]
    if element["type"] == "rich_text_list":
        return _list_in_parts(element, most)
    room = most - weight(element | {"elements": []})
    return [element | {"elements": runs} for runs in _runs_in_parts(element["elements"], room)]


def _list_in_parts(element: Part, most: int) -> list[Part]:
    """Lists that go on where the one before ended. What is left of an item that alone is too long follows as paragraphs."""
    ordered, indent = element["style"] == "ordered", element.get("indent", 0)
    empty = weight(listing([], ordered=ordered, indent=indent, offset=10**9))
    told: list[Part] = []
    used = most
    for number, whole in enumerate(element["elements"], start=element.get("offset", 0)):
        item, *rest = _in_parts(whole, most - empty)
        if used + weight(item) + 2 > most or not told or told[-1]["type"] != "rich_text_list":
            told.append(listing([], ordered=ordered, indent=indent, offset=number))
            used = empty
        told[-1]["elements"].append(item)
        used += weight(item) + 2
        told += rest
    return told


def _runs_in_parts(runs: list[Part], most: int) -> list[list[Part]]:
    """Runs of words in parts that weigh at most `most` together."""
    parts: list[list[Part]] = [[]]
    room = most
    for run in runs:
        frame = weight(run | {"text": ""}) + 2
        left = run["text"]
        while left:
            fits = weight(left) - 2 + frame <= room
            if not fits and parts[-1] and room - frame < LEAST:
                parts.append([])
                room = most
                continue
            said, left = (left, "") if fits else split(left, room - frame)
            if said:
                parts[-1].append(run | {"text": said})
            room -= frame + weight(said) - 2
            if left:
                parts.append([])
                room = most
    return [part for part in parts if part]
