"""A verifier whose verdicts are counted."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.envelope import EnvelopeFormat
from gateway.certificates.kind import CertificateKind
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CopyProvenance, HolderExpectation, Verification
from gateway.certificates.verifier import Verifier


class CountedVerifier(Verifier):
    """``judged`` is told kind and verdict of each e-certificate."""

    def __init__(
        self, chains: ChainVerifier, formats: Sequence[EnvelopeFormat], judged: Callable[[str, Verdict], None]
    ) -> None:
        super().__init__(chains, formats)
        self._judged = judged

    def verify(
        self,
        envelope: bytes,
        kind: CertificateKind,
        at: datetime,
        holder: HolderExpectation | None,
        evidence: StatusEvidence,
        provenance: CopyProvenance | None = None,
    ) -> Verification:
        """See ``Verifier.verify``."""
        verification = super().verify(envelope, kind, at, holder, evidence, provenance)
        self._judged(kind.code, verification.verdict)
        return verification

    def again(self, verification: Verification, at: datetime) -> Verification:
        """See ``Verifier.again``: one more answer is one more verdict."""
        self._judged(verification.kind, verification.verdict)
        return super().again(verification, at)

    def proves(self, verification: Verification) -> bool:
        """See ``Verifier.proves``: what is proved is one more verdict."""
        proved = super().proves(verification)
        if proved:
            self._judged(verification.kind, verification.verdict)
        return proved
