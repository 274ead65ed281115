"""A loop that runs beside serving and dies is told of, counted and begun anew; a serving process says which ones."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.bootstrap.foundation import Foundation
from gateway.caller import Role
from gateway.delivery.relay import Relay
from gateway.main import create_app
from gateway.records.lag import CheckpointLag
from gateway.records.witnessing import Witnessing
from gateway.settings import load_settings
from gateway.supervision import Supervisor, run_until
from tests.support.databases import Databases
from tests.support.storage import NOON


class Watch:
    def __init__(self) -> None:
        self.ended: Counter[tuple[str, str]] = Counter()

    def loop_ended(self, loop: str, fault: str) -> None:
        self.ended[loop, fault] += 1


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - whatever it looks at tells nobody
            await asyncio.sleep(0.005)


async def test_a_loop_that_dies_is_begun_anew_until_it_stays() -> None:
    begun, stop, watch = 0, asyncio.Event(), Watch()

    async def loop(stop: asyncio.Event) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise KeyError("nobody expected that")
        if begun == 2:
            asyncio.get_running_loop().call_soon(lost.cancel)
            await lost  # somebody cancelled what it waited for, and not the loop
        await stop.wait()

    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    supervisor = Supervisor(watch, first_pause_s=0.01)
    with capture_logs() as logged:
        running = asyncio.create_task(supervisor.run("work", loop, stop))
        await until(lambda: begun == 3)
    assert watch.ended == {("work", "KeyError"): 1, ("work", "CancelledError"): 1}
    assert supervisor.restarting == {}
    assert [(each["event"], each["log_level"], each["loop"]) for each in logged] == [
        ("loop.ended", "error", "work")
    ] * 2
    assert "nobody expected" not in str(logged), "what an exception says may be anything"
    stop.set()
    await asyncio.wait_for(running, 5)


async def test_it_waits_longer_each_time_and_says_so_meanwhile() -> None:
    began: list[float] = []
    stop, supervisor = asyncio.Event(), Supervisor(Watch(), first_pause_s=0.02, longest_pause_s=0.08)

    async def loop(_stop: asyncio.Event) -> None:
        began.append(asyncio.get_running_loop().time())
        raise RuntimeError

    running = asyncio.create_task(supervisor.run("work", loop, stop))
    await until(lambda: len(began) == 6)
    assert supervisor.restarting == {"work": "RuntimeError"}
    pauses = [after - before for before, after in itertools.pairwise(began)]
    assert [pause >= floor for pause, floor in zip(pauses, (0.02, 0.04, 0.08, 0.08, 0.08), strict=True)] == [True] * 5
    stop.set()
    await asyncio.wait_for(running, 5)
    assert supervisor.restarting == {}


async def test_what_ends_by_itself_or_is_told_to_is_left_alone() -> None:
    stop, watch, begun = asyncio.Event(), Watch(), Counter[str]()
    supervisor = Supervisor(watch, first_pause_s=0.01)

    async def has_nothing_to_do(_stop: asyncio.Event) -> None:
        begun["idle"] += 1

    async def fails_while_it_stops(stop: asyncio.Event) -> None:
        begun["stopped"] += 1
        await stop.wait()
        raise OSError

    async def waits(stop: asyncio.Event) -> None:
        await stop.wait()

    await supervisor.run("idle", has_nothing_to_do, stop)
    cancelled = asyncio.create_task(supervisor.run("cancelled", waits, stop))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    running = asyncio.create_task(supervisor.run("stopped", fails_while_it_stops, stop))
    await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert begun == {"idle": 1, "stopped": 1}
    assert watch.ended == {("stopped", "OSError"): 1}


async def test_what_runs_beside_something_does_not_die_unseen() -> None:
    stop, still = asyncio.Event(), asyncio.Event()

    async def dies() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            still.set()

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(run_until(stop, dies(), goes_on()), 5)
    assert still.is_set(), "it is not left to run beside the next one"
    still.clear()
    stop.set()
    await asyncio.wait_for(run_until(stop, goes_on()), 5)


# In a serving process ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(
    databases: Databases, directory: Path, **more: str
) -> AsyncIterator[tuple[httpx.AsyncClient, Foundation]]:
    environment = {
        "BANDIAN_DATABASE_URL": databases.sqlite(),
        "BANDIAN_KEY_DIR": str(directory / "keys"),
        "BANDIAN_TRUST_DIR": str(directory / "trust"),
        "BANDIAN_CHECKPOINT_EVERY_S": "1",
        **more,
    }
    app = create_app(load_settings(environment))
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://g") as http:
        yield http, app.state.foundation


async def ready(http: httpx.AsyncClient) -> tuple[int, dict[str, Any]]:
    answer = await http.get("/readyz")
    return answer.status_code, answer.json()


async def says(http: httpx.AsyncClient, restarting: dict[str, str]) -> None:
    """That it is ready, and sooner or later that these loops are begun anew."""
    async with asyncio.timeout(30):
        while (answer := await ready(http))[1]["restarting"] != restarting:
            assert answer[0] == 200
            await asyncio.sleep(0.02)


async def told(http: httpx.AsyncClient, line: str) -> None:
    async with asyncio.timeout(30):
        while line not in (await http.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_serving_process_tells_which_loop_died_and_goes_on(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays in the balancer: one fault that every process meets would otherwise end all serving."""
    broken = True

    async def look(self: CheckpointLag) -> None:
        if broken:
            raise RuntimeError("a fault of ours")

    monkeypatch.setattr(CheckpointLag, "look", look)
    async with serving(databases, tmp_path, BANDIAN_CHECKPOINT_LAG_LIMIT_S="4") as (http, _):
        assert await ready(http) == (200, {"status": "ready", "failed": {}, "restarting": {}})
        await told(http, 'bandian_loop_faults_total{fault="RuntimeError",loop="lag"}')
        await says(http, {"lag": "RuntimeError"})
        broken = False
        await says(http, {})


async def test_a_relay_that_died_delivers_again(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, runs = Relay.run, 0

    async def run(self: Relay, stop: asyncio.Event) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise LookupError
        await real(self, stop)

    monkeypatch.setattr(Relay, "run", run)
    heartbeat = tmp_path / "heartbeat"
    async with serving(databases, tmp_path, BANDIAN_HEARTBEAT_FILE=str(heartbeat)) as (http, _):
        await told(http, 'bandian_loop_faults_total{fault="LookupError",loop="relay"} 1.0')
        await until(heartbeat.exists)


async def test_a_loop_inside_another_is_begun_anew_too(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint files beside the keys are a witness; nobody waits for what follows it."""
    real, shown = Witnessing.show, 0

    async def show(self: Witnessing, witness: Any) -> bool:
        nonlocal shown
        shown += 1
        if shown == 1:
            raise ArithmeticError
        return await real(self, witness)

    monkeypatch.setattr(Witnessing, "show", show)
    async with serving(databases, tmp_path) as (http, foundation):
        await foundation.partners.register_partner("csg", "供电局", Role.UTILITY, ["440100"], actor="cli:test", at=NOON)
        await told(http, 'bandian_loop_faults_total{fault="ArithmeticError",loop="witnessing"} 1.0')
        await until((tmp_path / "heads" / "record.checkpoint").exists)
