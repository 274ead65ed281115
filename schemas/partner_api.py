"""What utilities say to the gateway and hear from it."""

from typing import Any, Literal

from pydantic import Field

from schemas.departments import ConnectionLine, ReviewMode
from schemas.events import CloudEvent, PermitSummary
from schemas.wire import Instant, OpaqueId, OpenWireModel, PartnerCode, SaidText, Slug, WireModel


class VerifiedLicenceRequest(WireModel):
    """``POST /v1/verified-licences``: one kind of e-certificate for one application, for one purpose.

    ``fields`` narrows what the agreement allows; left out, everything allowed is given. ``holder_code`` names a third
    party whose qualification is asked for (设计单位, 施工单位); for the applicant's own certificates it stays out.
    """

    application_id: OpaqueId
    kind: Slug = Field(examples=["business_licence"])
    purpose: Slug = Field(examples=["grid_connection"])
    fields: list[Slug] | None = Field(default=None, max_length=64)
    holder_code: str | None = Field(default=None, max_length=18)


class FailedCheck(OpenWireModel):
    """Why a verdict is not *valid*."""

    check: str
    owner: str
    remedy: SaidText
    clause: str | None = None


class SourceBasis(OpenWireModel):
    """What an answer rests on, and how old that is. Ages are in seconds.

    ``certificate`` is the copy, ``chain`` the way to the anchor that ``source`` names, then each CRL or OCSP answer and
    the status list, with those of its signer. ``source_down``: the source did not answer when it was last asked, and
    what is here is from before, or nothing. Of the certificate ``level`` is the region (GB/T 2260) whose source answers
    (省、市、县), and ``fell_through`` the regions below it that have no source of their own.
    """

    name: str = Field(examples=["certificate", "chain", "crl", "ocsp", "status_list", "status_list.crl"])
    source: str | None = None
    as_of: Instant | None = None
    age_seconds: int | None = None
    limit_seconds: int | None = None
    state: Literal["fresh", "stale_permitted", "refused", "missing"]
    source_down: bool = False
    level: str | None = None
    fell_through: list[str] = []


class WithheldField(OpenWireModel):
    """A field that the certificate holds, or a predicate that could be asked, and why the answer does not have it."""

    field: str
    reason: str = Field(
        examples=["not_agreed", "not_required", "not_requested", "other_holders", "undecided", "not_disclosable"],
        description="Or ``not_verified``, where the verdict is not valid",
    )


class VerifiedLicence(OpenWireModel):
    """Claims of the signed answer (``typ`` verified-licence+jwt; ``iss`` gateway, ``aud`` the utility's code)."""

    iss: str
    aud: PartnerCode
    iat: int
    jti: OpaqueId
    application_id: OpaqueId
    kind: Slug
    title: str
    purpose: Slug
    verdict: Literal["valid", "invalid", "indeterminate"]
    failed_check: FailedCheck | None = None
    fields: dict[str, Any]
    predicates: dict[str, bool] = {}
    withheld: list[WithheldField]
    findings: list[str] = []
    source: str | None
    as_of: Instant | None
    from_copy: bool = False
    source_down: bool = False
    basis: list[SourceBasis]
    record_id: str


class ExplainedCheck(OpenWireModel):
    """One check of a dry run, in the order in which they are made; ``not_judged`` was not reached.

    Steps of the verification are named ``verification.…``. Who does what about it stands where it was not passed.
    """

    number: int
    name: str = Field(examples=["agreement", "verification.chain"])
    title: str
    verdict: Literal["valid", "invalid", "indeterminate", "not_judged"]
    check: str | None = None
    owner: str | None = None
    remedy: str | None = None
    clause: str | None = None
    note: str | None = None


class NamedItem(OpenWireModel):
    """A field or predicate that would be given, by its name; a dry run tells no value and no answer."""

    name: str
    title: str
    form: Literal["field", "predicate"]


class WithheldItem(OpenWireModel):
    """A field or predicate that would stay behind, and why, in words too."""

    name: str
    title: str
    reason: str
    says: str


class LicenceExplanation(OpenWireModel):
    """``POST /v1/verified-licences/dry-run``: the very request judged as it would be, and told check by check.

    A refusal is the check that refused. It is recorded as ``licence.explained``; no value leaves, and no disclosure is
    made. A third party that is named counts among the few that an application may ask for, as in the request itself.
    """

    application_id: OpaqueId
    kind: Slug
    title: str | None
    purpose: Slug
    at: Instant
    outcome: Literal["answered", "refused"]
    verdict: Literal["valid", "invalid", "indeterminate"] | None
    checks: list[ExplainedCheck]
    given: list[NamedItem] = []
    withheld: list[WithheldItem] = []
    findings: list[str] = []
    source: str | None = None
    as_of: Instant | None = None
    from_copy: bool = False
    source_down: bool = False
    basis: list[SourceBasis] = []
    record_id: str


