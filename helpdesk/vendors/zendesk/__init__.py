"""Zendesk: satisfaction ratings good and bad, or its numeric survey; only one of them is active in an account."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.zendesk import events
from helpdesk.vendors.zendesk.client import ZendeskClient

VENDOR = Vendor(
    name="zendesk",
    label="Zendesk",
    address=Address(hosts=(".zendesk.com",), example="https://acme.zendesk.com"),
    fields=(
        Field("email", "Email", "The address of the admin whose token it is.", is_secret=False),
        Field("api_token", "API token", "Admin Center › Apps and integrations › APIs › Zendesk API."),
        Field(
            "webhook_secret", "Webhook signing secret", "Shown by Zendesk on the webhook's own page.", is_required=False
        ),
    ),
    client=ZendeskClient,
    verify=events.verify,
    hint=events.hint,
    deep_link="https://{subdomain}.zendesk.com/agent/tickets/{id}",
)
