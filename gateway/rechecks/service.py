"""复核: looking again at a certificate that an open application rests on.

1. The application is open, and the applicant's authorisation still covers the kind: nobody's certificates are looked
   at without it.
2. The certificate is asked of the source, whatever copy is at hand, and verified on evidence fetched since it was asked
   for. A source that does not answer decides nothing.
3. What stands for the certificate now is compared with what the application rests on (``judge_change``).
4. A change is one commit: the application's document, the record entry, the event for the utility, and the copies at
   hand dropped, so that no licence is answered from what is overtaken.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.applications.model import HOLDER_TYPES, ApplicationDocument, GridConnectionApplication, Party
from gateway.applications.standing_certificate import standing_certificate
from gateway.applications.submission import PURPOSE, use_purpose
from gateway.authorisations.errors import AuthorisationMissing
from gateway.authorisations.model import Authorisation, require_covers
from gateway.certificates.errors import NoECertificate
from gateway.certificates.proofs import Proof, ProofCause, documents_behind
from gateway.certificates.service import CertificateService
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation, Verification
from gateway.clock import Clock
from gateway.errors import Denied, Indeterminate, NotFound, PartnerUnavailable
from gateway.ids import MakeId
from gateway.rechecks.judgement import is_decided, judge_change, updated
from gateway.rechecks.model import NO_LONGER_HELD, Change, NotHeld, Reason, Undecided
from gateway.rechecks.ports import LastLook, RechecksTransaction
from gateway.rechecks.telling import change_entry, change_event, look_entry
from gateway.transaction import Transactions

CAUSE = "在办期间复核"
UNREADABLE = "certificate.unreadable"
"""What the source gave cannot be told to be the certificate in question."""


@dataclass(frozen=True)
class NothingToLookAt:
    """The application is closed or unknown, the certificate is none of its own, or the authorisation has ended."""


Look = Verification | NotHeld | Undecided | NothingToLookAt


@dataclass(frozen=True)
class Concluded:
    """What came of a look: ``document`` as it stands now (None: nothing was looked at), and the change, if any."""

    document: ApplicationDocument | None
    change: Change | None = None
    undecided: Undecided | None = None


class RecheckService:
    """Looks at certificates again, and tells what changed."""

    def __init__(
        self,
        transactions: Transactions[RechecksTransaction],
        certificates: CertificateService,
        clock: Clock,
        make_id: MakeId,
    ) -> None:
        self._transactions = transactions
        self._certificates = certificates
        self._clock = clock
        self._make_id = make_id

    async def recheck(self, application_id: str, kind: str, reason: Reason = Reason.SWEEP) -> Concluded:
        """Look at one certificate now, and tell what changed. Raises ``Overloaded``: nothing was told."""
        look, event_id = await self.look(application_id, kind, self._clock()), self._make_id("evt")
        return await self._transactions.write(
            lambda tx: self.conclude(tx, application_id, kind, look, reason, event_id)
        )

    async def look(self, application_id: str, kind: str, since: datetime) -> Look:
        """Steps 1 and 2, on evidence fetched at ``since`` or later; nothing is changed. Raises ``Overloaded``."""
        now = self._clock()
        application, party, authorisation = await self._transactions.read(
            lambda tx: (
                tx.applications.find(application_id),
                tx.applications.party(application_id),
                tx.authorisations.of_application(application_id),
            )
        )
        document = _certificate(application, kind)
        if (
            application is None
            or document is None
            or party is None
            or not _covers(application, kind, authorisation, now)
        ):
            return NothingToLookAt()
        try:
            return await self._ask(application, party, document, now, since)
        except PartnerUnavailable as error:
            return Undecided(error.check, error.retry_after)
        except (Indeterminate, Denied, NotFound) as error:
            return Undecided(error.check)

    async def _ask(
        self,
        application: GridConnectionApplication,
        party: Party,
        document: ApplicationDocument,
        now: datetime,
        since: datetime,
    ) -> Verification | NotHeld | Undecided:
        kind = self._certificates.kinds.get(document.document)
        try:
            obtained = await self._certificates.obtain(
                kind.code,
                HolderExpectation(party.code, party.name),
                holder_type=HOLDER_TYPES[application.applicant_kind],
                region=application.region,
                purpose=use_purpose(CAUSE),
                at=now,
                fresh=True,
                since=since,
            )
        except NoECertificate:
            return NotHeld(now, self._certificates.route(kind.code, application.region).source.code)
        if obtained.from_copy:
            return Undecided("source.down")
        here = [each for each in obtained.verifications if kind.lies_in(each.claims, application.region)]
        found = standing_certificate(here, document, self._certificates.identifier_digests)
        if found is None:
            return _missing(obtained.verifications, now, obtained.source)
        if not is_decided(document, found):
            failed = found.failed_check if found.verdict is Verdict.INDETERMINATE else None
            return Undecided(failed.check or failed.name if failed else UNREADABLE)
        return found

    def conclude(
        self, tx: RechecksTransaction, application_id: str, kind: str, look: Look, reason: Reason, event_id: str
    ) -> Concluded:
        """Steps 3 and 4, in the caller's unit of work."""
        application = tx.applications.find_for_change(application_id)
        document, at = _certificate(application, kind), self._clock()
        authorisation = tx.authorisations.of_application(application_id)
        if (
            isinstance(look, NothingToLookAt)
            or application is None
            or document is None
            or not _covers(application, kind, authorisation, at)
        ):
            return Concluded(None)
        if not isinstance(look, Undecided) and _overtaken(look, document, at):
            return Concluded(document)
        tx.application_certificates.looked(application_id, kind, _last_look(look, at))
        if isinstance(look, Undecided):
            return Concluded(document, undecided=look)
        digests = self._certificates.identifier_digests
        change = judge_change(document, look, digests)
        if change is None:
            same = updated(document, look, digests) if isinstance(look, Verification) else document
            if same != document:  # sealed anew with the same words, or known better than when it was confirmed
                tx.applications.put_document(application_id, same)
            tx.records.append(look_entry(application_id, same, reason, at))
            return Concluded(same)
        tx.applications.put_document(application_id, change.document)
        if isinstance(look, Verification) and look.envelope_digest:
            behind = list(documents_behind(look))
            tx.evidence.add(application_id, ProofCause.RECHECK, Proof.of(look), behind, at)
            tx.evidence.attach_copy(application_id, kind, application.holder_digest, look.envelope_digest, at)
        tx.certificate_copies.forget_holder(application.holder_digest, kind)
        tx.records.append(change_entry(application_id, change, reason, at))
        tx.outbox.append(change_event(event_id, application, change, reason, at))
        return Concluded(change.document, change)


