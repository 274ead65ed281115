"""What an applicant (a browser, or a service hall's terminal) says to the gateway and hears from it."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from schemas.contracts import ContractStanding
from schemas.departments import OutcomeKind
from schemas.events import PermitSummary
from schemas.identity import ApplicantKind, VerificationMethod
from schemas.partner_api import FailedCheck, JointReviewView, PauseView, StageDeadline, StageView
from schemas.wire import Instant, OpaqueId, OpenWireModel, PartnerCode, RegionDigits, SaidText, Slug, WireModel


class OpenVerification(WireModel):
    """``POST /v1/verification-sessions``; without ``method`` the first that is offered is taken."""

    applicant_kind: ApplicantKind
    method: VerificationMethod | None = None


class VerificationOpened(OpenWireModel):
    """``session_token`` is told once; it is the applicant's credential (``Authorization: Bearer``)."""

    session_id: OpaqueId
    session_token: str
    authorization_url: str
    method: VerificationMethod
    alternatives: list[VerificationMethod]
    expires_at: Instant


class VerificationView(OpenWireModel):
    """A session as it stands. A failed one names the ways that remain open.

    ``session_token`` comes once, with the answer that verifies the session, and replaces the one from before.
    """

    session_id: OpaqueId
    session_token: str | None = None
    status: Literal["open", "verified", "failed"]
    method: VerificationMethod
    failure: str | None = None
    remedy: str | None = None
    alternatives: list[VerificationMethod]
    expires_at: Instant


class DemandRequest(WireModel):
    """What is asked for. Volts, kilowatts, number of sources."""

    region: RegionDigits = Field(examples=["440106"])
    voltage_v: int = Field(gt=0, le=1_000_000, examples=[380])
    capacity_kw: float = Field(gt=0, le=10_000_000, examples=[80])
    source_count: int = Field(default=1, ge=1, le=2)
    area: Literal["urban", "rural"] = "urban"
    purpose: str = Field(min_length=1, max_length=200, description="用途；请勿填写个人信息", examples=["餐饮店"])
    small_and_micro: bool | None = None
    address: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="用电地址；属个人信息，仅受理的供电企业凭授权可查看，每次查看均留痕",
        examples=["天河区示例路 8 号"],
    )


class ClassView(OpenWireModel):
    """The class that follows from the demand, why, and by which clause."""

    customer_class: Slug
    title: str
    reason: str
    clause: str


class FoundCertificate(OpenWireModel):
    """One certificate that a source holds for the applicant, as the applicant sees it before anything is sent."""

    choice: str = Field(description="Names this certificate in the confirmation")
    title: str
    verdict: Literal["valid", "invalid", "indeterminate"]
    summary: dict[str, str] = Field(description="The applicant's own data, readable")
    issuing_authority: str | None
    source: str | None
    as_of: Instant | None
    failed_check: FailedCheck | None = None
    notes: list[str] = Field(default=[], description="What is worth knowing and does not stand in the way (共有)")


class FoundDocument(OpenWireModel):
    """One document that the stage allows, and what was found of it.

    ``next_step`` says what the applicant is to do; ``declarable`` that an upload may stand in for it (容缺).
    """

    document: Slug
    title: str
    clause: str
    state: Literal["found", "choose", "not_found", "refused", "unavailable"]
    certificates: list[FoundCertificate]
    disclosed_fields: list[str] = Field(description="What the utility will be able to obtain of it")
    declarable: bool
    next_step: SaidText | None = None


class ConsistencyView(OpenWireModel):
    """证照一致性: one comparison of two documents. It names whose they are, and no value of either.

    ``choices`` (document → ``choice``) says for which of several certificates it holds; ``not_compared`` never blocks.
    """

    comparison: Slug = Field(examples=["holder"])
    title: str
    outcome: Literal["consistent", "contradiction", "unsure", "not_compared"]
    reason: Slug = Field(examples=["former_name"])
    says: str
    documents: list[str] = Field(examples=[["市场监督管理部门的营业执照", "自然资源部门的不动产权证书"]])
    choices: dict[Slug, str] = {}
    clause: str
    next_step: SaidText | None = None
    notes: list[str] = []


class WithheldView(OpenWireModel):
    """One thing that was not given, and why."""

    title: str
    says: str


