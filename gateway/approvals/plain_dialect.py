"""The gateway's own words for requests and outcomes, which most departments speak (``schemas.departments``)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.approvals.errors import OutcomeUnreadable
from gateway.approvals.joint_review import Outcome
from gateway.approvals.ports import DepartmentSettings
from gateway.errors import Owner
from gateway.wording.phrases import Phrase
from schemas.departments import ApprovalOutcome, ReviewRequest

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_claims(model: type[ModelT], claims: Mapping[str, Any]) -> ModelT:
    """``claims`` as ``model``. Raises ``OutcomeUnreadable``, which names the first member that does not fit."""
    try:
        return model.model_validate(dict(claims))
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        member = place if place in model.model_fields else "claims"
        raise OutcomeUnreadable(
            check=f"outcome.{member}",
            owner=Owner.GOVERNMENT,
            remedy=Phrase("请按接口文档修正 {member} 后重新推送。", member=member),
        ) from None


def read_outcome(claims: Mapping[str, Any], _settings: DepartmentSettings) -> Outcome:
    """An outcome in the gateway's own words. Raises ``OutcomeUnreadable``."""
    said = read_claims(ApprovalOutcome, claims)
    return Outcome(
        outcome_id=said.jti,
        permit_id=said.permit_id,
        sequence=said.sequence,
        outcome=said.outcome,
        decided_at=said.decided_at,
        supersedes=said.supersedes,
        reason=said.reason,
        document_number=said.document_number,
        valid_until=said.valid_until,
    )


def write_request(request: ReviewRequest, _settings: DepartmentSettings) -> dict[str, Any]:
    """A review request in the gateway's own words."""
    return request.model_dump(mode="json", exclude_none=True)
