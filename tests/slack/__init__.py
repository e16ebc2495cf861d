"""Slack on loopback: teams, people, channels and messages, the methods an app calls, and what an app is told, with its weather.

    with Slack() as slack:
        team = slack.add_team(signing_secret="8f74…", bot_token="xoxb-1")
        ana = team.add_user(email="ana@acme.example")
        channel = team.add_channel("coaching")
        team.events_to("http://127.0.0.1:8000")
        ana.says("Add a memory that refunds take 30 days.", channel)
        ana.clicks(channel.messages[-1], "proposal_approve")

settings.SLACK_API_URL has to be `slack.api_url`. It is a real server: it takes and refuses what Slack takes and refuses, by the
reference of each method (https://docs.slack.dev/reference/methods) and the limits of tests/slack/limits.py.
"""

from tests.slack.server import Slack

__all__ = ["Slack"]
