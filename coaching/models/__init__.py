"""Flags and the policy behind them, samples, notes, coach sessions, proposals, and the model that is asked."""

from coaching.models.connections import ModelConnection, ModelTest
from coaching.models.flags import Backtest, Flag, FlagPolicy, Sweep
from coaching.models.imports import ConfigurationImport
from coaching.models.notes import CalendarFeed, Note, NoteEffect, Reminder, Sample
from coaching.models.proposals import Proposal, Viewing
from coaching.models.sessions import Message, Session, SessionConversation, Turn, TurnEvent

__all__ = [
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
    "Sweep",
    "Turn",
    "TurnEvent",
    "Viewing",
]
