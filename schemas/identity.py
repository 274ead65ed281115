"""What an identity provider says of an applicant (刷脸办电 and its alternatives), and how it is asked.

OpenID Connect, authorization code with PKCE (RFC 7636). The ID token is a single-use assertion: ``jti`` is spent at
the first use, ``nonce`` binds it to the verification session, and it lives five minutes. It carries what was
established and by which method. Face data never leave the provider.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from schemas.agent_authorisations import MAX_AUTHORISATION_BYTES
from schemas.wire import OpaqueId, OpenWireModel


class ApplicantKind(StrEnum):
    """Whose identity an application rests on: a natural person's (身份证) or an enterprise's (营业执照)."""

    RESIDENT = "resident"
    ENTERPRISE = "enterprise"


class VerificationMethod(StrEnum):
    """How an applicant is verified; the provider puts it into ``amr``."""

    FACE = "face"
    SMS_OTP = "sms_otp"
    COUNTER = "counter"
    E_LICENCE = "e_licence"


RESIDENT_METHODS = (VerificationMethod.FACE, VerificationMethod.SMS_OTP, VerificationMethod.COUNTER)
ENTERPRISE_METHODS = (VerificationMethod.E_LICENCE,)


def methods_of(kind: ApplicantKind) -> tuple[VerificationMethod, ...]:
    """The ways such an applicant may be verified; a face is never the only one (人脸识别技术应用安全管理办法)."""
    return RESIDENT_METHODS if kind is ApplicantKind.RESIDENT else ENTERPRISE_METHODS


ASSERTION_LIFETIME_SECONDS = 300


class ActingRole(StrEnum):
    """In what capacity a person acts for an enterprise."""

    LEGAL_REPRESENTATIVE = "legal_representative"
    AGENT = "agent"


class VerifiedPerson(OpenWireModel):
    """A natural person: 姓名 and 公民身份号码."""

    name: str = Field(min_length=1, max_length=64)
    resident_identity_number: str = Field(pattern=r"^[0-9]{17}[0-9X]$")


class VerifiedEnterprise(OpenWireModel):
    """The enterprise for which the verified person acts (电子营业执照 持照人 or 经办人)."""

    name: str = Field(min_length=1, max_length=128)
    unified_social_credit_code: str = Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")
    role: ActingRole
    agent_authorisation: str | None = Field(
        default=None,
        max_length=MAX_AUTHORISATION_BYTES,
        description="An agent's 经办授权, signed by the legal representative (schemas.agent_authorisations)",
    )


class IdentityAssertion(OpenWireModel):
    """Claims of the ID token (``typ`` identity-assertion+jwt). Times are seconds since the epoch."""

    iss: str
    sub: OpaqueId = Field(description="Pairwise: the same person is another ``sub`` at another relying party")
    aud: str
    exp: int
    iat: int
    auth_time: int
    nonce: OpaqueId
    jti: OpaqueId
    amr: list[VerificationMethod] = Field(min_length=1, max_length=1)
    person: VerifiedPerson
    enterprise: VerifiedEnterprise | None = None

    @model_validator(mode="after")
    def _licence_speaks_for_an_enterprise(self) -> "IdentityAssertion":
        if (self.amr[0] in ENTERPRISE_METHODS) != (self.enterprise is not None):
            raise ValueError("an electronic licence, and nothing else, speaks for an enterprise")
        return self


class ProviderFailure(StrEnum):
    """``error_description`` code beside OAuth's ``access_denied`` when a verification does not succeed."""

    MISMATCH = "mismatch"
    LIVENESS_FAILED = "liveness_failed"
    LOCKED = "locked"
    TIME_OUT = "time_out"


class VerificationAttempt(OpenWireModel):
    """``POST {authorize}/{interaction}/verification``: drives the provider without a browser.

    ``subject`` is a persona's name at the mock; a real provider has its own page here.
    """

    method: VerificationMethod
    subject: str


class VerificationStep(OpenWireModel):
    """What the provider answers to an attempt: go to ``redirect_to``, or try again while attempts are left."""

    status: Literal["redirect", "retry"]
    redirect_to: str | None = None
    failure: ProviderFailure | None = None
    attempts_left: int | None = None
