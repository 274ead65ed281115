"""An application for a grid connection (用电报装) and what it consists of. Values only."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from gateway.applications.customer_classes import Area, ClassDerivation, CustomerClass, DemandFacts
from gateway.applications.lifecycle import Lifecycle, LifecycleStatus
from gateway.certificates.verdicts import Verdict
from gateway.clock import date_in_china
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT
from schemas.identity import ApplicantKind

HOLDER_TYPES = {
    ApplicantKind.ENTERPRISE: HOLDER_IS_ENTERPRISE,
    ApplicantKind.RESIDENT: HOLDER_IS_RESIDENT,
}
"""As what sources are asked for an applicant's certificates (CZZTDMLXDM)."""


class IntakeKind(StrEnum):
    """How the applicant came in: 一证办电 or 刷脸办电 (and its alternatives)."""

    ONE_CERTIFICATE = "one_certificate"
    FACE_VERIFIED = "face_verified"


@dataclass(frozen=True)
class Demand:
    """What the applicant asks for. ``region`` is GB/T 2260; ``purpose`` the use in the applicant's words."""

    region: str
    voltage_v: int
    capacity_kw: float
    source_count: int
    area: Area
    purpose: str
    small_and_micro: bool | None = None

    def facts(self, applicant_kind: ApplicantKind) -> DemandFacts:
        """The facts that the customer class is derived from."""
        return DemandFacts(
            applicant_kind, self.voltage_v, self.capacity_kw, self.source_count, self.area, self.small_and_micro
        )


@dataclass(frozen=True)
class Party:
    """Personal data of an application: who applies, and who acts for them.

    ``code`` is the holder's 统一社会信用代码 or 公民身份号码. For an enterprise ``person_name`` and ``person_code`` are
    the legal representative's or the agent's (经办人), and ``role`` says which. ``address`` is the 用电地址 as the
    applicant wrote it, if they did.
    """

    applicant_kind: ApplicantKind
    name: str = field(repr=False)
    code: str = field(repr=False)
    person_name: str = field(repr=False)
    person_code: str = field(repr=False)
    role: str
    method: str
    address: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ApplicationDocument:
    """One document of an application. ``verdict`` None: the applicant's own upload, marked self-declared (容缺).

    ``series_digest`` is that of the 电子证照标识 without its ``version`` (three digits), by which a newer one is known;
    ``facts_digest`` that of what the certificate says, however it was sealed. ``expires_on`` is its last day.
    A certificate that no longer holds is ``invalid`` by ``check``; ``as_of`` is then when that was known.
    """

    document: str
    title: str
    verdict: Verdict | None
    source: str | None
    as_of: datetime | None
    identifier_digest: str | None
    content_digest: str | None
    series_digest: str | None = None
    version: str | None = None
    expires_on: date | None = None
    facts_digest: str | None = None
    check: str | None = None


@dataclass(frozen=True)
class ApplicationHeading:
    """What a list says of an application: nothing of it is personal."""

    application_id: str
    utility: str
    region: str
    customer_class: str
    status: LifecycleStatus
    received_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class HeadingFilter:
    """Which applications; None asks for all. ``region`` with all below it; days are dates in China, inclusive."""

    application_id: str | None = None
    region: str | None = None
    status: LifecycleStatus | None = None
    received_from: date | None = None
    received_until: date | None = None


@dataclass(frozen=True)
class GridConnectionApplication:
    """用电报装. ``utility`` is the partner whose customer the applicant becomes.

    ``holder_digest`` says whose application this is without telling the number.
    """

    application_id: str
    intake: IntakeKind
    utility: str
    applicant_kind: ApplicantKind
    holder_digest: str
    demand: Demand
    derivation: ClassDerivation
    received_at: datetime
    lifecycle: Lifecycle
    documents: tuple[ApplicationDocument, ...]

    @property
    def customer_class(self) -> CustomerClass:
        return self.derivation.customer_class

    @property
    def region(self) -> str:
        return self.demand.region

    @property
    def received_on(self) -> date:
        """The China date whose rules judge this application."""
        return date_in_china(self.received_at)
