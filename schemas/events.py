"""Events that the gateway delivers: CloudEvents 1.0 (structured JSON) under Standard Webhooks signatures.

Headers: ``webhook-id`` (= event id), ``webhook-timestamp`` (seconds), ``webhook-signature``: space-separated
``v1,<base64 HMAC-SHA256>`` and ``v1a,<base64 Ed25519>``, both over ``{id}.{timestamp}.{body}``.
The receiver answers ``200`` with a signed receipt; a repeated event gets the receipt again and has no second effect.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.conformance import ConformanceTest
from schemas.contracts import ContractDeclined, ContractSigned
from schemas.departments import OutcomeKind, ReviewMode
from schemas.leads import LeadOffered, LeadRetracted
from schemas.ratings import ServiceRated
from schemas.wire import Instant, OpaqueId, OpenWireModel, PartnerCode, RegionDigits, Slug

HEADER_ID = "webhook-id"
HEADER_TIMESTAMP = "webhook-timestamp"
HEADER_SIGNATURE = "webhook-signature"

EPOCH = 10**12
"""``sequence`` and ``position`` run 1, 2, 3 … within an epoch, ``number // EPOCH``, which counts how often the gateway
was restored from a backup. Numbers of a former epoch that only the receiver knows are what the gateway lost."""


def follows(number: int, before: int) -> bool:
    """Whether ``number`` comes right after ``before`` (0: nothing yet), or begins a later epoch: nothing is missing."""
    return number == before + 1 or (number // EPOCH > before // EPOCH and number % EPOCH == 1)


class EventType(StrEnum):
    """``type`` of a CloudEvent of ours."""

    APPLICATION_SUBMITTED = "cn.bandian.application.submitted.v1"
    APPLICATION_WITHDRAWN = "cn.bandian.application.withdrawn.v1"
    AUTHORISATION_WITHDRAWN = "cn.bandian.authorisation.withdrawn.v1"
    REVIEW_OPENED = "cn.bandian.review.opened.v1"
    REVIEW_CHANGED = "cn.bandian.review.changed.v1"
    PERMIT_OUTCOME = "cn.bandian.permit.outcome.v1"
    CERTIFICATE_CHANGED = "cn.bandian.certificate.changed.v1"
    CONTRACT_SIGNED = "cn.bandian.contract.signed.v1"
    CONTRACT_DECLINED = "cn.bandian.contract.declined.v1"
    SERVICE_RATED = "cn.bandian.service.rated.v1"
    LEAD_OFFERED = "cn.bandian.lead.offered.v1"
    LEAD_RETRACTED = "cn.bandian.lead.retracted.v1"
    CONFORMANCE_TEST = "cn.bandian.conformance.test.v1"


class CloudEvent(BaseModel):
    """CloudEvents 1.0 attributes as we use them.

    ``sequence`` counts the events of an application or a lead, ``position`` all events of one receiver: each from 1
    without a gap, so that a receiver sees by itself what it misses. Events of one application are pushed in their
    order; those of different ones go side by side, so positions arrive in any order.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    specversion: Literal["1.0"] = "1.0"
    id: OpaqueId
    source: str
    type: EventType
    subject: OpaqueId = Field(description="The application, or the lead")
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: int = Field(ge=1)
    position: int | None = Field(
        default=None,
        ge=1,
        description="Absent in a conformance test, and in what was first pushed by a version that did not tell it",
    )
    data: dict[str, Any]


class Demand(OpenWireModel):
    """What the applicant asks for; the class is derived from it."""

    region: RegionDigits
    voltage_v: int
    capacity_kw: float
    source_count: int
    urban: bool
    purpose: str = Field(max_length=200, description="用途, in the applicant's words")


class DocumentSummary(OpenWireModel):
    """One document of an application, as the utility sees it before it asks for fields."""

    kind: Slug
    title: str
    verdict: Literal["valid", "invalid", "indeterminate", "self_declared"]
    identifier_digest: str | None = Field(
        default=None, description="Keyed digest of the 证照标识: the same for the same version of a certificate"
    )
    as_of: Instant | None = None
    content_digest: str | None = Field(
        default=None, description="SHA-256, hexadecimal, of the document itself: the envelope, or the declared upload"
    )


class ApplicationSubmitted(OpenWireModel):
    """``data`` of application.submitted: no personal data; the utility fetches what it may see."""

    application_id: OpaqueId
    intake: Literal["one_certificate", "face_verified"]
    customer_class: Slug
    class_clause: str
    received_at: Instant
    demand: Demand
    authorisation_id: OpaqueId
    authorised_until: Instant
    documents: list[DocumentSummary]
    stages: list[Slug]


class ApplicationWithdrawn(OpenWireModel):
    """``data`` of application.withdrawn: the applicant ends it. Work stops, nothing more may be asked.

    The authorisation ends with it, and no authorisation.withdrawn follows: what was fetched is to be purged.
    """

    application_id: OpaqueId
    authorisation_id: OpaqueId | None = None
    withdrawn_at: Instant


class AuthorisationWithdrawn(OpenWireModel):
    """``data`` of authorisation.withdrawn: nothing more may be asked; what was fetched is to be purged."""

    application_id: OpaqueId
    authorisation_id: OpaqueId
    withdrawn_at: Instant


