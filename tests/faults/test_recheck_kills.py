"""A worker dies while it reads the feed or looks at a certificate: what changed reaches the utility, once."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from mock_services.demo.journeys.living import FEED, changes_told, newest_certificate, order
from mock_services.demo.journeys.stage import BAKERY, until
from tests.support.locking import writes_blocked
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
HOLDER, KIND = "enterprise-renamed", "business_licence"
LOOK = "/share/queryCertInfo"
LONG_MS = 20_000
"""Longer than it takes to kill a process that waits for it."""
STEADY_S = 2.5
"""Time for two more pulls of the feed."""


async def apply(fragile: LiveProvince) -> str:
    """An application that stays open; answers its id once the utility has it."""
    applicant = fragile.applicant(HOLDER)
    await applicant.verify("enterprise", "e_licence")
    preview = await applicant.begin("one-certificate", {**BAKERY, "region": "440112", "purpose": "演示人工"})
    application_id: str = (await applicant.confirm(preview["intake_id"]))["application_id"]
    await fragile.stage().at_utility(application_id)
    return application_id


async def set_faults(fragile: LiveProvince, neighbour: str, *faults: dict[str, Any]) -> None:
    """Exactly these at a mock, whose journal starts anew."""
    (await fragile.http.delete(f"{neighbour}/__admin/requests")).raise_for_status()
    (await fragile.http.put(f"{neighbour}/__admin/faults", json=list(faults))).raise_for_status()


@asynccontextmanager
async def slow(fragile: LiveProvince, neighbour: str, path: str, delay_ms: int = LONG_MS) -> AsyncIterator[None]:
    """Requests to ``path`` at the mock are answered late."""
    await set_faults(fragile, neighbour, {"match": path, "kind": "delay", "delay_ms": delay_ms, "times": None})
    try:
        yield
    finally:
        await set_faults(fragile, neighbour)


async def under_way(fragile: LiveProvince, neighbour: str, path: str, *, ended: bool = False) -> None:
    """Wait until a request to ``path`` waits for its answer; or, ``ended``, until none does."""

    async def seen() -> bool:
        journal = await fragile.stage().get(f"{neighbour}/__admin/requests?path={path}")
        waiting = any(entry["status"] is None for entry in journal)
        return bool(journal) and waiting is not ended

    await until(seen, f"a request to {path} is {'answered' if ended else 'under way'}")


async def killed(fragile: LiveProvince) -> None:
    assert await fragile.end("worker", signal.SIGKILL) == -signal.SIGKILL


async def started(fragile: LiveProvince) -> None:
    """Start a worker that need not wait for the leases of the dead one to lapse."""
    engine = create_database_engine(fragile.database_url, pool_size=1)
    with engine.begin() as connection:
        for table in ("rechecks_due", "change_feeds", "outbox"):
            connection.execute(text(f"UPDATE {table} SET lease_until = NULL"))
    engine.dispose()
    await fragile.start("worker")


async def while_it_is_dead(fragile: LiveProvince, change: Callable[[], Awaitable[None]]) -> None:
    await killed(fragile)
    await change()


async def while_it_reads_the_feed(fragile: LiveProvince, change: Callable[[], Awaitable[None]]) -> None:
    platform = fragile.province.platform
    async with slow(fragile, platform, FEED):
        await change()
        await under_way(fragile, platform, FEED)
        await killed(fragile)


async def while_it_looks(fragile: LiveProvince, change: Callable[[], Awaitable[None]]) -> None:
    platform = fragile.province.platform
    async with slow(fragile, platform, LOOK):
        await change()
        await under_way(fragile, platform, LOOK)
        await killed(fragile)


async def before_what_it_saw_is_committed(fragile: LiveProvince, change: Callable[[], Awaitable[None]]) -> None:
    platform = fragile.province.platform
    async with slow(fragile, platform, LOOK, 1_000):
        await change()
        await under_way(fragile, platform, LOOK)
        with writes_blocked(fragile.database_url):
            await under_way(fragile, platform, LOOK, ended=True)
            await asyncio.sleep(0.5)
            await killed(fragile)


async def while_it_tells_the_utility(fragile: LiveProvince, change: Callable[[], Awaitable[None]]) -> None:
    utility = fragile.province.utility
    async with slow(fragile, utility, "/webhooks", 1_000):
        await change()
        await under_way(fragile, utility, "/webhooks")
        with writes_blocked(fragile.database_url):
            await under_way(fragile, utility, "/webhooks", ended=True)
            await killed(fragile)


async def with_a_second_worker(fragile: LiveProvince, change: Callable[[], Awaitable[None]]) -> None:
    await fragile.start("worker")
    await change()
    await asyncio.sleep(STEADY_S)
    await killed(fragile)


MOMENTS = (
    while_it_is_dead,
    while_it_reads_the_feed,
    while_it_looks,
    before_what_it_saw_is_committed,
    while_it_tells_the_utility,
    with_a_second_worker,
)


async def test_a_change_reaches_the_utility_once_whenever_the_worker_is_killed(fragile: LiveProvince) -> None:
    application_id = await apply(fragile)
    stage = fragile.stage()
    licence = await newest_certificate(stage, HOLDER, KIND)
    expected: list[str] = []
    for number, moment in enumerate(MOMENTS):
        action, said = ("revoke", "revoked") if number % 2 == 0 else ("reinstate", "reinstated")
        expected.append(said)

        async def change(action: str = action) -> None:
            await order(stage, licence, action)

        await moment(fragile, change)
        await started(fragile)

        async def told() -> bool:
            return len(await changes_told(stage, application_id)) >= len(expected)

        await until(told, f"the utility is told, though killed {moment.__name__}", 90)
    await asyncio.sleep(STEADY_S)
    held = await changes_told(stage, application_id)
    assert [(each["kind"], each["change"]) for each in held] == [(KIND, said) for said in expected]
    assert len({each["event_id"] for each in held}) == len(expected)
    code, printed = await fragile.audit()
    assert code == 0, printed
    for fault in ("feed.fault", "recheck.fault", "rechecks.fault"):
        assert f'"event":"{fault}"' not in fragile.gateway_logs()
