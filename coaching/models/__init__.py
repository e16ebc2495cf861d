"""Flags and the policy behind them, samples, notes, coach sessions and proposals."""

from coaching.models.flags import Backtest, Flag, FlagPolicy, Sweep
from coaching.models.notes import Note, Sample
from coaching.models.proposals import Proposal
from coaching.models.sessions import Message, Session, Turn, TurnEvent

__all__ = [
    "Backtest",
    "Flag",
    "FlagPolicy",
    "Message",
    "Note",
    "Proposal",
    "Sample",
    "Session",
    "Sweep",
    "Turn",
    "TurnEvent",
]