class AccessView(OpenWireModel):
    """谁看过我的信息: one disclosure, or one refused attempt.

    ``titles`` are the ``fields`` as people call them, ``withheld`` what of the certificate was not given.
    """

    at: Instant
    who: str
    result: Literal["done", "refused"]
    document: str | None
    purpose: str | None
    fields: list[str]
    clause: str | None
    record_id: str
    document_title: str | None = None
    titles: list[str] = []
    withheld: list[WithheldView] = []


class NamedAccess(OpenWireModel):
    """One access to a certificate that names the person beside somebody else, as far as it is about them.

    ``titles`` are the ``fields`` as people call them, ``certificate`` its number (不动产权证号). Nothing leads
    to the application for which it was seen.
    """

    at: Instant
    who: str
    document: str
    document_title: str | None
    certificate: str | None
    purpose: str | None
    fields: list[str]
    titles: list[str]
    clause: str | None


class NamedAccesses(OpenWireModel):
    """谁看过写有我的证照: the newest first. Each access is shown for ``shown_days`` days."""

    shown_days: int
    accesses: list[NamedAccess]


class ReviewView(OpenWireModel):
    """人工核查 of a confirmed intake: why, how it stands, how it ended, and who looked at what."""

    review_task_id: OpaqueId
    intake_id: OpaqueId
    status: Literal["open", "accepted", "rejected", "withdrawn", "expired"]
    says: str
    opened_at: Instant
    expires_at: Instant
    unsure: list[ConsistencyView]
    settled_at: Instant | None = None
    reason: str | None = Field(default=None, description="Why it was settled so, in the officer's words")
    application_id: OpaqueId | None = None
    next_step: SaidText | None = None
    accesses: list[AccessView] = []


class UnderReview(OpenWireModel):
    """``202`` to a confirmation: the certificates do not plainly agree, and an officer looks at them first."""

    status: Literal["under_review"] = "under_review"
    review_task_id: OpaqueId
    href: str
    expires_at: Instant
    unsure: list[ConsistencyView]


class IntakeOpened(OpenWireModel):
    """``201``: what was found is read from ``href``. The answer itself names no person."""

    intake_id: OpaqueId
    href: str
    expires_at: Instant


class IntakeView(OpenWireModel):
    """What was found, before the applicant confirms. ``ready``: it can be confirmed as it is.

    ``consistency`` says whether the certificates agree; where that is unsure, an officer looks at them once it is
    confirmed, and ``status`` and ``review`` say so.
    """

    intake_id: OpaqueId
    intake: Literal["one_certificate", "face_verified"]
    expires_at: Instant
    customer_class: ClassView
    stages: list[StageView]
    whole: StageDeadline
    documents: list[FoundDocument]
    utilities: list[PartnerCode]
    ready: bool
    consistency: list[ConsistencyView] = []
    demand: DemandRequest | None = Field(default=None, description="What was asked for, as it was written")
    status: Literal["open", "under_review"] = "open"
    review: ReviewView | None = None


