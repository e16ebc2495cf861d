"""The practice model: what answers when no model is connected.

It follows direct instructions, counts and quotes. It does not judge, and it says so. The same request always gets the
same answer. What it reads (a transcript, a memory, a customer's words) is data to it: only the leader's own message
is ever taken for an instruction.
"""

from typing import Any

from coaching.practice import agendas, instructions, questions
from coaching.practice.talk import Talk, metadata
from coaching.practice.wire import Reply

LABEL = "Practice model: "
OUT_OF_STEPS = "I used all the steps one turn may take. Ask about a smaller part."
SUGGESTED = (
    "this was suggested, not said by you, so I take it for no instruction. If you want it, write it in your own words."
)
HELP = (
    "no model is connected, so I only follow direct instructions, count and quote; I judge nothing. "
    "Tell me one of these:\n\n"
    "- Add a memory that …\n"
    "- Change that memory so that … · Change the memory about … so that …\n"
    "- Remove the memory about …\n"
    "- Change the prompt so that … · In the prompt, replace “…” with “…”\n"
    "- Add a procedure called NAME: … · Change the procedure called NAME: … · Remove the procedure called NAME\n"
    "- What went wrong? · How can the agent improve? · Is this a pattern? · What do they have in common?\n"
    "- Which conversations were rated worst? · What does the prompt say? · Which procedures are there? · "
    "What do the memories say about …?"
)


def answer(request: dict[str, Any]) -> Reply:
    """The next round of the conversation in a Messages request: tool calls while there is more to read or to propose,
    then one text under the practice label."""
    if not request.get("tools"):
        known = metadata(request)
        if known is not None and "flag" in known:
            return Reply("\n".join(agendas.agenda(known)))
        return Reply(LABEL + questions.summary(known))
    talk = Talk.of(request)
    told = instructions.understand(talk.message)
    handler = questions.understand(talk.message) if talk.suggested else told or questions.understand(talk.message)
    reply = handler(talk) if handler is not None else Reply(SUGGESTED if told else HELP)
    if reply.calls and not talk.may_call:
        reply = Reply(OUT_OF_STEPS)
    return reply if reply.calls else Reply(LABEL + reply.text)