class PermitSummary(OpenWireModel):
    """A permit of a joint review. ``mode_clause`` is the rule that allows its mode."""

    permit_id: OpaqueId
    department: PartnerCode
    permit: Slug
    mode: ReviewMode
    mode_clause: str
    state: str
    due_on: date | None = None
    due_provisional: bool = False
    missing_sequences: list[int] = Field(
        default=[], description="Numbers of outcomes that are still on their way (at most the first twenty)"
    )


class ReviewOpened(OpenWireModel):
    """``data`` of review.opened: a single intake has gone out to every department."""

    review_id: OpaqueId
    application_id: OpaqueId
    permits: list[PermitSummary]


class ReviewChanged(ReviewOpened):
    """``data`` of review.changed: permits were added, or the applicant gave a commitment; ``permits`` are all of them.

    Outcomes come as permit.outcome alone.
    """

    change: Literal["permits_added", "commitment_given"]
    review_state: str = Field(description="State of the joint review after the change")


class PermitOutcome(OpenWireModel):
    """``data`` of permit.outcome. ``signed_outcome`` is the department's own JWS, byte for byte."""

    review_id: OpaqueId
    permit_id: OpaqueId
    department: PartnerCode
    outcome_id: OpaqueId
    outcome_sequence: int
    outcome: OutcomeKind
    supersedes: OpaqueId | None = None
    permit_state: str = Field(description="State of the permit after all outcomes known so far")
    review_state: str = Field(description="State of the joint review after all outcomes known so far")
    findings: list[str] = Field(
        default=[],
        description="What an officer should look at in this outcome; none of it changes what was decided",
        examples=[["backdated.later_than_now", "decision_not_superseded"]],
    )
    signed_outcome: str


class CertificateChanged(OpenWireModel):
    """``data`` of certificate.changed: what happened at the source to a certificate that the application rests on.

    It names the kind and no value of the certificate; who may see its fields asks for them, and gets today's. No stage
    waits for it: what follows from it is the utility's to decide. ``verdict`` is *invalid* until the certificate is
    reinstated or has a new version; what could not be known is never told as a change.
    """

    application_id: OpaqueId
    kind: Slug
    title: str
    change: Literal["suspended", "revoked", "expired", "transferred", "refused", "new_version", "reinstated"] = Field(
        description="transferred: it names another holder, or its source has it no more for the applicant"
    )
    verdict: Literal["valid", "invalid"]
    check: str | None = Field(default=None, description="Which check it fails now", examples=["status.revoked"])
    owner: str | None = Field(default=None, description="Whose turn it is: 政府, 申请人 or 共享平台")
    remedy: str | None = Field(default=None, description="How it is mended, for a person")
    as_of: Instant = Field(description="When the source was asked")
    found_by: Literal["feed", "stage", "expiry", "recheck"] = Field(
        description="feed: the source's change feed named it; stage: found at a stage boundary; expiry: its last day "
        "is over; recheck: found by looking again"
    )
    source: PartnerCode | None = Field(default=None, description="The source that was asked")
    identifier_digest: str | None = Field(default=None, description="As in application.submitted, of the version now")
    content_digest: str | None = Field(default=None, description="As in application.submitted, of the version now")


EVENT_DATA: Mapping[EventType, type[OpenWireModel]] = {
    EventType.APPLICATION_SUBMITTED: ApplicationSubmitted,
    EventType.APPLICATION_WITHDRAWN: ApplicationWithdrawn,
    EventType.AUTHORISATION_WITHDRAWN: AuthorisationWithdrawn,
    EventType.REVIEW_OPENED: ReviewOpened,
    EventType.REVIEW_CHANGED: ReviewChanged,
    EventType.PERMIT_OUTCOME: PermitOutcome,
    EventType.CERTIFICATE_CHANGED: CertificateChanged,
    EventType.CONTRACT_SIGNED: ContractSigned,
    EventType.CONTRACT_DECLINED: ContractDeclined,
    EventType.SERVICE_RATED: ServiceRated,
    EventType.LEAD_OFFERED: LeadOffered,
    EventType.LEAD_RETRACTED: LeadRetracted,
    EventType.CONFORMANCE_TEST: ConformanceTest,
}
"""What ``data`` of each type of event is."""


class DeliveryReceipt(OpenWireModel):
    """Claims of a receiver's receipt (``typ`` delivery-receipt+jwt), signed with the receiver's registered key."""

    iss: PartnerCode
    aud: str
    jti: OpaqueId
    iat: int
    event_id: OpaqueId
    body_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the body as received, hexadecimal")
    status: Literal["accepted", "duplicate"]


class DeliveryRefusal(OpenWireModel):
    """Claims of a receiver's refusal over NATS (``typ`` delivery-refusal+jwt), signed as its receipts are.

    It will never take the event. Over HTTP the status of the answer says so, which TLS shows to be the receiver's.
    """

    iss: PartnerCode
    aud: str
    jti: OpaqueId
    iat: int
    event_id: OpaqueId
    body_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the body as received, hexadecimal")
    status: Literal[410, 422] = Field(description="410: gone, such events are not wanted; 422: the event is unfit")
