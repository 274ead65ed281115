"""The gateway's own services as ``gateway.bootstrap`` puts them together, with everything at the edge simulated."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.departments import discover
from gateway.applications.agent_authority import AgentAuthorities
from gateway.applications.intake import IntakeService
from gateway.applications.own_application import OwnApplicationService
from gateway.applications.review_reading import ReviewReader
from gateway.applications.reviews import ReviewService
from gateway.applications.rule_book import published_rules
from gateway.applications.stage_events import StageEventService
from gateway.applications.stages import Stage
from gateway.approvals.commitments import CommitmentService
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.review_modes import ReviewModeRow, ReviewModes
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.single_window import SingleWindow
from gateway.authorisations.service import AuthorisationService
from gateway.caller import Role
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.envelopes.ofd.format import OfdFormat
from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.certificates.verifier import Verifier
from gateway.crypto.jwk import SigningKey, export_jwk
from gateway.delivery.backoff import Backoff
from gateway.delivery.ports import Channel, ChannelKind
from gateway.delivery.relay import Relay, RelayLimits
from gateway.delivery.service import DeliveryService
from gateway.housekeeping import Housekeeping
from gateway.identity.ports import IdentityProvider
from gateway.identity.service import IdentityService
from gateway.licences.service import LicenceService
from gateway.partners.changes import AgreementDraft
from gateway.partners.directory import PartnerDirectory
from gateway.partners.model import Grant, KeyUse
from gateway.partners.service import PartnerService
from gateway.partners.vocabulary import Vocabulary
from gateway.progress.service import ProgressService
from gateway.projects.intake import ProjectIntake
from gateway.rechecks.feed import FeedReader
from gateway.rechecks.service import RecheckService
from gateway.rechecks.sweeper import Sweeper
from gateway.rechecks.worker import RecheckWorker
from gateway.reconciliation.service import ReconciliationService
from gateway.records.anchoring import Anchoring
from gateway.records.checkpoints import NoteSigner
from gateway.records.notes import ED25519_TYPE, VerifierKey
from gateway.retention.policies import Periods, policies
from gateway.retention.service import RetentionService
from schemas.departments import ReviewMode
from tests.simulation.database import DIGESTS, ISSUER, SIGNER, MemoryDatabase
from tests.simulation.platform import SimulatedPlatform, trust
from tests.simulation.world import VirtualClock

ORIGIN, NAME = "gateway.simulated/record", "政企协同办电信息共享平台"
ANSWER_KEY = SigningKey("answer-simulated", "EdDSA", Ed25519PrivateKey.from_private_bytes(b"a" * 32))
PERIODS = Periods(
    parties_days=20,
    withdrawn_parties_days=5,
    deliveries_days=25,
    undelivered_days=30,
    project_contacts_days=10,
    silent_projects_days=40,
    outages_days=10,
    capacities_days=10,
)
"""Short, so that what is kept goes while the history still runs."""
POLL, SWEPT_EVERY, ANCHORED_EVERY = timedelta(minutes=5), timedelta(days=6), timedelta(hours=3)
NOTE_SIGNER = NoteSigner(
    VerifierKey(ORIGIN, ED25519_TYPE, SIGNER.private_key.public_key().public_bytes_raw()), SIGNER.sign
)
LIGHT_MODES = ReviewModes(
    ReviewModeRow(
        mode,
        max_voltage_v=380,
        max_length_m=200.0,
        clause="粤能源〔2026〕1号",
        effective_from=date(2025, 1, 1),
        region="44",
    )
    for mode in ReviewMode
    if mode is not ReviewMode.FULL
)


@dataclass(frozen=True)
class Enrolled:
    """A partner to register. Departments have a key."""

    code: str
    role: Role
    regions: tuple[str, ...]
    key: SigningKey | None = None


class SimulatedGateway:
    """Everything that the processes of a gateway consist of. ``start`` is also what happens after one has died."""

    def __init__(
        self,
        clock: VirtualClock,
        database: MemoryDatabase,
        platform: SimulatedPlatform,
        provider: IdentityProvider,
        channel: Channel,
        rng: random.Random,
    ) -> None:
        self.clock, self.database = clock, database
        self._platform, self._provider, self._channel, self._rng = platform, provider, channel, rng
        self._numbers = itertools.count(1)
        self.kinds = KindRegistry.discover()
        self._departments = discover()
        self._trust = trust()
        self.deaths = 0
        self.start()

    def make_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):026d}"

    def _secret(self) -> str:
        return f"{next(self._numbers):022d}".ljust(43, "s")

    def die(self) -> None:
        """Killed: what was in memory is gone, and what was held in the database stays held until it lapses."""
        self.deaths += 1
        self.database.restart()
        self.start()

    def start(self) -> None:
        """As ``build_hub``, ``build_relay`` and ``build_rechecks`` do."""
        clock, database, make_id, rules = self.clock, self.database, self.make_id, published_rules
        directory = PartnerDirectory(database, ticks=clock.ticks)
        chains = ChainVerifier(self._trust)
        verifier = Verifier(chains, (JwsFormat(), OfdFormat()))
        certificates = CertificateService(
            kinds=self.kinds,
            sources=SourceDirectory([SourceRegistration("440000", self._platform)]),
            verifier=verifier,
            evidence=EvidenceGatherer(verifier, self._platform),
            transactions=database,
            digests=DIGESTS,
        )
        agents = AgentAuthorities(chains, EvidenceGatherer(Verifier(chains, [JwsFormat()]), self._platform))
        names, departments = GatewayNames(ISSUER, ISSUER), self._departments
        self.directory = directory
        self.partners = PartnerService(
            database, directory, vocabulary=self._vocabulary(), new_id=lambda: make_id("agr")
        )
        self.identity = IdentityService(database, self._provider, DIGESTS, clock, self._secret)
        self.intakes = IntakeService(database, certificates, agents, directory, rules, clock, make_id, NAME)
        self.reviews = ReviewService(
            database, ReviewReader(certificates, agents), directory, rules, clock, make_id, NAME, DIGESTS
        )
        self.stages = StageEventService(database, rules, clock, DIGESTS)
        self.own = OwnApplicationService(database, clock, make_id, NAME)
        self.authorisations = AuthorisationService(database, clock, make_id)
        self.licences = LicenceService(
            database, certificates, directory, clock, make_id, DIGESTS, lambda: ANSWER_KEY, ISSUER
        )
        self.window = SingleWindow(database, directory, departments, rules, names, make_id, LIGHT_MODES, DIGESTS)
        self.commitments = CommitmentService(database, departments, rules, names, make_id, DIGESTS)
        self.outcomes = OutcomeIntake(database, directory, departments, ISSUER, make_id, DIGESTS)
        self.deliveries = DeliveryService(database, ISSUER)
        self.progress = ProgressService(database, rules, clock)
        retention = RetentionService(database, policies(PERIODS, self.kinds.copies_kept()), clock)
        days = ReconciliationService(database, clock, make_id, lambda: ANSWER_KEY, ISSUER)
        projects = ProjectIntake(database, directory, ISSUER, make_id, DIGESTS, clock)
        self.housekeeping = Housekeeping(self.intakes, retention, days, projects)
        self._start_worker(certificates)

    def _start_worker(self, certificates: CertificateService) -> None:
        clock, database, owner = self.clock, self.database, f"worker-{self.deaths}"
        self.relay = Relay(
            owner=owner,
            transactions=database,
            channels={ChannelKind.WEBHOOK: self._channel, ChannelKind.DEPARTMENT: self._channel},
            clock=clock,
            backoff=Backoff(ceiling=timedelta(hours=1)),  # longer than the worker's: attempts teach nothing new
            limits=RelayLimits(),
            chance=self._rng,
            elapsed=clock.ticks,
        )
        service = RecheckService(database, certificates, clock, self.make_id)
        self.rechecks = RecheckWorker(owner, database, service, clock, self.make_id, chance=self._rng)
        self.feed = FeedReader(
            owner, [self._platform], database, certificates.identifier_digests, clock, POLL, self._rng
        )
        self.sweeper = Sweeper(database, clock, SWEPT_EVERY)
        self.anchoring = Anchoring(database, clock, ORIGIN, (NOTE_SIGNER,), owner, ANCHORED_EVERY)

    def _vocabulary(self) -> Vocabulary:
        fields = {kind.code: kind.disclosable for kind in self.kinds.by_code.values()}
        return Vocabulary(fields, frozenset(stage.value for stage in Stage))

    async def enrol(self, partners: Sequence[Enrolled]) -> None:
        """Register everybody at once; utilities get an agreement about every field of every kind that there is."""
        await asyncio.gather(*(self._enrol(each, self.clock()) for each in partners))

    async def _enrol(self, each: Enrolled, at: datetime) -> None:
        by: dict[str, Any] = {"actor": "cli:simulation", "at": at}
        await self.partners.register_partner(each.code, each.code, each.role, each.regions, **by)
        if each.key is not None:
            await self.partners.add_key(each.code, export_jwk(each.key.public()), KeyUse.OUTCOME, **by)
        if each.role is Role.UTILITY:
            draft = AgreementDraft(
                partner_code=each.code,
                purpose="grid_connection",
                grants=tuple(Grant(code, kind.disclosable) for code, kind in sorted(self.kinds.by_code.items())),
                regions=each.regions,
                valid_from=date(2025, 1, 1),
                valid_until=date(2027, 12, 31),
                clause="第（七）条",
            )
            made = await self.partners.create_agreement(draft, **by)
            await self.partners.activate_agreement(made.value.agreement_id, **by)
