"""What can be done to conversations and ratings. Every door calls these."""

from helpdesk.actions.conversations import upsert_conversation
from helpdesk.actions.days import DayDifference, change_time_zone, check_days, rebuild_days
from helpdesk.actions.directory import agent_meant
from helpdesk.actions.ratings import BATCH, Outcome, Recorded, record_ratings, withdraw_rating
from helpdesk.actions.retention import keep_storage_promises

__all__ = [
    "BATCH",
    "DayDifference",
    "Outcome",
    "Recorded",
    "agent_meant",
    "change_time_zone",
    "check_days",
    "keep_storage_promises",
    "rebuild_days",
    "record_ratings",
    "upsert_conversation",
    "withdraw_rating",
]
