"""A leader's words, made into the text of a memory, of a line of the prompt, of a procedure."""

import re

SUMMARY_LENGTH = 160


def changed(old: str, said: str) -> str:
    """The new text: “also …” is added to the old one, anything else takes its place."""
    if match := re.match(r"(?:it\s+)?also(?:\s+(?:says?|tells?)(?:\s+that)?)?[,:]?\s+(.+)", said, re.I | re.S):
        return f"{old.rstrip()}\n{sentence(match[1])}".lstrip()
    return sentence(said)


def sentence(said: str) -> str:
    """The leader's words as sentences of their own, without “it says that”."""
    said = re.sub(r"^(?:it|which)\s+(?:says|reads|tells|states)(?:\s+that)?[,:]?\s+", "", said.strip(), flags=re.I)
    said = unquoted(said)
    said = said[:1].upper() + said[1:]
    return said if said.endswith((".", "!", "?", "…", ":", ")")) else f"{said}."


def instruction(said: str) -> str:
    """A line for the prompt: “it always greets …” speaks of the agent."""
    if re.match(r"it\s+(?!says|reads|tells|states)", said, re.IGNORECASE):
        said = "the agent" + said[2:]
    return sentence(said)


def summary(text: str) -> str:
    first = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0].split("\n")[0]
    if len(first) <= SUMMARY_LENGTH:
        return first
    return first[:SUMMARY_LENGTH].rsplit(" ", 1)[0].rstrip(",;: ") + "…"


def tail(prompt: str) -> str:
    """The shortest run of whole last lines that stands in the prompt only once, to put a new line after."""
    lines = prompt.rstrip().split("\n")
    for count in range(1, len(lines)):
        tail = "\n".join(lines[-count:])
        if tail and prompt.count(tail) == 1:
            return tail
    return prompt.rstrip()


def unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and (text[0], text[-1]) in {('"', '"'), ("“", "”"), ("'", "'"), ("„", "“")}:
        return text[1:-1].strip()
    return text


def plain(text: str) -> str:
    """Words in lower case, for comparing."""
    return " ".join(re.findall(r"\w+", text.lower()))
