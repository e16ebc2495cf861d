"""What is left out of the log: whoever reads it must not come in by it."""

import logging
import re

# Addresses whose last part is a key: an invitation's link, the link of a forgotten password.
KEYED = re.compile(r"(/invitations/|/reset-password/[^/\s]+/)[^/\s]+")


class WithoutKeys(logging.Filter):
    """Puts three dots in place of the key in such an address. Django names the address of each refused request."""

    def filter(self, record):
        """Let every record through, with its arguments masked."""
        if isinstance(record.args, tuple):
            record.args = tuple(KEYED.sub(r"\1…", part) if isinstance(part, str) else part for part in record.args)
        return True
