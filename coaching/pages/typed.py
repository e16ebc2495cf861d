"""What stands in an address, a form or a stored text, read: None where it is nothing of the kind."""

from uuid import UUID


def uuid_or_none(value) -> UUID | None:
    """The UUID that somebody typed or stored as text."""
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None


def number_or_none(typed: str | None, *, digits: int = 9) -> int | None:
    """The whole number, not below 0, that somebody typed in at most so many digits: what a column can hold."""
    return int(typed) if typed and typed.isdecimal() and len(typed) <= digits else None
