"""What one person alone is told or asked in Slack: a sentence, a choice, the form for a reason. Pure."""

import json
from typing import Any

from coaching.slack.blocks.message import Piece, blocks_of, piece
from coaching.slack.blocks.parts import Part, link, plain, rich, section, text

OPTION = 75
OPTIONS = 100
REASON = 3_000  # characters; Slack's own bound
TITLE = 24


def notice(sentence: str, *, words: str = "", url: str = "") -> Piece:
    """A sentence for one person, with a link to where they can go on."""
    said = [text(sentence)]
    if url:
        said += [text(" "), link(url, words or "Open Touchline")]
    return piece([rich(section(*said))])


def choice(sentence: str, options: list[tuple[str, str]]) -> Piece:
    """A sentence and a list to choose one of: `options` are (value, words)."""
    listed = [{"text": plain(words, OPTION), "value": value} for value, words in options[:OPTIONS]]
    select = {
        "type": "static_select",
        "action_id": "direct_choose",
        "placeholder": plain("Choose a coach", OPTION),
        "options": listed,
    }
    said = piece([rich(section(text(sentence)))])
    return Piece(said.text, [*said.blocks, {"type": "actions", "elements": [select]}])


def reject_form(proposal_id: str, title: str, *, channel: str, message: str) -> dict[str, Any]:
    """The modal that asks why a proposal is rejected. `channel` and `message` say under which message it was asked for."""
    reason: Part = {
        "type": "input",
        "block_id": "reason",
        "optional": True,
        "label": plain("Why not?", OPTION),
        "hint": plain("The coach reads this before it proposes again.", OPTION * 2),
        "element": {
            "type": "plain_text_input",
            "action_id": "reason",
            "multiline": True,
            "max_length": REASON,
        },
    }
    return {
        "type": "modal",
        "callback_id": "proposal_reject",
        "private_metadata": json.dumps({"proposal": proposal_id, "channel": channel, "message": message}),
        "title": plain("Reject the proposal", TITLE),
        "submit": plain("Reject", TITLE),
        "close": plain("Keep it", TITLE),
        "blocks": [*blocks_of([section(text(title, bold=True))]), reason],
    }
