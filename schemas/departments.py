"""What the gateway and a permit department say to one another (并联审批).

Both directions are compact JWS (``application/jose``): the gateway signs a review request, the department signs an
outcome. The department's signed bytes travel unchanged to the utility, who can check them itself.
"""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.wire import Day, Instant, OpaqueId, OpenWireModel, PartnerCode, RegionDigits, Slug, WireModel


class ReviewMode(StrEnum):
    """第（四）条: how a permit is handled."""

    FULL = "full"
    COMMITMENT = "commitment"
    FILING = "filing"
    EXEMPT = "exempt"


class OutcomeKind(StrEnum):
    """What a department can tell of a permit; ``blzt`` of the V3 exchange in brackets."""

    ACCEPTED = "accepted"
    CORRECTION_REQUESTED = "correction_requested"
    CORRECTION_RECEIVED = "correction_received"
    SPECIAL_PROCEDURE_STARTED = "special_procedure_started"
    SPECIAL_PROCEDURE_ENDED = "special_procedure_ended"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"


class ConnectionLine(WireModel):
    """电力外线工程: the line for which permits are sought."""

    description: str = Field(max_length=500)
    voltage_v: int = Field(gt=0, le=1_000_000)
    length_m: float = Field(gt=0, le=1_000_000)
    from_point: str = Field(max_length=200)
    to_point: str = Field(max_length=200)


class ReviewRequest(WireModel):
    """Claims of a review request (``typ`` review-request+jwt): one permit of a joint review.

    ``iss`` is the gateway, ``aud`` the department's code, ``jti`` the event id: a repeated one is the same request.
    """

    iss: str
    aud: PartnerCode
    jti: OpaqueId
    iat: int
    review_id: OpaqueId
    permit_id: OpaqueId
    application_id: OpaqueId
    permit: Slug = Field(description="Which permit, by the department's own list", examples=["road_occupation"])
    mode: ReviewMode
    region: RegionDigits
    line: ConnectionLine
    commitment: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="告知承诺: SHA-256 of the statement that the applicant gave, hexadecimal",
    )
    due_on: date | None = Field(default=None, description="Last working day of the limit; none where no limit is set")
    due_provisional: bool = Field(default=False, description="The calendar of that year is not published yet")
    outcomes_uri: str = Field(description="Where outcomes of this permit are pushed to")
    conformance_test: Literal[True] | None = Field(
        default=None,
        description="接入符合性测试: answer, and do nothing else; ids begin with cft_. In no real request",
    )


class ApprovalOutcome(OpenWireModel):
    """Claims of an outcome (``typ`` approval-outcome+jwt); ``iss`` is the department's code, ``jti`` the outcome id.

    ``sequence`` counts a permit's outcomes from 1 without a gap: whatever order they arrive in, this is their order.
    """

    iss: PartnerCode
    aud: str
    jti: OpaqueId
    iat: int
    permit_id: OpaqueId
    sequence: int = Field(ge=1, le=10_000)
    outcome: OutcomeKind
    decided_at: Instant
    reason: str | None = Field(default=None, max_length=1000, description="For the applicant; no personal data")
    supersedes: OpaqueId | None = Field(default=None, description="The outcome that this one replaces")
    document_number: str | None = Field(default=None, max_length=100, description="批文号")
    valid_until: Day | None = None


class OutcomeAcknowledged(WireModel):
    """``202`` to a pushed outcome: it is durable, and on its way to the utility."""

    outcome_id: OpaqueId
    permit_id: OpaqueId
    duplicate: bool = Field(description="The very same outcome was here before; nothing was done again")
    record_id: str


class ReviewAcknowledged(WireModel):
    """A department's answer to a review request: taken (a repeated request gets the same answer)."""

    permit_id: OpaqueId
    department_reference: OpaqueId
    duplicate: bool = False
    test_outcome: str | None = Field(
        default=None,
        max_length=8192,
        description="In answer to a conformance test alone: accepted, of the test permit, signed as any outcome",
    )
