"""An in-house desk: it sends its ratings itself, signed, and is never called."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.generic import events

VENDOR = Vendor(
    name="generic",
    label="In-house desk",
    address=Address(hosts=()),
    fields=(
        Field(
            "webhook_secret",
            "Signing secret",
            "A long random text without spaces that you make up, such as “openssl rand -hex 32” makes. Your desk signs with it.",
        ),
    ),
    client=None,
    verify=events.verify,
    hint=events.hint,
    set_up=(
        "Make up a long random text without spaces, give it to your desk and put it in here as the signing secret.",
        "Let your desk send a POST with JSON to {webhook} whenever a customer rated a conversation.",
        'The body is {"id": …, "items": […]}: an id that is new for each request and the same when it is sent again, and '
        "rows as POST /ratings of the API takes them.",
        "Sign each request: X-Touchline-Timestamp is the time in seconds since 1970, X-Touchline-Signature is sha256= and the "
        "hex HMAC-SHA256 of that timestamp, a dot and the body.",
        "Send a request that was not answered with a 2xx status again, with the same id and a new timestamp: nothing is "
        "counted twice.",
    ),
)
