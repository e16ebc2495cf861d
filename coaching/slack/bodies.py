"""How much of a conversation may stand in Slack: short quotes, or none at all where the workspace says so.

What was said in a helpdesk's conversation never gets into an answer in longer runs (coaching.texts.verbatim). Of one whose
transcript was sent to us it may, for our own pages; on the way to Slack the same guard holds for it.
"""

import re
from collections.abc import Iterable

from coaching.models import SlackPolicy
from coaching.texts.verbatim import Guard, words
from helpdesk import sources
from helpdesk.models import Conversation
from helpdesk.transcripts import TranscriptUnavailable

FEW = 3  # words between quotation marks that are a name rather than somebody's saying
LEFT_OUT = "“…”"
PAIRS = (("“", "”"), ("„", "“"), ("«", "»"), ('"', '"'))
WITHIN = r"(?:(?!\n\s*\n)[^{}])+"  # a paragraph: where none closes it, an opening mark was no opening mark
SAID = re.compile("|".join(f"{opens}{WITHIN.format(opens + closes)}(?:{closes}|\\Z)" for opens, closes in PAIRS))
QUOTED_LINES = re.compile(r"(?:^[ \t]{0,3}>.*(?:\n|\Z))+", re.MULTILINE)


def quotes_are_allowed(workspace_id) -> bool:
    allowed = SlackPolicy.objects.filter(workspace=workspace_id).values_list("quotes", flat=True).first()
    return allowed is not False


def for_slack(text: str, *, about: Iterable[Conversation], quotes: bool, ended: bool = True) -> str:
    """A text of the coach as it may stand in Slack: runs of the conversations that it is `about` as references to their turns,
    and no quotes at all where they are not allowed. Of a text that has not `ended` the last words wait."""
    guard = Guard()
    for conversation in about:
        if conversation.is_ours:
            guard.know(texts_of(conversation))
    guarded = guard.add(text) + (guard.flush() if ended else "")
    return guarded if quotes else _without_quotes(guarded)


def texts_of(conversation: Conversation) -> dict[int, str]:
    """{turn: text}, which may call a helpdesk; empty where it cannot be read."""
    try:
        return {number: turn.text for number, turn in enumerate(sources.read(conversation))}
    except TranscriptUnavailable:
        return {}


def _without_quotes(text: str) -> str:
    """What stands between quotation marks, or as a quote of its own, is left out; a quote that has only begun, too."""
    return SAID.sub(_left_out, QUOTED_LINES.sub(f"{LEFT_OUT}\n", text))


def _left_out(match: re.Match[str]) -> str:
    return match[0] if len(words(match[0])) <= FEW else LEFT_OUT
