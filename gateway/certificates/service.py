"""Obtaining verified e-certificates: a copy at hand or the region's source, evidence, verdict, and the copy kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.certificates.bounded import BriefMemory
from gateway.certificates.errors import NoECertificate
from gateway.certificates.evidence import RENEW_AFTER, EvidenceGatherer, Gathered
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.kind import CertificateKind
from gateway.certificates.ports import (
    COPIES,
    CertificateCopy,
    CertificatesUnit,
    CopyVersion,
    SourceQuery,
    UsePurpose,
)
from gateway.certificates.registry import KindRegistry
from gateway.certificates.sources import SourceDirectory, SourceRoute
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CopyProvenance, HolderExpectation, Verification
from gateway.certificates.verifier import Verifier
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import PartnerUnavailable
from gateway.transaction import Look, Transactions

MAX_REMEMBERED = 4096
"""Holders' kinds of which an answer is remembered."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """What a holder has of a kind. ``level`` is the region whose source answered, ``fell_through`` those without one.

    ``from_copy`` says that copies at hand were used; ``source_down`` that the source had been asked and did not answer.
    """

    verifications: tuple[Verification, ...]
    source: str
    level: str
    fell_through: tuple[str, ...] = ()
    from_copy: bool = False
    source_down: bool = False
    rests_on: "CopiesAtHand | None" = None


@dataclass(frozen=True, slots=True)
class CopiesAtHand:
    """Which copies an answer rests on that was given without a look at the database."""

    kind: str
    holder_digest: str
    versions: tuple[CopyVersion, ...]

    @property
    def look(self) -> Look:
        """What a unit of work says beforehand that is going to call ``stand``."""
        return Look(COPIES, (self.kind, self.holder_digest))

    def stand(self, unit: CertificatesUnit) -> bool:
        """Whether these are the holder's copies still, as ``unit`` sees it."""
        return unit.certificate_copies.versions(self.kind, self.holder_digest) == self.versions


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What was answered from copies at hand, and what shows whether the same would be answered again."""

    obtained: Obtained
    gathered: Gathered
    region: str

    def stands(self, at: datetime, since: datetime | None) -> bool:
        """Every verdict stands at ``at``, and the evidence would be the very same."""
        return all(
            each.at <= at and each.stands_until is not None and at < each.stands_until
            for each in self.obtained.verifications
        ) and self.gathered.stands(at, since)


class CertificateService:
    """The certificates room's door for the rooms above."""

    def __init__(
        self,
        *,
        kinds: KindRegistry,
        sources: SourceDirectory,
        verifier: Verifier,
        evidence: EvidenceGatherer,
        transactions: Transactions[CertificatesUnit],
        digests: KeyedDigest,
    ) -> None:
        self.kinds = kinds
        self.identifier_digests = IdentifierDigests(digests)
        self._sources, self._verifier, self._evidence = sources, verifier, evidence
        self._transactions = transactions
        self._digests = digests
        self._remembered: BriefMemory[tuple[str, HolderExpectation], _Remembered] = BriefMemory(
            MAX_REMEMBERED, RENEW_AFTER
        )

    def remembered(
        self, kind: str, holder: HolderExpectation, *, region: str, at: datetime, since: datetime | None = None
    ) -> Obtained | None:
        """What ``obtain`` answered from copies at hand, where it would answer that again; None where it may not.

        Nobody is asked, the database neither: whoever relies on it makes sure in a unit of work of theirs that
        ``Obtained.rests_on`` still stands, and asks ``obtain`` where it does not.
        """
        known = self._remembered.get((kind, holder), at)
        if known is None or known.region != region or not known.stands(at, since):
            return None
        verifications = tuple(self._verifier.again(each, at) for each in known.obtained.verifications)
        return replace(known.obtained, verifications=verifications)

    def still(
        self, rests_on: CopiesAtHand, holder: HolderExpectation, *, at: datetime, since: datetime | None = None
    ) -> bool:
        """Whether ``remembered`` would answer from these very copies at ``at``, with the very same verdicts."""
        known = self._remembered.get((rests_on.kind, holder), at)
        return known is not None and known.obtained.rests_on is rests_on and known.stands(at, since)

    def forget(self, kind: str, holder: HolderExpectation) -> None:
        """What ``remembered`` knows of the holder's ``kind`` does not stand any more."""
        self._remembered.drop((kind, holder))

    def sweep_memory(self, at: datetime) -> None:
        """Nothing is remembered for longer than evidence is, which is renewed then."""
        self._remembered.sweep(at)

    async def obtain(
        self,
        kind: str,
        holder: HolderExpectation,
        *,
        holder_type: str,
        region: str,
        purpose: UsePurpose,
        at: datetime,
        fresh: bool = False,
        since: datetime | None = None,
    ) -> Obtained:
        """Every e-certificate of ``kind`` that ``holder`` has (there may be several properties), verified at ``at``.

        ``holder_type`` is a CZZTDMLXDM code, ``region`` a GB/T 2260 code. A copy still fresh by the policy spares
        the source unless ``fresh`` asks for it; with ``since`` status lists, CRLs and OCSP answers were fetched at that
        instant or later, too. When the source does not answer, older copies are used and judged by
        their age. Raises ``UnknownKind``, ``NoSource``, ``NoECertificate``, ``Denied`` or, with no copy at hand,
        ``PartnerUnavailable``.
        """
        wanted, since = self.kinds.get(kind), None if since is None else min(since, at)
        route = self._sources.route(region, kind)
        copies = await self._transactions.read(lambda unit: list(unit.certificate_copies.latest(kind, holder.code)))
        if copies and not fresh and _still_fresh(copies, wanted, at):
            obtained, gathered = await self._verified(wanted, copies, holder, at, route, since, from_copy=True)
            self._remember(holder, obtained, gathered, copies, region)
            return obtained
        try:
            fetched = await self._fetch(wanted, route, holder, holder_type, region, purpose, at)
        except PartnerUnavailable:
            if not copies:
                raise
            stale, _ = await self._verified(wanted, copies, holder, at, route, since, from_copy=True, source_down=True)
            return stale
        except NoECertificate:
            if copies:
                await self._transactions.write(lambda unit: unit.certificate_copies.forget(holder.code, kind))
            raise
        obtained, _ = await self._verified(wanted, fetched, holder, at, route, since)
        await self._keep(wanted, holder, fetched, obtained.verifications)
        return obtained

    def route(self, kind: str, region: str) -> SourceRoute:
        """Which source is asked for ``kind`` in ``region``. Raises ``NoSource``."""
        return self._sources.route(region, kind)

    async def _fetch(
        self,
        kind: CertificateKind,
        route: SourceRoute,
        holder: HolderExpectation,
        holder_type: str,
        region: str,
        purpose: UsePurpose,
        at: datetime,
    ) -> list[CertificateCopy]:
        query = SourceQuery(kind.type_codes[0], holder.code, holder_type, region, purpose)
        found = await route.source.find(query, at)
        if not found:
            raise NoECertificate
        return [
            CertificateCopy(
                kind=kind.code,
                holder_code=holder.code,
                identifier=item.identifier,
                envelope=item.envelope,
                source=item.source,
                level=route.level,
                fetched_at=item.fetched_at,
                digest=hashlib.sha256(item.envelope).hexdigest(),
            )
            for item in found
        ]

    async def _verified(
        self,
        kind: CertificateKind,
        copies: Sequence[CertificateCopy],
        holder: HolderExpectation,
        at: datetime,
        route: SourceRoute,
        since: datetime | None,
        *,
        from_copy: bool = False,
        source_down: bool = False,
    ) -> tuple[Obtained, Gathered]:
        references = [self._verifier.references(copy.envelope, kind, at) for copy in copies]
        gathered = await self._evidence.collect(references, at, since)
        evidence = gathered.evidence
        verifications = tuple(
            replace(
                self._verifier.verify(
                    copy.envelope, kind, at, holder, evidence, _provenance(copy, route, from_copy, source_down)
                ),
                evidence=evidence.about(reference.status_list),
            )
            for copy, reference in zip(copies, references, strict=True)
        )
        first = copies[0]
        obtained = Obtained(verifications, first.source, first.level, route.fell_through, from_copy, source_down)
        return obtained, gathered

    def _remember(
        self,
        holder: HolderExpectation,
        obtained: Obtained,
        gathered: Gathered,
        copies: Sequence[CertificateCopy],
        region: str,
    ) -> None:
        """Only where every verdict says how long it stands."""
        self._remembered.drop((copies[0].kind, holder))
        if any(each.stands_until is None for each in obtained.verifications):
            return
        kind, digest = copies[0].kind, self._digests.of(Use.HOLDER, holder.code)
        rests_on = CopiesAtHand(kind, digest, tuple(CopyVersion(each.digest, each.fetched_at) for each in copies))
        remembered = _Remembered(replace(obtained, rests_on=rests_on), gathered, region)
        self._remembered.put((kind, holder), remembered, obtained.verifications[0].at)

    async def _keep(
        self,
        kind: CertificateKind,
        holder: HolderExpectation,
        copies: Sequence[CertificateCopy],
        verifications: Sequence[Verification],
    ) -> None:
        """Keep what is not proved bad: an invalid copy would only stand in the way of a mended one.

        The source's answer takes the place of what was had before: nothing that it dropped comes back when it is down.
        """
        good = [
            copy
            for copy, verification in zip(copies, verifications, strict=True)
            if verification.verdict is not Verdict.INVALID
        ]

        def put(unit: CertificatesUnit) -> None:
            unit.certificate_copies.forget(holder.code, kind.code)
            for copy in good:
                unit.certificate_copies.put(copy)

        await self._transactions.write(put)


def _provenance(copy: CertificateCopy, route: SourceRoute, from_copy: bool, source_down: bool) -> CopyProvenance:
    """An older copy may come from another level than answers now: then nothing is said of the levels below."""
    passed = route.fell_through if copy.level == route.level else ()
    return CopyProvenance(copy.source, copy.fetched_at, copy.level, passed, from_copy, source_down)


def _still_fresh(copies: Sequence[CertificateCopy], kind: CertificateKind, at: datetime) -> bool:
    return all(timedelta() <= at - copy.fetched_at <= kind.policy.source.fresh for copy in copies)
