"""Whether a request comes from Slack: an HMAC over its raw bytes and the time at which it was sent.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
from collections.abc import Mapping

WINDOW = 300  # seconds that a clock may differ from ours, either way
LONGEST_STAMP = 20  # digits; a number of any length would take its time


def is_right(body: bytes, headers: Mapping[str, str], secret: str, now: float) -> bool:
    """Whether the signature was made with `secret` for this very body within the window around `now` (Unix time).

    `headers` have names in lower case. Without a secret nobody is believed.
    """
    stamp, given = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not secret or not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= LONGEST_STAMP):
        return False
    if abs(now - int(stamp)) > WINDOW:
        return False
    made = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={made}".encode(), given.encode("utf-8", "replace"))
