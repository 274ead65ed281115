"""An intake between preview and confirmation, as it is kept (personal data, until confirmed, dropped or expired)."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from gateway.applications.customer_classes import Area, ClassDerivation, CustomerClass
from gateway.applications.found_documents import FoundDocument
from gateway.applications.model import ApplicationDocument, Demand, IntakeKind, Party
from gateway.applications.reconciliation.finding import ChosenFinding
from gateway.applications.review_tasks import chosen_from_json, chosen_to_json
from gateway.certificates.named_persons import NOBODY, OthersNamed
from gateway.certificates.proofs import Proof
from gateway.certificates.verdicts import Verdict
from schemas.applicant_api import Confirmation, IntakeView
from schemas.identity import ApplicantKind


@dataclass(frozen=True)
class StoredDocument:
    """A document with its valid certificates by choice."""

    document: str
    title: str
    declarable: bool
    valid: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, found: FoundDocument) -> "StoredDocument":
        """What confirmation will need of ``found``: digests, not the certificates themselves."""
        return cls(
            document=found.row.document.value,
            title=found.row.document.chinese_title,
            declarable=found.declarable,
            valid={
                candidate.choice: {
                    "source": candidate.source,
                    "as_of": candidate.as_of.isoformat() if candidate.as_of else None,
                    "identifier_digest": candidate.identifier_digest,
                    "content_digest": candidate.content_digest,
                    "series_digest": candidate.series_digest,
                    "version": candidate.version,
                    "expires_on": candidate.expires_on.isoformat() if candidate.expires_on else None,
                    "facts_digest": candidate.facts_digest,
                    "proof": Proof.of(candidate.verification).to_json() if candidate.verification else None,
                    "others": {"persons": candidate.others.persons, "label": candidate.others.label},
                }
                for candidate in found.candidates
                if candidate.verdict is Verdict.VALID
            },
        )

    def choice(self, wanted: str | None) -> str | None:
        """Which valid certificate stands for the document: ``wanted``, or the only one."""
        if wanted is None and len(self.valid) == 1:
            return next(iter(self.valid))
        return wanted if wanted in self.valid else None

    def usable(self, wanted: str | None) -> ApplicationDocument | None:
        """The valid certificate that stands for the document; ``wanted`` tells which of several."""
        kept = self.valid.get(self.choice(wanted) or "")
        if kept is None:
            return None
        return ApplicationDocument(
            document=self.document,
            title=self.title,
            verdict=Verdict.VALID,
            source=kept["source"],
            as_of=datetime.fromisoformat(kept["as_of"]) if kept["as_of"] else None,
            identifier_digest=kept["identifier_digest"],
            content_digest=kept["content_digest"],
            series_digest=kept["series_digest"],
            version=kept["version"],
            expires_on=date.fromisoformat(kept["expires_on"]) if kept.get("expires_on") else None,
            facts_digest=kept.get("facts_digest"),
        )

    def proof(self, wanted: str | None) -> Proof | None:
        """What the verdict about the certificate that stands for the document rested on; None where it was not kept."""
        kept = self.valid.get(self.choice(wanted) or "") or {}
        return Proof.from_json(kept["proof"]) if kept.get("proof") else None

    def others(self, wanted: str | None) -> OthersNamed:
        """Whom else that certificate names; nobody where it was not kept."""
        kept = (self.valid.get(self.choice(wanted) or "") or {}).get("others")
        return OthersNamed(tuple(kept["persons"]), kept["label"]) if kept else NOBODY

    def declared(self, content_digest: str) -> ApplicationDocument:
        """The applicant's own upload in its place, marked self-declared (容缺)."""
        return ApplicationDocument(self.document, self.title, None, None, None, None, content_digest)


@dataclass(frozen=True)
class StoredIntake:
    """All that a confirmation needs. ``findings`` hold no values.

    ``authorisation`` is the agent's, as it was presented; ``assertion`` what the identity provider signed.
    ``confirmation`` and ``review_task_id`` are there while the intake waits for an officer.
    """

    intake: IntakeKind
    demand: Demand
    derivation: ClassDerivation
    party: Party
    documents: tuple[StoredDocument, ...]
    view: IntakeView
    findings: tuple[ChosenFinding, ...] = ()
    authorisation: str | None = field(default=None, repr=False)
    confirmation: dict[str, Any] | None = field(default=None, repr=False)
    review_task_id: str | None = None
    assertion: str | None = field(default=None, repr=False)

    def chosen(self, confirmation: Confirmation) -> dict[str, str]:
        """Which certificate stands for each document, by the confirmation or because it is the only one."""
        chosen = {each.document: each.choice(confirmation.choices.get(each.document)) for each in self.documents}
        return {document: choice for document, choice in chosen.items() if choice is not None}

    def to_json(self) -> dict[str, Any]:
        """For storage."""
        return {
            "intake": self.intake.value,
            "demand": {**self.demand.__dict__},
            "derivation": {**self.derivation.__dict__},
            "party": {**self.party.__dict__},
            "documents": [{**document.__dict__} for document in self.documents],
            "view": self.view.model_dump(mode="json"),
            "findings": [chosen_to_json(each) for each in self.findings],
            "authorisation": self.authorisation,
            "confirmation": self.confirmation,
            "review_task_id": self.review_task_id,
            "assertion": self.assertion,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "StoredIntake":
        """What ``to_json`` wrote."""
        derivation = body["derivation"]
        return cls(
            intake=IntakeKind(body["intake"]),
            demand=Demand(**{**body["demand"], "area": Area(body["demand"]["area"])}),
            derivation=ClassDerivation(
                CustomerClass(derivation["customer_class"]), derivation["clause"], derivation["reason"]
            ),
            party=Party(**{**body["party"], "applicant_kind": ApplicantKind(body["party"]["applicant_kind"])}),
            documents=tuple(StoredDocument(**stored) for stored in body["documents"]),
            view=IntakeView.model_validate(body["view"]),
            findings=tuple(chosen_from_json(each) for each in body["findings"]),
            authorisation=body["authorisation"],
            confirmation=body["confirmation"],
            review_task_id=body["review_task_id"],
            assertion=body.get("assertion"),
        )
