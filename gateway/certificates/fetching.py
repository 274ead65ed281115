"""What a source answers: fetched, kept in the place of what was had before, and known again when it comes again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.certificates.errors import NoECertificate
from gateway.certificates.evidence import Gathered
from gateway.certificates.kind import CertificateKind
from gateway.certificates.ports import (
    COPIES,
    CertificateCopy,
    CertificatesUnit,
    SourceQuery,
    UsePurpose,
)
from gateway.certificates.sources import SourceRoute
from gateway.certificates.verification import HolderExpectation, Verification
from gateway.errors import GatewayError
from gateway.transaction import Look


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source is asked for. ``holder_type`` is a CZZTDMLXDM code, ``region`` a GB/T 2260 code."""

    kind: str
    holder: HolderExpectation
    holder_type: str
    region: str
    purpose: UsePurpose


class Fetched(NamedTuple):
    """What the source answered to ``asked`` at ``at``: copies, or what it was that it did not answer (``error``)."""

    asked: Asked
    at: datetime
    copies: tuple[CertificateCopy, ...] = ()
    error: GatewayError | None = None


async def fetch(kind: CertificateKind, route: SourceRoute, asked: Asked, at: datetime) -> Fetched:
    """Ask the source of ``route``. What it raises is in the answer, so that nobody need ask it twice to hear it."""
    query = SourceQuery(kind.type_codes[0], asked.holder.code, asked.holder_type, asked.region, asked.purpose)
    try:
        found = await route.source.find(query, at)
    except GatewayError as error:
        return Fetched(asked, at, error=error)
    if not found:
        return Fetched(asked, at, error=NoECertificate())
    copies = [
        CertificateCopy(
            kind=kind.code,
            holder_code=asked.holder.code,
            identifier=item.identifier,
            envelope=item.envelope,
            source=item.source,
            level=route.level,
            fetched_at=item.fetched_at,
            digest=item.digest or hashlib.sha256(item.envelope).hexdigest(),
        )
        for item in found
    ]
    return Fetched(asked, at, tuple(copies))


class Keeping(NamedTuple):
    """Copies that take the place of all that was had of a holder's ``kind``.

    Nothing that the source dropped comes back when it is down. ``step`` is of ``CertificateCopies.replace``.
    """

    kind: str
    holder_code: str
    holder_digest: str
    copies: tuple[CertificateCopy, ...]
    step: timedelta

    def __repr__(self) -> str:
        """Without the holder, and what is his."""
        return f"Keeping(kind={self.kind!r}, holder_digest={self.holder_digest!r})"

    @property
    def look(self) -> Look:
        """What a unit of work says beforehand that is going to call ``put``."""
        return Look(COPIES, (self.kind, self.holder_digest))

    def put(self, unit: CertificatesUnit) -> None:
        """Keep them with what ``unit`` commits."""
        unit.certificate_copies.replace(self.kind, self.holder_code, self.copies, self.step)


@dataclass(frozen=True, slots=True)
class Refetchable:
    """What was fetched and found valid, so that the very same bytes fetched again need not be judged from the start.

    The verdicts are those of ``gathered``, and hold before ``until`` for whoever gathers the same.
    """

    asked: Asked
    verifications: tuple[Verification, ...]
    gathered: Gathered
    until: datetime
    holder_digest: str
    step: timedelta

    @property
    def look(self) -> Look:
        """That of whatever is kept in its place."""
        return Look(COPIES, (self.asked.kind, self.holder_digest))

    @classmethod
    def of(
        cls,
        asked: Asked,
        verifications: tuple[Verification, ...],
        gathered: Gathered,
        holder_digest: str,
        step: timedelta,
    ) -> "Refetchable | None":
        """None where one of them says of itself no time before which it holds, or cannot be proved again."""
        ends = [each.refetched_until for each in verifications if each.prove is not None]
        until = min((end for end in ends if end is not None), default=None)
        if until is None or None in ends or len(ends) < len(verifications):
            return None
        return cls(asked, verifications, gathered, until, holder_digest, step)

    def is_met_by(self, fetched: Fetched, since: datetime | None) -> bool:
        """Whether ``fetched`` are the same bytes from the same source, and what they are judged by is the same, too.

        Their seals are yet to be proved. ``since`` is as in ``CertificateService.obtain``.
        """
        at, own = fetched.at, self.verifications
        return (
            fetched.error is None
            and (fetched.asked is self.asked or fetched.asked == self.asked)
            and len(fetched.copies) == len(own)
            and all(_is_the_same(copy, each) for copy, each in zip(fetched.copies, own, strict=True))
            and own[0].at <= at < self.until
            and self.gathered.stands(at, since)
        )

    def keeping(self, fetched: Fetched) -> Keeping:
        """What is kept of ``fetched``, which meets this."""
        return Keeping(self.asked.kind, self.asked.holder.code, self.holder_digest, fetched.copies, self.step)


def _is_the_same(copy: CertificateCopy, verification: Verification) -> bool:
    provenance = verification.provenance
    return (
        provenance is not None
        and copy.digest == verification.envelope_digest
        and (copy.source, copy.level) == (provenance.source, provenance.level)
    )
