"""What officers of the operator (运营方) say to the gateway about review tasks, and hear from it."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.applicant_api import ConsistencyView
from schemas.wire import Instant, OpaqueId, OpenWireModel, RegionDigits, Slug, WireModel

_IDENTITY_NUMBER = re.compile(r"[0-9]{15}|[0-9]{17}[0-9Xx]")


def _no_identity_number(text: str) -> str:
    if _IDENTITY_NUMBER.fullmatch(text):
        raise ValueError("an officer is named by a staff number, never by an identity number")
    return text


OfficerId = Annotated[
    OpaqueId,
    AfterValidator(_no_identity_number),
    Field(description="工作人员编号（不得使用公民身份号码），记入存证", examples=["gd-4407"]),
]


class ReviewTaskView(OpenWireModel):
    """核查任务, without any personal data. ``unsure`` says which documents do not plainly agree, and why."""

    review_task_id: OpaqueId
    state: Literal["open", "accepted", "rejected", "withdrawn", "expired"]
    region: RegionDigits
    customer_class: Slug
    opened_at: Instant
    expires_at: Instant
    unsure: list[ConsistencyView]
    settled_at: Instant | None = None
    officer: str | None = None
    reason: str | None = None
    application_id: OpaqueId | None = None
    record_id: str


class InspectionRequest(WireModel):
    """``POST /v1/operator/review-tasks/{id}/inspection``: who looks. The look is on record; the applicant sees it."""

    officer: OfficerId


class ComparedValueView(OpenWireModel):
    """A value as it stands in a document. Personal data."""

    document: str
    label: str
    value: str


class ComparisonShown(OpenWireModel):
    """The values of one unsure comparison."""

    comparison: Slug
    title: str
    reason: Slug
    values: list[ComparedValueView]


class InspectionView(OpenWireModel):
    """What was compared, read anew from the certificates; ``unavailable`` are documents that could not be had now."""

    task: ReviewTaskView
    shown: list[ComparisonShown]
    unavailable: list[Slug] = []
    record_id: str


class SettlementRequest(WireModel):
    """``POST /v1/operator/review-tasks/{id}/settlement``, by an officer who looked at it and has no part in it.

    ``reason`` is told to the applicant and kept: no personal data in it.
    """

    officer: OfficerId
    decision: Literal["accepted", "rejected"]
    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")
    no_interest: Literal[True] = Field(description="本人不是申请人或经办人，与其无利害关系（回避）")


class SettlementView(OpenWireModel):
    """``200`` to a settlement; ``application_id`` where it was accepted and is on its way to the utility."""

    task: ReviewTaskView
    application_id: OpaqueId | None = None
    record_id: str
