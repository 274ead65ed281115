"""The ID token: a single-use statement of who was verified, how, and for whom it is meant."""

import hashlib
from datetime import datetime

from mock_services.identity_provider.desk import Grant, Subject
from mock_services.identity_provider.person_ca import PersonCa
from schemas.identity import ASSERTION_LIFETIME_SECONDS, ENTERPRISE_METHODS, IdentityAssertion, VerifiedEnterprise


def assertion_of(grant: Grant, *, issuer: str, jti: str, at: datetime, persons: PersonCa) -> IdentityAssertion:
    """Claims for ``grant``. The enterprise is named only where its licence was shown, with an agent's authorisation."""
    issued = int(at.timestamp())
    return IdentityAssertion(
        iss=issuer,
        sub=pairwise_subject(grant),
        aud=grant.request.client_id,
        exp=issued + ASSERTION_LIFETIME_SECONDS,
        iat=issued,
        auth_time=int(grant.verified_at.timestamp()),
        nonce=grant.request.nonce,
        jti=jti,
        amr=[grant.method],
        person=grant.subject.person,
        enterprise=_enterprise(grant.subject, persons, at) if grant.method in ENTERPRISE_METHODS else None,
    )


def _enterprise(subject: Subject, persons: PersonCa, at: datetime) -> VerifiedEnterprise | None:
    enterprise, signer = subject.enterprise, subject.mandated_by
    if enterprise is None or signer is None:
        return enterprise
    signed = persons.authorise(signer, subject.person, enterprise.unified_social_credit_code, at)
    return enterprise.model_copy(update={"agent_authorisation": signed})


def pairwise_subject(grant: Grant) -> str:
    """The same person is another ``sub`` at another relying party (OpenID Connect Core §8.1); 32 hexadecimal digits."""
    number = grant.subject.person.resident_identity_number
    return hashlib.sha256(f"{grant.request.client_id}\n{number}".encode()).hexdigest()[:32]
