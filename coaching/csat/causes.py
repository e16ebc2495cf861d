"""What may have been behind a fall, in the words of the pages, and what each answer leads to."""

from dataclasses import dataclass

from coaching.models import Flag

Kind = Flag.Cause


@dataclass(frozen=True)
class Cause:
    """One answer to "What was it?". `hint` says what it covers; `next_step` what to do, and `by` how: "note", "coach", or ""."""

    value: str
    label: str
    hint: str
    next_step: str
    by: str = ""


NOT_THEIRS = "Not the agent’s fault"
HUMAN = {
    Kind.PERSON: ("Tone, care or knowledge", "Write a note and talk about it in the 1:1.", "note"),
    Kind.POLICY: ("A rule they must apply", f"{NOT_THEIRS}: tell whoever owns the rule.", ""),
    Kind.PRODUCT: ("What is sold broke or changed", f"{NOT_THEIRS}: tell whoever owns the product.", ""),
    Kind.WAIT: ("Customers waited too long", f"{NOT_THEIRS}: tell whoever plans the shifts.", ""),
    Kind.TOOL: ("What they work with failed", f"{NOT_THEIRS}: tell whoever runs the tool.", ""),
    Kind.UNKNOWN: ("The samples do not tell", "Ask in the 1:1, and say it here when it is known.", "note"),
}
AI = {
    Kind.PERSON: ("Who hands over or takes over", "Write down who talks to them about it.", "note"),
    Kind.POLICY: ("A rule it must apply", f"{NOT_THEIRS}: tell whoever owns the rule.", ""),
    Kind.PRODUCT: HUMAN[Kind.PRODUCT],
    Kind.WAIT: ("Too long, mostly at a hand-over", f"{NOT_THEIRS}: tell whoever plans it.", ""),
    Kind.TOOL: ("A call failed or came back wrong", "Tell whoever runs the tool; the coach finds the turns.", "coach"),
    Kind.PROMPT: ("What it is told to be and do", "Ask the coach for a change of the prompt.", "coach"),
    Kind.MEMORY: ("A fact missing, wrong or old", "Ask the coach for a change of the memories.", "coach"),
    Kind.PROCEDURE: ("Steps that miss this case", "Ask the coach for a change of the steps.", "coach"),
    Kind.UNKNOWN: ("The samples do not tell", "Ask the coach what these conversations share.", "coach"),
}


def of(agent):
    """The answers that make sense for this agent, in the order they are asked."""
    words = AI if agent.is_ai else HUMAN
    return [Cause(kind.value, kind.label, *words[kind]) for kind in Kind if kind in words]


def said(flag):
    """The cause that was said of this flag; None where none was."""
    if not flag.cause:
        return None
    known = {cause.value: cause for cause in of(flag.agent)}
    return known.get(flag.cause) or Cause(flag.cause, flag.get_cause_display(), "", "")
