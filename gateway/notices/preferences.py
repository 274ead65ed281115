"""How an applicant wants to be told, and how far a message has come."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.notices.model import Notice
from gateway.notices.words import Tongue


class Way(StrEnum):
    """By what an applicant is told beside their own pages. ``NONE`` is no row."""

    NONE = "none"
    EMAIL = "email"
    PLATFORM = "platform"


@dataclass(frozen=True)
class Preference:
    """What the applicant agreed to ``at``: to be told of this application by ``way`` at ``address`` in ``tongue``."""

    application_id: str
    way: Way
    address: str
    tongue: Tongue
    at: datetime


@dataclass(frozen=True)
class Waiting:
    """A message claimed to be sent. ``attempt`` counts from one; ``tried_s`` is how long it has been tried."""

    notice: Notice
    preference: Preference
    attempt: int
    tried_s: float


class SendState(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True)
class SendBacklog:
    """How many messages wait, and how many were given up."""

    waiting: int
    dead: int
