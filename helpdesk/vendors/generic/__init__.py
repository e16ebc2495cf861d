"""A desk built in-house: it sends its ratings itself, signed, and is never called."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.generic import events

VENDOR = Vendor(
    name="generic",
    label="In-house desk",
    address=Address(hosts=()),
    fields=(Field("webhook_secret", "Signing secret", "At least 32 random characters that the desk signs with."),),
    client=None,
    verify=events.verify,
    hint=events.hint,
    set_up=(
        "Make a secret, for example with: openssl rand -hex 32",
        "Let the desk send each rating to {webhook}, signed as docs/helpdesks.md says.",
    ),
)
