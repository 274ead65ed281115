"""No checkpoint is signed that the last one kept does not lead to, wherever that one is kept."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions
from adapters.witnesses.files import LATEST, CheckpointFiles, KeptCheckpointFile
from gateway.errors import Overloaded
from gateway.records.anchoring import Anchoring
from gateway.records.checkpoints import Checkpoint, sign_checkpoint
from gateway.records.errors import RecordDamaged
from gateway.records.lag import CheckpointLag
from gateway.records.notes import parse_note
from gateway.records.ports import StoredCheckpoint
from gateway.records.witnessing import Witnessing
from tests.support.anchoring import LOG_SIGNER, ORIGIN, entry, recorded
from tests.support.databases import Databases
from tests.support.storage import SetClock, opened


def altered(database_url: str, *statements: str) -> None:
    """What whoever administers the database does behind the gateway's back."""
    engine = create_database_engine(database_url, pool_size=1)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), {"zeros": bytes(32)} if ":zeros" in statement else {})
    engine.dispose()


class Gateway:
    """One process of it: anchoring beside a directory of its own, and what it was told."""

    def __init__(self, transactions: SqlTransactions, clock: SetClock, directory: Path, origin: str = ORIGIN) -> None:
        self.shown: list[int] = []
        self.contradicted: list[bool] = []
        self.witnessing = Witnessing(transactions, [CheckpointFiles(directory)], [])
        self.anchoring = Anchoring(
            transactions,
            clock,
            origin,
            (LOG_SIGNER,),
            "one",
            timedelta(seconds=10),
            signed=self._signed,
            kept=KeptCheckpointFile(directory),
            contradicted=self.contradicted.append,
        )

    def _signed(self, latest: StoredCheckpoint) -> None:
        self.shown.append(latest.size)
        self.witnessing.signed(latest)

    async def anchored(self) -> StoredCheckpoint | None:
        """A round of it, after which witnesses saw what it signed."""
        latest = await self.anchoring.anchor_once()
        for witness in self.witnessing._witnesses:
            assert await self.witnessing.show(witness)
        return latest


async def grown(transactions: SqlTransactions, clock: SetClock, directory: Path, rounds: int = 3) -> None:
    """So many checkpoints, of so many leaves."""
    gateway = Gateway(transactions, clock, directory)
    for number in range(rounds):
        await recorded(transactions, entry(number))
        latest = await gateway.anchored()
        assert latest is not None
        assert latest.size == number + 1
    assert gateway.contradicted == [False] * rounds


CUT = (
    "DELETE FROM record_checkpoints WHERE size > 1",
    "DELETE FROM record_super_leaves WHERE position > 0",
    "UPDATE record_super_log SET size = 1, peaks = (SELECT leaf_hash FROM record_super_leaves WHERE position = 0)",
)
"""The super log as it was two checkpoints ago: everything in the database agrees with it."""
REWRITTEN = (
    "DELETE FROM record_checkpoints",
    "UPDATE record_super_leaves SET leaf_hash = :zeros WHERE position = 0",
)
"""One leaf is another, and no checkpoint in the database tells of it."""


@pytest.mark.parametrize(
    ("statements", "moves"),
    [(CUT, True), (CUT, False), (REWRITTEN, True)],
    ids=["cut off, and goes on", "cut off, and rests", "rewritten"],
)
async def test_what_was_kept_outside_is_not_contradicted(
    database_url: str, tmp_path: Path, statements: tuple[str, ...], moves: bool
) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await grown(transactions, clock, tmp_path)
    kept = (tmp_path / LATEST).read_bytes()
    altered(database_url, *statements)
    with opened(database_url, clock) as transactions:
        before = await transactions.read(lambda tx: tx.super_log.latest_checkpoint())
        if moves:
            await recorded(transactions, entry(7))
        gateway = Gateway(transactions, clock, tmp_path)
        for _ in range(2):
            with pytest.raises(RecordDamaged) as refused:
                await gateway.anchored()
            assert refused.value.check == "record.kept_checkpoint_contradicted"
        assert (gateway.contradicted, gateway.shown) == ([True, True], [])
        assert await transactions.read(lambda tx: tx.super_log.latest_checkpoint()) == before
    assert (tmp_path / LATEST).read_bytes() == kept, "what proves it stays where it is"


async def test_what_the_database_itself_kept_is_not_contradicted(database_url: str, tmp_path: Path) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await grown(transactions, clock, tmp_path)
    altered(database_url, "UPDATE record_super_leaves SET leaf_hash = :zeros WHERE position = 0")
    with opened(database_url, clock) as transactions:
        await recorded(transactions, entry(7))
        with pytest.raises(RecordDamaged):
            await Gateway(transactions, clock, tmp_path / "another machine").anchored()


