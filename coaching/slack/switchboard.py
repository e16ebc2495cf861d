"""One switchboard for what Slack tells, whichever way it came."""


def follow(receipt_id: str) -> None:
    """Claim a receipt and do what it asks."""
    raise NotImplementedError
