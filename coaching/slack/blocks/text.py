"""Text as Slack takes it: cleaned, measured as it measures, and never cut inside a character. Pure.

Slack counts JavaScript's characters, in which an emoji is two.
"""

import json
import re
import unicodedata
from collections.abc import Iterator

# What shows nothing, or turns the direction of what follows: with it a text could stand as another than it is.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
HALVES = re.compile("[\ud800-\udfff]")  # of a character: no encoding has them
LONGEST_CHARACTER = 32  # code points that are kept together; a letter under hundreds of marks is none
BORDERS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"[.!?…]\s+"), re.compile(r"\s+"))
ELLIPSIS = " …"


def clean(text: str) -> str:
    """The text without what cannot be seen or sent."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return HALVES.sub("\ufffd", UNSEEN.sub("", lines))


def one_line(text: str) -> str:
    """The text, cleaned, with every run of white space as one blank."""
    return " ".join(clean(text).split())


def escape(text: str) -> str:
    """The text for a field that Slack reads its own marks in. https://docs.slack.dev/messaging/formatting-message-text"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def length(text: str) -> int:
    """How long Slack finds it."""
    return len(text) + sum(character > "\uffff" for character in text)


def weight(value: object) -> int:
    """How long Slack finds a block, or any part of one, with its braces and names.

    It refuses messages whose blocks come to some 13,200 of these. https://github.com/slackapi/bolt-js/issues/2509
    """
    return length(json.dumps(value, ensure_ascii=False))


def cut(text: str, most: int) -> str:
    """The text in at most `most` of Slack's characters; one that was longer ends with an ellipsis."""
    if length(text) <= most:
        return text
    return text[: _fitting(text, most - len(ELLIPSIS), escaped=False)].rstrip() + ELLIPSIS


def split(text: str, most: int) -> tuple[str, str]:
    """The beginning of a text that weighs at most `most`, and the rest: between paragraphs if it can be, else between lines,
    sentences, words, or characters, of which at least one is taken."""
    fitting = _fitting(text, most, escaped=True)
    if fitting == len(text):
        return text, ""
    for border in BORDERS:
        places = [match for match in border.finditer(text, fitting // 2, fitting) if match.end() > 0]
        if places:
            mark = places[-1]
            kept = mark.start() + len(mark[0].rstrip())  # a full stop stays, white space goes
            return text[:kept], text[mark.end() :]
    fitting = fitting or next(_borders(text), len(text))
    return text[:fitting], text[fitting:]


def _fitting(text: str, most: int, *, escaped: bool) -> int:
    """How many code points fit, whole characters only. `escaped`: as they weigh in JSON."""
    if most <= 0:
        return 0
    used, last = 0, 0
    measure = (lambda part: length(json.dumps(part, ensure_ascii=False)) - 2) if escaped else length
    for border in _borders(text):
        used += measure(text[last:border])
        if used > most:
            return last
        last = border
    return last


def _borders(text: str) -> Iterator[int]:
    """The places between characters as a reader counts them, the end included."""
    start, flags = 0, 0
    for at in range(1, len(text)):
        flags = flags + 1 if _is_flag_half(text[at - 1]) else 0
        if at - start < LONGEST_CHARACTER and _belong_together(text[at - 1], text[at], flags):
            continue
        start = at
        yield at
    if text:
        yield len(text)


def _belong_together(before: str, after: str, flags: int) -> bool:
    """Whether two code points are one character: a letter and its marks, the parts of an emoji, the halves of a flag (`flags`
    counts those that stand in a row up to `before`)."""
    if after in "\u200d\u20e3" or before == "\u200d" or unicodedata.category(after)[0] == "M":
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True
    return _is_flag_half(after) and flags % 2 == 1


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
