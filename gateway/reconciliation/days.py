"""Which events are a day's, and what the leaves of the Merkle tree over them say. Pure.

A utility's day is a range of its *positions*, not of times: positions are given in the order of commits and have no
gap, while an event's ``time`` is taken a little before its commit, by one of several processes. A day goes from the end
of the day before it up to the position before the first event of a later date. Once it is closed its range is stored
and never moves: what is committed later belongs to a day after it, whatever its time says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import orjson

from gateway.clock import CHINA_TIME, date_in_china
from gateway.delivery.ports import DeliveryState
from schemas.events import EPOCH

MOST_DAYS: Final = 31
"""Days in one answer."""


@dataclass(frozen=True, slots=True)
class DayEvent:
    """One event of a utility as both sides count it.

    ``body_sha256`` is hexadecimal, of the body as it is sent. None only where retention removed an event of an earlier
    release that nobody had signed for: then nobody can say it any more. ``fixed`` – none of what its leaf says can
    change again, because the form of its body is kept with its digest.
    """

    position: int
    event_id: str
    type: str
    subject: str
    sequence: int
    body_sha256: str | None
    state: DeliveryState
    erased: bool
    fixed: bool = False

    def leaf(self) -> bytes:
        """What the tree is over: JSON with sorted members, no white space, UTF-8; every value is ASCII."""
        return orjson.dumps(
            {
                "body_sha256": self.body_sha256,
                "event_id": self.event_id,
                "position": self.position,
                "sequence": self.sequence,
                "subject": self.subject,
                "v": 1,
            },
            option=orjson.OPT_SORT_KEYS,
        )


@dataclass(frozen=True, slots=True)
class DayRange:
    """The positions ``first`` to ``last`` of ``utility`` on the China date ``day``; ``first`` is ``last`` + 1 if none.

    ``root`` is the RFC 9162 root over the day's leaves, and ``record_id`` the entry that anchors it; both None until
    they are there. ``closed_at`` None is a day that is still open. ``skipped`` counts the positions in it that were
    never given: a restore moved them to a later epoch (``schemas.events.EPOCH``), and only the utility may hold them.
    """

    utility: str
    day: date
    first: int
    last: int
    closed_at: datetime | None = None
    subjects: int | None = None
    root: bytes | None = None
    record_id: str | None = None
    skipped: int = 0

    @property
    def count(self) -> int:
        """How many events, since positions have no gap but those."""
        return self.last - self.first + 1 - self.skipped

    @property
    def crosses_epochs(self) -> bool:
        """Whether the gateway was restored within it."""
        return (self.first - 1) // EPOCH != self.last // EPOCH


def day_after(at: datetime, last_closed: date | None) -> date:
    """The day of an event of ``at`` that was committed after ``last_closed`` was closed: its own, or the next open."""
    own = date_in_china(at)
    return own if last_closed is None else max(own, last_closed + timedelta(days=1))


def end_of(day: date) -> datetime:
    """The aware instant at which ``day`` ends in China."""
    return datetime.combine(day + timedelta(days=1), time(), CHINA_TIME).astimezone(UTC)


def days_between(first: date, last: date) -> Sequence[date]:
    """Every day from ``first`` to ``last``, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
