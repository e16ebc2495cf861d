"""A proposal as one message, in every state it can be in. Pure."""

from dataclasses import dataclass, field

from coaching.slack.blocks.changes import changes
from coaching.slack.blocks.markdown import rich_text
from coaching.slack.blocks.message import Piece, blocks_of, piece
from coaching.slack.blocks.parts import (
    Part,
    actions,
    button,
    confirm,
    context,
    header,
    link,
    listing,
    rich,
    section,
    text,
)
from coaching.slack.blocks.text import cut, one_line
from coaching.texts.diffs import FieldDiff

RATIONALE = 1_200  # characters
TITLE = 300
QUOTE = 160
NOTE = 500
EVIDENCE = 5  # pieces that are shown
REASONS = 6


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence: its words (“turn 4 of 4711”), the page they lead to, and a quote where one may be shown."""

    words: str
    url: str = ""
    quote: str = ""


@dataclass(frozen=True)
class Shown:
    """What is to be told of a proposal.

    `origin` is small print: who proposed it, and what it would be. `standing` is a sentence on how it stands: why it cannot be
    approved as it is, or how it was decided; empty while it is simply pending. `note` is what the one who decided wrote.
    `way_on` is (words, url) of where to go from there. `may_be_decided` puts buttons under it.
    """

    id: str
    type: str
    agent: str
    title: str
    rationale: str
    url: str
    origin: str = ""
    standing: str = ""
    note: str = ""
    way_on: tuple[str, str] | None = None
    may_be_decided: bool = False
    evidence: list[Evidence] = field(default_factory=list)
    changes: list[tuple[FieldDiff, str, str]] = field(default_factory=list)
    risks: list[str] = field(default_factory=list)


def proposal(told: Shown, *, short: bool = False) -> Piece:
    """The message of a proposal. `short` leaves out what can be read on its page."""
    elements = [section(text(cut(one_line(told.title), TITLE) or "No title", bold=True))]
    elements += rich_text(cut(told.rationale, RATIONALE // 4 if short else RATIONALE))
    if not short:
        elements += _evidence(told)
        elements += changes(told.changes, told.url)
    if told.risks:
        shown = [section(text(cut(one_line(reason), TITLE))) for reason in told.risks[:REASONS]]
        elements += [section(text("High risk", bold=True)), listing(shown)]
    blocks = [header(f"{told.type} · {told.agent}"), *blocks_of(elements)]
    if told.origin:
        blocks.append(context(told.origin))
    if told.standing:
        blocks.append(_standing(told))
    return piece([*blocks, _buttons(told)])


def _evidence(told: Shown) -> list[Part]:
    if not told.evidence:
        return []
    items = []
    for one in told.evidence[:EVIDENCE]:
        said = [text(f"“{cut(one_line(one.quote), QUOTE)}” ", italic=True)] if one.quote else []
        items.append(section(*said, link(one.url, one.words) if one.url else text(one.words)))
    more = len(told.evidence) - EVIDENCE
    if more > 0:
        items.append(section(text(f"and {more} more")))
    return [section(text("Evidence", bold=True)), listing(items)]


def _standing(told: Shown) -> Part:
    said = [text(told.standing, bold=True)]
    if told.note:
        said.append(text(f" “{cut(one_line(told.note), NOTE)}”"))
    if told.way_on is not None:
        words, url = told.way_on
        said += [text(" "), link(url, words)]
    return rich(section(*said))


def _buttons(told: Shown) -> Part:
    opening = button("Open", "proposal_open", url=told.url)
    if not told.may_be_decided:
        return actions(opening)
    how: Part = {"value": told.id, "style": "primary"}
    if told.risks:
        why = " ".join(told.risks)
        how["confirm"] = confirm(
            "Approve a high-risk change?", f"{why} It takes effect at once.", "Approve", "Look again"
        )
    return actions(
        button("Approve", "proposal_approve", **how),
        button("Reject…", "proposal_reject", value=told.id),
        opening,
    )