async def test_a_process_that_was_not_restarted_remembers_what_it_signed(database_url: str, tmp_path: Path) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        gateway = Gateway(transactions, clock, tmp_path)
        for number in range(3):
            await recorded(transactions, entry(number))
            await gateway.anchored()
        (tmp_path / LATEST).unlink()
        altered(database_url, *CUT)
        with pytest.raises(RecordDamaged):
            await gateway.anchored()
        assert gateway.contradicted == [False, False, False, True]


async def test_it_is_said_once_and_ends_when_the_database_is_mended(database_url: str, tmp_path: Path) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await grown(transactions, clock, tmp_path)
    save = "CREATE TABLE aside AS SELECT leaf_hash FROM record_super_leaves WHERE position = 0"
    altered(database_url, save, "UPDATE record_super_leaves SET leaf_hash = :zeros WHERE position = 0")
    with opened(database_url, clock) as transactions, structlog.testing.capture_logs() as logs:
        await recorded(transactions, entry(7))
        gateway, stop = Gateway(transactions, clock, tmp_path), asyncio.Event()
        gateway.anchoring._every = timedelta(milliseconds=5)
        running = asyncio.create_task(gateway.anchoring.run(stop))
        await _until(lambda: len(gateway.contradicted) > 5)
        altered(
            database_url, "UPDATE record_super_leaves SET leaf_hash = (SELECT leaf_hash FROM aside) WHERE position = 0"
        )
        await _until(lambda: gateway.shown != [])
        stop.set()
        await running
    assert gateway.shown[0] == 4
    told = [each for each in logs if each["event"] == "record.checkpoint_refused"]
    assert [(each["log_level"], each["kept"], each["size"]) for each in told] == [("error", 3, 4)]


async def _until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def test_writes_are_refused_once_it_lasts(database_url: str, tmp_path: Path) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await grown(transactions, clock, tmp_path)
    altered(database_url, *CUT)
    with opened(database_url, clock) as transactions:
        lag = CheckpointLag(transactions, clock, timedelta(minutes=5))
        transactions.gate = lag.gate
        await recorded(transactions, entry(7))
        with pytest.raises(RecordDamaged):
            await Gateway(transactions, clock, tmp_path).anchored()
        await lag.look()
        clock.advance(minutes=6)
        with pytest.raises(Overloaded) as refused:
            await recorded(transactions, entry(8))
        assert refused.value.check == "record.checkpoint_lag"


async def test_another_name_begins_another_record(database_url: str, tmp_path: Path) -> None:
    """After a restore the operator says so: the checkpoints of before are of a record that ended."""
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await grown(transactions, clock, tmp_path)
    altered(database_url, *CUT)
    with opened(database_url, clock) as transactions:
        await recorded(transactions, entry(7))
        gateway = Gateway(transactions, clock, tmp_path, f"{ORIGIN}-2")
        latest = await gateway.anchoring.anchor_once()
        assert latest is not None
        assert latest.note.text.startswith(f"{ORIGIN}-2\n2\n")
        assert gateway.contradicted == [False]
        await gateway.witnessing.show(gateway.witnessing._witnesses[0])
        assert parse_note((tmp_path / LATEST).read_bytes()) == latest.note
        assert (tmp_path / "record.3.checkpoint").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_file_that_cannot_be_read_is_not_passed_over(database_url: str, tmp_path: Path) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await recorded(transactions, entry(1))
        (tmp_path / LATEST).mkdir()
        gateway = Gateway(transactions, clock, tmp_path)
        with pytest.raises(RecordDamaged) as refused:
            await gateway.anchored()
        assert refused.value.check == "record.kept_checkpoint_unreadable"
        (tmp_path / LATEST).rmdir()
        assert await gateway.anchored() is not None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_new_database_beside_an_old_directory_signs_nothing(
    database_url: str, databases: Databases, tmp_path: Path
) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await grown(transactions, clock, tmp_path)
    with opened(databases.sqlite(), clock) as transactions:
        for number in range(5):
            await recorded(transactions, entry(number))
            with pytest.raises(RecordDamaged):
                await Gateway(transactions, clock, tmp_path).anchored()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_lease_is_as_long_as_it_is_set(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:

        def process(holder: str) -> Anchoring:
            every, lease = timedelta(seconds=1), timedelta(seconds=90)
            return Anchoring(transactions, clock, ORIGIN, (LOG_SIGNER,), holder, every, lease=lease)

        await recorded(transactions, entry(1))
        assert await process("one").anchor_once() is not None
        await recorded(transactions, entry(2))
        clock.advance(seconds=80)
        assert await process("two").anchor_once() is None
        clock.advance(seconds=20)
        assert await process("two").anchor_once() is not None


def test_a_checkpoint_kept_in_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    kept = KeptCheckpointFile(tmp_path)
    assert kept.latest() is None
    (tmp_path / LATEST).write_bytes(b"nothing that was signed")
    assert kept.latest() is None
    checkpoint = Checkpoint(ORIGIN, 3, bytes(32))
    (tmp_path / LATEST).write_bytes(str(sign_checkpoint(checkpoint, [LOG_SIGNER])).encode())
    assert kept.latest() == checkpoint
