"""A confirmation becomes an application, a review task or a refusal – by one code, now or when an officer accepts.

Nothing that contradicts is sent; what is unsure waits for an officer; the rest is sent at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.applications.errors import CertificatesContradict
from gateway.applications.found_documents import CHOICE_DIGITS
from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import GridConnectionApplication
from gateway.applications.ports import IntakeTransaction
from gateway.applications.reconciliation.finding import Finding, Outcome
from gateway.applications.review_tasks import REVIEW_LIVES, ReviewTask
from gateway.applications.stored_intake import StoredIntake
from gateway.applications.submission import (
    Submitted,
    authorise,
    authorised_entry,
    settle_documents,
    submitted_entry,
    submitted_event,
)
from gateway.applications.utilities import choose_utility
from gateway.authorisations.model import Authorisation
from gateway.certificates.named_persons import NOBODY
from gateway.certificates.proofs import EvidenceDocument, EvidenceRole, ProofCause
from gateway.errors import Owner
from gateway.records.entries import Fact, RecordEntry
from schemas.applicant_api import Confirmation

REVIEW_OPENED = "review.opened"


@dataclass(frozen=True)
class Ids:
    """Identifiers made before the unit of work, which may run twice."""

    application_id: str
    authorisation_id: str
    event_id: str
    task_id: str = ""


@dataclass(frozen=True)
class Prepared:
    """What a confirmation would make, and the findings about the certificates that were chosen."""

    application: GridConnectionApplication
    authorisation: Authorisation
    event_id: str
    findings: tuple[Finding, ...]

    @property
    def unsure(self) -> tuple[Finding, ...]:
        """What an officer would have to look at."""
        return tuple(each for each in self.findings if each.outcome is Outcome.UNSURE)


@dataclass(frozen=True)
class ReviewOpened:
    """A confirmed intake that waits for an officer, durably."""

    task: ReviewTask


def prepare(
    stored: StoredIntake,
    holder_digest: str,
    confirmation: Confirmation,
    serving: Sequence[str],
    gateway_name: str,
    ids: Ids,
    now: datetime,
) -> Prepared:
    """The application as of ``now``, with its authorisation; nothing is written.

    Raises ``NoUtility``, ``IntakeIncomplete``, ``AuthorisationPeriodUnsound``.
    """
    derivation = stored.derivation
    application = GridConnectionApplication(
        application_id=ids.application_id,
        intake=stored.intake,
        utility=choose_utility(serving, confirmation.utility),
        applicant_kind=stored.party.applicant_kind,
        holder_digest=holder_digest,
        demand=stored.demand,
        derivation=derivation,
        received_at=now,
        lifecycle=Lifecycle(derivation.customer_class, now),
        documents=settle_documents(stored.documents, confirmation),
    )
    with_address = stored.party.address is not None
    authorisation = authorise(
        application, ids.authorisation_id, gateway_name, confirmation, now, with_address=with_address
    )
    return Prepared(application, authorisation, ids.event_id, findings_about(stored, confirmation))


def findings_about(stored: StoredIntake, confirmation: Confirmation) -> tuple[Finding, ...]:
    """The findings about the certificates that the confirmation chose."""
    chosen = stored.chosen(confirmation)
    return tuple(each.finding for each in stored.findings if each.applies(chosen))


def require_no_contradiction(findings: Sequence[Finding]) -> None:
    """Raises ``CertificatesContradict`` for the first, with both owners named and no value of either."""
    for finding in findings:
        if finding.outcome is Outcome.CONTRADICTION:
            raise CertificatesContradict(
                check=f"consistency.{finding.comparison}",
                owner=Owner.APPLICANT,
                remedy=finding.remedy or "",
                clause=finding.clause,
                reason=finding.reason,
                documents=tuple(side.value for side in finding.sides),
            )


def submit(tx: IntakeTransaction, prepared: Prepared, stored: StoredIntake, intake_id: str) -> Submitted:
    """Application, authorisation, record and outbox row in one unit."""
    application, authorisation = prepared.application, prepared.authorisation
    tx.applications.add(application, stored.party)
    tx.authorisations.add(authorisation)
    tx.outbox.append(submitted_event(prepared.event_id, application, authorisation))
    tx.records.append(authorised_entry(authorisation, application.received_at))
    record_id = tx.records.append(submitted_entry(application, intake_id, stored.assertion))
    _keep_evidence(tx, application, stored)
    _keep_others(tx, application.application_id, application, stored)
    return Submitted(application, authorisation, record_id)


def _keep_evidence(tx: IntakeTransaction, application: GridConnectionApplication, stored: StoredIntake) -> None:
    """What proves who applied, and every certificate that the application rests on, as it was judged."""
    application_id, at = application.application_id, application.received_at
    if stored.assertion is not None:
        document = EvidenceDocument(EvidenceRole.ASSERTION, stored.assertion.encode())
        tx.evidence.attach(application_id, [document], at)
    standing = _standing(application)
    for document_of in stored.documents:
        digest = standing.get(document_of.document)
        proof = None if digest is None else document_of.proof(digest[:CHOICE_DIGITS])
        if digest is not None and proof is not None:
            tx.evidence.add(application_id, ProofCause.SUBMITTED, proof, (), at)
            tx.evidence.attach_copy(application_id, document_of.document, application.holder_digest, digest, at)


def _keep_others(
    tx: IntakeTransaction, subject: str, application: GridConnectionApplication, stored: StoredIntake
) -> None:
    """Whom else the certificates name, so that they can be told who saw them for ``subject``."""
    standing = _standing(application)
    for document_of in stored.documents:
        digest = standing.get(document_of.document)
        others = NOBODY if digest is None else document_of.others(digest[:CHOICE_DIGITS])
        if digest is not None and others.persons:
            tx.named_persons.add(subject, document_of.document, digest, others)


def _standing(application: GridConnectionApplication) -> dict[str, str | None]:
    return {each.document: each.content_digest for each in application.documents if each.verdict is not None}


def open_review(
    tx: IntakeTransaction,
    prepared: Prepared,
    stored: StoredIntake,
    intake_id: str,
    confirmation: Confirmation,
    task_id: str,
    now: datetime,
) -> ReviewOpened | None:
    """The intake waits for an officer, and lives on with its confirmation. None where it waits already, or is gone."""
    kept = confirmation.model_dump(mode="json")
    expires_at = now + REVIEW_LIVES
    view = stored.view.model_copy(update={"expires_at": expires_at})
    waiting = replace(stored, view=view, confirmation=kept, review_task_id=task_id)
    if not tx.intakes.put_under_review(intake_id, expires_at, waiting.to_json()):
        return None
    facts: dict[str, Fact] = {
        "task": task_id,
        "unsure": [f"{each.comparison}:{each.reason}" for each in prepared.unsure],
        "until": expires_at.isoformat(),
    }
    application = prepared.application
    task = ReviewTask(
        task_id=task_id,
        intake_id=intake_id,
        holder_digest=application.holder_digest,
        region=application.region,
        customer_class=application.customer_class.value,
        opened_at=now,
        expires_at=expires_at,
        findings=prepared.unsure,
        record_id=tx.records.append(RecordEntry(REVIEW_OPENED, now, "applicant", intake_id, facts=facts)),
    )
    tx.reviews.add(task)
    _keep_others(tx, task_id, application, stored)
    return ReviewOpened(task)
