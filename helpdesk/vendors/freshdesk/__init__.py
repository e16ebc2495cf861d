"""Freshdesk: satisfaction surveys of three, five or seven steps, and a webhook that proves itself by a secret."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.freshdesk import events
from helpdesk.vendors.freshdesk.client import FreshdeskClient

# Rules have no id of an event to give: when the ticket changed last tells a second rating from the first sent again.
BODY = '{"event": "rated", "id": "{{ticket.id}} {{ticket.modified_on}}", "ticket_id": "{{ticket.id}}"}'

VENDOR = Vendor(
    name="freshdesk",
    label="Freshdesk",
    address=Address(hosts=(".freshdesk.com",), example="https://acme.freshdesk.com"),
    fields=(
        Field(
            "api_key",
            "API key",
            "In Freshdesk, click your picture › Profile settings › View API key. Take an administrator's, who sees all tickets.",
        ),
        Field(
            "webhook_secret",
            "Webhook secret",
            "A long random text of your own. The automation rule sends the same in the header X-Touchline-Secret.",
            is_required=False,
        ),
    ),
    client=FreshdeskClient,
    verify=events.verify,
    hint=events.hint,
    deep_link="https://{subdomain}.freshdesk.com/a/tickets/{id}",
    signs=False,
    set_up=(
        "In Freshdesk, sign in as an administrator who sees all tickets, so that the key can read every rating.",
        "Click your picture › Profile settings › View API key, and copy the key to here.",
        "Under Admin › Workflows › Customer satisfaction, see that a survey is active. It is part of the paid plans.",
        "The address is the one you work at, such as https://acme.freshdesk.com.",
        "To see ratings within seconds: Admin › Workflows › Automations › Ticket updates › New rule.",
        "Let it run when the requester acts, on the event “Customer feedback is received”, whatever was answered.",
        "As its action choose Trigger webhook: POST to {webhook}, with the custom header X-Touchline-Secret: your secret.",
        f"Encoding JSON, content Advanced: {BODY}.",
    ),
)
