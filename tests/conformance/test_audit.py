"""``bandian audit`` on a record that someone with the database in his hands has tampered with."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from adapters.storage.engine import normalise_url
from gateway.records.audit import AuditReport, audit
from gateway.records.entries import RecordEntry, encode_entry
from gateway.records.merkle import leaf_hash
from tests.support.storage import NOON, SEAL_KEYS, SetClock, opened

FORGED = encode_entry(RecordEntry("licence.disclosed", NOON, "nobody", facts={"number": 999}))


async def recorded_then(database_url: str, statement: str, parameters: dict[str, Any]) -> tuple[str, AuditReport]:
    """Record thirty entries in several batches, run ``statement`` behind the gateway's back, and audit."""
    with opened(database_url, SetClock()) as transactions:
        for batch in range(3):
            ids = await asyncio.gather(
                *(
                    transactions.write(
                        lambda tx, n=n: tx.records.append(RecordEntry("test.done", NOON, "gateway", facts={"n": n}))
                    )
                    for n in range(batch * 10, batch * 10 + 10)
                )
            )
        log_id = ids[0].rsplit("-", 1)[0]
        engine = create_engine(normalise_url(database_url))
        with engine.begin() as connection:
            connection.execute(text("PRAGMA foreign_keys=OFF" if "sqlite" in database_url else "SELECT 1"))
            assert connection.execute(text(statement), parameters).rowcount >= 1
        engine.dispose()
        return log_id, await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("UPDATE record_entries SET leaf = :leaf WHERE sequence = 17", {"leaf": FORGED}),
        ("DELETE FROM record_entries WHERE sequence = 17", {}),
    ],
    ids=["an entry is changed", "an entry is deleted"],
)
async def test_the_first_broken_entry_is_named(database_url: str, statement: str, parameters: dict[str, Any]) -> None:
    log_id, report = await recorded_then(database_url, statement, parameters)
    assert [broken.where for broken in report.broken] == [f"{log_id}-17"]


@pytest.mark.parametrize(
    ("statement", "parameters", "reason"),
    [
        (
            "UPDATE record_entries SET leaf = :leaf, leaf_hash = :hash WHERE sequence = 17",
            {"leaf": FORGED, "hash": leaf_hash(FORGED)},
            "are not those that seal",
        ),
        ("UPDATE record_seals SET root = :root WHERE number = 2", {"root": bytes(32)}, "are not those that seal"),
        (
            "UPDATE record_seals SET signature = :signature WHERE number = 1",
            {"signature": bytes(64)},
            "the signature of seal 1 is wrong",
        ),
        ("UPDATE record_seals SET key_id = 'other' WHERE number = 1", {}, "a key that this audit was not given"),
        ("DELETE FROM record_seals WHERE number = 1", {}, "seal 1 is missing"),
        (
            "INSERT INTO record_entries (log_id, sequence, leaf, leaf_hash, action) "
            "SELECT log_id, 31, :leaf, :hash, 'x' FROM record_logs",
            {"leaf": FORGED, "hash": leaf_hash(FORGED)},
            "no seal covers this entry",
        ),
    ],
)
async def test_every_other_tampering_is_told(
    database_url: str, statement: str, parameters: dict[str, Any], reason: str
) -> None:
    _, report = await recorded_then(database_url, statement, parameters)
    assert len(report.broken) == 1
    assert reason in report.broken[0].reason
