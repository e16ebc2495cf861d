"""A flag as one message: what it says, the weeks behind it, what to talk about. Pure."""

from dataclasses import dataclass, field

from coaching.slack.blocks.message import Piece, blocks_of, piece
from coaching.slack.blocks.parts import Part, actions, button, context, header, link, listing, rich, section, text
from coaching.slack.blocks.text import cut, one_line

SENTENCE = 1_500  # characters


@dataclass(frozen=True)
class Shown:
    """What is to be told of a flag: its sentence, `weeks` as lines of words (oldest first), the `agenda` under its `heading` and
    who drafted it.

    `ended` is a sentence on how it ended, empty while it stands. `url` opens the agent's drawer. What goes `by_webhook` has a
    link in place of a button: behind an incoming webhook nobody may be there to take the click, which Slack then complains of.
    """

    agent: str
    kind: str
    sentence: str
    url: str
    weeks: list[str] = field(default_factory=list)
    agenda: list[str] = field(default_factory=list)
    drafted_by: str = ""
    ended: str = ""
    heading: str = "For your 1:1"
    by_webhook: bool = False


def flag(told: Shown, *, short: bool = False) -> Piece:
    """The message of a flag. One that is over says so first and keeps its sentence."""
    elements: list[Part] = []
    if told.ended:
        elements.append(section(text(cut(one_line(told.ended), SENTENCE), bold=True)))
    elements.append(section(text(cut(one_line(told.sentence), SENTENCE))))
    if told.weeks and not short:
        elements.append(section(text("CSAT by week", bold=True)))
        elements.append(listing([section(text(one_line(week))) for week in told.weeks]))
    if told.agenda and not told.ended:
        elements.append(section(text(told.heading, bold=True)))
        elements.append(listing([section(text(one_line(point))) for point in told.agenda], ordered=True))
    blocks = [header(f"Coach {told.agent} this week" if not told.ended else told.agent), *blocks_of(elements)]
    small = " · ".join(filter(None, [told.kind, told.drafted_by if told.agenda and not told.ended else ""]))
    opening = (
        rich(section(link(told.url, "Open"))) if told.by_webhook else actions(button("Open", "flag_open", url=told.url))
    )
    return piece([*blocks, context(small), opening])
