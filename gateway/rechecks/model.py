"""What can become of a certificate that an application rests on, and why it is looked at again. Values only."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.applications.model import ApplicationDocument
from gateway.certificates.verdicts import Verdict
from gateway.errors import Owner


class CertificateState(StrEnum):
    """How a certificate stands, as far as it was known last."""

    GOOD = "good"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"
    TRANSFERRED = "transferred"
    """It is not the applicant's any more: it names another holder, or the source no longer has it for them."""
    REFUSED = "refused"
    """It no longer passes verification for another reason, such as a revoked seal."""

    @classmethod
    def of(cls, verdict: Verdict | None, check: str | None) -> "CertificateState":
        """The state that a decided verdict and its failed check mean."""
        if verdict is not Verdict.INVALID:
            return cls.GOOD
        return _BY_CHECK.get(check or "", cls.REFUSED)


NO_LONGER_HELD = "certificate.no_longer_held"
_BY_CHECK = {
    "status.suspended": CertificateState.SUSPENDED,
    "status.revoked": CertificateState.REVOKED,
    "validity.expired": CertificateState.EXPIRED,
    "holder.mismatch": CertificateState.TRANSFERRED,
    NO_LONGER_HELD: CertificateState.TRANSFERRED,
}


class ChangeKind(StrEnum):
    """What happened. The wire uses the same words (``schemas.events.CertificateChanged``)."""

    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"
    TRANSFERRED = "transferred"
    REFUSED = "refused"
    NEW_VERSION = "new_version"
    REINSTATED = "reinstated"


class Reason(StrEnum):
    """Why a certificate is looked at again; an event says it as ``found_by``."""

    FEED = "feed"
    """The source's change feed named it."""
    STAGE = "stage"
    """A stage of the application began or was completed."""
    EXPIRY = "expiry"
    """Its last day is over."""
    SWEEP = "recheck"
    """It was not looked at for long, or a feed may have passed something over."""


@dataclass(frozen=True)
class Change:
    """A change, and the document as it stands from now on. ``owner`` and ``remedy``: whose turn it is, and how."""

    kind: ChangeKind
    document: ApplicationDocument
    owner: Owner | None
    remedy: str

    @property
    def state(self) -> CertificateState:
        """How the certificate stands after it."""
        return CertificateState.of(self.document.verdict, self.document.check)


@dataclass(frozen=True)
class NotHeld:
    """The source answered, and has no such certificate for the holder. ``at`` is when, ``source`` its code."""

    at: datetime
    source: str | None


@dataclass(frozen=True)
class Undecided:
    """It could not be known this time. ``retry_after`` (seconds) as the source asked."""

    check: str
    retry_after: int | None = None


@dataclass(frozen=True)
class DueRecheck:
    """A certificate that one worker has leased to look at.

    ``asked_at`` is when it was last asked for: evidence from before is too old. ``hinted_at`` is when, by a source's
    own word, the certificate changed. ``attempt`` counts from 1. ``generation`` grows with each time it is asked for.
    """

    application_id: str
    kind: str
    reason: Reason
    asked_at: datetime
    hinted_at: datetime | None
    attempt: int
    generation: int
