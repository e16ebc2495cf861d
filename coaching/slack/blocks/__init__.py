"""What messages look like, in Slack's Block Kit: plain values in, blocks out. No row, no clock, no network.

Whatever a customer, a model or a person wrote stands in rich text or plain text, where nothing can become a mention, a channel,
a date or a link. https://docs.slack.dev/reference/block-kit
"""
