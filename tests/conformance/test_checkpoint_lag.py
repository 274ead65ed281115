"""Writes are refused while checkpoints lag, and a refused write says why; reading and anchoring go on."""

from datetime import timedelta

import pytest

from gateway.errors import Overloaded
from gateway.records.lag import CheckpointLag
from tests.support.anchoring import anchoring, entry, recorded
from tests.support.storage import SetClock, opened

LIMIT = timedelta(minutes=5)


async def test_an_entry_without_a_checkpoint_stops_writes_past_the_limit_until_it_has_one(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        lag = CheckpointLag(transactions, clock, LIMIT)
        transactions.gate = lag.gate
        await lag.look()
        clock.advance(days=1)
        await recorded(transactions, entry(1))
        await lag.look()
        clock.advance(minutes=4)
        await recorded(transactions, entry(2))
        await lag.look()
        clock.advance(minutes=2)
        with pytest.raises(Overloaded) as refused:
            await recorded(transactions, entry(3))
        assert (refused.value.check, refused.value.retry_after) == ("record.checkpoint_lag", 10)
        assert await transactions.read(lambda tx: tx.super_log.unanchored_since()) is not None
        latest = await anchoring(transactions, clock).anchor_once()
        assert latest is not None
        await lag.look()
        assert await transactions.read(lambda tx: tx.super_log.unanchored_since()) is None
        entries = await transactions.read(lambda tx: sum(size for log, size in tx.super_log.logs() if log != "super"))
        assert entries == 2
        await recorded(transactions, entry(3))


async def test_the_oldest_entry_of_any_log_counts(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as one, opened(database_url, clock) as two:
        await recorded(one, entry(1))
        await anchoring(one, clock).anchor_once()
        began = clock.advance(minutes=1)
        await recorded(two, entry(2))
        clock.advance(minutes=1)
        await recorded(one, entry(3))
        await recorded(two, entry(4))
        assert await one.read(lambda tx: tx.super_log.unanchored_since()) == began


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_without_a_limit_nothing_is_refused(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        lag = CheckpointLag(transactions, clock, None)
        transactions.gate = lag.gate
        await recorded(transactions, entry(1))
        clock.advance(days=400)
        await lag.look()
        await recorded(transactions, entry(2))
