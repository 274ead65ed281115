"""The only composition root: builds each service once, from settings."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import aiohttp
from prometheus_client import CollectorRegistry

from adapters import departments
from adapters.channels.department import DepartmentChannel
from adapters.channels.nats import NatsChannel
from adapters.channels.nats_link import NatsLink
from adapters.channels.posting import SEND_TIMEOUT, open_session
from adapters.channels.signed_events import parse_secret
from adapters.channels.utility import UtilityChannel
from adapters.channels.webhook import WebhookChannel
from adapters.checkpoint_keys import CheckpointKeys
from adapters.data_keys import LiveDataKeys, open_data_keys
from adapters.disk_space import free_bytes
from adapters.head_keeper import HeadFiles
from adapters.heartbeat import Heartbeat
from adapters.http_client import HttpClient, HttpxClient
from adapters.identity_provider import NoIdentityProvider, OpenIdProvider
from adapters.key_directory import KeyPurpose, open_key_directory
from adapters.key_providers import open_provider
from adapters.live_keys import LiveKeys, LiveTokenKeys
from adapters.provincial_platform import ProvincialPlatform
from adapters.status_source import HttpStatusSource
from adapters.storage.engine import make_private_database, sqlite_path
from adapters.storage.sealed import AtRest
from adapters.storage.transactions import SqlTransactions
from adapters.time_stamping import AnchorsUnreadable, HttpTimeStamps, read_anchors
from adapters.trust_directory import read_trust_directory
from adapters.witnesses.files import CheckpointFiles
from adapters.witnesses.http import HttpWitness
from gateway.applications.agent_authority import AgentAuthorities
from gateway.applications.dated_rows import RuleTableError
from gateway.applications.intake import IntakeService
from gateway.applications.own_application import OwnApplicationService
from gateway.applications.review_reading import ReviewReader
from gateway.applications.reviews import ReviewService
from gateway.applications.stage_events import StageEventService
from gateway.applications.stages import Stage
from gateway.applications.working_days import WorkingCalendar
from gateway.approvals.commitments import CommitmentService
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.review_modes import ReviewModeRow, ReviewModes
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.single_window import SingleWindow
from gateway.authorisations.service import AuthorisationService
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
from gateway.clock import Clock, date_in_china, system_clock
from gateway.crypto import sm2
from gateway.crypto.aead import is_available
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.crypto.sealing import KeyProvider, Sealer
from gateway.delivery.backoff import Backoff
from gateway.delivery.ports import ChannelKind
from gateway.delivery.relay import Relay, RelayLimits
from gateway.delivery.service import DeliveryService
from gateway.errors import Overloaded
from gateway.evidence.service import EvidenceService
from gateway.housekeeping import Housekeeping
from gateway.http.callers import Doorkeeper
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.services import Services
from gateway.identity.service import IdentityService
from gateway.ids import MakeId, id_maker
from gateway.licences.service import LicenceService
from gateway.licences.site import SiteService
from gateway.metrics import PATIENCE, GatewayMetrics
from gateway.partners.directory import PartnerDirectory
from gateway.partners.router import PublishedKeys
from gateway.partners.service import PartnerService
from gateway.partners.tokens import AccessGate, TokenService
from gateway.partners.vocabulary import Vocabulary
from gateway.process_metrics import ProcessMetrics
from gateway.progress.service import ProgressService
from gateway.rechecks.feed import FeedReader
from gateway.rechecks.loops import RecheckLoops
from gateway.rechecks.service import RecheckService
from gateway.rechecks.sweeper import Sweeper
from gateway.rechecks.worker import RecheckWorker
from gateway.reconciliation.service import ReconciliationService
from gateway.records.anchoring import Anchoring
from gateway.records.lag import CheckpointLag
from gateway.records.loops import RecordLoops
from gateway.records.ports import StoredCheckpoint
from gateway.records.service import PublishedVerifierKeys, RecordProofs
from gateway.records.stamping import Stamping
from gateway.records.witnessing import Witnessing
from gateway.retention.policies import Periods, policies
from gateway.retention.service import RetentionService
from gateway.settings import Settings, SettingsError, SourceSettings, read_secret_lines

GATEWAY_NAME = "政企协同办电信息共享平台"
ENVELOPES = (JwsFormat(), OfdFormat())
"""The forms in which e-certificates come."""


@dataclass(frozen=True)
class Foundation:
    """What every process of the gateway stands on: database, keys, partners."""

    settings: Settings
    clock: Clock
    make_id: MakeId
    keys: LiveKeys
    transactions: SqlTransactions
    directory: PartnerDirectory
    partners: PartnerService
    metrics: GatewayMetrics
    process_metrics: ProcessMetrics
    lag: CheckpointLag

    async def exposition(self) -> bytes:
        """All that is watched, in the Prometheus text format. Partners are left as they were while nothing answers."""
        with suppress(Overloaded, TimeoutError):
            snapshot = await asyncio.wait_for(self.directory.snapshot(), PATIENCE)
            self.process_metrics.show_partners(snapshot, self.clock())
        return await self.metrics.exposition()

    def close(self) -> None:
        """Commit what waits and let the database go."""
        self.transactions.close()


def lay_foundation(settings: Settings, clock: Clock = system_clock) -> Foundation:
    """Open keys and database.

    Raises ``SettingsError``, ``KeyDirectoryError``, ``KeyProviderError``, ``DatabaseUrlError``, ``OSError``.
    """
    sm2.use_library(settings.sm2_library)
    on = date_in_china(clock())
    read = open_key_directory(settings.key_dir, generate=settings.may_generate_keys, on=on)
    data_keys = open_live_data_keys(settings, clock)
    keys = LiveKeys(settings.key_dir, read, clock, data_keys)
    at_rest = AtRest(Sealer(data_keys, settings.at_rest_algorithm), KeyedDigest(read.lookup_secret))
    if settings.on_sqlite:
        make_private_database(settings.database())
    heads = HeadFiles(settings.head_directory)
    registry = CollectorRegistry()
    watch = ProcessMetrics(registry)
    signer, issuer = read.seal_signer(on), settings.issuer_url
    transactions = SqlTransactions(settings.database(), signer, at_rest, clock, heads, issuer, watch)
    limit = settings.checkpoint_lag_limit
    lag = CheckpointLag(transactions, clock, None if limit is None else timedelta(seconds=limit))
    transactions.gate = lag.gate
    transactions.open()
    make_id = id_maker(clock)
    directory = PartnerDirectory(transactions)
    partners = PartnerService(
        transactions,
        directory,
        vocabulary=_vocabulary(kinds_of(settings)),
        new_id=lambda: make_id("agr"),
        insecure_hosts=settings.insecure_endpoint_hosts,
    )
    _watch_machine(watch, settings, keys, heads)
    metrics = GatewayMetrics(transactions, clock, registry)
    return Foundation(settings, clock, make_id, keys, transactions, directory, partners, metrics, watch, lag)


def _watch_machine(watch: ProcessMetrics, settings: Settings, keys: LiveKeys, heads: HeadFiles) -> None:
    watch.watch_heads(lambda: heads.not_kept)
    watch.watch_disk("heads", partial(free_bytes, settings.head_directory))
    if settings.on_sqlite:
        watch.watch_disk("database", partial(free_bytes, sqlite_path(settings.database())))
    for purpose, age in keys.ages().items():
        watch.watch_key(purpose, age)


def open_live_data_keys(settings: Settings, clock: Clock) -> LiveDataKeys:
    """The keys of what rests in the database. Raises ``SettingsError``, ``KeyDirectoryError``, ``KeyProviderError``."""
    provider = open_key_provider(settings)
    directory, on = settings.data_key_directory, date_in_china(clock())
    found = open_data_keys(directory, provider, generate=settings.may_generate_keys, on=on)
    return LiveDataKeys(directory, provider, found, clock)


def open_key_provider(settings: Settings, *, generate: bool | None = None) -> KeyProvider:
    """What wraps the data keys; ``generate`` None is as the settings say. Raises as ``open_live_data_keys``.

    None is made beside data keys that are there: they need the one that wrapped them.
    """
    algorithm = settings.at_rest_algorithm
    if not is_available(algorithm):
        raise SettingsError(
            f"The cryptography library here cannot do {algorithm}; set BANDIAN_AT_REST_ALGORITHM=aes-256-gcm, or "
            "install a build of it that can."
        )
    generated = settings.may_generate_keys if generate is None else generate
    generated = generated and not any(settings.data_key_directory.glob("data-*.key"))
    return open_provider(settings.key_provider, settings.wrapping_key, algorithm, generate=generated)


def _vocabulary(kinds: KindRegistry) -> Vocabulary:
    """The words that agreements may use: kinds with their fields and predicates, stages."""
    fields = {kind.code: kind.disclosable for kind in kinds.by_code.values()}
    return Vocabulary(fields, frozenset(stage.value for stage in Stage))


@dataclass(frozen=True)
class Hub:
    """Everything that the serving process publishes, and what runs beside it."""

    foundation: Foundation
    services: Services
    certificates: CertificateService
    housekeeping: Housekeeping


def build_hub(foundation: Foundation, http: HttpClient) -> Hub:
    """The services of the serving process. Raises ``SettingsError``, ``KeyDirectoryError``,
    ``TrustDirectoryError``, ``DepartmentSettingsError``.
    """
    settings, clock, make_id = foundation.settings, foundation.clock, foundation.make_id
    transactions, directory, keys = foundation.transactions, foundation.directory, foundation.keys
    calendar = WorkingCalendar(settings.calendar, settings.calendar_complete_years)
    certificates = build_certificates(foundation, http)
    provider = build_identity_provider(foundation, http)
    digests = KeyedDigest(keys.lookup_secret)
    token_keys = LiveTokenKeys(keys)
    tokens = TokenService(
        transactions,
        directory,
        token_keys,
        issuer=settings.issuer_url,
        token_uri=f"{settings.base_url}/oauth/token",
        new_id=lambda: make_id("tok"),
    )
    shared = None if settings.on_sqlite else transactions
    gate = AccessGate(directory, token_keys, settings.issuer_url, shared)
    limits = RateLimits(settings.partner_rate_limit)
    authorities = build_authorities(foundation, http)
    intakes = IntakeService(transactions, certificates, authorities, directory, calendar, clock, make_id, GATEWAY_NAME)
    offices = departments.discover(settings.department_options())
    names = GatewayNames(settings.issuer_url, settings.base_url)
    reconciliation = build_reconciliation(foundation)
    services = Services(
        Doorkeeper(gate, clock, settings.base_url, limits.admit),
        Idempotency(transactions, clock, digests),
        limits,
        PublishedKeys(keys.published),
        foundation.partners,
        tokens,
        IdentityService(transactions, provider, digests, clock),
        intakes,
        build_reviews(foundation, certificates, authorities),
        StageEventService(transactions, calendar, clock, digests),
        OwnApplicationService(transactions, clock, make_id, GATEWAY_NAME),
        AuthorisationService(transactions, clock, make_id),
        build_licences(foundation, certificates),
        SiteService(transactions, clock),
        SingleWindow(transactions, directory, offices, calendar, names, make_id, review_modes(settings), digests),
        CommitmentService(transactions, offices, calendar, names, make_id, digests),
        OutcomeIntake(transactions, directory, offices, settings.issuer_url, make_id, digests),
        DeliveryService(transactions, settings.issuer_url),
        reconciliation,
        ProgressService(transactions, calendar, clock),
        build_evidence(foundation),
        RecordProofs(transactions, wait_s=math.ceil(settings.checkpoint_every_s)),
        PublishedVerifierKeys(checkpoint_keys(foundation).published),
    )
    return Hub(foundation, services, certificates, Housekeeping(intakes, build_retention(foundation), reconciliation))


def build_reconciliation(foundation: Foundation) -> ReconciliationService:
    """对账; the serving process and ``bandian reconcile`` have one each."""
    return ReconciliationService(
        foundation.transactions,
        foundation.clock,
        foundation.make_id,
        foundation.keys.signer(KeyPurpose.ANSWER),
        foundation.settings.issuer_url,
    )


def build_licences(foundation: Foundation, certificates: CertificateService) -> LicenceService:
    """核验; the serving process and ``bandian explain`` have one each."""
    return LicenceService(
        foundation.transactions,
        certificates,
        foundation.directory,
        foundation.clock,
        foundation.make_id,
        KeyedDigest(foundation.keys.lookup_secret),
        foundation.keys.signer(KeyPurpose.ANSWER),
        foundation.settings.issuer_url,
    )


def build_evidence(foundation: Foundation) -> EvidenceService:
    """证据包; the serving process and ``bandian evidence`` have one each. Raises ``TrustDirectoryError``."""
    settings = foundation.settings
    return EvidenceService(
        foundation.transactions,
        foundation.keys.signer(KeyPurpose.ANSWER),
        foundation.clock,
        foundation.make_id,
        issuer=settings.issuer_url,
        gateway_name=GATEWAY_NAME,
        intermediates=trust_of(settings).intermediates,
        wait_s=math.ceil(settings.checkpoint_every_s),
    )


def build_retention(foundation: Foundation) -> RetentionService:
    """What removes personal data when their time is over."""
    settings = foundation.settings
    table = policies(Periods(**settings.retention.model_dump()), kinds_of(settings).copies_kept())
    return RetentionService(foundation.transactions, table, foundation.clock)


def build_certificates(foundation: Foundation, http: HttpClient) -> CertificateService:
    """The certificates room over the configured sources and the trust directory."""
    settings, transactions = foundation.settings, foundation.transactions
    kinds = kinds_of(settings)
    registrations = [
        SourceRegistration(
            region=source.region,
            kinds=_kinds_asked(source, kinds),
            source=_platform(source, kinds, http),
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


def _platform(source: SourceSettings, kinds: KindRegistry, http: HttpClient) -> ProvincialPlatform:
    return ProvincialPlatform(
        code=source.code,
        base_url=source.url,
        access_id=source.access_id,
        access_secret=source.secret(),
        system_name=GATEWAY_NAME,
        http=http,
        type_codes=[code for kind in kinds.by_code.values() for code in kind.type_codes],
    )


def build_rechecks(foundation: Foundation, certificates: CertificateService, http: HttpClient) -> RecheckLoops:
    """What looks at certificates of open applications again; it leases under a name of its own."""
    settings, transactions, clock = foundation.settings, foundation.transactions, foundation.clock
    owner, make_id = uuid4().hex, foundation.make_id
    service = RecheckService(transactions, certificates, clock, make_id)
    sources = {source.code: source for source in settings.sources if source.changes}
    feeds = [_platform(source, certificates.kinds, http) for source in sources.values()]
    poll, interval = timedelta(seconds=settings.feed_poll_s), timedelta(days=settings.recheck_days)
    return RecheckLoops(
        RecheckWorker(owner, transactions, service, clock, make_id, concluded=foundation.metrics.rechecked),
        FeedReader(owner, feeds, transactions, certificates.identifier_digests, clock, poll),
        Sweeper(transactions, clock, interval),
    )


def build_authorities(foundation: Foundation, http: HttpClient) -> AgentAuthorities:
    """What judges an agent's authorisation, over the same trust directory and addresses as certificates."""
    settings = foundation.settings
    chains = ChainVerifier(trust_of(settings))
    return AgentAuthorities(chains, EvidenceGatherer(Verifier(chains, [JwsFormat()]), _status(settings, http)))


