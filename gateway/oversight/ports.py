"""What the oversight room asks of the unit of work: reads alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import IntakeKind
from gateway.approvals.joint_review import JointReview
from schemas.ratings import RatingLevel


@dataclass(frozen=True)
class Observed:
    """An application as far as it is counted: nothing that names anybody.

    ``documents_fetched`` were got from their source, so nobody was asked for them; ``documents_uploaded`` the
    applicant brought. ``refused_events`` are stage events that the gateway refused, ``refused_requests`` requests for
    a document that may not be asked for at that stage. ``rating`` is what its applicant gave the service, if anything.
    """

    region: str
    customer_class: CustomerClass
    intake: IntakeKind
    lifecycle: Lifecycle = field(repr=False)
    documents_fetched: int
    documents_uploaded: int
    review: JointReview | None = field(default=None, repr=False)
    refused_events: int = 0
    refused_requests: int = 0
    rating: RatingLevel | None = None


class ApplicationsObserved(Protocol):
    """Applications in a stream; a region is a prefix of GB/T 2260 codes, empty for all."""

    def closed(self, begins_at: datetime, ends_at: datetime, region: str) -> Iterator[Observed]:
        """Those completed, withdrawn or ended from ``begins_at`` until before ``ends_at``."""
        ...

    def open(self, region: str) -> Iterator[Observed]:
        """Those that are not closed."""
        ...

    def received(self, begins_at: datetime, ends_at: datetime, region: str) -> Sequence[tuple[str, str, int]]:
        """(region, customer class, how many) of those received from ``begins_at`` until before ``ends_at``."""
        ...


class RatingsObserved(Protocol):
    """Ratings as far as they are counted: nothing of what was written."""

    def given(self, begins_at: datetime, ends_at: datetime) -> Sequence[tuple[str, RatingLevel, int]]:
        """(region, level, how many) of those given from ``begins_at`` until before ``ends_at``."""
        ...


class OversightTransaction(Protocol):
    """The slice of this room."""

    @property
    def observed(self) -> ApplicationsObserved: ...
    @property
    def ratings_observed(self) -> RatingsObserved: ...
