"""What is told of a fault that nobody expected, where its own words may be a customer's."""

import traceback
from logging import Logger


def log_where(log: Logger, what: str, error: BaseException) -> str:
    """Log where `what` broke and by which kind of error, never what the error says. Returns the kind, fit for a sentence."""
    kind = type(error).__name__
    log.error("%s: %s\n%s", what, kind, "".join(traceback.format_tb(error.__traceback__)))
    return kind
