"""Where our pages are, as links in Slack lead there."""

from typing import Any

from django.conf import settings
from django.urls import reverse


def proposal(proposal_id: Any) -> str:
    return _page("proposal", proposal_id)


def session(session_id: Any) -> str:
    """A talk with the coach, beside its conversation where it is about one."""
    return _page("coach-session", session_id)


def drawer(agent_id: Any) -> str:
    return _page("team-agent", agent_id)


def conversation(conversation_id: Any, turn: int | None = None) -> str:
    page = _page("conversation", conversation_id)
    return page if turn is None else f"{page}#turn-{turn}"


def slack_settings() -> str:
    return _page("settings-slack")


def _page(name: str, *args: Any) -> str:
    return settings.PUBLIC_URL + reverse(name, args=args)
