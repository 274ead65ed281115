"""What re-checks need from outside: the sources' change feeds, and their own slice of the unit of work."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.authorisations.ports import AuthorisationRepository
from gateway.certificates.proofs import EvidenceShelf
from gateway.delivery.ports import Outbox
from gateway.rechecks.model import DueRecheck, Reason
from gateway.records.ports import RecordAppender


@dataclass(frozen=True, slots=True)
class FeedChange:
    """One line of a feed: the certificate of this 电子证照标识 changed at ``at`` (aware). A hint, never a proof."""

    identifier: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Changes beyond a position, oldest first, and the position after them; ``more`` are waiting beyond it."""

    changes: tuple[FeedChange, ...]
    position: str
    more: bool


class ChangeFeed(Protocol):
    """A source's list of what changed."""

    @property
    def code(self) -> str:
        """The source's partner code."""
        ...

    async def pull(self, position: str | None, limit: int, at: datetime) -> FeedPage:
        """At most ``limit`` changes beyond ``position``; None answers no change and the position at the end now.

        ``at`` is now. Raises ``PartnerUnavailable`` when no answer could be had, ``Denied``, ``FeedPositionLost``.
        """
        ...


@dataclass(frozen=True, slots=True)
class LastLook:
    """When a certificate was looked at last, and what came of it; an indeterminate look changes nothing else."""

    at: datetime
    verdict: str
    check: str | None


class CertificatesOfApplications(Protocol):
    """Which applications rest on which certificates: digests and codes. The rows follow the applications' documents."""

    def looks(self, application_id: str) -> Mapping[str, LastLook]:
        """The last look at each certificate of the application, by kind; those never looked at are left out."""
        ...

    def looked(self, application_id: str, kind: str, look: LastLook) -> None:
        """Note a look in place of the one before it."""
        ...

    def of_series(self, series_digests: Collection[str]) -> Sequence[tuple[str, str, str]]:
        """(application, kind, series digest) of certificates of these series that open applications rest on."""
        ...

    def sweep_all(self) -> None:
        """Let every certificate count as not looked at for long."""
        ...

    def to_sweep(self, before: datetime, at: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """Take up to ``limit`` (application, kind) of open applications that were asked for at ``before`` or earlier.

        They count as asked for at ``at``.
        """
        ...

    def expired(self, on: date, limit: int) -> Sequence[tuple[str, str]]:
        """Take up to ``limit`` (application, kind) of open applications whose last day was before ``on`` (China).

        Each is answered once, until it has another last day.
        """
        ...


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many re-checks wait, since when the oldest is due, and how many could not be decided at several attempts."""

    waiting: int
    oldest_due_at: datetime | None
    undecided: int


class RecheckQueue(Protocol):
    """Certificates that are to be looked at again: at most one line for each of an application's."""

    def ask(
        self, application_id: str, kind: str, reason: Reason, at: datetime, hinted_at: datetime | None = None
    ) -> None:
        """Ask for one, now. What is being looked at meanwhile is looked at once more."""
        ...

    def any_due(self, at: datetime) -> bool: ...

    def claim(self, owner: str, at: datetime, lease: timedelta, limit: int) -> Sequence[DueRecheck]:
        """Take the lease of up to ``limit`` that are due, longest due first. A lapsed lease is free."""
        ...

    def holds(self, owner: str, due: DueRecheck) -> bool:
        """Whether the lease is still ``owner``'s; nobody else takes it until this unit of work is over."""
        ...

    def settle(self, owner: str, due: DueRecheck, again_at: datetime | None) -> None:
        """End a look: the line goes, or is due at ``again_at``. Asked for once more meanwhile, it stays due."""
        ...

    def state(self) -> QueueState: ...


@dataclass(frozen=True, slots=True)
class FeedState:
    """Where the reading of a source's feed stands. ``caught_up_at``: when its end was last reached."""

    source: str
    position: str | None
    caught_up_at: datetime | None
    failures: int
    first_pulled_at: datetime

    def lag_s(self, at: datetime) -> float:
        """Seconds since its end was last reached, or since it was first tried."""
        return max(0.0, (at - (self.caught_up_at or self.first_pulled_at)).total_seconds())


class FeedPositions(Protocol):
    """Positions in feeds, one reader at a time."""

    def claim(self, source: str, owner: str, at: datetime, lease: timedelta) -> FeedState | None:
        """Take the lease of the feed if it is due to be pulled and free; None otherwise."""
        ...

    def advance(
        self, source: str, owner: str, position: str, at: datetime, lease: timedelta, *, caught_up: bool
    ) -> bool:
        """Move on, with the lease renewed; ``caught_up``: to the end. False where it was lost: nothing was done."""
        ...

    def release(self, source: str, owner: str, next_pull_at: datetime, *, failed: bool) -> None:
        """Give the lease back, until ``next_pull_at``; ``failed``: the source did not answer."""
        ...

    def states(self) -> Sequence[FeedState]: ...


class CopiesOfKind(Protocol):
    """The shelf of certificate copies, as far as a change clears it."""

    def forget_holder(self, holder_digest: str, kind: str | None = None) -> int:
        """Remove the holder's copies of ``kind``; answers how many."""
        ...


class RechecksTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def authorisations(self) -> AuthorisationRepository: ...
    @property
    def certificate_copies(self) -> CopiesOfKind: ...
    @property
    def evidence(self) -> EvidenceShelf: ...
    @property
    def application_certificates(self) -> CertificatesOfApplications: ...
    @property
    def recheck_queue(self) -> RecheckQueue: ...
    @property
    def feed_positions(self) -> FeedPositions: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
