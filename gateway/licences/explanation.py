"""A request as it was judged, told check by check: what would be given by its names alone, and no value of any."""

from collections.abc import Sequence
from datetime import datetime

from gateway.certificates.disclosure import Withheld
from gateway.certificates.kind import CertificateKind
from gateway.certificates.verdicts import Verdict
from gateway.licences.answers import Outcome, basis_view, findings_view
from gateway.licences.gates import GateResult, Gates
from schemas.partner_api import (
    ExplainedCheck,
    LicenceExplanation,
    NamedItem,
    VerifiedLicenceRequest,
    WithheldItem,
)

_NOT_JUDGED = "not_judged"


def explain_refusal(
    request: VerifiedLicenceRequest, kind: CertificateKind | None, gates: Gates, record_id: str, at: datetime
) -> LicenceExplanation:
    """A request that was refused before there was anything to give."""
    return LicenceExplanation(
        application_id=request.application_id,
        kind=request.kind,
        title=kind.title if kind else None,
        purpose=request.purpose,
        at=at,
        outcome="refused",
        verdict=None,
        checks=check_views(gates.results(None)),
        record_id=record_id,
    )


def explain_outcome(
    request: VerifiedLicenceRequest, kind: CertificateKind, gates: Gates, outcome: Outcome
) -> LicenceExplanation:
    """A request that would be answered, with what the answer would rest on."""
    found, disclosure = outcome.leaving.found, outcome.leaving.disclosure
    verification = found.verification
    provenance = verification.provenance
    return LicenceExplanation(
        application_id=request.application_id,
        kind=request.kind,
        title=kind.title,
        purpose=request.purpose,
        at=outcome.at,
        outcome="answered",
        verdict=verification.verdict.value,
        checks=check_views(gates.results(verification)),
        given=[
            *(NamedItem(name=name, title=kind.title_of(name), form="field") for name in disclosure.fields),
            *(NamedItem(name=name, title=kind.title_of(name), form="predicate") for name in disclosure.predicates),
        ],
        withheld=withheld_items(kind, disclosure.withheld),
        findings=findings_view(outcome.leaving),
        source=provenance.source if provenance else None,
        as_of=provenance.fetched_at if provenance else None,
        from_copy=found.from_copy,
        source_down=found.source_down,
        basis=basis_view(found, outcome.at),
        record_id=outcome.record_id,
    )


def withheld_items(kind: CertificateKind, withheld: Sequence[Withheld]) -> list[WithheldItem]:
    """What stays behind, in words for a person."""
    return [
        WithheldItem(name=each.field, title=kind.title_of(each.field), reason=each.reason.value, says=each.reason.says)
        for each in withheld
    ]


def check_views(results: Sequence[GateResult]) -> list[ExplainedCheck]:
    """The checks, numbered from one."""
    return [
        ExplainedCheck(
            number=number,
            name=each.name,
            title=each.title,
            verdict=each.verdict.value if isinstance(each.verdict, Verdict) else _NOT_JUDGED,
            check=each.check,
            owner=each.owner,
            remedy=each.remedy,
            clause=each.clause,
            note=each.note,
        )
        for number, each in enumerate(results, 1)
    ]
