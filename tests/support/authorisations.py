"""Agents' authorisations on the test CA for persons: good ones, and wrong in one way on request."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.applications.agent_authority import AgentAuthorities
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.ports import StatusSource
from gateway.certificates.trust import TrustStore
from gateway.certificates.verifier import Verifier
from mock_services.identity_provider.person_ca import OPERATOR_CODE, PersonCa, sign_authorisation
from mock_services.pki import spki_digest
from schemas.agent_authorisations import PERSONAL_SIGNATURE_DUTY, AgentAuthorisation
from schemas.identity import VerifiedPerson

PERSONS_URL = "https://persons.example"


@cache
def persons() -> PersonCa:
    """One CA for all tests of a process."""
    return PersonCa.build(PERSONS_URL)


def persons_entry(**changes: Any) -> dict[str, Any]:
    """The entry of ``issuers.json`` that lets the CA certify persons."""
    own = {
        "authority_code": OPERATOR_CODE,
        "name": "电子认证服务机构",
        "kinds": [PERSONAL_SIGNATURE_DUTY],
        "regions": ["44"],
        "issuing_ca": spki_digest(persons().issuing.certificate),
    }
    return own | changes


def persons_trust(**changes: Any) -> TrustStore:
    """A trust store that believes the CA for persons, and nobody else."""
    return TrustStore.build([persons().root.certificate.public_bytes(Encoding.DER)], [persons_entry(**changes)])


def authorities(status: StatusSource, trust: TrustStore | None = None) -> AgentAuthorities:
    """What judges authorisations, over ``status`` for CRLs."""
    chains = ChainVerifier(trust or persons_trust())
    return AgentAuthorities(chains, EvidenceGatherer(Verifier(chains, (JwsFormat(),)), status))


def an_authorisation(
    signer: VerifiedPerson, agent: VerifiedPerson, enterprise: str, at: datetime, **changes: Any
) -> str:
    """Signed a day before ``at``, for ninety days; ``changes`` go into the claims."""
    since = int((at - timedelta(days=1)).timestamp())
    claims: Mapping[str, Any] = {
        "jti": "mandate-1",
        "iat": since,
        "nbf": since,
        "exp": since + 90 * 86_400,
        "enterprise_code": enterprise,
        "agent_name": agent.name,
        "agent_code": agent.resident_identity_number,
        "matter": "用电报装",
    }
    return sign_authorisation(AgentAuthorisation(**{**claims, **changes}), persons().signer(signer))