def build_reviews(
    foundation: Foundation, certificates: CertificateService, authorities: AgentAuthorities
) -> ReviewService:
    """The officers' side of an intake; the serving process and a command have one each."""
    reader = ReviewReader(certificates, authorities)
    return ReviewService(
        foundation.transactions,
        reader,
        foundation.directory,
        foundation.clock,
        foundation.make_id,
        GATEWAY_NAME,
        KeyedDigest(foundation.keys.lookup_secret),
    )


def _status(settings: Settings, http: HttpClient) -> HttpStatusSource:
    return HttpStatusSource(http, [*(source.url for source in settings.sources), *settings.status_origins])


def kinds_of(settings: Settings) -> KindRegistry:
    """The certificate kinds under the province's own type codes. Raises ``SettingsError``."""
    try:
        return KindRegistry.discover(settings.type_codes)
    except ValueError as error:
        raise SettingsError(f"BANDIAN_TYPE_CODES: {error}; correct it and start again.") from None


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


def review_modes(settings: Settings) -> ReviewModes:
    """The modes that regions allow. Raises ``SettingsError`` for rows that contradict each other."""
    try:
        return ReviewModes(ReviewModeRow(**row.model_dump()) for row in settings.review_modes)
    except RuleTableError:
        raise SettingsError(
            "BANDIAN_REVIEW_MODES: give each mode but full one row at a time for each permit and region, which ends "
            "no earlier than it begins; correct it and start again."
        ) from None


