"""What a person on call sees of the outbox, on both databases."""

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions
from gateway.bootstrap.foundation import lay_foundation
from gateway.caller import Role
from gateway.certificates.verdicts import Verdict
from gateway.crypto.jwk import VerificationKey
from gateway.delivery.ports import ChannelKind, ClaimRoom, DeliveryState, EventDraft, Settlement
from gateway.errors import Overloaded
from gateway.metrics import LOOKED_AT, GatewayMetrics
from gateway.partners.directory import DirectorySnapshot, HeldKey
from gateway.partners.model import KeyUse, Partner, PartnerKey, PartnerStatus
from gateway.process_metrics import ProcessMetrics
from gateway.records.entries import RecordEntry
from gateway.settings import Settings
from tests.support.databases import Databases
from tests.support.storage import AT_REST, NOON, SEAL_SIGNER, SetClock, opened


def change(database_url: str, statement: str) -> None:
    engine = create_database_engine(database_url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def draft(name: str, destination: str, seconds: int) -> EventDraft:
    at = NOON + timedelta(seconds=seconds)
    return EventDraft(name, destination, ChannelKind.WEBHOOK, "t", f"app-{name}", at, {})


async def shown(metrics: GatewayMetrics) -> dict[str, float]:
    lines = (await metrics.exposition()).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def test_what_waits_and_what_is_dead_is_counted_by_destination(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        metrics = GatewayMetrics(transactions, clock)
        empty = await shown(metrics)
        assert (empty["bandian_database_up"], empty["bandian_outbox_oldest_pending_seconds"]) == (1, 0)
        assert empty["bandian_writer_queue"] == 0

        drafts = [draft("a", "csg", 0), draft("b", "csg", 5), draft("c", "water-440100", 9)]
        await transactions.write(lambda tx: [tx.outbox.append(each) for each in drafts])
        at = clock.advance(seconds=60)
        claims = await transactions.write(
            lambda tx: tx.deliveries.claim("r", at, at + timedelta(minutes=1), ClaimRoom(9, 9))
        )
        dead = next(claim for claim in claims if claim.event.event_id == "a")
        settlement = Settlement("a", dead.attempt, at, at, DeliveryState.DEAD, "webhook.status_410", 410)
        assert await transactions.write(lambda tx: tx.deliveries.settle("r", settlement))

        metrics.attempted("csg", DeliveryState.DEAD)
        metrics.judged("business_licence", Verdict.VALID)
        now = await shown(metrics)
        assert now['bandian_outbox_pending{destination="csg"}'] == 1
        assert now['bandian_outbox_pending{destination="water-440100"}'] == 1
        assert now['bandian_dead_letters{destination="csg"}'] == 1
        assert now["bandian_outbox_oldest_pending_seconds"] == 55
        assert now['bandian_delivery_attempts_total{destination="csg",state="dead"}'] == 1
        assert now['bandian_verdicts_total{kind="business_licence",verdict="valid"}'] == 1


async def test_the_database_is_not_asked_at_every_scrape_and_its_absence_is_told() -> None:
    clock, asked = SetClock(), 0

    class Down:
        waiting = 7

        async def read(self, work: object) -> None:
            nonlocal asked
            asked += 1
            raise TimeoutError

        async def write(self, work: object) -> None:
            raise AssertionError

    metrics = GatewayMetrics(Down(), clock)  # type: ignore[arg-type]
    for _ in range(3):
        assert (await shown(metrics))["bandian_database_up"] == 0
    assert asked == 1
    clock.at += LOOKED_AT
    assert (await shown(metrics))["bandian_writer_queue"] == 7
    assert asked == 2


async def test_commits_and_logs_that_change_hands_are_counted(database_url: str) -> None:
    clock, registry = SetClock(), CollectorRegistry()
    watch = ProcessMetrics(registry)

    def process() -> SqlTransactions:
        return SqlTransactions(database_url, SEAL_SIGNER, AT_REST, clock, watch=watch)

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(name, labels) or 0

    async def record(transactions: SqlTransactions) -> None:
        await transactions.write(lambda tx: tx.records.append(RecordEntry("test.done", NOON, "gateway")))

    first, second = process(), process()
    for each in (first, second):
        each.open()
    try:
        await record(first)
        assert value("bandian_record_log_takeovers_total") == 0, "it began a log of its own"
        clock.advance(minutes=2)
        await record(second)
        assert value("bandian_record_log_takeovers_total") == 1, "nobody held it any more"
        await record(first)
        assert value("bandian_record_logs_lost_total") == 1, "the first learns of it at its next commit"
        assert value("bandian_writer_batch_units_count") == value("bandian_writer_commit_seconds_count") == 3
        assert value("bandian_writer_batch_units_sum") == 3
        change(database_url, "DROP TABLE record_seals")
        with pytest.raises(Overloaded):
            await record(first)
        shown = generate_latest(registry).decode()
        assert "bandian_writer_failures_total{fault=" in shown
    finally:
        for each in (first, second):
            each.close()


def test_how_long_a_partners_last_key_lasts_is_shown_where_it_ends() -> None:
    registry = CollectorRegistry()

    def held(use: KeyUse, days: int | None) -> HeldKey:
        until = None if days is None else NOON + timedelta(days=days)
        key = PartnerKey("csg", f"{use}-{days}", "", {}, use, NOON - timedelta(days=9), until)
        return HeldKey(key, VerificationKey(key.kid, SEAL_SIGNER.private_key.public_key(), frozenset({"EdDSA"})))

    keys = [
        held(KeyUse.CLIENT_AUTH, 3),
        held(KeyUse.CLIENT_AUTH, 7),
        held(KeyUse.RECEIPT, 5),
        held(KeyUse.RECEIPT, None),
    ]
    partner = Partner("csg", "供电", Role.UTILITY, ("44",), PartnerStatus.ACTIVE, 0, NOON)
    metrics = ProcessMetrics(registry)
    metrics.show_partners(DirectorySnapshot(1, {"csg": partner}, {"csg": keys}), NOON)
    labels = {"partner": "csg", "use": KeyUse.CLIENT_AUTH.value}
    assert registry.get_sample_value("bandian_partner_key_left_seconds", labels) == 7 * 86_400
    assert registry.get_sample_value("bandian_partner_key_left_seconds", labels | {"use": "receipt"}) is None


async def test_a_process_tells_of_its_disks_heads_and_keys(tmp_path: Path, databases: Databases) -> None:
    settings = Settings(database_url=SecretStr(databases.sqlite()), key_dir=tmp_path / "keys")
    foundation = lay_foundation(settings)
    try:
        shown = (await foundation.exposition()).decode()
    finally:
        foundation.close()
    told = dict(line.rpartition(" ")[::2] for line in shown.splitlines() if line[0] != "#")
    for place in ("database", "heads"):
        assert float(told[f'bandian_disk_free_bytes{{place="{place}"}}']) > 0
    assert float(told["bandian_heads_not_kept"]) == 0
    for purpose in ("seal", "token", "data"):
        assert float(told[f'bandian_key_age_days{{purpose="{purpose}"}}']) == 0
