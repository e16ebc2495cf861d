"""Chatwoot, in its cloud or on a server of one's own: CSAT answers of one to five, and who had the conversation then."""

from helpdesk.vendors.chatwoot import events
from helpdesk.vendors.chatwoot.client import ChatwootClient
from helpdesk.vendors.contract import Address, Field, Vendor

VENDOR = Vendor(
    name="chatwoot",
    label="Chatwoot",
    address=Address(
        hosts=("app.chatwoot.com", ""), default="https://app.chatwoot.com", example="https://chat.acme.com"
    ),
    fields=(
        Field(
            "account_id",
            "Account number",
            "It stands in the address of your dashboard: /app/accounts/NUMBER.",
            is_secret=False,
        ),
        Field(
            "api_token",
            "Access token",
            "In Chatwoot: your picture › Profile settings › Access token, at the very end. You have to be an administrator.",
        ),
        Field(
            "webhook_secret",
            "Webhook secret",
            "Chatwoot shows it for the webhook, at Settings › Integrations › Webhooks.",
            is_required=False,
        ),
    ),
    client=ChatwootClient,
    verify=events.verify,
    hint=events.hint,
    deep_link="{base}/app/accounts/{accountId}/conversations/{id}",
    set_up=(
        "Sign in to Chatwoot as an administrator. Copy the address and the number behind /app/accounts/: that is the account.",
        "Make sure that customers are asked: Settings › Inboxes › your inbox › CSAT.",
        "Open your picture › Profile settings and copy the access token at the very end.",
        "So that ratings arrive at once (else within minutes): open Settings › Integrations › Webhooks and add one with the "
        "event “Message updated”. Its URL is {webhook}.",
        "Copy the webhook's secret and put it in here. A Chatwoot that shows none is too old to sign: do without a webhook.",
    ),
)