def trust_of(settings: Settings) -> TrustStore:
    """Anchors and issuers. Without sources there is nothing to verify, and a gateway on its own may start so."""
    if not settings.sources and not settings.trust_dir.exists():
        return TrustStore.build([], [])
    return read_trust_directory(settings.trust_dir)


def build_identity_provider(foundation: Foundation, http: HttpClient) -> OpenIdProvider | NoIdentityProvider:
    """The configured one, or one that answers that there is none."""
    settings = foundation.settings
    if settings.identity_provider is None:
        return NoIdentityProvider()
    return OpenIdProvider(
        issuer=settings.identity_provider.issuer,
        client_id=settings.identity_provider.client_id,
        redirect_uri=f"{settings.base_url}/v1/identity/callback",
        client_key=foundation.keys.signer(KeyPurpose.CLIENT),
        http=http,
        make_id=foundation.make_id,
    )


@dataclass(frozen=True)
class Relaying:
    """The relay, and what is let go when it has ended."""

    relay: Relay
    link: NatsLink | None

    async def run(self, stop: asyncio.Event) -> None:
        """See ``Relay.run``."""
        try:
            await self.relay.run(stop)
        finally:
            if self.link is not None:
                await self.link.close()


def build_relay(foundation: Foundation, session: aiohttp.ClientSession) -> Relaying:
    """The relay over every channel; it claims under a name of its own."""
    settings, keys, directory = foundation.settings, foundation.keys, foundation.directory
    insecure = settings.insecure_endpoint_hosts
    signing = (directory, settings.issuer_url, keys.signer(KeyPurpose.WEBHOOK), secrets_in(settings.secrets_dir))
    nats_url = settings.nats()
    link = NatsLink(nats_url, settings.nats_prefix) if nats_url is not None else None
    nats = NatsChannel(link, *signing, timedelta(seconds=settings.delivery_timeout_s)) if link is not None else None
    utility = UtilityChannel(directory, WebhookChannel(session, *signing, insecure_hosts=insecure), nats)
    department = DepartmentChannel(session, directory, keys.signer(KeyPurpose.ANSWER), insecure_hosts=insecure)
    relay = Relay(
        owner=uuid4().hex,
        transactions=foundation.transactions,
        channels={
            ChannelKind.WEBHOOK: utility,
            ChannelKind.NATS: utility,
            ChannelKind.DEPARTMENT: department,
        },
        clock=foundation.clock,
        backoff=Backoff(give_up_after=timedelta(days=settings.delivery_give_up_days)),
        limits=RelayLimits(
            in_flight=settings.delivery_in_flight,
            per_destination=settings.delivery_per_destination,
            lease=timedelta(seconds=settings.delivery_lease_s),
            disable_after=timedelta(hours=settings.delivery_disable_after_h),
        ),
        progress=Heartbeat(settings.heartbeat_file) if settings.heartbeat_file else None,
        watch=foundation.metrics,
    )
    return Relaying(relay, link)


