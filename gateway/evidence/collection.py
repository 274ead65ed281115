"""Everything that is kept about one application, read at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.applications.errors import ApplicationUnknown
from gateway.applications.model import GridConnectionApplication
from gateway.approvals.ports import KeptOutcome
from gateway.authorisations.model import Authorisation
from gateway.certificates.proofs import EvidenceDocument, ProofOfApplication
from gateway.contracts.model import ContractState
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.delivery.ports import DeliveryView
from gateway.errors import Owner
from gateway.evidence.contracts import SignedContract
from gateway.evidence.ports import EvidenceTransaction
from gateway.records.checkpoints import parse_checkpoint
from gateway.records.errors import RecordNotAnchored
from gateway.records.growth import LogGrowth, growth_between
from gateway.records.log import record_id
from gateway.records.notes import Note
from gateway.records.ports import StoredEntry, TimeStamp
from gateway.records.record_proof import RecordProof
from gateway.records.service import prove_entry

REASON = "reason_digest"
"""The fact of an entry that a reason was given for: a commitment, see ``KeyedDigest``."""
SUBMITTED, PREVIEWED, REVIEW_OPENED = "application.submitted", "intake.previewed", "review.opened"


@dataclass(frozen=True)
class ProvedEntry:
    """A record entry, what it says, its proof, and the time stamps of the checkpoint that it is proved in."""

    record_id: str
    said: Mapping[str, Any]
    proof: RecordProof
    stamps: Sequence[TimeStamp]

    @property
    def anchored(self) -> int:
        """How many leaves a checkpoint has at least that holds it."""
        return self.proof.super_index + 1

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.said["facts"]
        return facts


@dataclass(frozen=True)
class StampedCheckpoint:
    """A checkpoint, and what authorities said of when they saw it."""

    note: Note
    stamps: Sequence[TimeStamp]


@dataclass(frozen=True)
class Reason:
    """What somebody wrote as the reason of an entry, and the opening (32 bytes) that ties it to its ``digest`` there.

    ``text`` is None where nothing that is kept has that digest.
    """

    record_id: str
    digest: str
    text: str | None
    opening: bytes


@dataclass(frozen=True)
class Collected:
    """What a bundle is made from.

    ``stamped`` bounds when ``entries`` were written, ``growth`` shows that both are of one record. ``personal`` is
    False once the applicant's personal data are gone.
    """

    application: GridConnectionApplication
    authorisation: Authorisation | None
    proofs: Sequence[ProofOfApplication]
    documents: Sequence[EvidenceDocument]
    outcomes: Sequence[KeptOutcome]
    deliveries: Sequence[DeliveryView]
    entries: Sequence[ProvedEntry]
    stamped: StampedCheckpoint | None
    growth: Sequence[LogGrowth]
    reasons: Sequence[Reason]
    contracts: Sequence[SignedContract]
    personal: bool

    def of(self, *actions: str) -> list[ProvedEntry]:
        """The application's own entries of some actions."""
        own = self.application.application_id
        return [each for each in self.entries if each.said["action"] in actions and each.said["subject"] == own]


def collect(
    tx: EvidenceTransaction, application_id: str, digests: KeyedDigest, retry_after: int, *, own_only: bool
) -> Collected:
    """Everything about the application, in one unit of work; ``own_only`` without entries of its intake and review.

    Raises ``ApplicationUnknown``; ``RecordNotAnchored`` (to be tried again in ``retry_after`` seconds) while an entry
    is in no checkpoint yet, ``RecordDamaged``.
    """
    application = tx.applications.find(application_id)
    if application is None:
        raise unknown_application()
    review = tx.joint_reviews.find_by_application(application_id)
    permits = review.review.permits if review else ()
    destinations = {application.utility, *(permit.department for permit in permits)}
    found = _entries(tx, application_id)
    entries = [_proved(tx, each, retry_after) for each in found if not own_only or each.subject == application_id]
    stamped = _stamped(tx, max((each.anchored for each in entries), default=0))
    more = [] if stamped is None else [parse_checkpoint(stamped.note.text)]
    return Collected(
        application,
        tx.authorisations.of_application(application_id),
        tx.evidence.proofs(application_id),
        tx.evidence.documents(application_id),
        [outcome for permit in permits for outcome in tx.approval_outcomes.of_permit(permit.permit_id)],
        tx.traces.deliveries_of(application_id, destinations),
        entries,
        stamped,
        growth_between(tx.super_log, [each.proof for each in entries], more),
        [reason for each in entries if (reason := _reason(tx, application, each, digests)) is not None],
        _signed_contracts(tx, application_id, digests),
        tx.applications.party(application_id) is not None,
    )


