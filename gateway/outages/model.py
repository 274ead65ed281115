"""What is known of one outage, and of one telling."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.outages import OutageKind


class OutageState(StrEnum):
    """How an outage stands at some instant."""

    PLANNED = "planned"
    UNDER_WAY = "under_way"
    ENDED = "ended"


@dataclass(frozen=True)
class Outage:
    """An outage as the utility told it with ``event_id``. Instants are aware.

    ``kind`` is what was told, ``cause`` whether it is a planned one or a fault, None while that was not told.
    ``counted_at`` is ``said_at``, or when it was heard where that was earlier: the order of what is told.
    ``shown_until`` is when it leaves the public's sight.
    """

    utility: str
    outage_id: str
    event_id: str
    kind: OutageKind
    cause: OutageKind | None
    region: str
    area: str
    begins_at: datetime
    expected_end_at: datetime | None
    said_at: datetime
    counted_at: datetime
    text: str
    shown_until: datetime

    @property
    def ended_at(self) -> datetime | None:
        """When power was back, or the plan was given up; None before."""
        return self.counted_at if self.kind is OutageKind.RESTORED else None

    def state(self, at: datetime) -> OutageState:
        """How it stands at the aware instant ``at``."""
        if self.ended_at is not None:
            return OutageState.ENDED
        return OutageState.PLANNED if self.begins_at > at else OutageState.UNDER_WAY


@dataclass(frozen=True)
class OutageEvent:
    """One telling, kept so that it has one effect. ``flags`` say why its time is not taken at its word."""

    utility: str
    event_id: str
    outage_id: str
    content_digest: str
    said_at: datetime
    flags: tuple[str, ...]
    heard_at: datetime
    record_id: str
    notified: tuple[str, ...] = ()
    """The applications whose applicants were told of this telling."""
