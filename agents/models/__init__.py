"""Workspaces, the people in them, the agents they look after, and what each AI agent was told when."""

from agents.models.agents import Agent, ExternalId, Team
from agents.models.doors import ApiToken, BrowserSession, Door, IdempotentAnswer, PasswordReset, SignInTries
from agents.models.log import Decision
from agents.models.people import Invitation, Member, User, Workspace, display_name, known_time_zone
from agents.models.versioned import TEXT_LIMIT, Configuration, Procedure, Prompt, Versioned

__all__ = [
    "TEXT_LIMIT",
    "Agent",
    "ApiToken",
    "BrowserSession",
    "Configuration",
    "Decision",
    "Door",
    "ExternalId",
    "IdempotentAnswer",
    "Invitation",
    "Member",
    "PasswordReset",
    "Procedure",
    "Prompt",
    "SignInTries",
    "Team",
    "User",
    "Versioned",
    "Workspace",
    "display_name",
    "known_time_zone",
]
