"""Flags, samples, notes, coach sessions and proposals."""

from coaching.models.flags import Flag, Sweep
from coaching.models.notes import Note, Sample
from coaching.models.proposals import Proposal
from coaching.models.sessions import Message, Session, Turn, TurnEvent

__all__ = ["Flag", "Message", "Note", "Proposal", "Sample", "Session", "Sweep", "Turn", "TurnEvent"]
