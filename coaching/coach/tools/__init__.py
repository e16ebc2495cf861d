"""The coach's tools, bound to one turn: it reads what belongs to the coached agent, and proposes. It does nothing else.

Every rule that must hold whatever a model says holds here and not in the prompt: only this agent's rows, quotes that
are in the transcript, edits that fit, the focus of the question. A tool that cannot do what it was asked raises
ToolError, whose words go back to the model; then nothing was stored.
"""

import re
from collections.abc import Iterator
from typing import Any

from agents.models import Agent
from coaching.coach.protocol import ToolError, ToolResult
from coaching.coach.tools.proposing import Proposing
from coaching.coach.tools.reading import Reading
from coaching.coach.tools.repeating import made_before
from coaching.coach.tools.table import TOOLS
from coaching.models import Turn
from coaching.texts.verbatim import Guard

NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what JSON can carry and no database keeps

__all__ = ["TOOLS", "Toolbox", "made_before"]


class Toolbox(Reading, Proposing):
    """The tools of one claimed turn.

    `guard` learns every body that is not ours to keep as it is read. `proposal_limit` bounds what one turn proposes.
    """

    def __init__(self, turn: Turn, *, guard: Guard, proposal_limit: int):
        super().__init__(turn, guard, proposal_limit)
        self.schemas = [tool.schema for tool in TOOLS.values()]

    def call(self, name: str, given: dict[str, Any]) -> ToolResult:
        """Run one tool on input that a model wrote. Raises ToolError."""
        tool = TOOLS.get(name)
        if tool is None:
            raise ToolError(f"There is no tool called {name[:80]!r}. The tools are: {', '.join(TOOLS)}.")
        if wrong := tool.wrong_with(given):
            raise ToolError(wrong)
        if any(NO_TEXT.search(text) for text in _strings(given)):
            raise ToolError("The input holds characters that are no text. Nothing was done.")
        if not Agent.objects.filter(pk=self.agent.pk, coaching=True).exists():
            raise ToolError("Coaching was switched off for this agent meanwhile. Nothing was done; come to an end.")
        result = tool.run(self, **given)
        if isinstance(result, ToolResult):
            return result
        if tool.reads:
            self.note_planted(tool.reads, _strings(result))
        return ToolResult(result)


def _strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
