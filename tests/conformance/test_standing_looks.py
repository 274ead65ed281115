"""What batches looked at stands for the next ones only as long as nobody has written anything else."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

import adapters.storage.writer
from adapters.storage.standing_looks import MOST
from adapters.storage.transactions import SqlTransactions
from adapters.storage.unit_of_work import READERS, SqlUnitOfWork
from gateway.certificates.ports import COPIES, CertificateCopy
from gateway.crypto.keyed_digest import Use
from gateway.errors import Overloaded
from gateway.partners.ports import DIRECTORY
from gateway.transaction import Foreseen, Look
from tests.support.storage import NOON, SetClock, opened

HOLDER = "0" * 18
HOUR = timedelta(hours=1)
STEP = timedelta(minutes=10)
LOOK = Foreseen(lambda tx: tx.partners.version(), (Look(DIRECTORY),))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What batches read ahead, each time that the database is asked."""
    asked: list[str] = []

    def counting(what: str) -> Callable[..., Mapping[tuple[Any, ...], Any]]:
        reader = READERS[what]

        def counted(connection: Connection, wanted: Sequence[tuple[Any, ...]]) -> Mapping[tuple[Any, ...], Any]:
            asked.append(what)
            return reader(connection, wanted)

        return counted

    for what in (DIRECTORY, COPIES):
        monkeypatch.setitem(READERS, what, counting(what))  # type: ignore[arg-type]
    return asked


def is_sqlite(database_url: str) -> bool:
    return database_url.startswith("sqlite")


async def test_while_nobody_writes_anything_else_it_is_read_once(database_url: str, read: list[str]) -> None:
    with opened(database_url, SetClock()) as transactions:
        assert [await transactions.write(LOOK) for _ in range(4)] == [0] * 4
    assert len(read) == (1 if is_sqlite(database_url) else 4)


