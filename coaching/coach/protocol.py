"""What the loop and the tools agree on. Neither needs to load the other."""

from dataclasses import dataclass
from typing import Any, Protocol


class ToolError(Exception):
    """A tool cannot do what it was asked; the message is written for the model and goes back to it word for word."""


@dataclass(frozen=True)
class ToolResult:
    """What a tool found, as a JSON value, and the id of the proposal it made, if it made one."""

    value: Any
    proposal: str | None = None


class Toolbox(Protocol):
    """The tools of one turn."""

    schemas: list[dict[str, Any]]

    def call(self, name: str, given: dict[str, Any]) -> ToolResult:
        """Run one tool. Raises ToolError."""
