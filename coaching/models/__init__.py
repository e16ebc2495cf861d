"""Flags and the policy behind them, samples, notes, coach sessions, proposals, and the model that is asked."""

from coaching.models.connections import ModelConnection, ModelTest
from coaching.models.flags import Backtest, Flag, FlagPolicy, Sweep
from coaching.models.imports import ConfigurationImport
from coaching.models.notes import Note, Sample
from coaching.models.proposals import Proposal, Viewing
from coaching.models.sessions import Message, Session, SessionConversation, Turn, TurnEvent

__all__ = [
    "Backtest",
    "ConfigurationImport",
    "Flag",
    "FlagPolicy",
    "Message",
    "ModelConnection",
    "ModelTest",
    "Note",
    "Proposal",
    "Sample",
    "Session",
    "SessionConversation",
    "Sweep",
    "Turn",
    "TurnEvent",
    "Viewing",
]
