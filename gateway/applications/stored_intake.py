"""An intake between preview and confirmation, as it is kept (personal data, until confirmed, dropped or expired)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.applications.customer_classes import Area, ClassDerivation, CustomerClass
from gateway.applications.found_documents import FoundDocument
from gateway.applications.model import ApplicationDocument, Demand, IntakeKind, Party
from gateway.certificates.verdicts import Verdict
from schemas.applicant_api import IntakeView
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
                }
                for candidate in found.candidates
                if candidate.verdict is Verdict.VALID
            },
        )

    def usable(self, choice: str | None) -> ApplicationDocument | None:
        """The valid certificate that stands for the document; ``choice`` tells which of several."""
        if choice is None and len(self.valid) == 1:
            choice = next(iter(self.valid))
        kept = self.valid.get(choice or "")
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
        )

    def declared(self, content_digest: str) -> ApplicationDocument:
        """The applicant's own upload in its place, marked self-declared (容缺)."""
        return ApplicationDocument(self.document, self.title, None, None, None, None, content_digest)


@dataclass(frozen=True)
class StoredIntake:
    """All that a confirmation needs."""

    intake: IntakeKind
    demand: Demand
    derivation: ClassDerivation
    party: Party
    documents: tuple[StoredDocument, ...]
    view: IntakeView

    def to_json(self) -> dict[str, Any]:
        """For storage."""
        return {
            "intake": self.intake.value,
            "demand": {**self.demand.__dict__},
            "derivation": {**self.derivation.__dict__},
            "party": {**self.party.__dict__},
            "documents": [{**document.__dict__} for document in self.documents],
            "view": self.view.model_dump(mode="json"),
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
        )
