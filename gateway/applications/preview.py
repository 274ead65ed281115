"""What an applicant is shown before anything is sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.applications.consistency import candidates_of, consistency_view, passable, summaries
from gateway.applications.customer_classes import ClassDerivation
from gateway.applications.deadlines import deadlines
from gateway.applications.found_documents import Candidate, FoundDocument
from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import IntakeKind
from gateway.applications.reconciliation.finding import ChosenFinding
from gateway.applications.rule_book import RuleBook
from gateway.applications.views import class_view, stage_view, whole_view
from schemas import applicant_api

INTAKE_LIVES = timedelta(minutes=30)


@dataclass(frozen=True)
class Preview:
    """What was found; ``disclosed`` tells per document which fields a utility of the region may obtain."""

    intake_id: str
    intake: IntakeKind
    region: str
    expires_at: datetime
    derivation: ClassDerivation
    documents: list[FoundDocument]
    disclosed: dict[str, list[str]]
    utilities: list[str]
    findings: tuple[ChosenFinding, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing is missing but, at most, a choice, and some choice contradicts nothing."""
        whole = all(document.state in ("found", "choose") for document in self.documents)
        return whole and passable(candidates_of(self.documents), self.findings)

    @property
    def compared(self) -> list[str]:
        """What was compared and how it came out, for the record."""
        return summaries(self.findings)


def intake_view(preview: Preview, rules: RuleBook) -> applicant_api.IntakeView:
    """What was found, with the road ahead: every stage and its limit, counted as if received now."""
    started_at = preview.expires_at - INTAKE_LIVES
    lifecycle = Lifecycle(preview.derivation.customer_class, started_at)
    ahead = deadlines(lifecycle, preview.region, rules, started_at)
    return applicant_api.IntakeView(
        intake_id=preview.intake_id,
        intake=preview.intake.value,
        expires_at=preview.expires_at,
        customer_class=class_view(preview.derivation),
        stages=[stage_view(stage, lifecycle) for stage in ahead.stages],
        whole=whole_view(ahead.whole),
        documents=[
            document_view(document, preview.disclosed[document.row.document.value]) for document in preview.documents
        ],
        utilities=preview.utilities,
        ready=preview.ready,
        consistency=[consistency_view(each.finding, each.choices) for each in preview.findings],
    )


def document_view(found: FoundDocument, disclosed: list[str]) -> applicant_api.FoundDocument:
    """One document with what was found, for the applicant's eyes."""
    return applicant_api.FoundDocument(
        document=found.row.document.value,
        title=found.row.document.chinese_title,
        clause=found.row.clause,
        state=found.state.value,
        certificates=[_certificate_view(found.row.document.chinese_title, each) for each in found.candidates],
        disclosed_fields=disclosed,
        declarable=found.declarable,
        next_step=found.next_step,
    )


def _certificate_view(title: str, candidate: Candidate) -> applicant_api.FoundCertificate:
    return applicant_api.FoundCertificate(
        choice=candidate.choice,
        title=title,
        verdict=candidate.verdict.value,
        summary=candidate.summary,
        issuing_authority=candidate.issuing_authority,
        source=candidate.source,
        as_of=candidate.as_of,
        failed_check=candidate.failed_check,
        notes=list(candidate.notes),
    )
