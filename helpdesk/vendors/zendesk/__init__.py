"""Zendesk: satisfaction ratings good and bad, or its survey of one to five; only one of them is active in an account."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.zendesk import events
from helpdesk.vendors.zendesk.client import ZendeskClient

VENDOR = Vendor(
    name="zendesk",
    label="Zendesk",
    address=Address(hosts=(".zendesk.com",), example="https://acme.zendesk.com"),
    fields=(
        Field(
            "email",
            "Email",
            "The address with which the admin who makes the token signs in to Zendesk; an agent's shows less.",
            is_secret=False,
        ),
        Field(
            "api_token",
            "API token",
            "Admin Center › Apps and integrations › APIs › API tokens › Add API token. Zendesk shows it once.",
        ),
        Field(
            "webhook_secret",
            "Webhook signing secret",
            "Admin Center › Apps and integrations › Webhooks › your webhook › Reveal secret. Without it ratings come every few "
            "minutes instead of at once.",
            is_required=False,
        ),
    ),
    client=ZendeskClient,
    verify=events.verify,
    hint=events.hint,
    deep_link="https://{subdomain}.zendesk.com/agent/tickets/{id}",
    set_up=(
        "Sign in to Zendesk as an admin and open the Admin Center.",
        "Under Apps and integrations › APIs allow access by API token, add a token, and copy it: it is shown once.",
        "Put in the address of your Zendesk, your email and the token here, and test the connection.",
        "So that ratings arrive at once, go to Apps and integrations › Webhooks › Create webhook and choose “Trigger or "
        "automation”. The endpoint URL is {webhook}, the method POST, the format JSON; there is no authentication.",
        "Open the webhook, choose “Reveal secret”, and put that in here as the webhook signing secret.",
        "Under Objects and rules › Triggers add a trigger with the condition “Ticket satisfaction” › “Changed” and the action "
        "“Notify active webhook”, with this body: "
        '{"event": "ticket.rated", "id": "{{ticket.id}}-{{ticket.updated_at_with_timestamp}}", "ticket_id": "{{ticket.id}}"}.',
        "Where your account has the survey of one to five, no trigger tells of an answer: choose the events of tickets for the "
        "webhook instead (“Ticket status changed” is enough), or leave it at reading every few minutes.",
    ),
)
