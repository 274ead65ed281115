"""Obtaining verified e-certificates: a copy at hand or the region's source, evidence, verdict, and the copy kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.certificates.bounded import BriefMemory
from gateway.certificates.errors import NoECertificate
from gateway.certificates.evidence import RENEW_AFTER, EvidenceGatherer, Gathered
from gateway.certificates.fetching import Asked, Fetched, Keeping, Refetchable, fetch
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.kind import CertificateKind
from gateway.certificates.ports import (
    COPIES,
    CertificateCopy,
    CertificatesUnit,
    CopyVersion,
    UsePurpose,
)
from gateway.certificates.registry import KindRegistry
from gateway.certificates.sources import SourceDirectory, SourceRoute
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CopyProvenance, HolderExpectation, Verification
from gateway.certificates.verifier import Verifier
from gateway.clock import END_OF_TIME
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import PartnerUnavailable
from gateway.transaction import Look, Transactions

MAX_REMEMBERED = 4096
"""Holders' kinds of which an answer is remembered."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """What a holder has of a kind. ``level`` is the region whose source answered, ``fell_through`` those without one.

    ``from_copy`` says that copies at hand were used; ``source_down`` that the source had been asked and did not answer.
    ``keeping`` is what the caller took upon himself to keep; ``refetchable`` by what the same is known when it is
    fetched again.
    """

    verifications: tuple[Verification, ...]
    source: str
    level: str
    fell_through: tuple[str, ...] = ()
    from_copy: bool = False
    source_down: bool = False
    rests_on: "CopiesAtHand | None" = None
    keeping: Keeping | None = None
    refetchable: Refetchable | None = None


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
        return unit.certificate_copies.stand(self.kind, self.holder_digest, self.versions)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What was answered from copies at hand, and what shows whether the same would be answered again."""

    obtained: Obtained
    gathered: Gathered
    region: str

    def stands(self, at: datetime, since: datetime | None) -> bool:
        """Every verdict stands at ``at``, and the evidence would be the very same."""
        for each in self.obtained.verifications:
            if each.stands_until is None or not each.at <= at < each.stands_until:
                return False
        return self.gathered.stands(at, since)

    @property
    def until(self) -> datetime:
        """Before when what ``stands`` now goes on to, while no evidence is fetched anew."""
        ends = [each.stands_until or END_OF_TIME for each in self.obtained.verifications]
        return min(self.gathered.until, *ends)


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
        self._remembered: BriefMemory[tuple[str, str, str | None], _Remembered] = BriefMemory(
            MAX_REMEMBERED, RENEW_AFTER
        )

    def remembered(
        self, kind: str, holder: HolderExpectation, *, region: str, at: datetime, since: datetime | None = None
    ) -> Obtained | None:
        """What ``obtain`` answered from copies at hand, where it would answer that again; None where it may not.

        Nobody is asked, the database neither: whoever relies on it makes sure in a unit of work of theirs that
        ``Obtained.rests_on`` still stands, and asks ``obtain`` where it does not.
        """
        known = self._remembered.get((kind, holder.code, holder.name), at)
        if known is None or known.region != region or not known.stands(at, since):
            return None
        verifications = tuple(self._verifier.again(each, at) for each in known.obtained.verifications)
        return replace(known.obtained, verifications=verifications)

    @property
    def changes(self) -> int:
        """As long as it is the same, so is all that is remembered, and the evidence at hand."""
        return self._remembered.changes + self._evidence.fetched

    def still_until(
        self, rests_on: CopiesAtHand, holder: HolderExpectation, *, at: datetime, since: datetime | None = None
    ) -> datetime | None:
        """Before when ``remembered`` answers from these very copies, with the very same verdicts, from ``at`` on.

        As long as ``changes`` stays the same; None where it would not do so at ``at``.
        """
        key = (rests_on.kind, holder.code, holder.name)
        known = self._remembered.get(key, at)
        if known is None or known.obtained.rests_on is not rests_on or not known.stands(at, since):
            return None
        return min(self._remembered.until(key), known.until)

    def forget(self, kind: str, holder: HolderExpectation) -> None:
        """What ``remembered`` knows of the holder's ``kind`` does not stand any more."""
        self._remembered.drop((kind, holder.code, holder.name))

    def sweep_memory(self, at: datetime) -> None:
        """Nothing is remembered for longer than evidence is, which is renewed then."""
        self._remembered.sweep(at)
        self._sources.sweep_memory(at)

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
        fetched: Fetched | None = None,
        kept_by_caller: bool = False,
    ) -> Obtained:
        """Every e-certificate of ``kind`` that ``holder`` has (there may be several properties), verified at ``at``.

        ``holder_type`` is a CZZTDMLXDM code, ``region`` a GB/T 2260 code. A copy still fresh by the policy spares
        the source unless ``fresh`` asks for it; with ``since`` status lists, CRLs and OCSP answers were fetched at that
        instant or later, too. When the source does not answer, older copies are used and judged by
        their age. ``fetched`` is what the source answered just now, if it was asked already. With ``kept_by_caller``
        what it answered is kept by whoever asks (``Obtained.keeping``), in a unit of work of theirs.
        Raises ``UnknownKind``, ``NoSource``, ``NoECertificate``, ``Denied`` or, with no copy at hand,
        ``PartnerUnavailable``.
        """
        wanted, since = self.kinds.get(kind), None if since is None else min(since, at)
        route, asked = self._sources.route(region, kind), Asked(kind, holder, holder_type, region, purpose)
        copies: list[CertificateCopy] | None = None
        if fetched is None or fetched.asked != asked:
            fetched = None
            if not fresh and wanted.policy.source.fresh:  # else no copy would do while the source answers
                copies = await self._at_hand(kind, holder)
                if copies and _still_fresh(copies, wanted, at):
                    obtained, gathered = await self._verified(wanted, copies, holder, at, route, since, from_copy=True)
                    self._remember(holder, obtained, gathered, copies, region)
                    return obtained
        fetched = fetched or await self._fetch(wanted, route, asked, at)
        if fetched.error is not None:
            copies = await self._at_hand(kind, holder) if copies is None else copies
            if copies and isinstance(fetched.error, PartnerUnavailable):
                return (
                    await self._verified(wanted, copies, holder, at, route, since, from_copy=True, source_down=True)
                )[0]
            if copies and isinstance(fetched.error, NoECertificate):
                await self._transactions.write(lambda unit: unit.certificate_copies.forget(holder.code, kind))
            raise fetched.error
        obtained, gathered = await self._verified(wanted, fetched.copies, holder, at, route, since)
        digest, step = self._digests.of(Use.HOLDER, holder.code), wanted.policy.source.step
        keeping = _keeping(fetched, obtained.verifications, digest, step)
        if not kept_by_caller:
            await self.keep(keeping)
            return obtained
        # Where a copy may be fresh it spares the source, and nothing is fetched again for the next answer.
        always = not wanted.policy.source.fresh
        again = Refetchable.of(asked, obtained.verifications, gathered, digest, step) if always else None
        return replace(obtained, keeping=keeping, refetchable=again)

    async def fetch_again(self, known: Refetchable, at: datetime) -> Fetched:
        """What the source answers now to what it was asked before."""
        asked = known.asked
        return await self._fetch(self.kinds.get(asked.kind), self._sources.route(asked.region, asked.kind), asked, at)

    def found_the_same(self, known: Refetchable, fetched: Fetched, since: datetime | None = None) -> bool:
        """Whether ``fetched`` are the bytes of ``known``, would be judged the same, and their seals are proved anew."""
        return known.is_met_by(fetched, since) and all(map(self._verifier.proves, known.verifications))

    async def keep(self, keeping: Keeping) -> None:
        """Keep what a source answered in a unit of work of its own."""
        await self._transactions.write(keeping.put)

    def route(self, kind: str, region: str) -> SourceRoute:
        """Which source is asked for ``kind`` in ``region``. Raises ``NoSource``."""
        return self._sources.route(region, kind)

    async def _fetch(self, kind: CertificateKind, route: SourceRoute, asked: Asked, at: datetime) -> Fetched:
        with self._transactions.about_to_write():  # what came is kept at once
            return await fetch(kind, route, asked, at)

    async def _at_hand(self, kind: str, holder: HolderExpectation) -> list[CertificateCopy]:
        return await self._transactions.read(lambda unit: list(unit.certificate_copies.latest(kind, holder.code)))

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
        self._remembered.drop((copies[0].kind, holder.code, holder.name))
        if any(each.stands_until is None for each in obtained.verifications):
            return
        kind, digest = copies[0].kind, self._digests.of(Use.HOLDER, holder.code)
        rests_on = CopiesAtHand(kind, digest, tuple(CopyVersion(each.digest, each.fetched_at) for each in copies))
        remembered = _Remembered(replace(obtained, rests_on=rests_on), gathered, region)
        self._remembered.put((kind, holder.code, holder.name), remembered, obtained.verifications[0].at)


def _keeping(fetched: Fetched, verifications: Sequence[Verification], holder_digest: str, step: timedelta) -> Keeping:
    """What is not proved bad: an invalid copy would only stand in the way of a mended one."""
    good = tuple(
        copy
        for copy, verification in zip(fetched.copies, verifications, strict=True)
        if verification.verdict is not Verdict.INVALID
    )
    return Keeping(fetched.asked.kind, fetched.asked.holder.code, holder_digest, good, step)


def _provenance(copy: CertificateCopy, route: SourceRoute, from_copy: bool, source_down: bool) -> CopyProvenance:
    """An older copy may come from another level than answers now: then nothing is said of the levels below."""
    passed = route.fell_through if copy.level == route.level else ()
    return CopyProvenance(copy.source, copy.fetched_at, copy.level, passed, from_copy, source_down)


def _still_fresh(copies: Sequence[CertificateCopy], kind: CertificateKind, at: datetime) -> bool:
    return all(timedelta() <= at - copy.fetched_at <= kind.policy.source.fresh for copy in copies)
