"""The agenda of a 1:1 as the practice model drafts it: from numbers, cause and metadata. It read nothing and judges nothing."""

from typing import Any

from coaching.csat.sentences import level

NO_NUMBERS = "Say why the flag was raised by hand, and ask how the last weeks were."
READ = "Read the {n} samples{over} together and say what they have in common."
READ_ONE = "Read the one sample{over} together and say what it shows."
NONE_KEPT = "Bring two or three recent conversations: no sample is kept yet."
ASK = "Ask first what was different in these weeks, before saying what you think."
CAUSES = {
    "Person": "Talk about tone, care and knowledge where the samples show it.",
    "Policy": "Collect what the rule costs customers, for whoever owns it.",
    "Product": "Collect what is broken in the product, for whoever owns it.",
    "Wait": "Look at where customers waited, for whoever plans the shifts.",
    "Tool": "Look at which tool failed and when, for whoever runs it.",
    "Prompt": "Go through the prompt with the coach and say what should change.",
    "Memory": "Go through the memories with the coach: what is missing, wrong or old?",
    "Procedure": "Go through the procedures with the coach: which case do the steps miss?",
}
NO_CAUSE = "Decide together what was behind it, and say it on the flag: {causes}."
AGREE = "Agree on one thing to do differently, and on the day you both look at the ratings again."
AN_AI = "an AI agent"
ASK_AI = "Ask its coach first what was different in these weeks, before anything is changed."
AGREE_AI = "Choose one change to make, and the day on which to look at the ratings again."


def agenda(known: dict[str, Any]) -> list[str]:
    """Five points from what `coaching.coach.agendas.known_of` tells."""
    flag, samples = known.get("flag") or {}, known.get("samples") or {}
    ask, agree = (ASK_AI, AGREE_AI) if flag.get("agent") == AN_AI else (ASK, AGREE)
    return [_numbers(flag), _samples(samples), ask, _cause(flag), agree]


def _numbers(flag: dict[str, Any]) -> str:
    if flag.get("observed") is None or flag.get("expected") is None:
        return NO_NUMBERS
    said, wanted = (level(flag[key], flag.get("scale") or "") for key in ("observed", "expected"))
    weeks = f"{flag['weeks']} weeks" if flag.get("weeks") else "these weeks"
    return f"Look at the ratings together: {flag.get('ratings')} in {weeks} average {said} where {wanted} was expected."


def _samples(samples: dict[str, Any]) -> str:
    if not samples.get("kept"):
        return NONE_KEPT
    n = samples["kept"]
    over = f" over {', '.join(samples['channels'][:2])}" if samples.get("channels") else ""
    return READ_ONE.format(over=over) if n == 1 else READ.format(n=n, over=over)


def _cause(flag: dict[str, Any]) -> str:
    if flag.get("cause") in CAUSES:
        return CAUSES[flag["cause"]]
    own = "prompt, memories, procedures" if flag.get("agent") == AN_AI else "tone, knowledge"
    return NO_CAUSE.format(causes=f"{own}, a rule, the product, waiting, a tool")
