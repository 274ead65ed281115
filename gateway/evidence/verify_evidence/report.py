"""From a bundle to all statements about it."""

from collections.abc import Mapping
from dataclasses import dataclass

from .anchors import Anchors
from .archive import read_archive
from .checks.applications import check_application, check_authorisation, check_identity
from .checks.certificates import check_certificates
from .checks.contracts import check_contracts
from .checks.deliveries import check_deliveries
from .checks.manifest import check_manifest, check_rest
from .checks.outcomes import check_disclosures, check_outcomes
from .checks.reasons import check_reasons
from .checks.record import check_record
from .errors import Broken, TooMuch
from .examination import Examination
from .texts import PROVED, UNKNOWN, WRONG, Finding
from .work import LIMITS, bounded


@dataclass(frozen=True)
class Report:
    """All statements, in the order in which they were looked at."""

    findings: tuple[Finding, ...]

    def count(self, mark: str) -> int:
        """How many of a mark."""
        return sum(each.mark == mark for each in self.findings)

    @property
    def exit_code(self) -> int:
        """0 everything is proved, 1 something is wrong, 2 something is not proved."""
        if self.count(WRONG):
            return 1
        return 2 if self.count(UNKNOWN) or not self.count(PROVED) else 0


_CHECKS = (
    check_record,  # first: all else is held against it
    check_application,
    check_authorisation,
    check_identity,
    check_certificates,
    check_disclosures,
    check_outcomes,
    check_contracts,
    check_deliveries,
    check_reasons,
    check_rest,
)


def verify_evidence(bundle: bytes, anchors: Anchors, limits: Mapping[str, int] = LIMITS) -> Report:
    """Everything that ``bundle`` states, proved or not. Never raises for what it holds.

    What would cost more than ``limits`` is not looked at, which is said; nothing behind it is either.
    """
    examined = Examination(anchors)
    with bounded(limits):
        try:
            examined.files = read_archive(bundle)
            if check_manifest(examined):
                for check in _CHECKS:
                    check(examined)
        except Broken as broken:
            examined.findings.append(Finding(WRONG, "archive", broken.name, {"why": broken.why}))
        except TooMuch as much:
            examined.findings.append(Finding(UNKNOWN, "much", "", {"what": much.what, "limit": much.limit}))
        except Exception as fault:  # a fault of this verifier must not pass for a proof, nor for a traceback
            examined.findings.append(Finding(WRONG, "fault", "", {"why": type(fault).__name__}))
    return Report(tuple(examined.findings))
