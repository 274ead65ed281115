"""What the approvals room asks of the unit of work, and of a department's adapter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from gateway.applications.ports import ApplicationRepository
from gateway.approvals.joint_review import JointReview, Outcome, Permit
from gateway.delivery.ports import Outbox
from gateway.records.ports import RecordAppender
from gateway.transaction import Look
from schemas.departments import ConnectionLine, ReviewRequest


class DepartmentSettings(BaseModel):
    """What can be set for every department; a department with more of its own subclasses this.

    ``audience`` names the gateway in the department's tokens (None: the gateway's issuer). ``max_age`` is how long ago
    an outcome may have been signed: it outlasts an outage, and a repeated outcome has no second effect anyway.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    audience: str | None = None
    max_age: timedelta = timedelta(days=30)
    leeway: timedelta = timedelta(seconds=60)


SettingsT = TypeVar("SettingsT", bound=DepartmentSettings)


@dataclass(frozen=True)
class HandlingStep:
    """A step that a department tells of and that is no outcome (接件, 部门开始办理): kept, with no effect."""

    outcome_id: str
    permit_id: str
    sequence: int


@dataclass(frozen=True)
class Department(Generic[SettingsT]):
    """A permit department's adapter (审批部门); ``adapters/departments`` holds one file each.

    A department of a region has the partner code ``<prefix>-<region>``. ``permits`` are the permits it handles, slug to
    Chinese title. ``parse`` reads the claims of an outcome whose signature was verified and raises
    ``OutcomeUnreadable``; ``compose`` puts a review request into the claims that this department reads.
    """

    prefix: str
    title: str
    permits: Mapping[str, str]
    settings: SettingsT
    parse: Callable[[Mapping[str, Any], SettingsT], Outcome | HandlingStep]
    compose: Callable[[ReviewRequest, SettingsT], dict[str, Any]]

    def read_outcome(self, claims: Mapping[str, Any]) -> Outcome | HandlingStep:
        """``parse`` with this department's settings."""
        return self.parse(claims, self.settings)

    def write_request(self, request: ReviewRequest) -> dict[str, Any]:
        """``compose`` with this department's settings."""
        return self.compose(request, self.settings)


REVIEW, OUTCOME = "joint_review_of_permit", "outcome_known"


def review_of(permit_id: str) -> Look:
    """The joint review that a permit belongs to, held."""
    return Look(REVIEW, (permit_id,))


def outcome_known(department: str, outcome_id: str) -> Look:
    """Whether this outcome is here, and which it is."""
    return Look(OUTCOME, (department, outcome_id))


@dataclass(frozen=True)
class KeptReview:
    """A joint review as it is kept. ``record_id`` names the entry of its opening."""

    application_id: str
    utility: str
    line: ConnectionLine
    record_id: str
    review: JointReview


class HeldReview(NamedTuple):
    """What an outcome is taken into: a review that nobody else changes meanwhile, and whose it is."""

    application_id: str
    utility: str
    review: JointReview


@dataclass(frozen=True)
class KeptOutcome:
    """A department's outcome as it came: ``signed`` is its JWS, byte for byte.

    ``content_digest`` covers what the department says, not when it signed it; ``signed_digest`` the bytes.
    """

    department: str
    outcome_id: str
    permit_id: str
    sequence: int
    content_digest: str
    signed: bytes = field(repr=False)
    signed_digest: str
    record_id: str
    received_at: datetime


class JointReviewRepository(Protocol):
    """Joint reviews; one per application."""

    def add(self, kept: KeptReview) -> None: ...

    def find_by_application(self, application_id: str) -> KeptReview | None: ...

    def find_by_application_for_change(self, application_id: str) -> KeptReview | None:
        """Like ``find_by_application``, and nobody else changes it until this unit of work is over."""
        ...

    def find_by_permit_for_change(self, permit_id: str) -> HeldReview | None:
        """The review that the permit belongs to; nobody else changes it until this unit of work is over."""
        ...

    def put(self, review: JointReview) -> None:
        """Replace the state of a review that is there."""
        ...

    def put_extended(self, review: JointReview, added: Sequence[Permit]) -> None:
        """Like ``put``, where ``added`` are the permits that it did not have."""
        ...


class OutcomeRepository(Protocol):
    """Departments' signed outcomes, byte for byte; nothing is ever changed or taken away."""

    def add(self, outcome: KeptOutcome) -> None: ...

    def find(self, department: str, outcome_id: str) -> KeptOutcome | None: ...

    def of_permit(self, permit_id: str) -> list[KeptOutcome]:
        """All of a permit's, by sequence."""
        ...


class SingleWindowTransaction(Protocol):
    """The slice for the intake."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def joint_reviews(self) -> JointReviewRepository: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...


class OutcomesTransaction(Protocol):
    """The slice for departments' outcomes."""

    @property
    def joint_reviews(self) -> JointReviewRepository: ...
    @property
    def approval_outcomes(self) -> OutcomeRepository: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
