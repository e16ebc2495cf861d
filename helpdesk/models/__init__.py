"""Conversations and their ratings, the helpdesks they come from, and how they are opened there."""

from helpdesk.models.clocks import TimeZoneChange
from helpdesk.models.connections import (
    ConnectionTest,
    HelpdeskAgent,
    HelpdeskConnection,
    HelpdeskSync,
    WebhookReceipt,
)
from helpdesk.models.conversations import API_SOURCE, Conversation, Rating, RatingDay, Scale, StoredTranscript
from helpdesk.models.deep_links import DeepLink

__all__ = [
    "API_SOURCE",
    "ConnectionTest",
    "Conversation",
    "DeepLink",
    "HelpdeskAgent",
    "HelpdeskConnection",
    "HelpdeskSync",
    "Rating",
    "RatingDay",
    "Scale",
    "StoredTranscript",
    "TimeZoneChange",
    "WebhookReceipt",
]
