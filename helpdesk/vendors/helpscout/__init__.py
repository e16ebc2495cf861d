"""Help Scout: three faces, spelled in three ways, and webhooks that are signed."""

from helpdesk.vendors.contract import Address, Field, Vendor
from helpdesk.vendors.helpscout import events
from helpdesk.vendors.helpscout.client import HelpScoutClient

WHERE = "In Help Scout: your picture › Your Profile › My Apps › Create My App."

VENDOR = Vendor(
    name="helpscout",
    label="Help Scout",
    address=Address(hosts=("api.helpscout.net",), default="https://api.helpscout.net"),
    fields=(
        Field("app_id", "App ID", f"{WHERE} It is shown there.", is_secret=False),
        Field("app_secret", "App secret", f"{WHERE} It is shown there too."),
        Field(
            "webhook_secret",
            "Webhook secret key",
            "A long random text of your own. The same is typed in at Manage › Apps › Webhooks › Secret key.",
            is_required=False,
        ),
    ),
    client=HelpScoutClient,
    verify=events.verify,
    hint=events.hint,
    deep_link="https://secure.helpscout.net/conversation/{id}",
    set_up=(
        "In Help Scout, sign in as somebody who sees all inboxes and may see reports: an owner or administrator.",
        "Click your picture › Your Profile › My Apps › Create My App. Any https address will do as redirection URL.",
        "Copy App ID and App Secret to here.",
        "Under Manage › Inbox › Satisfaction ratings, see that ratings are switched on. Reports need a Plus or Pro plan.",
        "To see ratings within seconds: Manage › Apps › Webhooks › Install.",
        "The callback URL is {webhook}. Make up a secret key and put it in here as well. Choose the payload version 2 and the "
        "event Rating received.",
    ),
)