def _reason(
    tx: EvidenceTransaction, application: GridConnectionApplication, entry: ProvedEntry, digests: KeyedDigest
) -> Reason | None:
    """Of a stage, an ending or a settled review: of whatever was written there, that which has the digest."""
    digest = entry.facts.get(REASON)
    if not isinstance(digest, str):
        return None
    if entry.said["subject"] == application.application_id:
        event_id = tx.traces.stage_event_of(application.application_id, entry.record_id)
        reference = f"{application.application_id}/{event_id}"
        written = {step.reason for step in application.lifecycle.steps}
    else:
        task = tx.reviews.of_application(application.application_id)
        reference, written = str(entry.said["subject"]), {task.reason if task is not None else None}
    matching = (each for each in written if each and digests.commitment(Use.REASON, reference, each) == digest)
    return Reason(entry.record_id, digest, next(matching, None), digests.opening(Use.REASON, reference))


def _signed_contracts(tx: EvidenceTransaction, application_id: str, digests: KeyedDigest) -> list[SignedContract]:
    """Those that were signed here. What was only offered stays out: nobody agreed to it."""
    return [
        SignedContract(
            each,
            tx.contracts.document(each.contract_id),
            digests.commitment(Use.CONTRACT, each.contract_id, each.sha256),
            digests.opening(Use.CONTRACT, each.contract_id),
        )
        for each in tx.contracts.of_application(application_id)
        if each.state is ContractState.SIGNED
    ]


def unknown_application() -> ApplicationUnknown:
    """Says nothing of whether there is such an application."""
    return ApplicationUnknown(check="application.unknown", owner=Owner.CALLER, remedy="请核对申请编号")


def _entries(tx: EvidenceTransaction, application_id: str) -> list[StoredEntry]:
    """About the application, the intake it came from, the session of who applied, and the review that it passed."""
    found = list(tx.traces.entries_about([application_id]))
    intakes = _named(found, SUBMITTED, "intake_id")
    if intakes:
        found += tx.traces.entries_about(intakes)
        more = {*_named(found, PREVIEWED, "session"), *_named(found, REVIEW_OPENED, "task")}
        found += tx.traces.entries_about(more)
    return found


def _named(entries: Iterable[StoredEntry], action: str, fact: str) -> set[str]:
    values = (orjson.loads(each.leaf)["facts"].get(fact) for each in entries if each.action == action)
    return {value for value in values if isinstance(value, str)}


def _proved(tx: EvidenceTransaction, entry: StoredEntry, retry_after: int) -> ProvedEntry:
    proof = prove_entry(tx.super_log, entry)
    if proof is None:
        raise RecordNotAnchored(retry_after=retry_after)
    stamps = tx.super_log.time_stamps(parse_checkpoint(proof.checkpoint.text).size)
    return ProvedEntry(record_id(entry.log_id, entry.sequence), orjson.loads(entry.leaf), proof, stamps)


def _stamped(tx: EvidenceTransaction, size: int) -> StampedCheckpoint | None:
    found = tx.super_log.stamped_checkpoint(size)
    return None if found is None else StampedCheckpoint(found.note, tx.super_log.time_stamps(found.size))
