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
from gateway.delivery.ports import DeliveryView
from gateway.errors import Owner
from gateway.evidence.ports import EvidenceTransaction
from gateway.records.errors import RecordNotAnchored
from gateway.records.log import record_id
from gateway.records.ports import StoredEntry
from gateway.records.record_proof import RecordProof
from gateway.records.service import prove_entry

SUBMITTED, PREVIEWED, REVIEW_OPENED = "application.submitted", "intake.previewed", "review.opened"


@dataclass(frozen=True)
class ProvedEntry:
    """A record entry, what it says, and its proof."""

    record_id: str
    said: Mapping[str, Any]
    proof: RecordProof

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.said["facts"]
        return facts


@dataclass(frozen=True)
class Collected:
    """What a bundle is made from. ``personal`` is False once the applicant's personal data are gone."""

    application: GridConnectionApplication
    authorisation: Authorisation | None
    proofs: Sequence[ProofOfApplication]
    documents: Sequence[EvidenceDocument]
    outcomes: Sequence[KeptOutcome]
    deliveries: Sequence[DeliveryView]
    entries: Sequence[ProvedEntry]
    personal: bool

    def of(self, *actions: str) -> list[ProvedEntry]:
        """The application's own entries of some actions."""
        own = self.application.application_id
        return [each for each in self.entries if each.said["action"] in actions and each.said["subject"] == own]


def collect(tx: EvidenceTransaction, application_id: str, retry_after: int) -> Collected:
    """Everything about the application, in one unit of work.

    Raises ``ApplicationUnknown``; ``RecordNotAnchored`` (to be tried again in ``retry_after`` seconds) while an entry
    is in no checkpoint yet, ``RecordDamaged``.
    """
    application = tx.applications.find(application_id)
    if application is None:
        raise unknown_application()
    review = tx.joint_reviews.find_by_application(application_id)
    permits = review.review.permits if review else ()
    destinations = {application.utility, *(permit.department for permit in permits)}
    entries = _entries(tx, application_id)
    return Collected(
        application,
        tx.authorisations.of_application(application_id),
        tx.evidence.proofs(application_id),
        tx.evidence.documents(application_id),
        [outcome for permit in permits for outcome in tx.approval_outcomes.of_permit(permit.permit_id)],
        tx.traces.deliveries_of(application_id, destinations),
        [_proved(tx, each, retry_after) for each in entries],
        tx.applications.party(application_id) is not None,
    )


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
    return ProvedEntry(record_id(entry.log_id, entry.sequence), orjson.loads(entry.leaf), proof)
