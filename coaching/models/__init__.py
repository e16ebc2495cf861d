"""Flags and the policy behind them, samples, notes, coach sessions, proposals, the model that is asked, and
what stands in Slack."""

from coaching.models.connections import ModelConnection, ModelTest
from coaching.models.flags import Agenda, Backtest, Flag, FlagPolicy, Sweep
from coaching.models.imports import ConfigurationImport
from coaching.models.notes import CalendarFeed, Note, NoteEffect, Reminder, Sample
from coaching.models.proposals import Proposal, Viewing
from coaching.models.sessions import Message, Session, SessionConversation, Turn, TurnEvent
from coaching.models.slack import SlackConnection, SlackInstallation, SlackPerson, SlackPolicy, SlackTrigger
from coaching.models.slack_messages import SlackPace, SlackPost, SlackReceipt, SlackThread

__all__ = [
    "Agenda",
    "Backtest",
    "CalendarFeed",
    "ConfigurationImport",
    "Flag",
    "FlagPolicy",
    "Message",
    "ModelConnection",
    "ModelTest",
    "Note",
    "NoteEffect",
    "Proposal",
    "Reminder",
    "Sample",
    "Session",
    "SessionConversation",
    "SlackConnection",
    "SlackInstallation",
    "SlackPace",
    "SlackPerson",
    "SlackPolicy",
    "SlackPost",
    "SlackReceipt",
    "SlackThread",
    "SlackTrigger",
    "Sweep",
    "Turn",
    "TurnEvent",
    "Viewing",
]
