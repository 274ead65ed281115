"""What the hot roads ask of a database that has grown, through the shipped services and the shipped writer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions, reading
from gateway.applications.rule_book import published_rules
from gateway.crypto.keyed_digest import Use
from gateway.delivery.ports import ClaimRoom
from gateway.progress.service import ProgressService
from gateway.records.anchoring import Anchoring
from gateway.records.audit import audit
from gateway.records.entries import RecordEntry
from gateway.records.service import RecordProofs
from tests.bench.growth.fill import LATER
from tests.bench.growth.meter import Cost, Meter
from tests.bench.growth.province import FULL, TOGETHER, Province, holder_code
from tests.bench.growth.record import LOG_ID, NOTE_SIGNER, SEAL_KEYS, SIGNER
from tests.bench.growth.rows import KINDS
from tests.bench.hot.machine import cpu_seconds_of_each
from tests.support.anchoring import ORIGIN
from tests.support.storage import AT_REST, SetClock

ASKED, APPENDED, AT_ONCE = 200, 8192, 256
_OTHERS = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)


@dataclass(frozen=True)
class Spent:
    """Of one operation: microseconds of this process, of the database's own (0: they are one), and by the clock."""

    own_us: float
    database_us: float
    wall_us: float


class Hot:
    """Over one filled database."""

    def __init__(self, url: str, province: Province) -> None:
        self._url, self._province = url, province
        self._random = Random(11)
        self._clock = SetClock(LATER)

    def all(self) -> dict[str, Spent]:
        """Every one, by name."""
        return asyncio.run(self.measured())

    async def measured(self) -> dict[str, Spent]:
        """See ``all``."""
        with self._transactions() as transactions:
            proofs = RecordProofs(transactions, 10)
            progress = ProgressService(transactions, published_rules, self._clock)
            found = {"append": await self._appended(transactions)}
            numbers = [self._random.randrange(1, self._province.entries) for _ in range(ASKED)]
            leaves = (await proofs.checkpoint()).size
            sizes = [self._random.randrange(1, leaves) for _ in range(ASKED)]
            people = [self._random.randrange(self._province.applications) for _ in range(ASKED)]

            async def copy(number: int) -> None:
                kind, code = KINDS[number % 2], holder_code(number)
                assert len(await transactions.read(lambda tx: tx.certificate_copies.latest(kind, code))) == 1

            async def told(number: int) -> None:
                own, digest = self._application(number), AT_REST.digests.of(Use.HOLDER, holder_code(number))
                assert (await progress.progress(own, digest)).application_id == own

            for name, ask, each in (
                ("inclusion proof", lambda number: proofs.of_any(f"{LOG_ID}-{number}"), numbers),
                ("consistency proof", lambda size: proofs.growth(size, None), sizes),
                ("copy fetched", copy, people),
                ("progress", told, people),
            ):
                found[name] = await self._spent(ask, each)
            return found

    def claim(self, meter: Meter) -> Cost:
        """Of what a relay can take, with room for two of three receivers, one of which is disabled."""
        room, until = ClaimRoom(64, 16, {FULL: 0}), LATER + timedelta(seconds=30)
        return meter.cost_of(lambda tx: tx.deliveries.claim("relay", LATER, until, room))

    def anchor(self) -> float:
        """Milliseconds of the first round of a process that anchors: it looks for what is missing of all logs."""

        async def once() -> float:
            with self._transactions() as transactions:
                every = timedelta(seconds=10)
                anchoring = Anchoring(transactions, self._clock, ORIGIN, [NOTE_SIGNER], "growth", every)
                began = time.perf_counter()
                await anchoring.anchor_once()
                return 1000 * (time.perf_counter() - began)

        return asyncio.run(once())

    def audited(self) -> tuple[int, float]:
        """How many entries an audit found whole, and microseconds of this process for each. Raises if one is not."""
        with reading(self._url) as unit:
            began = time.process_time()
            report = audit(unit.record_reader, SEAL_KEYS)
        assert not report.broken, report.broken
        return report.entries, 1e6 * (time.process_time() - began) / report.entries

    async def _appended(self, transactions: SqlTransactions) -> Spent:
        entry = RecordEntry("licence.disclosed", LATER, "csg-guangzhou", self._application(0), facts={"kind": "x"})

        async def some(_: int) -> None:
            units = (transactions.write(lambda tx: tx.records.append(entry)) for _ in range(AT_ONCE))
            await asyncio.gather(*units)

        spent = await self._spent(some, range(APPENDED // AT_ONCE))
        return Spent(spent.own_us / AT_ONCE, spent.database_us / AT_ONCE, spent.wall_us / AT_ONCE)

    async def _spent(self, ask: Callable[[int], Awaitable[object]], each: Sequence[int]) -> Spent:
        """Of one ``ask``, over all of ``each``; the first few warm what is warm in a process that serves."""
        await asyncio.gather(*map(ask, each[:8]))
        began = cpu_seconds_of_each(_backends(self._url))
        own, wall = time.process_time(), time.perf_counter()
        for one in each:
            await ask(one)
        own, wall = time.process_time() - own, time.perf_counter() - wall
        others = sum(used - began[pid] for pid, used in cpu_seconds_of_each(began).items())
        return Spent(*(1e6 * seconds / len(each) for seconds in (own, others, wall)))

    def _application(self, number: int) -> str:
        return self._province.group(number // TOGETHER).names[number % TOGETHER]

    @contextmanager
    def _transactions(self) -> Iterator[SqlTransactions]:
        transactions = SqlTransactions(self._url, SIGNER, AT_REST, self._clock)
        transactions.open()
        try:
            yield transactions
        finally:
            transactions.close()


def _backends(url: str) -> list[int]:
    """PostgreSQL's processes that work for this one; none on SQLite, which works in this one.

    One whose client has just left is among them while it ends.
    """
    engine = create_database_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return [] if engine.dialect.name == "sqlite" else list(connection.execute(_OTHERS).scalars())
    finally:
        engine.dispose()
