"""``python -m tests.bench turns --against CHECKOUT``: this checkout beside another, to a hundredth.

Both answer the same kind of requests on copies of one database, each in a process of its own that has no sockets but
those to source and utility (``tests.bench.turns.driven``), A B B A. The ratio is of work per CPU-second: above 1 this
checkout is the quicker. What is measured is the gateway's code alone: how it fares with sockets, a load and a limit
the paths tell.
"""

import asyncio
import os
import pickle
import shutil
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from tests.bench.hot.gateways import Gateways, Needs
from tests.bench.hot.licences import LicenceRequests, mint
from tests.bench.hot.machine import cpu_seconds, pin
from tests.bench.hot.outcomes import LOOK_EVERY, Database, NotAcknowledged, outcomes_to_come
from tests.bench.hot.recorded import DISCLOSED, recorded, require_recorded
from tests.bench.hot.slices import Make, rounds_of
from tests.bench.hot.source import PLAIN, SM2
from tests.bench.hot.stand import Stand, standing
from tests.bench.paired import Comparison

HERE = Path(__file__).parents[3]
PATHS = ("1a", "1b", "1c", "1d", "2")
LIVE, OUTCOMES = ("1c", "1d"), "2"
REQUESTS = 512
"""Of a slice: a tenth to a third of a CPU-second."""
WARM_UPS = 4
ACKNOWLEDGED_WITHIN = 120.0
"""Seconds."""


@dataclass(frozen=True)
class Side:
    """A checkout, and the interpreter that runs it."""

    checkout: Path
    python: Path


@dataclass(frozen=True)
class Turns:
    """``rounds`` of four slices of ``requests``, over so many ``connections``.

    ``sides``: this checkout, and the one that it is set against. ``hook``: see ``driven``.
    """

    sides: tuple[Side, Side]
    path: str
    connections: int
    rounds: int
    requests: int
    hook: str | None = None


class Driven:
    """One side's process. ``make`` makes its requests; ``waiting`` answers whether any is not acknowledged yet."""

    def __init__(
        self, process: asyncio.subprocess.Process, log: Path, make: Make, waiting: Callable[[], Awaitable[int]] | None
    ) -> None:
        self._process, self._log, self._make, self._waiting = process, log, make, waiting
        self.answered = 0

    async def slice(self, count: int) -> float:
        """Answers a CPU-second, of ``count`` answers."""
        process, requests = self._process, await self._make(count)
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(requests))
        await process.stdin.drain()
        await self.hear("ready")
        before = cpu_seconds([process.pid])
        process.stdin.write(b"\n")
        used = float(await self.hear())
        if self._waiting is not None:
            await self._acknowledged(self._waiting)
            used = cpu_seconds([process.pid]) - before
        self.answered += count
        return count / used

    async def _acknowledged(self, waiting: Callable[[], Awaitable[int]]) -> None:
        ends = time.monotonic() + ACKNOWLEDGED_WITHIN
        while await waiting():
            if time.monotonic() > ends:
                raise NotAcknowledged("outcomes are not acknowledged")
            await asyncio.sleep(LOOK_EVERY)

    async def hear(self, expected: str | None = None) -> str:
        """What it says next."""
        assert self._process.stdout is not None
        said = (await self._process.stdout.readline()).decode().strip()
        if not said or expected not in (None, said):
            raise RuntimeError(f"the gateway said {said!r}: {self._log.read_text('utf-8')[-2000:]}")
        return said


async def measure(
    directory: Path,
    database_url: str,
    wanted: Sequence[Turns],
    applications: int,
    say: Callable[[str], None],
    *,
    forked: bool = False,
) -> None:
    """Each of ``wanted`` on a stand of ``database_url``. Raises ``SpeedBought``, ``NotAcknowledged``."""
    async with standing(directory / "stand", database_url, applications, forked=forked) as (stand, http):
        gateways = Gateways(stand, http)
        for turns in wanted:
            say(f"{database_url.partition(':')[0]}: {await _measured(stand, gateways, http, turns)}")


