"""Gorgias: satisfaction surveys of one to five stars; who answered is read from the tickets they belong to."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.gorgias import events
from helpdesk.vendors.gorgias.client import GorgiasClient

VENDOR = Vendor(
    name="gorgias",
    label="Gorgias",
    address=Address(hosts=(".gorgias.com",), example="https://acme.gorgias.com"),
    fields=(
        Field(
            "email",
            "Email",
            "In Gorgias: Settings › Account › REST API, under “Username (your email)”.",
            is_secret=False,
        ),
        Field("api_key", "API key", "On the same page, under “Password (API key)”. An admin can create one there."),
        Field(
            "webhook_secret",
            "Webhook secret",
            "A long random text without spaces that you make up. Gorgias sends it along in the header X-Touchline-Secret.",
            is_required=False,
        ),
    ),
    client=GorgiasClient,
    verify=events.verify,
    hint=events.hint,
    deep_link="https://{subdomain}.gorgias.com/app/ticket/{id}",
    signs=False,
    set_up=(
        "Sign in to Gorgias as an admin. The address is that of your helpdesk, such as https://acme.gorgias.com.",
        "Open Settings › Account › REST API. Copy your email and the API key; if there is no key yet, choose “Create API key”.",
        "Make sure that surveys are sent: Settings › Productivity › Satisfaction survey.",
        "So that ratings arrive at once (else within minutes), make up a long random text without spaces and put it in here.",
        "In Gorgias open Settings › App store › HTTP integration and add one with the trigger “Ticket updated” and the method "
        "POST. Its URL is {webhook}.",
        "Add the header X-Touchline-Secret with your secret as its value, and as JSON body: "
        '{"event": "ticket-updated", "id": "{{ticket.id}} {{ticket.updated_datetime}}", "ticket_id": "{{ticket.id}}"}.',
    ),
)
