"""The SDK of the model's service, which takes more than half of a start and which no page needs."""

import logging
from types import ModuleType


def load() -> ModuleType:
    """`anthropic`, read when it is first asked for."""
    import anthropic

    _hush()  # it turns itself up where ANTHROPIC_LOG says so
    return anthropic


def _hush() -> None:
    """The SDK and its transport print whole requests and answers at DEBUG: whatever the level of the rest, never here."""
    for name in ("anthropic", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


_hush()
