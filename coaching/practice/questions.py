"""The questions the practice model answers: with facts that can be counted or quoted, and with what it cannot judge.

Nothing here is a verdict. Every line names the turn it comes from, quotes stay short, and a question whose answer would
be a judgement gets told so.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from coaching.practice import facts, sets
from coaching.practice.talk import Talk, ask_next, call
from coaching.practice.wire import Reply
from coaching.texts.numbers import counted

Handler = Callable[[Talk], Reply]

WORST_SHOWN = 10
REJECTED_SHOWN = 3
LONGEST = 2_000  # characters of a message in which a question is looked for
TELL_ME = "Tell me what to change, for example “Add a memory that …”, and I propose exactly that."


def understand(message: str) -> Handler | None:
    """The way to answer this message, or None where it is no question we know."""
    for pattern, handler in QUESTIONS:
        if match := pattern.search(message[:LONGEST]):
            return partial(handler, *(each.strip() for each in match.groups()))
    return None


def summary(known: dict[str, Any] | None) -> str:
    """One sentence on a conversation from its metadata alone; never from a body."""
    if known is None:
        return "I write nothing without metadata."
    parts = ["a conversation"]
    if known.get("channel"):
        parts.append(f"over {known['channel']}")
    if known.get("turns"):
        parts.append(f"of {known['turns']} turns")
    if known.get("closed_on"):
        parts.append(f"closed on {known['closed_on']}")
    if known.get("score") is not None:
        parts.append(f"rated {known['score']:g} of 100")
    return " ".join(parts) + "; what was said in it was not read."


def _what_went_wrong(talk: Talk) -> Reply:
    read = _conversation(talk)
    if isinstance(read, Reply):
        return read if read.calls else sets.over(talk) or read
    shown = _listed(facts.of(read, talk.focus))
    if talk.focus:
        return Reply(
            f"I follow instructions and count; I do not judge. What the turns you point at show:\n\n{shown}\n\n{TELL_ME}"
            + ask_next("What went wrong in the whole conversation?", "Is this a pattern?")
        )
    score = read["csat"]["score"] if read.get("csat") else None
    if score is not None and score >= facts.HIGH_SCORE and not read["cut"] and not facts.trouble(read):
        return Reply(
            "nothing that I can count speaks of trouble: the customer was content, no tool failed and no request had to be "
            f"repeated. So I propose nothing.\n\n{shown}\n\nWhat I cannot judge: whether the agent's answers were right."
            + ask_next("Which conversations were rated worst?", "Is this a pattern?")
        )
    return Reply(
        f"I follow instructions and count; I do not judge. What the transcript shows:\n\n{shown}"
        "\n\nWhat I cannot judge: whether the agent's answers were right, kind or within its rules, and what caused "
        f"the rating. {TELL_ME}" + ask_next("How can the agent improve?", "Is this a pattern?")
    )


def _improve(talk: Talk) -> Reply:
    earlier, procedures = talk.found("earlier_proposals"), talk.found("list_procedures")
    if earlier is None:
        return call("earlier_proposals", limit=50)
    if procedures is None:
        return call("list_procedures")
    known = []
    if not procedures.is_error:
        known.append(f"The agent has {counted(len(procedures.value['items']), 'procedure')}.")
    if not earlier.is_error:
        items = earlier.value["items"]
        by_status = Counter(each["status"] for each in items)
        listed = ", ".join(f"{count} {status}" for status, count in sorted(by_status.items()))
        known.append(f"Earlier proposals, the newest {len(items)}: {listed or 'none'}.")
        rejected = [each for each in items if each["status"] == "rejected"]
        known += [
            f"Rejected before, so I do not propose it again by myself: “{each['title']}”"
            + (f", because: “{each['reason']}”" if each["reason"] else ", without a reason.")
            for each in rejected[:REJECTED_SHOWN]
        ]
    read = _conversation(talk)
    if isinstance(read, Reply) and read.calls:
        return read
    if isinstance(read, Reply):
        over_set = sets.over(talk)
        if over_set is not None and over_set.calls:
            return over_set
        known += sets.facts_over(talk)
    else:
        known += facts.of(read, talk.focus)
    return Reply(
        f"how an agent should improve is a judgement, and I make none. What I can count:\n\n{_listed(known)}\n\n{TELL_ME}"
        + ask_next("Which conversations were rated worst?", "What does the prompt say?")
    )


def _pattern_question(talk: Talk) -> Reply:
    over_set = sets.over(talk)
    if over_set is not None:
        return over_set
    given = {"score_below": facts.LOW_SCORE, "limit": 50}
    found = talk.found("find_conversations", given)
    if found is None:
        return call("find_conversations", **given)
    if found.is_error:
        return Reply(f"I cannot look for conversations. {found.value}")
    total = found.value["total"]
    if not total:
        return Reply(
            f"no conversation of this agent is rated below {facts.LOW_SCORE} of 100: there is nothing to compare."
        )
    days = sorted(each["closed_on"] for each in found.value["items"] if each.get("closed_on"))
    span = f", the ones I looked at closed between {days[0]} and {days[-1]}" if days else ""
    rated = "conversation is" if total == 1 else "conversations are"
    return Reply(
        f"whether they have one cause is a judgement, and I make none. What I can count: {total} of this agent's "
        f"{rated} rated below {facts.LOW_SCORE} of 100{span}. Open them one by one and ask “What went wrong?”, or choose them "
        "under History and ask about them together." + ask_next("Which conversations were rated worst?")
    )


def _worst(talk: Talk) -> Reply:
    found = talk.found("find_conversations")
    if found is None:
        return call("find_conversations", score_below=100, limit=50)
    if found.is_error:
        return Reply(f"I cannot look for conversations. {found.value}")
    rated = sorted(found.value["items"], key=lambda each: each["csat"]["score"])[:WORST_SHOWN]
    if not rated:
        return Reply("no conversation of this agent is rated below 100 of 100.")
    newest = f" of the newest {len(found.value['items'])}" if found.value["total"] > len(found.value["items"]) else ""
    lines = [
        f"- {each['csat']['score']:g} of 100, closed on {each['closed_on']}: conversation {each['conversation']}"
        for each in rated
    ]
    return Reply(f"these are rated lowest{newest}:\n\n" + "\n".join(lines))


def _prompt(talk: Talk) -> Reply:
    read = talk.found("read_prompt")
    if read is None:
        return call("read_prompt")
    if read.is_error:
        return Reply(f"I cannot read the prompt. {read.value}")
    if not read.value["prompt"].strip():
        return Reply("the prompt is empty. Say “Change the prompt so that …” to begin it.")
    says = f"the prompt, version {read.value['version']}, says:\n\n{read.value['prompt']}"
    # With an end of ours: the prompt may end in what looks like one.
    return Reply(says + ask_next("How can the agent improve?"))


def _procedures(talk: Talk) -> Reply:
    listed = talk.found("list_procedures")
    if listed is None:
        return call("list_procedures")
    if listed.is_error:
        return Reply(f"I cannot list the procedures. {listed.value}")
    lines = [f"- {each['name']} (version {each['version']}): {each['trigger']}" for each in listed.value["items"]]
    if not lines:
        return Reply("there are no procedures yet. Say “Add a procedure called NAME: …”.")
    has = f"the agent has {counted(len(lines), 'procedure')}:\n\n" + "\n".join(lines)
    return Reply(has + ask_next("How can the agent improve?"))


def _memories(about: str, talk: Talk) -> Reply:
    about = about.strip("?.“”\"' ")
    given = {"query": about[:2_000], "limit": 5}
    found = talk.found("search_memories", given)
    if found is None:
        return call("search_memories", **given)
    items = [] if found.is_error else found.value["items"]
    lines = [f"- {each['summary']} (version {each['version']})" for each in items]
    if not lines:
        return Reply(f"I find no memory about “{about}”.")
    return Reply(f"these memories come nearest to “{about}”:\n\n" + "\n".join(lines))


def _conversation(talk: Talk) -> dict[str, Any] | Reply:
    """The session's conversation, read page by page; or the reply that reads on, or that says why there is none."""
    pages = [each for each in talk.results if each.name == "read_conversation"]
    if not pages:
        return call("read_conversation")
    if pages[0].is_error:
        return Reply(f"I cannot read a conversation here. {pages[0].value}")
    following = pages[-1].value["next_turn"] if not pages[-1].is_error else None
    if following is not None and talk.may_call:
        return call("read_conversation", first_turn=following)
    whole = [each.value for each in pages if not each.is_error]
    return {**whole[0], "turns": [turn for page in whole for turn in page["turns"]], "cut": following is not None}


def _listed(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _question(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


QUESTIONS: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
    (_question(r"\bwhat\s+(?:went|is|was)\s+wrong\b"), _what_went_wrong),
    (_question(r"\bwhat\s+(?:do|have)\s+(?:they|these|those)\b.*\bin\s+common\b"), _pattern_question),
    (_question(r"\bhow\s+(?:can|could|should)\s+.*\bimprove\b"), _improve),
    (
        _question(r"\b(?:is|are)\s+(?:this|that|it|there|these|those|they)\s+(?:all\s+)?a\s+pattern\b"),
        _pattern_question,
    ),
    (_question(r"\bwhich\s+conversations\s+(?:were|are|was)\s+rated\s+(?:worst|lowest)\b"), _worst),
    (_question(r"\bwhat\s+does\s+the\s+(?:system\s+)?prompt\s+say\b"), _prompt),
    (_question(r"\b(?:which|what)\s+procedures\b"), _procedures),
    (_question(r"\bwhat\s+do(?:es)?\s+the\s+memor(?:ies|y)\s+(?:base\s+)?say\s+about\s+(.+)$"), _memories),
]
