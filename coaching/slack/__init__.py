"""Slack, spoken and heard: one switchboard for what comes in, one delivery for what goes out."""
