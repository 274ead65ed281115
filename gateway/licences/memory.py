"""What a process remembers of applications that are asked about again and again.

Nothing here is believed: the unit of work that records an answer compares every row with what is remembered, in the
transaction that it commits, and an answer that rests on anything else is thrown away (``Moved``) and found anew. So a
withdrawal, a stage, a re-check or another process's change takes effect with the very next answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.caller import ProofUse
from gateway.certificates.bounded import BriefMemory
from gateway.certificates.fetching import Fetched, Keeping, Refetchable
from gateway.certificates.service import CertificateService, CopiesAtHand
from gateway.certificates.verification import HolderExpectation, Verification
from gateway.clock import Clock
from gateway.licences.answers import AnswerForm
from gateway.licences.ports import Case, LicencesTransaction
from gateway.licences.standing import Asked, StandingAnswer, asked_by, looks_of
from gateway.partners.directory import DirectorySnapshot, PartnerDirectory
from gateway.records.entries import RecordEntry
from gateway.transaction import Foreseen, Transactions
from schemas.partner_api import VerifiedLicenceRequest
from schemas.wire import format_instant

MAX_CASES = 1024
MAX_STANDING = 16
"""Requests about one application whose answers are remembered."""
REMEMBERED_FOR = timedelta(minutes=5)
"""No longer: what is personal leaves the memory of a process soon after it left the database."""


class Moved(Exception):
    """Something that an answer was about to rest on is not as it is remembered."""


@dataclass(frozen=True)
class RememberedCase:
    """A case as it was read, of which verdicts the evidence was kept with it, whose other persons, what was answered.

    What was kept goes with the application's personal data alone (``gateway.retention``), long after the case changed.
    """

    case: Case
    _kept: dict[str, Verification] = field(default_factory=dict)
    _named: set[tuple[str, str]] = field(default_factory=set)
    _standing: dict[Asked, StandingAnswer] = field(default_factory=dict)

    def require_standing(
        self, tx: LicencesTransaction, application_id: str, rests_on: CopiesAtHand | None = None
    ) -> None:
        """Nothing was changed of the case, nor of the copies that an answer ``rests_on``. Raises ``Moved``."""
        if not tx.cases.stands(application_id, self.case.stamp):
            raise Moved
        if rests_on is not None and not rests_on.stand(tx):
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

    def kept(self, verification: Verification, *, others: bool) -> None:
        """An answer was committed, and with it what it rests on; with ``others`` also whom else it names."""
        self._kept[verification.kind] = verification
        if others:
            self._named.add((verification.kind, verification.envelope_digest))

    def standing(self, asked: Asked | None) -> StandingAnswer | None:
        """What was answered before to the same request; whether it holds is its own question."""
        return None if asked is None else self._standing.get(asked)

    def stands(self, asked: Asked, answer: StandingAnswer) -> None:
        """Keep ``answer`` for whoever asks the same; whoever asks for ever other fields pushes out what came first."""
        self._standing.pop(asked, None)
        self._standing[asked] = answer
        if len(self._standing) > MAX_STANDING:
            del self._standing[next(iter(self._standing))]


Sign = Callable[[AnswerForm, datetime, str], str]
"""The signed answer of a form, at an instant, recorded as the entry of that name."""


class _Recorded(NamedTuple):
    """An answer's entry; of another type than the answer, which is yet to be signed."""

    record_id: str