def checkpoint_keys(foundation: Foundation) -> CheckpointKeys:
    """What signs checkpoints. Raises ``KeyDirectoryError``, ``OSError``."""
    settings = foundation.settings
    return CheckpointKeys(foundation.keys, settings.checkpoint_origin, settings.checkpoint_sm2_keys)


def build_anchoring(foundation: Foundation, http: HttpClient) -> RecordLoops:
    """What signs checkpoints of the record and shows them to witnesses; it leases under a name of its own.

    Raises as ``checkpoint_keys``, and ``SettingsError``.
    """
    settings, transactions = foundation.settings, foundation.transactions
    witnesses = [HttpWitness(http, each.url, each.verifier_keys()) for each in settings.witnesses]
    witnessing = Witnessing(
        transactions,
        [CheckpointFiles(settings.head_directory), *witnesses],
        [key for each in settings.witnesses for key in each.verifier_keys()],
        foundation.metrics.witnessed,
    )
    stamping = Stamping(
        transactions,
        _time_stampers(foundation, http),
        foundation.clock,
        timedelta(seconds=settings.time_stamps.every_s if settings.time_stamps else 0),
    )

    def signed(latest: StoredCheckpoint) -> None:
        witnessing.signed(latest)
        stamping.signed(latest)

    anchoring = Anchoring(
        transactions,
        foundation.clock,
        settings.checkpoint_origin,
        checkpoint_keys(foundation).signers(),
        uuid4().hex,
        timedelta(seconds=settings.checkpoint_every_s),
        signed,
    )
    return RecordLoops(anchoring, witnessing, stamping)


