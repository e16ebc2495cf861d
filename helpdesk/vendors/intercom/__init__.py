"""Intercom: conversations rated from one to five, credited to the teammate, or to Fin, that the rating names."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.intercom import events
from helpdesk.vendors.intercom.client import IntercomClient

VENDOR = Vendor(
    name="intercom",
    label="Intercom",
    address=Address(
        hosts=("api.intercom.io", "api.eu.intercom.io", "api.au.intercom.io"),
        default="https://api.intercom.io",
        example="https://api.eu.intercom.io",
    ),
    fields=(
        Field(
            "access_token",
            "Access token",
            "Developer Hub (app.intercom.com/a/apps/_/developer-hub) › your app › Configure › Authentication.",
        ),
        Field(
            "client_secret",
            "Client secret",
            "Developer Hub › your app › Configure › Basic information. It signs the webhooks; without it ratings come every few "
            "minutes instead of at once.",
            is_required=False,
        ),
    ),
    client=IntercomClient,
    verify=events.verify,
    hint=events.hint,
    webhook_secret="client_secret",  # noqa: S106 (the name of a field)
    deep_link="https://app.intercom.com/a/inbox/{appId}/conversation/{id}",
    set_up=(
        "Sign in to Intercom as an admin, open the Developer Hub (app.intercom.com/a/apps/_/developer-hub), and choose New app "
        "in the workspace whose conversations you want to read.",
        "Under Configure › Authentication choose the permissions “Read conversations” and “Read admins”, and copy the access "
        "token from there.",
        "Choose the address by where your workspace is hosted: api.intercom.io (US), api.eu.intercom.io (Europe) or "
        "api.au.intercom.io (Australia). Put it and the token in here, and test the connection.",
        "So that ratings arrive at once, copy the client secret from Configure › Basic information and put it in here as well.",
        "Under Configure › Webhooks the endpoint URL is {webhook}. Choose the topics conversation.rating.added and "
        "conversation.admin.closed.",
    ),
)
