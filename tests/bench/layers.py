"""What each layer of the record costs: the gateway's own writer, put together with less or more of it.

Each unit of work changes one row. Then it appends an entry, under a seal that nobody signed; the seal is signed; heads
leave the database and a checkpoint is signed once in ``UNITS`` units. The first two exist nowhere but here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.head_keeper import HeadFiles
from adapters.storage.transactions import SqlTransactions
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.clock import system_clock
from gateway.delivery.destinations import untried
from gateway.records.anchoring import Anchoring
from gateway.records.entries import RecordEntry
from gateway.records.seal_key import SealSigner
from tests.bench.paired import Comparison
from tests.support.anchoring import LOG_SIGNER, ORIGIN
from tests.support.databases import Databases
from tests.support.storage import AT_REST, SEAL_SIGNER

UNITS, TOGETHER = 2048, 32
"""Units of a slice, and how many of them wait for the same commit."""
FACTS = {"kind": "business_licence", "purpose": "grid_connection", "fields": ["name", "holder", "valid_on"]}
Run = Callable[[int], Awaitable[None]]


class _Unsigned(SealSigner):
    """Signs nothing: what it seals fails every audit."""

    def sign(self, body: bytes) -> bytes:
        return bytes(64)


@dataclass(frozen=True)
class Layer:
    """``cpu_us`` of this process for each unit, PostgreSQL's own not counted; ``compared`` with no record at all."""

    name: str
    database: str
    cpu_us: float
    compared: Comparison

    def to_json(self) -> dict[str, Any]:
        """As ``build/bench.json`` holds it."""
        return {
            "database": self.database,
            "layer": self.name,
            "cpu_us": round(self.cpu_us, 1),
            "ratio": round(self.compared.ratio, 3),
            "low": round(self.compared.low, 3),
            "high": round(self.compared.high, 3),
            "valid": self.compared.spread <= 0.15,
        }


def measure(directory: Path, databases: Sequence[str], rounds: int, units: int = UNITS) -> Iterator[Layer]:
    """Every layer on each of ``databases``, ``rounds`` of four slices of ``units``; leaves out what does not answer."""
    for name in databases:
        with ExitStack() as opened:
            made = Databases(directory)
            opened.callback(made.close)
            try:
                urls = [made.sqlite() if name == "sqlite" else opened.enter_context(made.postgresql()) for _ in LAYERS]
            except pytest.skip.Exception:
                continue
            with asyncio.Runner() as runner:
                runs = [
                    opened.enter_context(layer(url, directory / f"heads-{name}"))
                    for layer, url in zip(LAYERS.values(), urls, strict=True)
                ]
                rates: list[list[float]] = [[] for _ in LAYERS]
                for run in runs:
                    _rate(runner, run, TOGETHER)
                for _ in range(rounds):
                    for order in (range(len(runs)), reversed(range(len(runs)))):
                        for index in order:
                            rates[index].append(_rate(runner, runs[index], units))
            for layer_name, theirs in zip(LAYERS, rates, strict=True):
                compared = Comparison.of(layer_name, _by_rounds(theirs), _by_rounds(rates[0]), rates[0])
                yield Layer(layer_name, name, 1e6 / compared.subject_rate, compared)


def _by_rounds(rates: Sequence[float]) -> list[float]:
    return [2 / (1 / first + 1 / second) for first, second in zip(rates[::2], rates[1::2], strict=True)]


def _rate(runner: asyncio.Runner, run: Run, units: int) -> float:
    """Units a CPU-second of this process, over all its threads."""
    began = time.process_time()
    runner.run(_awaited(run, units))
    return units / (time.process_time() - began)


async def _awaited(run: Run, units: int) -> None:
    await run(units)


def _change(tx: SqlUnitOfWork) -> None:
    tx.destinations.put(untried("bench"))


def _change_and_record(tx: SqlUnitOfWork) -> None:
    _change(tx)
    tx.records.append(RecordEntry("bench.done", system_clock(), "bench", "app_bench", facts=FACTS))


def _together(transactions: SqlTransactions, work: Callable[[SqlUnitOfWork], None]) -> Run:
    async def run(units: int) -> None:
        for _ in range(0, units, TOGETHER):
            await asyncio.gather(*(transactions.write(work) for _ in range(TOGETHER)))

    return run


@contextmanager
def _opened(url: str, signer: SealSigner, heads: HeadFiles | None = None) -> Iterator[SqlTransactions]:
    transactions = SqlTransactions(url, signer, AT_REST, system_clock, heads)
    transactions.open()
    try:
        yield transactions
    finally:
        transactions.close()


@contextmanager
def _off(url: str, _: Path) -> Iterator[Run]:
    with _opened(url, SEAL_SIGNER) as transactions:
        yield _together(transactions, _change)


@contextmanager
def _on(url: str, _: Path) -> Iterator[Run]:
    with _opened(url, _Unsigned("seal-none", SEAL_SIGNER.private_key)) as transactions:
        yield _together(transactions, _change_and_record)


@contextmanager
def _signed(url: str, _: Path) -> Iterator[Run]:
    with _opened(url, SEAL_SIGNER) as transactions:
        yield _together(transactions, _change_and_record)


@contextmanager
def _checkpointed(url: str, heads: Path) -> Iterator[Run]:
    with _opened(url, SEAL_SIGNER, HeadFiles(heads)) as transactions:
        anchoring = Anchoring(transactions, system_clock, ORIGIN, (LOG_SIGNER,), "bench", timedelta(seconds=10))
        recorded = _together(transactions, _change_and_record)

        async def run(units: int) -> None:
            await recorded(units)
            if await anchoring.anchor_once() is None:
                raise AssertionError("nothing was signed")

        yield run


LAYERS = {
    "no record": _off,
    "an entry for each unit": _on,
    "seals signed": _signed,
    "heads kept, a checkpoint signed": _checkpointed,
}
"""Each with all of those before it."""
