"""What retention asks of the unit of work."""

from datetime import datetime
from typing import Protocol

from gateway.records.ports import RecordAppender
from gateway.retention.policies import RetentionPolicy


class Removal(Protocol):
    """Counts and removes what a policy names and whose event was at ``before`` (aware) or earlier."""

    def due(self, policy: RetentionPolicy, before: datetime) -> int:
        """How many there are."""
        ...

    def remove(self, policy: RetentionPolicy, before: datetime, at: datetime, limit: int) -> int:
        """Remove up to ``limit``; answers how many were."""
        ...


class RetentionTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def removal(self) -> Removal: ...
    @property
    def records(self) -> RecordAppender: ...
