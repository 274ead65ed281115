"""What the room of grid capacity asks of the unit of work."""

from collections.abc import Sequence
from typing import Protocol

from gateway.capacity.model import AreaCapacity
from gateway.records.ports import RecordAppender


class Capacities(Protocol):
    """The latest version of each area."""

    def find(self, utility: str, area_id: str) -> AreaCapacity | None: ...

    def put(self, capacity: AreaCapacity) -> bool:
        """Keep it in the place of an older version; False where the one there is as new or newer."""
        ...

    def published(self, region: str, limit: int) -> Sequence[AreaCapacity]:
        """Areas not withdrawn within the prefix ``region``, by region, voltage and name."""
        ...


class CapacityTransaction(Protocol):
    """The slice of this room."""

    @property
    def capacities(self) -> Capacities: ...
    @property
    def records(self) -> RecordAppender: ...
