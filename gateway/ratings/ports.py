"""What the ratings room asks of the unit of work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.delivery.ports import Outbox
from gateway.ratings.model import Rating
from gateway.records.ports import RecordAppender


class RatingRepository(Protocol):
    """One rating an application, never changed; beside it the answer to a bad one."""

    def add(self, rating: Rating) -> None: ...

    def find(self, application_id: str) -> Rating | None: ...

    def answer(self, application_id: str, text: str, by: str, at: datetime) -> bool:
        """False where it was answered before."""
        ...

    def waiting(self, limit: int) -> Sequence[Rating]:
        """Bad ratings without an answer, the soonest due first."""
        ...


class RatingsTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def ratings(self) -> RatingRepository: ...
    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
