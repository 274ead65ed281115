"""What a process remembers of applications that are asked about again and again.

Nothing here is believed: the unit of work that records an answer compares every row with what is remembered, in the
transaction that it commits, and an answer that rests on anything else is thrown away (``Moved``) and found anew. So a
withdrawal, a stage, a re-check or another process's change takes effect with the very next answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from gateway.licences.answers import Leaving, Outcome
from gateway.licences.application_context import ApplicationContext
from gateway.licences.judgement import Allowed
from gateway.licences.obtaining import Found
from gateway.licences.ports import CASE, Case, LicencesTransaction
from gateway.partners.ports import DIRECTORY
from gateway.records.entries import Fact
from gateway.transaction import Look

MAX_CASES = 4096
REMEMBERED_FOR = timedelta(minutes=5)
"""No longer: what is personal leaves the memory of a process soon after it left the database."""


class Moved(Exception):
    """Something that an answer was about to rest on is not as it is remembered."""


@dataclass(frozen=True)
class RememberedCase:
    """A case as it was read, of which verdicts the evidence was kept with it, and whose other persons.

    What was kept goes with the application's personal data alone (``gateway.retention``), long after the case changed.
    """

    case: Case
    _kept: dict[str, Verification] = field(default_factory=dict)
    _left: dict[str, tuple[Leaving, ApplicationContext]] = field(default_factory=dict)
    _named: set[tuple[str, str]] = field(default_factory=set)
    _told: dict[str, tuple[Allowed, Leaving, Mapping[str, Fact]]] = field(default_factory=dict)

    def require_standing(self, tx: LicencesTransaction, application_id: str, found: Found) -> None:
        """Nothing was changed of the case, nor of the copies that ``found`` rests on. Raises ``Moved``."""
        if not tx.cases.stands(application_id, self.case.stamp):
            raise Moved
        if found.rests_on is not None and not found.rests_on.stand(tx):
            raise Moved

    def has_kept(self, verification: Verification) -> bool:
        """Whether what ``verification`` rests on was kept with an earlier answer: the same envelope and evidence."""
        before = self._kept.get(verification.kind)
        return (
            before is not None
            and before.evidence is verification.evidence
            and before.envelope_digest == verification.envelope_digest
            and before.verdict is verification.verdict
            and before.checks == verification.checks
        )

    def has_named(self, verification: Verification) -> bool:
        """Whether it was kept whom else this envelope names."""
        return (verification.kind, verification.envelope_digest) in self._named

    def leaving_again(self, allowed: Allowed, found: Found, now: datetime) -> Leaving | None:
        """What left before of the same certificate under the same rules, asked in the same context; else None."""
        left, context = self._left.get(allowed.question.kind, (None, None))
        if (
            left is None
            or left.compiled is not allowed.compiled
            or left.found.verification.claims is not found.verification.claims
            or context != allowed.context(now)
        ):
            return None
        return Leaving(found, left.compiled, left.disclosure)

    def told_before(self, allowed: Allowed, leaving: Leaving) -> Mapping[str, Fact] | None:
        """The facts of an entry about the same disclosure of the same verdict at the same stage; else None."""
        known = self._told.get(allowed.question.kind)
        if known is None:
            return None
        before, left, facts = known
        same = (
            left.disclosure is leaving.disclosure
            and left.compiled is leaving.compiled
            and left.found.verification.checks is leaving.found.verification.checks
            and left.found.source_down == leaving.found.source_down
            and before.stage is allowed.stage
            and before.authorisation is allowed.authorisation
        )
        return facts if same else None

    def kept(self, allowed: Allowed, outcome: Outcome, now: datetime, *, others: bool) -> None:
        """An answer was committed, and with it what it rests on; with ``others`` also whom else it names."""
        leaving, verification = outcome.leaving, outcome.leaving.found.verification
        self._kept[verification.kind] = verification
        self._told[verification.kind] = (allowed, leaving, outcome.facts)
        if verification.verdict is Verdict.VALID:
            self._left[verification.kind] = (leaving, allowed.context(now))
        if others:
            self._named.add((verification.kind, verification.envelope_digest))


def looks_of(application_id: str, found: Found) -> tuple[Look, ...]:
    """What the recording unit is going to look at."""
    looks = (Look(CASE, (application_id,)), Look(DIRECTORY))
    return looks if found.rests_on is None else (*looks, found.rests_on.look)
