"""One envelope judged on its own, for whoever holds its file: the same verifier and evidence as in production."""

from datetime import datetime

from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.kind import CertificateKind
from gateway.certificates.registry import KindRegistry
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verification import HolderExpectation, Verification
from gateway.certificates.verifier import Verifier

OTHER_KIND = "issuer.other_kind"
"""The check of a certificate whose seal holds and whose 证照类型代码 is another kind's."""


class Examiner:
    """Verifies files. ``kinds`` are those the province knows."""

    def __init__(self, kinds: KindRegistry, verifier: Verifier, evidence: EvidenceGatherer) -> None:
        self.kinds = kinds
        self._verifier, self._evidence = verifier, evidence

    async def examine(
        self,
        envelope: bytes,
        at: datetime,
        *,
        kind: str | None = None,
        holder_code: str | None = None,
        offline: bool = False,
    ) -> Verification:
        """The verdict on ``envelope`` at the aware instant ``at``.

        ``kind`` None takes the kind whose type code the sealed content bears. ``holder_code`` None asks nothing about
        the holder. ``offline`` gathers no status list, CRL or OCSP answer: what depends on one is then not known.
        Raises ``UnknownKind``. Never raises for what the envelope holds.
        """
        candidates = list(self.kinds.by_code.values()) if kind is None else [self.kinds.get(kind)]
        expected = HolderExpectation(holder_code) if holder_code is not None else None
        found = await self._as_kind(envelope, candidates[0], at, expected, offline)
        for candidate in candidates[1:]:
            if found.failed_check is None or found.failed_check.check != OTHER_KIND:
                break
            found = await self._as_kind(envelope, candidate, at, expected, offline)
        return found

    async def _as_kind(
        self, envelope: bytes, kind: CertificateKind, at: datetime, holder: HolderExpectation | None, offline: bool
    ) -> Verification:
        evidence = StatusEvidence()
        if not offline:
            evidence = await self._evidence.gather([self._verifier.references(envelope, kind, at)], at)
        return self._verifier.verify(envelope, kind, at, holder, evidence)
