"""The applicant's signature: a verification made for this contract, and the gateway's statement about it. Pure.

The nonce of the verification is ``<secret>.<subject digest>``. The identity provider signs it into its assertion, so
the assertion says by itself which document, of which application, whoever was verified had before them. It is
single-use; the gateway counter-signs who signed what with which assertion, and names no person.
"""

from datetime import datetime, timedelta
from typing import Final

from gateway.contracts.errors import SignatureNotFresh
from gateway.contracts.model import Contract
from gateway.crypto.jwk import SigningKey
from gateway.crypto.jws import sign_jws
from gateway.errors import Owner
from gateway.identity.model import VerificationSession, VerifiedApplicant
from gateway.records.entries import digest
from schemas.contracts import ContractSignature
from schemas.wire import Typ

FRESH_FOR: Final = timedelta(minutes=30)
"""From the moment somebody is sent to the identity provider until they sign."""


def is_bound(nonce: str, contract: Contract) -> bool:
    """Whether a verification under ``nonce`` was made for ``contract``."""
    secret, _, subject = nonce.rpartition(".")
    return bool(secret) and subject == contract.subject_sha256


def require_fresh(session: VerificationSession, contract: Contract, now: datetime) -> tuple[VerifiedApplicant, str]:
    """Who was verified, and the assertion. Raises ``SignatureNotFresh``."""
    applicant, assertion = session.applicant, session.assertion
    if applicant is None or assertion is None or not is_bound(session.nonce, contract):
        raise _not_fresh("unbound", "签订须为这份合同重新核验一次身份")
    if now - session.opened_at > FRESH_FOR:
        raise _not_fresh("too_old", "为签订所作的身份核验已过三十分钟，请重新核验")
    return applicant, assertion


def signed_statement(
    contract: Contract, session: VerificationSession, now: datetime, *, key: SigningKey, issuer: str, jti: str
) -> str:
    """The gateway's statement that ``contract`` was signed in ``session``. Raises ``SignatureNotFresh``."""
    applicant, assertion = require_fresh(session, contract, now)
    claims = ContractSignature(
        iss=issuer,
        aud=contract.utility,
        iat=int(now.timestamp()),
        jti=jti,
        application_id=contract.application_id,
        contract_id=contract.contract_id,
        version=contract.version,
        contract_sha256=contract.sha256,
        subject_sha256=contract.subject_sha256,
        assertion_sha256=digest(assertion),
        verified_by=applicant.method.value,
        role=applicant.role.value if applicant.role else None,
        signed_at=now,
    )
    return sign_jws(claims.model_dump_json().encode(), key, Typ.CONTRACT_SIGNATURE)


def _not_fresh(check: str, remedy: str) -> SignatureNotFresh:
    return SignatureNotFresh(check=f"contract.verification_{check}", owner=Owner.APPLICANT, remedy=remedy)
