"""What every process of the gateway stands on, and what is asked of it more than once."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import CollectorRegistry

from adapters.checkpoint_keys import CheckpointKeys
from adapters.data_keys import LiveDataKeys, open_data_keys
from adapters.disk_space import free_bytes
from adapters.head_keeper import HeadFiles
from adapters.key_directory import open_key_directory
from adapters.key_providers import open_provider
from adapters.live_keys import LiveKeys
from adapters.storage.engine import make_private_database, sqlite_path
from adapters.storage.sealed import AtRest
from adapters.storage.transactions import SqlTransactions
from gateway.applications.dated_rows import RuleTableError
from gateway.applications.stages import Stage
from gateway.approvals.review_modes import ReviewModeRow
from gateway.certificates.registry import KindRegistry
from gateway.clock import Clock, date_in_china, system_clock
from gateway.crypto import sm2
from gateway.crypto.aead import is_available
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.crypto.sealing import KeyProvider, Sealer
from gateway.errors import Overloaded
from gateway.heap import give_back
from gateway.ids import MakeId, id_maker
from gateway.metrics import PATIENCE, GatewayMetrics
from gateway.partners.directory import PartnerDirectory
from gateway.partners.service import PartnerService
from gateway.partners.vocabulary import Vocabulary
from gateway.process_metrics import ProcessMetrics
from gateway.records.lag import CheckpointLag
from gateway.rule_rows.live import LiveRules
from gateway.rule_rows.rules import Published, rules_with
from gateway.settings import Settings, SettingsError
from gateway.supervision import Supervisor

GATEWAY_NAME = "政企协同办电信息共享平台"


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
    supervisor: Supervisor
    rules: LiveRules

    async def exposition(self) -> bytes:
        """All that is watched, in the Prometheus text format. Partners are left as they were while nothing answers."""
        with suppress(Overloaded, TimeoutError):
            snapshot = await asyncio.wait_for(self.directory.snapshot(), PATIENCE)
            self.process_metrics.show_partners(snapshot, self.clock())
        return await self.metrics.exposition()

    def sweep_memory(self, sweep_rooms: Callable[[datetime], None]) -> None:
        """Forget what this process, its rooms among it, remembered long enough, and give back what that took."""
        sweep_rooms(self.clock())
        self.transactions.sweep_memory()
        give_back()

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
    return Foundation(
        settings,
        clock,
        make_id,
        keys,
        transactions,
        directory,
        partners,
        metrics,
        watch,
        lag,
        Supervisor(watch),
        LiveRules(transactions, published_rules(settings)),
    )


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


def kinds_of(settings: Settings) -> KindRegistry:
    """The certificate kinds under the province's own type codes. Raises ``SettingsError``."""
    try:
        return KindRegistry.discover(settings.type_codes)
    except ValueError as error:
        raise SettingsError(f"BANDIAN_TYPE_CODES: {error}; correct it and start again.") from None


def published_rules(settings: Settings) -> Published:
    """What stands before any officer's row. Raises ``SettingsError`` for mode rows that contradict each other."""
    modes = tuple(ReviewModeRow(**row.model_dump()) for row in settings.review_modes)
    published = Published(settings.calendar, settings.calendar_complete_years, modes)
    try:
        rules_with(published, ())
    except RuleTableError:
        raise SettingsError(
            "BANDIAN_REVIEW_MODES: give each mode but full one row at a time for each permit and region, which ends "
            "no earlier than it begins; correct it and start again."
        ) from None
    return published


def checkpoint_keys(foundation: Foundation) -> CheckpointKeys:
    """What signs checkpoints. Raises ``KeyDirectoryError``, ``OSError``."""
    settings = foundation.settings
    return CheckpointKeys(foundation.keys, settings.checkpoint_origin, settings.checkpoint_sm2_keys)
