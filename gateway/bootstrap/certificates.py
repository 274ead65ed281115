"""The certificates room over configured sources, trust directory and addresses."""

from collections.abc import Sequence

from adapters.http_client import HttpClient
from adapters.provincial_platform import ProvincialPlatform
from adapters.status_source import HttpStatusSource
from adapters.trust_directory import read_trust_directory
from gateway.applications.agent_authority import AgentAuthorities
from gateway.bootstrap.foundation import GATEWAY_NAME, Foundation, kinds_of
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.counted_verifier import CountedVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.envelopes.ofd.format import OfdFormat
from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.examination import Examiner
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.certificates.trust import TrustStore
from gateway.certificates.verifier import Verifier
from gateway.crypto import sm2
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.settings import Settings, SettingsError, SourceSettings

ENVELOPES = (JwsFormat(), OfdFormat())
"""The forms in which e-certificates come."""


def build_certificates(foundation: Foundation, http: HttpClient) -> CertificateService:
    """The certificates room over the configured sources and the trust directory."""
    settings, transactions = foundation.settings, foundation.transactions
    kinds = kinds_of(settings)
    registrations = [
        SourceRegistration(
            region=source.region,
            kinds=_kinds_asked(source, kinds),
            source=platform_of(source, kinds, http),
        )
        for source in settings.sources
    ]
    verifier = CountedVerifier(ChainVerifier(trust_of(settings)), ENVELOPES, foundation.metrics.judged)
    return CertificateService(
        kinds=kinds,
        sources=_source_directory(registrations),
        verifier=verifier,
        evidence=EvidenceGatherer(verifier, _status(settings, http)),
        transactions=transactions,
        digests=KeyedDigest(foundation.keys.lookup_secret),
    )


def build_examiner(settings: Settings, http: HttpClient) -> Examiner:
    """What judges a file as the serving process would; it needs no database.

    Raises ``SettingsError``, ``TrustDirectoryError``.
    """
    sm2.use_library(settings.sm2_library)
    verifier = Verifier(ChainVerifier(trust_of(settings)), ENVELOPES)
    return Examiner(kinds_of(settings), verifier, EvidenceGatherer(verifier, _status(settings, http)))


def build_authorities(foundation: Foundation, http: HttpClient) -> AgentAuthorities:
    """What judges an agent's authorisation, over the same trust directory and addresses as certificates."""
    settings = foundation.settings
    chains = ChainVerifier(trust_of(settings))
    return AgentAuthorities(chains, EvidenceGatherer(Verifier(chains, [JwsFormat()]), _status(settings, http)))


def platform_of(source: SourceSettings, kinds: KindRegistry, http: HttpClient) -> ProvincialPlatform:
    return ProvincialPlatform(
        code=source.code,
        base_url=source.url,
        access_id=source.access_id,
        access_secret=source.secret(),
        system_name=GATEWAY_NAME,
        http=http,
        type_codes=[code for kind in kinds.by_code.values() for code in kind.type_codes],
    )


def trust_of(settings: Settings) -> TrustStore:
    """Anchors and issuers. Without sources there is nothing to verify, and a gateway on its own may start so."""
    if not settings.sources and not settings.trust_dir.exists():
        return TrustStore.build([], [])
    return read_trust_directory(settings.trust_dir)


def _status(settings: Settings, http: HttpClient) -> HttpStatusSource:
    return HttpStatusSource(http, [*(source.url for source in settings.sources), *settings.status_origins])


def _kinds_asked(source: SourceSettings, kinds: KindRegistry) -> frozenset[str] | None:
    if source.kinds is not None and not source.kinds <= kinds.by_code.keys():
        known = ", ".join(sorted(kinds.by_code))
        raise SettingsError(f"BANDIAN_SOURCES: {source.code} names a kind that does not exist; take some of {known}.")
    return source.kinds


def _source_directory(registrations: Sequence[SourceRegistration]) -> SourceDirectory:
    try:
        return SourceDirectory(registrations)
    except ValueError as error:
        raise SettingsError(f"BANDIAN_SOURCES: {error}; keep one of them, or give them different kinds.") from None