class DeclaredDocument(WireModel):
    """An upload that stands in for what could not be fetched; it is marked self-declared (容缺)."""

    document: Slug
    file_name: str = Field(max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Confirmation(WireModel):
    """``POST /v1/intakes/{id}/confirmation``: the applicant has seen it, and authorises this utility for this."""

    utility: PartnerCode | None = Field(default=None, description="Left out where the region has one utility")
    choices: dict[Slug, str] = Field(default={}, description="document → ``choice``, where several were found")
    declared: list[DeclaredDocument] = Field(default=[], max_length=16)
    authorise: Literal[True] = Field(description="同意授权；不同意则无需确认，关闭即可")
    authorised_until: datetime | None = Field(default=None, description="Default: 180 days; at most a year")


class ApplicationAccepted(OpenWireModel):
    """``201``: the application is durable and on its way to the utility."""

    application_id: OpaqueId
    customer_class: ClassView
    utility: PartnerCode
    authorisation_id: OpaqueId
    authorised_until: Instant
    received_at: Instant
    record_id: str


class OutcomeView(OpenWireModel):
    """What a department said of a permit. A superseded outcome stays in view and has no effect."""

    outcome: OutcomeKind
    decided_at: Instant
    heard_at: Instant
    reason: str | None
    document_number: str | None
    superseded: bool
    findings: list[str] = Field(
        default=[],
        description="What is odd about it: its time (backdated.…), or that it replaces what nobody heard of",
        examples=[["backdated.later_than_now"]],
    )


class PermitProgress(OpenWireModel):
    """One permit with its deadline, pauses and outcomes.

    ``next_step`` says what waits on the applicant, and ``next_step_href`` where it is done, if it is done here.
    """

    summary: PermitSummary
    overdue: bool
    used_working_days: int | None = Field(default=None, description="Of the limit of the joint review; pauses left out")
    pauses: list[PauseView]
    outcomes: list[OutcomeView]
    next_step: SaidText | None = None
    next_step_href: str | None = None


class CommitmentView(OpenWireModel):
    """The statement of a 告知承诺, to be read before it is given; ``given_at`` once it was.

    ``sha256`` is of the text in UTF-8, hexadecimal: it stands in the record, and the department gets it.
    """

    permit_id: OpaqueId
    text: str
    sha256: str
    given_at: Instant | None = None
    record_id: str | None = None


class CommitmentGiven(WireModel):
    """``POST …/joint-review/permits/{permit_id}/commitment``: the applicant has read the statement and gives it."""

    accept: Literal[True] = Field(description="本人（单位）已阅知并作出上述承诺；不同意则无需提交")


class ApplicationSummary(OpenWireModel):
    """One row of the applicant's list."""

    application_id: OpaqueId
    customer_class: ClassView
    status: str
    received_at: Instant


class DocumentProgress(OpenWireModel):
    """A document that the application rests on, as it stands now: certificates are looked at again until it is closed.

    ``as_of`` is when its state was found, ``rechecked_at`` when it was last looked at. ``undecided``: it could not
    tell, because the source did not answer, and is repeated; the state is the one known before.
    """

    document: Slug
    title: str
    state: Literal["good", "suspended", "revoked", "expired", "transferred", "refused", "self_declared"]
    check: str | None = None
    source: PartnerCode | None = None
    as_of: Instant | None = None
    expires_on: date | None = None
    rechecked_at: Instant | None = None
    undecided: bool = False
    next_step: SaidText | None = None


class WithdrawalProgress(OpenWireModel):
    """How far a withdrawal, of the authorisation or of the application, has come with the utility.

    ``acknowledged_at`` is when it signed that it holds the order to purge what it had obtained; ``receipt_sha256`` is
    of that receipt. ``stuck``: it could not be told to it, and the operator is at it.
    """

    told_at: Instant
    acknowledged_at: Instant | None = None
    receipt_sha256: str | None = None
    stuck: bool = False
    purge_by: Instant | None = Field(default=None, description="Until when the utility is to confirm the purge")
    purged_at: Instant | None = Field(default=None, description="When it purged, as its signed receipt says")
    purge_heard_at: Instant | None = None
    purge_receipt_sha256: str | None = None
    purge_overdue: bool = False


class ProgressView(OpenWireModel):
    """``GET /v1/applications/{id}/progress``."""

    application_id: OpaqueId
    utility: PartnerCode
    customer_class: ClassView
    status: str
    received_at: Instant
    closed_at: Instant | None = Field(default=None, description="When it was completed, withdrawn or ended")
    closing_reason: str | None = Field(default=None, description="Why the utility ended it")
    whole: StageDeadline | None
    stages: list[StageView]
    documents: list[DocumentProgress] = []
    joint_review: JointReviewView | None
    permits: list[PermitProgress]
    authorised_until: Instant | None
    authorisation_withdrawn_at: Instant | None
    withdrawal: WithdrawalProgress | None = None
    contract: ContractStanding | None = Field(default=None, description="供用电合同, the newest version")
    accesses: list[AccessView]
    hotlines: list[str] = Field(default=["12398", "95598"], description="第（十三）条：监管与服务热线")


class ApplicationWithdrawnView(OpenWireModel):
    """``200`` to the withdrawal of an application; its authorisation ends with it."""

    application_id: OpaqueId
    utility: PartnerCode
    status: str
    withdrawn_at: Instant
    record_id: str


class RenewalRequest(WireModel):
    """``POST /v1/applications/{id}/authorisation/renewal``: later than until now, at most a year from today."""

    until: Instant


class AuthorisationRenewedView(OpenWireModel):
    """``200`` to a renewal."""

    authorisation_id: OpaqueId
    utility: PartnerCode
    authorised_until: Instant
    record_id: str


class AuthorisationWithdrawnView(OpenWireModel):
    """``200`` to a withdrawal."""

    authorisation_id: OpaqueId
    utility: PartnerCode
    withdrawn_at: Instant
    record_id: str
