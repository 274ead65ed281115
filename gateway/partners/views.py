"""What operators send and see (/v1/operator). A key's private part is never among it, nor a secret."""

from typing import Annotated, Any

from pydantic import Field

from gateway.caller import Role
from gateway.partners.changes import AgreementDraft
from gateway.partners.model import (
    AgreementStatus,
    Endpoint,
    Grant,
    KeyUse,
    Partner,
    PartnerKey,
    PartnerStatus,
    SharingAgreement,
)
from schemas.wire import Day, Instant, OpaqueId, OpenWireModel, PartnerCode, RegionDigits, Slug, WireModel

Regions = Annotated[list[RegionDigits], Field(min_length=1, max_length=500, examples=[["440100"]])]


class PartnerRegistration(WireModel):
    """``POST /v1/operator/partners``."""

    code: PartnerCode = Field(examples=["csg-guangzhou"])
    name: str = Field(min_length=1, max_length=200, examples=["广州供电局"])
    role: Role
    regions: Regions


class PartnerView(OpenWireModel):
    """A registered organisation."""

    code: PartnerCode
    name: str
    role: Role
    regions: list[str]
    status: PartnerStatus
    registered_at: Instant
    record_id: str | None = None

    @classmethod
    def of(cls, partner: Partner, record_id: str | None = None) -> "PartnerView":
        return cls(
            code=partner.code,
            name=partner.name,
            role=partner.role,
            regions=list(partner.regions),
            status=partner.status,
            registered_at=partner.registered_at,
            record_id=record_id,
        )


class KeyRegistration(WireModel):
    """``POST /v1/operator/partners/{code}/keys``. ``jwk`` is a public key; one with private members is refused."""

    jwk: dict[str, Any] = Field(examples=[{"kty": "EC", "crv": "P-256", "x": "…", "y": "…", "kid": "2026-1"}])
    use: KeyUse = KeyUse.ANY
    valid_from: Instant | None = None
    valid_until: Instant | None = None


class KeyRotation(WireModel):
    """``POST /v1/operator/partners/{code}/keys/{kid}/rotation``: both keys are good for ``overlap_hours``."""

    jwk: dict[str, Any]
    overlap_hours: int = Field(ge=0, le=24 * 90)


class KeyView(OpenWireModel):
    """A registered key; ``thumbprint`` as in RFC 7638."""

    partner_code: PartnerCode
    kid: str
    thumbprint: str
    jwk: dict[str, Any]
    use: KeyUse
    valid_from: Instant
    valid_until: Instant | None
    revoked_at: Instant | None
    record_id: str | None = None

    @classmethod
    def of(cls, key: PartnerKey, record_id: str | None = None) -> "KeyView":
        return cls(
            partner_code=key.partner_code,
            kid=key.kid,
            thumbprint=key.thumbprint,
            jwk=dict(key.jwk),
            use=key.use,
            valid_from=key.valid_from,
            valid_until=key.valid_until,
            revoked_at=key.revoked_at,
            record_id=record_id,
        )


class GrantTerms(WireModel):
    """One kind and the fields and predicates of it."""

    kind: Slug = Field(examples=["business_licence"])
    fields: list[Slug] = Field(min_length=1, max_length=64)


class AgreementTerms(WireModel):
    """``POST /v1/operator/partners/{code}/agreements``. Dates are in China and inclusive."""

    purpose: Slug = Field(examples=["grid_connection"])
    grants: list[GrantTerms] = Field(min_length=1, max_length=64)
    regions: Regions
    stages: list[Slug] | None = Field(default=None, min_length=1, description="省略表示不限环节")
    valid_from: Day
    valid_until: Day
    clause: str = Field(min_length=1, max_length=200, examples=["第（六）条"])

    def drafted(self, partner_code: str) -> AgreementDraft:
        """These terms, for this partner."""
        return AgreementDraft(
            partner_code=partner_code,
            purpose=self.purpose,
            grants=tuple(Grant(grant.kind, frozenset(grant.fields)) for grant in self.grants),
            regions=tuple(self.regions),
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            clause=self.clause,
            stages=None if self.stages is None else frozenset(self.stages),
        )


class AgreementView(OpenWireModel):
    """A sharing agreement."""

    agreement_id: OpaqueId
    partner_code: PartnerCode
    purpose: str
    grants: list[GrantTerms]
    regions: list[str]
    stages: list[str] | None
    valid_from: Day
    valid_until: Day
    clause: str
    status: AgreementStatus
    drafted_by: str | None = Field(default=None, description="谁起草：单位代码、cli:用户或 officer:化名；下同")
    tested_by: str | None = None
    approved_by: str | None = None
    activated_by: str | None = None
    record_id: str | None = None

    @classmethod
    def of(cls, agreement: SharingAgreement, record_id: str | None = None) -> "AgreementView":
        return cls(
            agreement_id=agreement.agreement_id,
            partner_code=agreement.partner_code,
            purpose=agreement.purpose,
            grants=[GrantTerms(kind=grant.kind, fields=sorted(grant.fields)) for grant in agreement.grants],
            regions=list(agreement.regions),
            stages=None if agreement.stages is None else sorted(agreement.stages),
            valid_from=agreement.valid_from,
            valid_until=agreement.valid_until,
            clause=agreement.clause,
            status=agreement.status,
            drafted_by=agreement.drafted_by,
            tested_by=agreement.tested_by,
            approved_by=agreement.approved_by,
            activated_by=agreement.activated_by,
            record_id=record_id,
        )


class EndpointTerms(WireModel):
    """``PUT /v1/operator/partners/{code}/endpoints/{channel}``. ``secret_ref`` names a secret kept elsewhere."""

    url: str | None = Field(
        default=None,
        max_length=500,
        description="接收地址；nats 通道没有自己的地址，不填",
        examples=["https://events.utility.example/bandian"],
    )
    secret_ref: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,64}$", examples=["csg-guangzhou"])
    status_url: str | None = Field(
        default=None,
        max_length=500,
        description="送达状态查询地址：其后加 /{事件编号}，应答已签名的送达回执或 404",
        examples=["https://events.utility.example/bandian/events"],
    )


class EndpointView(OpenWireModel):
    """Where a partner's events go."""

    partner_code: PartnerCode
    channel: str
    url: str
    secret_ref: str | None
    status_url: str | None
    record_id: str | None = None

    @classmethod
    def of(cls, endpoint: Endpoint, record_id: str | None = None) -> "EndpointView":
        return cls(
            partner_code=endpoint.partner_code,
            channel=endpoint.channel,
            url=endpoint.url,
            secret_ref=endpoint.secret_ref,
            status_url=endpoint.status_url,
            record_id=record_id,
        )
