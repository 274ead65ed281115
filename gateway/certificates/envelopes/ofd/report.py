"""What a verification of an OFD document found: named checks, three outcomes each, and one verdict over all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.certificates.verdicts import Verdict


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


class Basis(StrEnum):
    """What a check rests on.

    Integrity is mathematics over the bytes at hand. Trust rests on what a certificate says of itself, which counts for
    nothing until the certificate leads to an anchor: without one, a failed trust check is shown but decides nothing.
    """

    INTEGRITY = "integrity"
    TRUST = "trust"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``reason`` is a stable English phrase and ``detail`` the Chinese one; ``files`` are archive paths."""

    code: str
    title: str
    outcome: Outcome
    basis: Basis = Basis.INTEGRITY
    reason: str = ""
    detail: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceReport:
    """One file that a signature names, and whether its digest is the one that was signed."""

    path: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SignerFacts:
    """What the signer's certificate says. Names are as written; times aware UTC."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    certificate: bytes


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What the electronic seal (电子印章) says of itself and its maker (制章者). ``picture`` is its picture's type."""

    name: str
    seal_id: str
    version: int
    vendor: str
    maker: str
    picture: str
    created_at: datetime
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class OfdSignatureReport:
    """One signature of the document. ``path`` is its Signature.xml; ``form`` is V1, V4, V5 or ``GB/T 35275``.

    ``signed_at`` is the signer's own claim as aware UTC; ``signed_at_text`` is what Signature.xml says. ``signer`` is
    the first of ``signers``; only a CMS value has several. ``own`` are the files that are proved to be nothing but this
    signature's. ``covered`` are the files whose digests are right, which counts only when no integrity check failed
    (`intact`).
    """

    path: str
    kind: str
    form: str
    provider: str
    method: str
    digest_method: str
    signed_at: datetime | None
    signed_at_text: str
    references: tuple[ReferenceReport, ...]
    seal: SealFacts | None
    signers: tuple[SignerFacts, ...]
    checks: tuple[Check, ...]
    own: tuple[str, ...] = ()
    listed: bool = True

    @property
    def signer(self) -> SignerFacts | None:
        """Who signed, or the first of several; None when the signed value could not be read."""
        return self.signers[0] if self.signers else None

    @property
    def intact(self) -> bool:
        """Cryptographically whole: every integrity check passed."""
        return all(
            check.outcome in (Outcome.PASSED, Outcome.NOT_APPLICABLE)
            for check in self.checks
            if check.basis is Basis.INTEGRITY
        )

    @property
    def covered(self) -> tuple[str, ...]:
        """Archive paths that this signature protects; empty unless it is `intact`."""
        if not self.intact:
            return ()
        return tuple(reference.path for reference in self.references if reference.outcome is Outcome.PASSED)

    @property
    def verdict(self) -> Verdict:
        """Three verdicts: invalid when integrity fails, or trust fails under a known anchor; never valid on a guess."""
        return judge(self.checks)[0]

    @property
    def reason(self) -> str:
        """Why the verdict is not valid, as a stable English phrase; empty when it is."""
        return judge(self.checks)[1]


@dataclass(frozen=True, slots=True)
class OfdVerification:
    """The whole document at the aware instant ``at``.

    ``uncovered`` are files that no intact signature protects (the signatures' own files are left out). A document with
    uncovered files is at best indeterminate as a whole, yet what a *valid* signature covers may be used: `trusted`.
    """

    at: datetime
    signatures: tuple[OfdSignatureReport, ...]
    uncovered: tuple[str, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict over everything."""
        return self._judged()[0]

    @property
    def reason(self) -> str:
        """Why it is not valid, as a stable English phrase such as ``no trust anchor``; empty when it is."""
        return self._judged()[1]

    @property
    def intact(self) -> bool:
        """Whether the document and every signature are cryptographically whole, whoever made them."""
        failed = any(check.outcome is Outcome.FAILED for check in self.checks)
        return bool(self.signatures) and not failed and all(signature.intact for signature in self.signatures)

    @property
    def failed_files(self) -> tuple[str, ...]:
        """Archive paths named by failed checks, each once."""
        checks = [*self.checks, *(check for signature in self.signatures for check in signature.checks)]
        paths = (path for check in checks if check.outcome is Outcome.FAILED for path in check.files)
        return tuple(dict.fromkeys(paths))

    @property
    def trusted(self) -> frozenset[str]:
        """Archive paths from which claims may be taken: those that a signature with verdict valid covers."""
        valid = (signature for signature in self.signatures if signature.verdict is Verdict.VALID)
        return frozenset(path for signature in valid for path in signature.covered)

    def _judged(self) -> tuple[Verdict, str]:
        results = [*((signature.verdict, signature.reason) for signature in self.signatures), judge(self.checks)]
        for verdict in (Verdict.INVALID, Verdict.INDETERMINATE):
            for found, reason in results:
                if found is verdict:
                    return found, reason
        return Verdict.VALID, ""


def judge(checks: Iterable[Check]) -> tuple[Verdict, str]:
    """The verdict of a set of checks and the reason of the check that decided it."""
    checks = tuple(checks)
    integrity = [check for check in checks if check.basis is Basis.INTEGRITY]
    trust = [check for check in checks if check.basis is Basis.TRUST]
    paths = [check for check in trust if check.code.startswith("path.")]
    for check in [*integrity, *paths]:
        if check.outcome is Outcome.FAILED:
            return Verdict.INVALID, check.reason
    for check in [*integrity, *paths]:
        if check.outcome is Outcome.UNKNOWN:
            return Verdict.INDETERMINATE, check.reason
    for outcome, verdict in ((Outcome.FAILED, Verdict.INVALID), (Outcome.UNKNOWN, Verdict.INDETERMINATE)):
        for check in trust:
            if check.outcome is outcome:
                return verdict, check.reason
    return Verdict.VALID, ""