async def test_a_write_of_this_process_is_seen_by_the_next_batch(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        seen = []
        for _ in range(4):
            await transactions.write(lambda tx: tx.partners.advance_version())
            seen += [await transactions.write(LOOK), await transactions.write(LOOK)]
    assert seen == [1, 1, 2, 2, 3, 3, 4, 4]


async def test_who_finds_nothing_to_do_leaves_it_standing(database_url: str, read: list[str]) -> None:
    """As a relay does that looks for what is due, five times a second; alone, and before others of the same batch."""
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(LOOK)
        await transactions.write(_nothing_due)
        seen = await asyncio.gather(
            transactions.write(_nothing_due), transactions.write(LOOK), transactions.write(LOOK)
        )
        assert [*seen, await transactions.write(LOOK)] == [0] * 4
    assert len(read) == (1 if is_sqlite(database_url) else 3)


async def test_what_one_changes_the_next_of_the_same_batch_sees(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        seen = [await transactions.write(LOOK)]
        for _ in range(3):
            advance = transactions.write(lambda tx: tx.partners.advance_version())
            _, *versions = await asyncio.gather(advance, transactions.write(LOOK), transactions.write(LOOK))
            seen += [*versions, await transactions.write(LOOK)]
    assert seen == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


async def test_what_one_changes_that_fails_is_not_taken_for_granted(database_url: str) -> None:
    def advance_and_fail(tx: SqlUnitOfWork) -> None:
        tx.partners.advance_version()
        raise RuntimeError("after all not")

    with opened(database_url, SetClock()) as transactions:
        seen = [await transactions.write(LOOK)]
        for _ in range(2):
            failing = transactions.write(advance_and_fail)
            _, version = await asyncio.gather(failing, transactions.write(LOOK), return_exceptions=True)
            seen += [version, await transactions.write(LOOK)]
            await transactions.write(lambda tx: tx.partners.advance_version())
    assert seen == [0, 0, 0, 1, 1]


async def test_a_write_of_another_process_is_seen_by_the_next_batch(database_url: str) -> None:
    with opened(database_url, SetClock()) as ours, opened(database_url, SetClock()) as theirs:
        seen = []
        for _ in range(4):
            seen += [await ours.write(LOOK), await ours.write(LOOK)]
            await theirs.write(lambda tx: tx.partners.advance_version())
        assert seen == [0, 0, 1, 1, 2, 2, 3, 3]


async def test_what_a_unit_of_the_batch_itself_changes_is_read_again(database_url: str, read: list[str]) -> None:
    """A copy that was fetched again with the same bytes only gets its new time, in a batch like any other."""
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(lambda tx: tx.certificate_copies.put(_copy(0)))
        look = Look(COPIES, ("business_licence", _digest(transactions)))
        looking = Foreseen(lambda tx: tx.certificate_copies.versions(*look.key)[0].fetched_at, (look,))
        seen = [await transactions.write(looking)]
        for hours in (1, 2):
            await transactions.write(_fetched_again(hours, look))
            seen += [await transactions.write(looking), await transactions.write(looking)]
    assert seen == [NOON + timedelta(hours=hours) for hours in (0, 1, 1, 2, 2)]
    assert len(read) == (1 if is_sqlite(database_url) else 7), "what it was changed to is known"


async def test_what_a_unit_changed_its_neighbours_see_and_what_one_changed_that_failed_they_do_not(
    database_url: str,
) -> None:
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(lambda tx: tx.certificate_copies.put(_copy(0)))
        look = Look(COPIES, ("business_licence", _digest(transactions)))
        looking = Foreseen(lambda tx: tx.certificate_copies.versions(*look.key)[0].fetched_at, (look,))

        def change_and_fail(tx: SqlUnitOfWork) -> None:
            _fetched_again(3, look).work(tx)
            raise RuntimeError("after all not")

        units = [looking, _fetched_again(1, look), looking, Foreseen(change_and_fail, (look,)), looking]
        told = await asyncio.gather(*(transactions.write(unit) for unit in units), return_exceptions=True)
        last = await transactions.write(looking)
    hours = [None if each is None or isinstance(each, Exception) else (each - NOON) // HOUR for each in told]
    assert hours == [0, None, 1, None, 1]
    assert last == NOON + HOUR


async def test_copies_that_were_had_later_than_those_that_come_are_looked_at_again(database_url: str) -> None:
    """A clock that was set back: which are the newest has to be seen."""
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(lambda tx: tx.certificate_copies.put(_copy(2)))
        look = Look(COPIES, ("business_licence", _digest(transactions)))
        looking = Foreseen(lambda tx: tx.certificate_copies.versions(*look.key)[0].fetched_at, (look,))
        await transactions.write(looking)
        await transactions.write(_fetched_again(1, look))
        assert await transactions.write(looking) == NOON + HOUR


async def test_after_a_commit_of_which_nobody_knows_it_is_read_again(
    database_url: str, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(LOOK)
        with monkeypatch.context() as failing:
            failing.setattr(adapters.storage.writer, "_commit_phase", _never)
            with pytest.raises(Overloaded):
                await transactions.write(LOOK)
        before = len(read)
        assert await transactions.write(LOOK) == 0
    assert len(read) == before + 1


async def test_what_stands_is_bounded(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        for start in range(0, MOST + 1500, 500):
            looks = tuple(Look(COPIES, ("business_licence", f"{number}")) for number in range(start, start + 500))
            await transactions.write(Foreseen(lambda _: None, looks))
            assert len(transactions._writer._standing._found) <= MOST + 500


def _nothing_due(tx: SqlUnitOfWork) -> int:
    """A statement that would change rows, where there are none."""
    return tx.certificate_copies.forget("1" * 18)


def _fetched_again(hours: int, look: Look) -> Foreseen[None]:
    return Foreseen(lambda tx: tx.certificate_copies.replace("business_licence", HOLDER, [_copy(hours)], STEP), (look,))


def _never(_: Any) -> None:
    raise RuntimeError("the connection was lost while committing")


def _digest(transactions: SqlTransactions) -> str:
    return transactions.at_rest.digests.of(Use.HOLDER, HOLDER)


def _copy(hours: int) -> CertificateCopy:
    return CertificateCopy(
        kind="business_licence",
        holder_code=HOLDER,
        identifier="id-1",
        envelope=bytes(range(256)),
        source="gd",
        level="440000",
        fetched_at=NOON + timedelta(hours=hours),
        digest="1" * 64,
    )