def _certificate(application: GridConnectionApplication | None, kind: str) -> ApplicationDocument | None:
    """The application's certificate of this kind, while the application is open."""
    if application is None or application.lifecycle.closed_at is not None:
        return None
    own = (each for each in application.documents if each.document == kind and each.verdict is not None)
    return next(own, None)


def _covers(
    application: GridConnectionApplication, kind: str, authorisation: Authorisation | None, at: datetime
) -> bool:
    try:
        require_covers(authorisation, application.utility, kind, PURPOSE, at)
    except AuthorisationMissing:
        return False
    return True


def _missing(found: tuple[Verification, ...], now: datetime, source: str) -> NotHeld | Undecided:
    """None of what the source gave is the certificate. One that cannot be told apart may yet be it."""
    if any(each.identifier is None for each in found):
        return Undecided(UNREADABLE)
    return NotHeld(now, source)


def _overtaken(look: Verification | NotHeld, document: ApplicationDocument, now: datetime) -> bool:
    """Somebody looked later and told a change already. A time still to come was set by a clock that ran fast."""
    return document.as_of is not None and look.at < document.as_of <= now


def _last_look(look: Verification | NotHeld | Undecided, at: datetime) -> LastLook:
    if isinstance(look, Undecided):
        return LastLook(at, Verdict.INDETERMINATE.value, look.check)
    if isinstance(look, NotHeld):
        return LastLook(at, Verdict.INVALID.value, NO_LONGER_HELD)
    failed = look.failed_check
    return LastLook(at, look.verdict.value, (failed.check or failed.name) if failed else None)
