"""What the model is told at the start of a turn: whom it coaches, what was said in the session so far, and the question.

The order is the cache's: what stays the same stands first, what changes with every turn last. What tools read is not
kept from one turn to the next: the model reads it again.
"""

import json
from collections import Counter, defaultdict
from typing import Any

from coaching import prompts
from coaching.coach.tools import made_before
from coaching.models import Message, Proposal, SessionConversation, Turn, TurnEvent

HISTORY_CHARACTERS = 60_000  # of questions and answers told word for word
MESSAGE_CHARACTERS = 20_000  # of one of them
FIRST_WORDS = 300  # characters of a question or an answer in the digest
DIGESTED = 40  # turns in the digest
PROPOSALS = 60

NO_ANSWER = "(This turn ended without an answer.)"


def system(turn: Turn) -> list[dict[str, Any]]:
    """What stays the same through a session: the coach's instructions, the same for everybody, then whom it coaches,
    what about, and the agent's prompt as it stands now."""
    session = turn.session
    prompt = session.agent.prompt
    prompt.refresh_from_db()
    about: dict[str, Any] = {
        "agent": session.agent.name,
        "you": session.agent.coach_name,
        "conversation": str(session.conversation_id) if session.conversation_id else None,
    }
    if session.about:
        about["about"] = session.about
        about["conversations"] = SessionConversation.objects.filter(session=session).count()
    agent = {"version": prompt.version, "prompt": prompt.system_prompt}
    return [
        {"type": "text", "text": prompts.read("coach")},
        {"type": "text", "text": f"<session>{as_data(about)}</session>\n<agent_prompt>{as_data(agent)}</agent_prompt>"},
    ]


def messages(turn: Turn) -> list[dict[str, Any]]:
    """The session so far, older turns as a digest and newer ones word for word, then the question."""
    past = _past_turns(turn)
    pairs = [_pair(each) for each in past]
    first = _first_told([sum(map(_length, pair)) for pair in pairs])
    told = [message for pair in pairs[first:] for message in pair]
    question = turn.messages.get(role=Message.Role.USER)
    told.append({"role": "user", "content": [*_proposals_so_far(turn), *_question(question)]})
    if first:
        told[0] = {**told[0], "content": [_digest(past[:first]), *told[0]["content"]]}
    return told


def as_data(value: Any) -> str:
    """JSON that cannot close the block it stands in: whoever wrote the words in it, they speak to nobody."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _past_turns(turn: Turn) -> list[Turn]:
    """The earlier turns of the session, of a question that was run again the newest run only, and none of this one's."""
    newest: dict[Any, Turn] = {}
    for past in turn.session.turns.filter(number__lt=turn.number).order_by("number").prefetch_related("messages"):
        question = past.retry_of_id or past.pk
        newest.pop(question, None)
        newest[question] = past
    newest.pop(turn.retry_of_id or turn.pk, None)
    return list(newest.values())


def _pair(past: Turn) -> list[dict[str, Any]]:
    """A question and its answer; a very long one is cut, and says so."""
    question, answer = _said(past)
    told = _cut(answer, MESSAGE_CHARACTERS) if answer.strip() else NO_ANSWER
    return [
        {"role": "user", "content": _question(question, most=MESSAGE_CHARACTERS)},
        {"role": "assistant", "content": [{"type": "text", "text": told}]},
    ]


def _said(past: Turn) -> tuple[Message, str]:
    by_role = {message.role: message for message in past.messages.all()}
    answer = by_role.get(Message.Role.COACH)
    return by_role[Message.Role.USER], answer.text if answer else ""


def _question(message: Message, most: int | None = None) -> list[dict[str, Any]]:
    """A leader's message as blocks; what it points at, and whether the words are the coach's own, stand in blocks before it."""
    blocks = []
    if message.suggested:
        blocks.append("<suggested/>")
    if message.focus:
        blocks.append(f'<focus turns="{",".join(map(str, message.focus))}"/>')
    blocks.append(_cut(message.text, most))
    return [{"type": "text", "text": text} for text in blocks]


def _cut(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    return f"{text[:most]}\n(The other {len(text) - most:,} characters are left out.)"


def _length(message: dict[str, Any]) -> int:
    return sum(len(block["text"]) for block in message["content"])


def _first_told(lengths: list[int]) -> int:
    """Which turn is the first to be told word for word.

    Whenever the told ones outgrow HISTORY_CHARACTERS they are cut down to half of it. So the beginning of the talk stays
    the same over many questions, and the service can read it from its cache.
    """
    first = told = 0
    for index, length in enumerate(lengths):
        told += length
        if told > HISTORY_CHARACTERS:
            while told > HISTORY_CHARACTERS // 2 and first < index:
                told -= lengths[first]
                first += 1
    return first


def _digest(older: list[Turn]) -> dict[str, Any]:
    """What went before, in short and from our own rows: what was asked and answered, what was read, what was proposed.

    What became of the proposals stands in the block of proposals before the question, for it changes."""
    shown = older[-DIGESTED:]
    read: dict[Any, Counter[str]] = defaultdict(Counter)
    tools = TurnEvent.objects.filter(turn__in=shown, type=TurnEvent.Type.TOOL).order_by("number")
    for turn_id, data in tools.values_list("turn_id", "data"):
        read[turn_id][data["name"]] += 1
    proposed = defaultdict(list)
    for turn_id, pk in Proposal.objects.filter(turn__in=shown).order_by("created_at").values_list("turn_id", "pk"):
        proposed[turn_id].append(str(pk))
    lines = []
    for past in shown:
        question, answer = _said(past)
        line = {
            "question": question.text[:FIRST_WORDS],
            "focus": question.focus,
            "answer": answer[:FIRST_WORDS],
            "tools": dict(read[past.pk]),
            "proposed": proposed[past.pk],
            "ended": past.state,
        }
        lines.append({name: value for name, value in line.items() if value})
    told = {"left_out": len(older) - len(shown), "turns": lines}
    return {"type": "text", "text": f"<earlier>{as_data(told)}</earlier>"}


def _proposals_so_far(turn: Turn) -> list[dict[str, Any]]:
    """What this session proposed and what became of it; what an earlier run of this very question did is marked."""
    repeated = {proposal.pk for proposal in made_before(turn)}
    newest = Proposal.objects.filter(session=turn.session).order_by("-created_at")[:PROPOSALS]
    listed = [
        {
            "proposal": str(each.pk),
            "type": each.type,
            "status": each.status,
            "title": each.title,
            "by_an_earlier_run_of_this_question": each.pk in repeated,
        }
        for each in reversed(newest)
    ]
    return [{"type": "text", "text": f"<proposals>{as_data(listed)}</proposals>"}] if listed else []
