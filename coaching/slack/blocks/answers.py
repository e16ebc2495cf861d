"""An answer of the coach as messages. Pure."""

from dataclasses import dataclass

from coaching.slack.blocks.markdown import rich_text
from coaching.slack.blocks.message import MOST_A_MESSAGE, MOST_SHORT, Piece, pieces
from coaching.slack.blocks.parts import Part, context, link, listing, rich, section, text

PRACTICE = "Answered by the practice model: no model is connected."
NOTHING_SAID = "The coach said nothing."


@dataclass(frozen=True)
class Answer:
    """What is to be told of a turn. `doing` says what the coach does now, `trouble` why it ended early; both are sentences, empty
    where there is nothing of the kind. `url` opens the talk."""

    said: str
    url: str
    doing: str = ""
    trouble: str = ""
    suggestions: tuple[str, ...] = ()
    is_practice: bool = False


def answer(told: Answer, *, short: bool = False) -> list[Piece]:
    """The messages of an answer, as far as it is."""
    elements = rich_text(told.said)
    after: list[Part] = []
    if told.suggestions:
        after.append(
            rich(
                section(text("You could ask next:", bold=True)),
                listing([section(text(one)) for one in told.suggestions]),
            )
        )
    if told.doing:
        after.append(context(told.doing))
    elif told.trouble:
        again = link(told.url, "Open the talk to try again")
        after.append(rich(section(text(f"{told.trouble} ", bold=True), again)))
    elif not elements:
        after.append(context(NOTHING_SAID))
    if told.is_practice and not told.doing:
        after.append(context(PRACTICE))
    return pieces(elements, after, most=MOST_SHORT if short else MOST_A_MESSAGE)
