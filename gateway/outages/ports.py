"""What the room of outages asks of the unit of work."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.outages.model import Outage, OutageEvent
from gateway.records.ports import RecordAppender


class Outages(Protocol):
    """Outages as they stand, and the events that told of them."""

    def hold(self, first: Outage) -> Outage | None:
        """Keep ``first`` where nothing is known of its outage: None. Else what stands of it, and nobody else changes
        it until this unit of work is over.
        """
        ...

    def put(self, outage: Outage) -> None: ...

    def find_event(self, utility: str, event_id: str) -> OutageEvent | None: ...

    def add_event(self, event: OutageEvent) -> bool:
        """Keep it; False where the utility's ``event_id`` is taken."""
        ...

    def shown(
        self, at: datetime, below: str, above: Collection[str], limit: int, open_of: str | None = None
    ) -> Sequence[Outage]:
        """Those to be shown at the aware instant ``at``, by region and beginning.

        Their region starts with ``below``, or is one of ``above``. ``open_of`` narrows them to a utility's that are
        not over.
        """
        ...


class OutageTransaction(Protocol):
    """The slice of this room."""

    @property
    def outages(self) -> Outages: ...
    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def records(self) -> RecordAppender: ...