async def _measured(stand: Stand, gateways: Gateways, http: httpx.AsyncClient, turns: Turns) -> Comparison:
    needs = Needs(live=turns.path in LIVE, worker=turns.path == OUTCOMES)
    await gateways.run(Needs())
    makes = await _makes(stand, http, turns)
    await gateways.seal(SM2 if turns.path == "1d" else PLAIN)
    await gateways.stop()
    async with AsyncExitStack() as stack:
        sides, urls = [], []
        for number, (side, make) in enumerate(zip(turns.sides, makes, strict=True)):
            own = stand.directory / f"turn-{turns.path}-{number}"
            url = stack.enter_context(_copied(stand.database_url, own))
            settings = {
                **gateways.settings(needs, 0),
                "BANDIAN_DATABASE_URL": url,
                "BANDIAN_HEADS_DIR": str(own / "heads"),  # of a copy that nobody else's are ahead of
            }
            sides.append(await stack.enter_async_context(_driven(side, settings, turns, make, stand.core, own)))
            urls.append(url)
        actions = ("outcome.received", "delivery.receipted") if turns.path == OUTCOMES else (DISCLOSED,)
        before = [[recorded(url, action) for action in actions] for url in urls]
        compared = await _compare(*sides, turns)
        for url, side, entries in zip(urls, sides, before, strict=True):
            for action, were in zip(actions, entries, strict=True):
                require_recorded(url, were, side.answered, action)
        return compared


async def _compare(ours: Driven, other: Driven, turns: Turns) -> Comparison:
    for side in (ours, other):
        await side.hear("up")
        for _ in range(WARM_UPS):
            await side.slice(turns.requests)
    found: dict[Driven, list[float]] = {ours: [], other: []}
    for _ in range(turns.rounds):
        for side in (ours, other, other, ours):
            found[side].append(await side.slice(turns.requests))
    mine, theirs = rounds_of(found[ours]), rounds_of(found[other])
    return Comparison.of(f"{turns.path}, this ÷ the other", mine, theirs, found[other])


async def _makes(stand: Stand, http: httpx.AsyncClient, turns: Turns) -> Sequence[Make]:
    """For each side what makes its requests; what they are about is in the stand's database."""
    if turns.path == OUTCOMES:
        slices = WARM_UPS + 2 * turns.rounds
        return await outcomes_to_come(stand, slices * turns.requests, len(turns.sides))
    minted, granted = await mint(stand, http)
    made = [LicenceRequests(stand, minted, granted, fresh_tokens=turns.path == "1a") for _ in turns.sides]
    return [each.make for each in made]


@asynccontextmanager
async def _driven(
    side: Side, settings: dict[str, str], turns: Turns, make: Make, core: int, directory: Path
) -> AsyncIterator[Driven]:
    """Its log lies in ``directory``; a hook's side tells it here."""
    arguments = [str(Path(__file__).with_name("driven.py")), "--connections", str(turns.connections)]
    arguments += ["--live"] if turns.path in LIVE else []
    arguments += ["--hook", turns.hook] if turns.hook else []
    modules = os.pathsep.join([str(side.checkout), os.environ.get("PYTHONPATH", "")])
    log = directory / "gateway.log"
    log.touch()
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            str(side.python),
            *arguments,
            cwd=side.checkout,
            env={**os.environ, **settings, "PYTHONPATH": modules},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if turns.hook else written,
        )
    pin(core, process.pid)
    with closing(Database(settings["BANDIAN_DATABASE_URL"])) as database:
        try:
            yield Driven(process, log, make, database.waiting if turns.path == OUTCOMES else None)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@contextmanager
def _copied(url: str, directory: Path) -> Iterator[str]:
    """The database once more, for one side; gone afterwards. A file lies in ``directory``, which is made."""
    directory.mkdir()
    server, _, name = url.rpartition("/")
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source:
            source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            yield f"sqlite:///{shutil.copy(url.removeprefix('sqlite:///'), directory)}"
        finally:
            shutil.rmtree(directory)
        return
    copied = f"{name}_{directory.name.replace('-', '_')}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{copied}" TEMPLATE "{name}"'.encode())
        try:
            yield f"{server}/{copied}"
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{copied}" WITH (FORCE)'.encode())


def side_of(checkout: Path, python: Path | None) -> Side:
    """``checkout`` run by ``python``, by its own environment's, or by the interpreter of this process."""
    own = checkout / ".venv" / "bin" / "python"
    return Side(checkout.resolve(), python or (own.absolute() if own.exists() else Path(sys.executable)))
