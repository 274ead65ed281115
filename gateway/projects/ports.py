"""What the projects room asks of the unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.delivery.ports import Outbox
from gateway.projects.model import Lead, Project
from gateway.records.ports import RecordAppender
from schemas.leads import LeadStatus


@dataclass(frozen=True)
class KeptPush:
    """A push as it came: ``signed`` is its JWS, byte for byte, None once its time was over.

    ``content_digest`` is keyed and covers what the platform says, not when it signed it; ``signed_digest`` the bytes.
    """

    project_id: str
    version: int
    content_digest: str
    signed: bytes | None = field(repr=False)
    signed_digest: str
    effect: str
    record_id: str
    received_at: datetime


@dataclass(frozen=True)
class LeadFilter:
    """Which leads are listed; None does not narrow.

    ``region`` takes those below it along; ``since`` (included) and ``until`` (excluded) bound when they were offered.
    """

    utility: str | None = None
    status: LeadStatus | None = None
    region: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class WaitingProject:
    """A project that no utility has a lead of."""

    project_id: str
    region: str


class ProjectRepository(Protocol):
    """Projects with all their leads. What is held nobody else changes until this unit of work is over."""

    def hold(self, platform: str, project_code: str, works_code: str, new_id: str, at: datetime) -> Project:
        """The project; one that was never heard of is made under ``new_id``."""
        ...

    def hold_known(self, project_id: str) -> Project | None: ...

    def hold_of_lead(self, lead_id: str) -> Project | None:
        """The project that the lead was made of."""
        ...

    def put(self, project: Project, at: datetime, *, heard: bool = False) -> None:
        """Replace what is kept of a project and of its leads; ``heard`` – because the platform pushed it now."""
        ...

    def find_push(self, project_id: str, version: int) -> KeptPush | None: ...

    def add_push(self, push: KeptPush) -> None: ...

    def waiting(self, after: str, limit: int) -> Sequence[WaitingProject]:
        """Projects that wait for a utility, by id, beyond ``after``."""
        ...


class LeadRepository(Protocol):
    """Leads, to look at."""

    def find(self, lead_id: str) -> Lead | None: ...

    def listed(self, which: LeadFilter, after: str, limit: int) -> Sequence[Lead]:
        """Those beyond the id ``after``, by id: in the order in which they were offered."""
        ...

    def counts(self, which: LeadFilter) -> dict[LeadStatus, int]:
        """How many of ``which`` there are, by status; the filter's own status does not narrow."""
        ...


class ProjectsTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def projects(self) -> ProjectRepository: ...
    @property
    def leads(self) -> LeadRepository: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
