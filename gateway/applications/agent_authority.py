"""Is an agent's authorisation (经办授权) genuine? Its signature, the signer's certificate, revocation and times.

1. The strict front check, and one chain to a configured anchor.
2. The CA above the signer is pinned for certifying persons (``personal_signature`` in ``issuers.json``): the CA that
   vouches for an authority's seals does not vouch for people, nor the other way round.
3. The signer's key signed these bytes; content and times hold now. There is no trusted time of signing, so a signing
   certificate that has run out since signs nothing any more.
4. Neither the signer's certificate nor its CA is revoked, as far as lists that are fresh enough tell.

What it says, and who signed, is compared elsewhere (``reconciliation/comparisons/agent.py``).
"""

from datetime import datetime

from pydantic import ValidationError

from gateway.applications.reconciliation.facts import AgentAuthority
from gateway.applications.reconciliation.relations import Named
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.policy import KindPolicy
from gateway.certificates.references import References
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import ChainResult
from gateway.certificates.x509.names import attribute
from gateway.certificates.x509.signing_certificates import SigningCertificate
from gateway.clock import date_in_china
from gateway.crypto.errors import AlgorithmUnavailable, JoseRefused, SignatureInvalid
from gateway.crypto.jws import JwsPolicy, ReadJws, check_signature, read_claims, read_jws
from schemas.agent_authorisations import (
    MAX_AUTHORISATION_BYTES,
    PERSON_NUMBER_PREFIX,
    PERSONAL_SIGNATURE_DUTY,
    AgentAuthorisation,
)
from schemas.wire import Typ

COMMON_NAME, SERIAL_NUMBER = "2.5.4.3", "2.5.4.5"
POLICY = JwsPolicy(
    typ=frozenset({Typ.AGENT_AUTHORISATION.value}),
    algorithms=frozenset({"ES256", "EdDSA", "SM2-SM3"}),
    max_bytes=MAX_AUTHORISATION_BYTES,
    required=frozenset({"jti", "iat", "nbf", "exp"}),
    x5c=True,
)
CRL_LIMIT = KindPolicy().crl
"""The same as for the seals of certificates."""


class AgentAuthorities:
    """Judges authorisations against the trust directory."""

    def __init__(self, chains: ChainVerifier, evidence: EvidenceGatherer) -> None:
        self._chains = chains
        self._evidence = evidence

    async def judge(self, token: str | None, at: datetime) -> AgentAuthority | None:
        """The authorisation ``token`` as of the aware instant ``at``; None where there is none. Never raises for it."""
        if token is None:
            return None
        try:
            read = read_jws(token, POLICY)
        except JoseRefused as refused:
            return AgentAuthority(Verdict.INVALID, refused.check)
        leaf, *intermediates = read.x5c
        found = self._chains.verify(leaf, tuple(intermediates), at, None)
        if found.verdict is not Verdict.VALID:
            return AgentAuthority(found.verdict, found.check)
        judged = self._content(read, found, at)
        if judged.verdict is not Verdict.VALID:
            return judged
        evidence = await self._evidence.gather([References.of(found.path)], at)
        standing = self._chains.verify(leaf, tuple(intermediates), at, evidence.crls, CRL_LIMIT, status=evidence.ocsp)
        return AgentAuthority(standing.verdict, standing.check, judged.content, judged.signer)

    def _content(self, read: ReadJws, chain: ChainResult, at: datetime) -> AgentAuthority:
        signer, issuer = chain.path[0], chain.path[1]
        if not self._chains.trust.pins(PERSONAL_SIGNATURE_DUTY, date_in_china(at), issuer.key_digest()):
            return AgentAuthority(Verdict.INVALID, "signer.not_entitled")
        try:
            check_signature(read, signer.public_key_info)
            content = AgentAuthorisation.model_validate(read_claims(read, at))
        except AlgorithmUnavailable as error:
            return AgentAuthority(Verdict.INDETERMINATE, error.check)
        except (JoseRefused, SignatureInvalid) as refused:
            return AgentAuthority(Verdict.INVALID, refused.check)
        except ValidationError:
            return AgentAuthority(Verdict.INVALID, "authorisation.content")
        return AgentAuthority(Verdict.VALID, None, content, named_in(signer))


def named_in(certificate: SigningCertificate) -> Named | None:
    """The person that a personal signing certificate names; None unless name and number stand there once each."""
    name = attribute(certificate.subject, COMMON_NAME)
    number = attribute(certificate.subject, SERIAL_NUMBER)
    if not name or not number or not number.startswith(PERSON_NUMBER_PREFIX):
        return None
    return Named(name, number.removeprefix(PERSON_NUMBER_PREFIX))