class LicenceMemory:
    """The cases that are remembered, and the answers that stand. The event loop's alone."""

    def __init__(
        self,
        transactions: Transactions[LicencesTransaction],
        certificates: CertificateService,
        partners: PartnerDirectory,
        clock: Clock,
        action: str,
        sign: Sign,
    ) -> None:
        """``action`` names an answer in the record."""
        self._transactions, self._certificates, self._partners = transactions, certificates, partners
        self._clock, self._action, self._sign = clock, action, sign
        self._cases: BriefMemory[str, RememberedCase] = BriefMemory(MAX_CASES, REMEMBERED_FOR)

    def case(self, application_id: str, at: datetime) -> RememberedCase | None:
        """What is remembered of the application, if anything is."""
        return self._cases.get(application_id, at)

    def keep(self, application_id: str, case: Case, at: datetime) -> None:
        """Remember ``case``, as it was read at ``at``."""
        self._cases.put(application_id, RememberedCase(case), at)

    def forget(self, application_id: str, kind: str, known: RememberedCase) -> None:
        """Something of it, or of its holder's ``kind``, did not stand."""
        self._cases.drop(application_id)
        if known.case.party is not None:
            self._certificates.forget(kind, HolderExpectation(known.case.party.code, known.case.party.name))

    def sweep(self, at: datetime) -> None:
        """What is remembered goes when its time is over, whether somebody asks or not."""
        self._cases.sweep(at)
        self._certificates.sweep_memory(at)

    async def answer_again(
        self, code: str, request: VerifiedLicenceRequest, now: datetime, use: ProofUse | None = None
    ) -> "str | Fetched | None":
        """An answer that stands, given again: recorded, and signed. None where none does.

        One for which the source is asked each time stands where it answers the very same; where it did not, what it
        did answer is told, so that it is not asked twice. ``use`` of the caller's proof, if there is one to spend, is
        spent with the entry, or before the source is asked.
        Raises ``ProofRefused``, and ``Overloaded``: it could not be recorded.
        """
        application_id = request.application_id
        known = self._cases.get(application_id, now)
        standing = None if known is None else known.standing(asked_by(code, request))
        if known is None or standing is None:
            return None
        snapshot = self._partners.at_hand() or await self._partners.snapshot()
        if not standing.holds(snapshot, self._certificates, now):
            return None
        fetched: Fetched | None = None
        copies: CopiesAtHand | Keeping
        if isinstance(standing.rests_on, Refetchable):
            try:
                await self.require(application_id, known, standing.snapshot, use)
            except Moved:
                self.forget(application_id, request.kind, known)
                return None
            use = None
            fetched = await self._certificates.fetch_again(standing.rests_on, now)
            if not self._certificates.found_the_same(standing.rests_on, fetched, standing.since):
                return fetched
            copies = standing.rests_on.keeping(fetched)
        else:
            copies = standing.rests_on

        def record_again(tx: LicencesTransaction) -> _Recorded | None:
            if use is not None:
                use.spend_in(tx)
            record_id = self._record_again(tx, code, application_id, known, standing, copies, now)
            return None if record_id is None else _Recorded(record_id)

        def sign(recorded: _Recorded | None) -> str | None:
            return None if recorded is None else self._sign(standing.form, now, recorded.record_id)

        looks = standing.looks if use is None else (use.look, *standing.looks)
        answer = await self._transactions.write(Foreseen(record_again, looks, sign))
        if use is not None:
            use.spent()
        if answer is None:
            self.forget(application_id, request.kind, known)
            if isinstance(copies, Keeping):  # the rules may refuse before they come to what was fetched
                await self._certificates.keep(copies)
            return fetched
        return answer

    async def require(
        self, application_id: str, known: RememberedCase, snapshot: DirectorySnapshot, use: ProofUse | None = None
    ) -> None:
        """Before a source is asked on what is only remembered: it stands, and so does ``snapshot``; ``use`` is spent.

        Raises ``Moved``, ``ProofRefused``, ``Overloaded``.
        """

        def look(tx: LicencesTransaction) -> bool:
            if use is not None:
                use.spend_in(tx)
            return self._stands(tx, application_id, known, snapshot, None)

        looks = looks_of(application_id, None)
        stands: bool = await self._transactions.write(Foreseen(look, looks if use is None else (use.look, *looks)))
        if use is not None:
            use.spent()
        if not stands:
            raise Moved

    def _stands(
        self,
        tx: LicencesTransaction,
        application_id: str,
        known: RememberedCase,
        snapshot: DirectorySnapshot,
        copies: CopiesAtHand | None,
    ) -> bool:
        try:
            known.require_standing(tx, application_id, copies)
        except Moved:
            return False
        return self._partners.as_of(tx, snapshot) is snapshot

    def _record_again(
        self,
        tx: LicencesTransaction,
        code: str,
        application_id: str,
        known: RememberedCase,
        standing: StandingAnswer,
        copies: CopiesAtHand | Keeping,
        now: datetime,
    ) -> str | None:
        """The entry; None where something that the answer rests on is found changed: a proof stays spent then."""
        at, facts = self._clock(), standing.facts
        at_hand = copies if isinstance(copies, CopiesAtHand) else None
        if at >= standing.until or not self._stands(tx, application_id, known, standing.snapshot, at_hand):
            return None
        if isinstance(copies, Keeping):
            copies.put(tx)
            facts = facts.with_text("as_of", format_instant(now))
        return tx.records.append(RecordEntry(self._action, at, code, application_id, facts=facts))
