"""Bringing Slack in step with what is owed to it."""


def deliver(post_id: str) -> None:
    """Claim a post, draw its record, and post or update what is not yet so in Slack."""
    raise NotImplementedError
