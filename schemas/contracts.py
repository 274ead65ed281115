"""供用电合同: what a utility sends, what an applicant sees and signs, and what the utility gets back."""

from typing import Literal

from pydantic import Field

from schemas.wire import Instant, OpaqueId, OpenWireModel, PartnerCode, WireModel

ContractStateName = Literal["offered", "signed", "declined", "signed_on_paper", "replaced", "expired"]
Sha256 = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the document's bytes, hexadecimal")


class ContractOffer(WireModel):
    """``POST /v1/applications/{id}/contract``: the utility sends the contract for the applicant to sign."""

    event_id: OpaqueId = Field(description="The utility's own; a repeated one has no second effect")
    version: int = Field(ge=1, le=10_000, description="Higher than every one before; the one before is replaced")
    title: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["低压供用电合同"])
    media_type: Literal["application/pdf", "text/plain"]
    content: str = Field(max_length=6 * 1024 * 1024, description="The document, base64 with padding")
    sha256: str = Sha256
    valid_until: Instant = Field(description="Until when it can be signed, exclusive; at most 180 days from now")


class ContractOnPaper(WireModel):
    """``POST /v1/applications/{id}/contract/paper``: it was signed on paper; what was offered needs no signature."""

    event_id: OpaqueId = Field(description="The utility's own; a repeated one has no second effect")
    version: int = Field(ge=1, le=10_000)


class ContractStanding(OpenWireModel):
    """A contract without its document, for the utility (``201``, or ``200`` for a repeated event) and the applicant."""

    contract_id: OpaqueId
    application_id: OpaqueId
    version: int
    state: ContractStateName
    title: str
    media_type: str
    sha256: str
    offered_at: Instant
    valid_until: Instant
    settled_at: Instant | None = Field(default=None, description="When it was signed, declined or replaced")
    statement: str | None = Field(default=None, description="The gateway's ContractSignature, a compact JWS")
    reason: str | None = Field(default=None, description="Why it was declined, in the applicant's words")
    document_kept: bool = Field(default=True, description="False once its retention period was over")
    record_id: str


class ContractSigning(WireModel):
    """``POST /v1/applications/{id}/contract/signing``: be verified anew, for this contract alone."""

    contract_id: OpaqueId
    method: Literal["face", "sms_otp", "counter", "e_licence"]


class ContractToSign(WireModel):
    """``POST …/contract/signature``: the document with this digest was read, and is signed."""

    contract_id: OpaqueId
    sha256: str = Sha256
    accept: Literal[True] = Field(description="本人（单位）已阅读并同意签订；不同意则无需提交")


class ContractRefusal(WireModel):
    """``POST …/contract/refusal``: it will not be signed. The utility reads the reason."""

    contract_id: OpaqueId
    reason: str | None = Field(default=None, min_length=1, max_length=500)


class ContractSignature(OpenWireModel):
    """Claims of the gateway's statement (``typ`` contract-signature+jwt): what was signed, with which verification.

    ``subject_sha256`` is of ``bandian-contract``, application, contract, version and document digest, joined by NUL.
    The identity provider's assertion ends its ``nonce`` with it, and ``assertion_sha256`` is of that assertion,
    which the gateway keeps as long as the applicant's data. No person is named.
    """

    iss: str
    aud: PartnerCode
    iat: int
    jti: OpaqueId
    application_id: OpaqueId
    contract_id: OpaqueId
    version: int
    contract_sha256: str = Sha256
    subject_sha256: str = Sha256
    assertion_sha256: str = Sha256
    verified_by: str
    role: str | None = None
    signed_at: Instant


class ContractSigned(OpenWireModel):
    """``data`` of contract.signed. ``statement`` is the gateway's own JWS: keep it beside the document."""

    application_id: OpaqueId
    contract_id: OpaqueId
    version: int
    contract_sha256: str = Sha256
    signed_at: Instant
    statement: str


class ContractDeclined(OpenWireModel):
    """``data`` of contract.declined. Send another version, or go on on paper."""

    application_id: OpaqueId
    contract_id: OpaqueId
    version: int
    contract_sha256: str = Sha256
    declined_at: Instant
    reason: str | None = Field(default=None, description="In the applicant's words; may hold personal data")
