"""What a verification answers: a verdict, the checks behind it, and what it rests on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.freshness import Basis
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verdicts import Verdict, worst
from gateway.certificates.x509.chain_basis import DATED_NOW
from gateway.errors import Owner


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One numbered step. ``name`` is the step, ``check`` the stable name of what failed in it (None when it passed).

    ``owner`` and ``remedy`` say whose turn it is and how it is mended; neither holds personal data.
    """

    name: str
    verdict: Verdict
    check: str | None = None
    owner: Owner | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class HolderExpectation:
    """Whom the e-certificate must belong to: a code, and a name when it is known. Compared, never shown."""

    code: str = field(repr=False)
    name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CopyProvenance:
    """Where the envelope's bytes came from, and when. ``level`` is the region that answered.

    ``fell_through`` are the regions below it that have no source of their own, lowest first. ``from_copy`` says that a
    copy at hand was used, ``source_down`` that the source had been asked and did not answer.
    """

    source: str
    fetched_at: datetime
    level: str | None = None
    fell_through: tuple[str, ...] = ()
    from_copy: bool = False
    source_down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The answer about one envelope at one instant. ``claims`` is there only when the verdict is valid.

    ``findings`` are stable slugs of what is worth telling but does not fail (``identifier.bad_check_character``).
    ``basis`` lists the copy, the chain, each CRL and OCSP answer and the status list with their ages; ``evidence``
    holds their bytes, as far as they were at hand. ``stands_until`` (exclusive) is how long the same bytes and the same
    evidence are sure to be judged the same; None where that has to be found out. ``refetched_until`` is that of the
    same bytes fetched anew, however old these are; ``prove`` proves their seal's signature once more, or raises.
    """

    kind: str
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    at: datetime
    findings: tuple[str, ...] = ()
    claims: ECertificateClaims | None = field(default=None, repr=False)
    identifier: str | None = field(default=None, repr=False)
    issuing_authority: str | None = None
    basis: tuple[Basis, ...] = ()
    provenance: CopyProvenance | None = None
    envelope_digest: str = ""
    form: str | None = None
    expires_on: date | None = None
    evidence: StatusEvidence | None = field(default=None, repr=False)
    stands_until: datetime | None = None
    refetched_until: datetime | None = field(default=None, compare=False)
    prove: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    def judged_again(self, at: datetime) -> "Verification":
        """The same verdict at a later instant before ``stands_until``."""
        basis = tuple(replace(each, as_of=at) if each.name in DATED_NOW else each for each in self.basis)
        return replace(self, at=at, basis=basis)

    @property
    def failed_check(self) -> CheckResult | None:
        """What decided the verdict: the first invalid check, else the first indeterminate one; None when valid."""
        for verdict in (Verdict.INVALID, Verdict.INDETERMINATE):
            for check in self.checks:
                if check.verdict is verdict:
                    return check
        return None

    @property
    def stale(self) -> bool:
        """Whether it rests on something stale but permitted, which every answer must say."""
        return any(item.usable and item.state != "fresh" for item in self.basis)


def overall(checks: Sequence[CheckResult]) -> Verdict:
    """One invalid check spoils it, one unknown leaves it open, nothing checked is nothing known."""
    return worst(check.verdict for check in checks)
