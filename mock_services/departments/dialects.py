"""One outcome, two ways to say it: the gateway's own words, or those of the V3 project exchange."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mock_services.departments.roster import Department, Dialect
from schemas.departments import ApprovalOutcome, OutcomeKind
from schemas.project_exchange import STATUS_OF_OUTCOME, ProjectApprovalResult


@dataclass(frozen=True)
class Outcome:
    """An outcome before it is put into words; ``audience`` is the ``iss`` of the review request."""

    outcome_id: str
    permit_id: str
    audience: str
    sequence: int
    kind: OutcomeKind
    decided_at: datetime
    reason: str | None
    supersedes: str | None
    document_number: str | None
    valid_until: date | None


def claims_of(department: Department, outcome: Outcome) -> dict[str, Any]:
    """The JWS claims of ``outcome`` in the words that ``department`` speaks."""
    issued = {
        "iss": department.code,
        "aud": outcome.audience,
        "jti": outcome.outcome_id,
        "iat": int(outcome.decided_at.timestamp()),
    }
    model: ApprovalOutcome | ProjectApprovalResult
    if department.dialect is Dialect.PROJECT_EXCHANGE:
        model = ProjectApprovalResult(
            **issued,
            spsxslbm=outcome.permit_id,
            xh=outcome.sequence,
            blzt=STATUS_OF_OUTCOME[outcome.kind],
            blsj=outcome.decided_at,
            blyj=outcome.reason,
            pfwh=outcome.document_number,
            pfwjyxqx=outcome.valid_until,
            x_tdjg=outcome.supersedes,
        )
    else:
        model = ApprovalOutcome(
            **issued,
            permit_id=outcome.permit_id,
            sequence=outcome.sequence,
            outcome=outcome.kind,
            decided_at=outcome.decided_at,
            reason=outcome.reason,
            supersedes=outcome.supersedes,
            document_number=outcome.document_number,
            valid_until=outcome.valid_until,
        )
    return model.model_dump(mode="json", exclude_none=True)