def _time_stampers(foundation: Foundation, http: HttpClient) -> list[HttpTimeStamps]:
    asked = foundation.settings.time_stamps
    if asked is None:
        return []
    try:
        return [HttpTimeStamps(http, asked.url, read_anchors(asked.anchors), foundation.clock)]
    except AnchorsUnreadable as error:
        raise SettingsError(f"BANDIAN_TIME_STAMPS: {error}") from None


def secrets_in(directory: Path) -> Callable[[str], tuple[bytes, ...]]:
    """Answers the webhook secrets that a ``secret_ref`` names: a file of ``directory``, read at each use.

    It holds one, or while the receiver changes over the new and the old one; none where there is no such file.
    """

    def secrets_of(reference: str) -> tuple[bytes, ...]:
        path = directory / reference
        if path.parent != directory or not path.is_file():
            return ()
        return tuple(parse_secret(line) for line in read_secret_lines(path, 2))

    return secrets_of


@asynccontextmanager
async def clients(
    delivery_timeout: timedelta = SEND_TIMEOUT,
) -> AsyncIterator[tuple[HttpClient, aiohttp.ClientSession]]:
    """The one HTTP client of each kind that a process has; ``delivery_timeout`` is how long a receiver may take."""
    http, session = HttpxClient(), open_session(delivery_timeout)
    try:
        yield http, session
    finally:
        await http.aclose()
        await session.close()