class SiteView(OpenWireModel):
    """``GET /v1/applications/{id}/site``: 用电地址 as the applicant wrote it. Personal data; the look is on record."""

    application_id: OpaqueId
    region: str
    address: str
    record_id: str


StageAction = Literal["started", "completed", "paused", "resumed"]


class StageEventRequest(WireModel):
    """``POST /v1/applications/{id}/stage-events``: what the utility did, and when it says it did."""

    event_id: OpaqueId = Field(description="The utility's own; a repeated one has no second effect")
    stage: Slug
    action: StageAction
    claimed_at: Instant
    reason: str | None = Field(default=None, max_length=500, description="Needed for a pause; no personal data")


class StageDeadline(OpenWireModel):
    """A limit and what has been used of it. Working days; ``due_at`` is the end of that day in China."""

    limit_working_days: int | None
    used_working_days: int | None = None
    clause: str | None
    due_at: Instant | None
    provisional: bool = False
    overdue: bool = False


class PauseView(OpenWireModel):
    """A span in which the clock stands still, and why."""

    from_at: Instant
    until_at: Instant | None
    reason: str


class StageView(OpenWireModel):
    """One stage of an application."""

    stage: Slug
    title: str
    state: str
    started_at: Instant | None = None
    completed_at: Instant | None = None
    deadline: StageDeadline | None = None
    flags: list[str] = []
    pauses: list[PauseView] = []


class StageEventRecorded(OpenWireModel):
    """``201`` (or ``200`` for a repeated event)."""

    event_id: OpaqueId
    application_id: OpaqueId
    stage: StageView
    flags: list[str]
    duplicate: bool
    record_id: str


class EndingRequest(WireModel):
    """``POST /v1/applications/{id}/ending``: the utility ends an application that cannot be gone on with, and why."""

    event_id: OpaqueId = Field(description="The utility's own, as of its stage events; repeated, no second effect")
    reason: str = Field(min_length=1, max_length=500, description="The applicant reads it; no personal data")
    claimed_at: Instant


class EndingRecorded(OpenWireModel):
    """``201`` (or ``200`` for a repeated event). ``ended_at`` is the time that counts."""

    event_id: OpaqueId
    application_id: OpaqueId
    status: str
    ended_at: Instant
    flags: list[str]
    duplicate: bool
    record_id: str


class PurgeReceipt(OpenWireModel):
    """Claims of a purge receipt (``typ`` purge-receipt+jwt), signed with the key of the utility's delivery receipts."""

    iss: PartnerCode
    aud: str
    jti: OpaqueId
    iat: int
    application_id: OpaqueId
    authorisation_id: OpaqueId
    purged_at: Instant


class PurgeRecorded(OpenWireModel):
    """``200`` to a purge receipt: the first one stands. ``receipt_sha256`` is of the JWS as it came."""

    authorisation_id: OpaqueId
    application_id: OpaqueId
    purged_at: Instant
    heard_at: Instant
    receipt_sha256: str


class PermitRequest(WireModel):
    """One permit that the line needs. A mode other than ``full`` needs a rule of the region that allows it."""

    department: PartnerCode
    permit: Slug
    mode: ReviewMode = ReviewMode.FULL


class JointReviewRequest(WireModel):
    """``POST /v1/applications/{id}/joint-review``: the single window (一窗受理), one intake for every permit.

    Sent again for the same line, it adds the permits that the review does not have yet; none is ever taken away.
    """

    line: ConnectionLine
    permits: list[PermitRequest] = Field(min_length=1, max_length=32)


class JointReviewView(OpenWireModel):
    """A joint review as it stands."""

    review_id: OpaqueId
    application_id: OpaqueId
    state: str
    limit_working_days: int | None
    limit_clause: str | None
    permits: list[PermitSummary]
    record_id: str | None = None


class EventPage(OpenWireModel):
    """``GET /v1/events?after=N``: the pull feed. ``cursor`` is passed as ``after`` next time."""

    events: list[CloudEvent]
    cursor: int
    more: bool


class TokenResponse(OpenWireModel):
    """RFC 6749 §5.1 with ``token_type`` DPoP (RFC 9449 §5)."""

    access_token: str
    token_type: Literal["DPoP"] = "DPoP"  # noqa: S105 - a scheme
    expires_in: int
    scope: str
