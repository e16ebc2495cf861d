"""What the coach is doing, in words: read from the events of a turn, wherever it is followed."""

from coaching.models import TurnEvent

# What the coach is doing after each of its tools, while it works; and while it writes.
DOING = {
    "read_prompt": "Reads the prompt …",
    "search_memories": "Searches the memories …",
    "read_memory": "Reads a memory …",
    "list_procedures": "Looks through the procedures …",
    "read_procedure": "Reads a procedure …",
    "read_conversation": "Reads the conversation …",
    "find_conversations": "Looks for conversations …",
    "earlier_proposals": "Reads earlier proposals …",
    "propose": "Writes a proposal …",
    "text": "Writes the answer …",
}
AT_WORK = "The coach is at work …"


def doing_now(happened):
    """What it does after these events, (number, type, data) each in their order."""
    if not happened:
        return AT_WORK
    _, type_, data = happened[-1]
    if type_ != TurnEvent.Type.TOOL:
        return DOING.get(type_, AT_WORK)
    name = data.get("name", "")
    return DOING["propose"] if name.startswith("propose_") else DOING.get(name, AT_WORK)
