"""What somebody wrote in Slack, as plain text: Slack's escapes become names and addresses, its control characters letters.

Pure. https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages says what stands in angle brackets.
"""

import re
from collections.abc import Mapping

MARK = re.compile(r"<([^<>\n]{1,4000})>")
ADDRESS = re.compile(r"https?://[^\s<>|]+")
TURNS = re.compile(r"\bturns?\s+#?(\d{1,5}(?:\s*(?:,|&|and|to|-|–|—)\s*(?:and\s+)?#?\d{1,5}){0,20})", re.IGNORECASE)
MOST_TURNS = 50


def text_of(said: str, *, bot: str = "", people: Mapping[str, str] = {}, channels: Mapping[str, str] = {}) -> str:
    """The words, without the name of the `bot` they were addressed to. `people` and `channels` are names by id."""
    plain = MARK.sub(lambda mark: _plain(mark[1], bot, people, channels), said)
    plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return plain.replace("\u00a0", " ").strip()


def mentioned(said: str) -> set[str]:
    """The ids of the people who are named in it."""
    return {mark.partition("|")[0][1:] for mark in MARK.findall(said) if mark.startswith("@")}


def addresses(plain: str) -> list[str]:
    """The addresses in plain text, in their order, without the punctuation of the sentence around them."""
    return [found.rstrip(".,;:!?)]}'\"") for found in ADDRESS.findall(plain)]


def turns(plain: str) -> list[int]:
    """The numbers of the turns that are named: "turn 3", "turns 3–5", "turns 2 and 4". Addresses are not read."""
    numbers: set[int] = set()
    for found in TURNS.findall(ADDRESS.sub(" ", plain)):
        for part in re.split(r"\s*(?:,|&|\band\b)\s*", found, flags=re.IGNORECASE):
            ends = [int(number) for number in re.findall(r"\d+", part)]
            if ends:
                numbers.update(range(ends[0], min(ends[-1], ends[0] + MOST_TURNS) + 1))
    return sorted(numbers)[:MOST_TURNS]


def _plain(mark: str, bot, people, channels) -> str:
    what, _, label = mark.partition("|")
    if what.startswith("@"):
        return "" if what[1:] == bot else "@" + (people.get(what[1:]) or label or "somebody").removeprefix("@")
    if what.startswith("#"):
        return "#" + (channels.get(what[1:]) or label or "a channel").removeprefix("#")
    if what.startswith("!"):
        name = what[1:].partition("^")[0]
        return label or (f"@{name}" if name in ("here", "channel", "everyone") else "")
    address = what.removeprefix("mailto:")
    return address if label in ("", address) or address.endswith(f"//{label}") else f"{label} ({address})"
