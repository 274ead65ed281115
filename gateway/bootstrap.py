"""The only composition root: builds each service once, from settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import aiohttp

from adapters import departments
from adapters.channels.department import DepartmentChannel
from adapters.channels.posting import open_session
from adapters.channels.webhook import WebhookChannel, parse_secret
from adapters.heartbeat import Heartbeat
from adapters.http_client import HttpClient, HttpxClient
from adapters.identity_provider import NoIdentityProvider, OpenIdProvider
from adapters.key_directory import KeyDirectory, KeyPurpose, open_key_directory
from adapters.provincial_platform import ProvincialPlatform
from adapters.status_source import HttpStatusSource
from adapters.storage.transactions import SqlTransactions
from adapters.trust_directory import read_trust_directory
from gateway.applications.intake import IntakeService
from gateway.applications.stage_events import StageEventService
from gateway.applications.working_days import WorkingCalendar
from gateway.approvals.orders import GatewayNames
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.single_window import SingleWindow
from gateway.authorisations.service import AuthorisationService
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.certificates.trust import TrustStore
from gateway.certificates.verifier import Verifier
from gateway.clock import Clock, date_in_china, system_clock
from gateway.crypto import sm2
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.delivery.backoff import Backoff
from gateway.delivery.ports import ChannelKind
from gateway.delivery.relay import Relay
from gateway.delivery.service import DeliveryService
from gateway.housekeeping import Housekeeping
from gateway.http.callers import Doorkeeper
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.services import Services
from gateway.identity.ports import IdentityProvider
from gateway.identity.service import IdentityService
from gateway.ids import MakeId, id_maker
from gateway.licences.service import LicenceService
from gateway.partners.directory import PartnerDirectory
from gateway.partners.router import PublishedKeys
from gateway.partners.service import PartnerService
from gateway.partners.tokens import AccessGate, TokenKeys, TokenService
from gateway.progress.service import ProgressService
from gateway.settings import Settings, read_secret

GATEWAY_NAME = "政企协同办电信息共享平台"


@dataclass(frozen=True)
class Foundation:
    """What every process of the gateway stands on: database, keys, partners."""

    settings: Settings
    clock: Clock
    make_id: MakeId
    keys: KeyDirectory
    transactions: SqlTransactions
    directory: PartnerDirectory
    partners: PartnerService

    def close(self) -> None:
        """Commit what waits and let the database go."""
        self.transactions.close()


def lay_foundation(settings: Settings, clock: Clock = system_clock) -> Foundation:
    """Open keys and database. Raises ``SettingsError``, ``KeyDirectoryError``, ``DatabaseUrlError``, ``OSError``."""
    sm2.use_library(settings.sm2_library)
    on = date_in_china(clock())
    keys = open_key_directory(settings.key_dir, generate=settings.may_generate_keys, on=on)
    if settings.on_sqlite:
        Path(settings.database().removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    transactions = SqlTransactions(settings.database(), keys.seal_signer(on), clock)
    transactions.open()
    make_id = id_maker(clock)
    directory = PartnerDirectory(transactions)
    partners = PartnerService(
        transactions,
        directory,
        new_id=lambda: make_id("agr"),
        insecure_hosts=settings.insecure_endpoint_hosts,
    )
    return Foundation(settings, clock, make_id, keys, transactions, directory, partners)


@dataclass(frozen=True)
class Hub:
    """Everything that the serving process publishes, and what runs beside it."""

    foundation: Foundation
    services: Services
    housekeeping: Housekeeping


def build_hub(foundation: Foundation, http: HttpClient) -> Hub:
    """The services of the serving process. Raises ``SettingsError``, ``KeyDirectoryError``,
    ``TrustDirectoryError``, ``DepartmentSettingsError``.
    """
    settings, clock, make_id = foundation.settings, foundation.clock, foundation.make_id
    transactions, directory, keys = foundation.transactions, foundation.directory, foundation.keys
    on = date_in_china(clock())
    calendar = WorkingCalendar()
    certificates = build_certificates(settings, transactions, http)
    provider = _provider(settings, keys, http, make_id, on)
    answer_key = keys.signing(KeyPurpose.ANSWER, on)
    token_keys = TokenKeys(keys.signing(KeyPurpose.TOKEN, on), keys.verification(KeyPurpose.TOKEN))
    tokens = TokenService(
        transactions,
        directory,
        token_keys,
        issuer=settings.issuer_url,
        token_uri=f"{settings.base_url}/oauth/token",
        new_id=lambda: make_id("tok"),
    )
    gate = AccessGate(directory, token_keys, settings.issuer_url)
    intakes = IntakeService(transactions, certificates, directory, calendar, clock, make_id, GATEWAY_NAME)
    offices = departments.discover(settings.department_options())
    names = GatewayNames(settings.issuer_url, settings.base_url)
    services = Services(
        Doorkeeper(gate, clock, settings.base_url),
        Idempotency(transactions, clock),
        RateLimits(),
        PublishedKeys(keys.all_verification()),
        foundation.partners,
        tokens,
        IdentityService(transactions, provider, KeyedDigest(keys.lookup_secret), clock),
        intakes,
        StageEventService(transactions, calendar, clock),
        AuthorisationService(transactions, clock, make_id),
        LicenceService(transactions, certificates, directory, clock, make_id, answer_key, settings.issuer_url),
        SingleWindow(transactions, directory, offices, calendar, names, make_id),
        OutcomeIntake(transactions, directory, offices, settings.issuer_url, make_id),
        DeliveryService(transactions, settings.issuer_url),
        ProgressService(transactions, calendar, clock),
    )
    return Hub(foundation, services, Housekeeping(intakes, transactions, clock))


def build_certificates(settings: Settings, transactions: SqlTransactions, http: HttpClient) -> CertificateService:
    """The certificates room over the configured sources and the trust directory."""
    verifier = Verifier(ChainVerifier(_trust(settings)), [JwsFormat()])
    registrations = [
        SourceRegistration(
            region=source.region,
            source=ProvincialPlatform(
                code=source.code,
                base_url=source.url,
                access_id=source.access_id,
                access_secret=source.secret(),
                system_name=GATEWAY_NAME,
                http=http,
            ),
        )
        for source in settings.sources
    ]
    status = HttpStatusSource(http, [source.url for source in settings.sources])
    return CertificateService(
        kinds=KindRegistry.discover(),
        sources=SourceDirectory(registrations),
        verifier=verifier,
        evidence=EvidenceGatherer(verifier, status),
        transactions=transactions,
    )


def _trust(settings: Settings) -> TrustStore:
    """Anchors and issuers. Without sources there is nothing to verify, and a gateway on its own may start so."""
    if not settings.sources and not settings.trust_dir.exists():
        return TrustStore.build([], [])
    return read_trust_directory(settings.trust_dir)


def _provider(settings: Settings, keys: KeyDirectory, http: HttpClient, make_id: MakeId, on: date) -> IdentityProvider:
    if settings.identity_provider is None:
        return NoIdentityProvider()
    return OpenIdProvider(
        issuer=settings.identity_provider.issuer,
        client_id=settings.identity_provider.client_id,
        redirect_uri=f"{settings.base_url}/v1/identity/callback",
        client_key=keys.signing(KeyPurpose.CLIENT, on),
        http=http,
        make_id=make_id,
    )


def build_relay(foundation: Foundation, session: aiohttp.ClientSession) -> Relay:
    """The relay over every channel; it claims under a name of its own."""
    settings, keys, directory = foundation.settings, foundation.keys, foundation.directory
    on = date_in_china(foundation.clock())
    insecure = settings.insecure_endpoint_hosts
    webhook = WebhookChannel(
        session,
        directory,
        settings.issuer_url,
        keys.signing(KeyPurpose.WEBHOOK, on),
        secrets_in(settings.secrets_dir),
        insecure_hosts=insecure,
    )
    department = DepartmentChannel(session, directory, keys.signing(KeyPurpose.ANSWER, on), insecure_hosts=insecure)
    return Relay(
        owner=uuid4().hex,
        transactions=foundation.transactions,
        channels={ChannelKind.WEBHOOK: webhook, ChannelKind.DEPARTMENT: department},
        clock=foundation.clock,
        backoff=Backoff(),
        progress=Heartbeat(settings.heartbeat_file) if settings.heartbeat_file else None,
    )


def secrets_in(directory: Path) -> Callable[[str], bytes | None]:
    """Answers the webhook secret that a ``secret_ref`` names: a file of ``directory``, read at each use."""

    def secret_of(reference: str) -> bytes | None:
        path = directory / reference
        if path.parent != directory or not path.is_file():
            return None
        return parse_secret(read_secret(path))

    return secret_of


@asynccontextmanager
async def clients() -> AsyncIterator[tuple[HttpClient, aiohttp.ClientSession]]:
    """The one HTTP client of each kind that a process has."""
    http, session = HttpxClient(), open_session()
    try:
        yield http, session
    finally:
        await http.aclose()
        await session.close()
