"""A relay tells of progress while the database answers, and is silent while it does not."""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.heartbeat import Heartbeat
from adapters.storage.records import record_unavailable
from gateway.delivery.backoff import Backoff
from gateway.delivery.relay import Relay, RelayLimits
from tests.support.storage import NOON


class Database:
    """Nothing is ever due in it; it may be ``gone``."""

    gone = False

    async def write(self, work: Callable[[Any], Any]) -> Any:
        if self.gone:
            raise record_unavailable("not_written")
        return [], 0

    read = write


async def test_the_relay_tells_of_each_pass_that_the_database_answered() -> None:
    database, told = Database(), []
    limits = RelayLimits(idle=timedelta(milliseconds=1))
    relay = Relay("r", database, {}, lambda: NOON, Backoff(), limits, progress=told.append)
    stop = asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    await _passes()
    assert len(told) > 1
    assert set(told) == {NOON}
    database.gone = True
    await _passes()
    told.clear()
    await _passes()
    assert told == []
    database.gone = False
    await _passes()
    assert told
    stop.set()
    await running


async def _passes() -> None:
    for _ in range(20):  # turns of the loop: on a machine that stood still for a while it is the relay's turn, too
        await asyncio.sleep(0.003)


def test_a_heartbeat_touches_its_file_every_few_seconds_and_not_more_often(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    beat = Heartbeat(path, timedelta(seconds=5))

    def touched(at: datetime) -> bool:
        if path.exists():
            os.utime(path, (0, 0))
        beat(at)
        return path.exists() and path.stat().st_mtime > 0

    later = [0, 1, 4, 5, 6, 10, -60]
    assert [touched(NOON + timedelta(seconds=each)) for each in later] == [True, False, False, True, False, True, True]


def test_a_heartbeat_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    Heartbeat(tmp_path / "nowhere" / "beat")(NOON)
