"""The writer's promises, on both databases: all or nothing, one log per writer, answers only after the commit."""

import asyncio
import threading
import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from adapters.storage.engine import normalise_url
from adapters.storage.pending import Pending
from adapters.storage.transactions import SqlTransactions
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.delivery.ports import ChannelKind, ClaimRoom, EventDraft
from gateway.errors import Overloaded
from gateway.licences.ports import CASE
from gateway.partners.ports import DIRECTORY, SPENT
from gateway.records.audit import audit
from gateway.records.entries import RecordEntry
from gateway.transaction import Foreseen, Look
from tests.support.databases import Databases
from tests.support.storage import NOON, SEAL_KEYS, SetClock, opened

LATER = NOON + timedelta(hours=1)


def entry(number: int) -> RecordEntry:
    return RecordEntry("test.done", NOON, "gateway", subject=f"app-{number % 7}", facts={"number": number})


def draft(number: int, subject: str = "app-1", destination: str = "utility") -> EventDraft:
    return EventDraft(f"evt-{number}", destination, ChannelKind.WEBHOOK, "test", subject, NOON, {"number": number})


async def test_units_that_wait_together_are_sealed_together_and_all_are_recorded(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        ids = await asyncio.gather(
            *(transactions.write(lambda tx, n=n: tx.records.append(entry(n))) for n in range(500))
        )
        assert len(set(ids)) == 500
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
        assert (report.entries, report.broken) == (500, ())
        assert report.seals < 250


async def test_a_failing_unit_takes_nothing_of_its_neighbours_with_it(database_url: str) -> None:
    def work(tx: SqlUnitOfWork, number: int) -> str:
        record_id = tx.records.append(entry(number))
        tx.outbox.append(draft(number))
        assert tx.spent_tokens.spend("test", "issuer", f"token-{number}", NOON, LATER)
        if number % 3 == 0:
            raise ValueError(f"unit {number} fails")
        return record_id

    with opened(database_url, SetClock()) as transactions:
        results = await asyncio.gather(
            *(transactions.write(lambda tx, n=n: work(tx, n)) for n in range(60)), return_exceptions=True
        )
        failed = [index for index, result in enumerate(results) if isinstance(result, ValueError)]
        assert failed == list(range(0, 60, 3))
        kept = [result for result in results if isinstance(result, str)]
        sequences = sorted(int(record_id.rsplit("-", 1)[1]) for record_id in kept)
        assert sequences == list(range(1, 41))
        feed = await transactions.read(lambda tx: tx.deliveries.feed("utility", 0, 100))
        assert [event.position for event in feed] == list(range(1, 41))
        assert [event.sequence for event in feed] == list(range(1, 41))
        assert {event.data["number"] % 3 for event in feed} == {1, 2}
        unspent = await transactions.write(
            lambda tx: [n for n in range(60) if tx.spent_tokens.spend("test", "issuer", f"token-{n}", NOON, LATER)]
        )
        assert unspent == failed


async def test_what_was_read_ahead_is_read_again_after_a_unit_that_may_change_it(database_url: str) -> None:
    looking = Foreseen(lambda tx: tx.partners.version(), (Look(DIRECTORY),))
    with opened(database_url, SetClock()) as transactions:
        loop = asyncio.get_running_loop()
        works = [lambda tx: None, looking, lambda tx: tx.partners.advance_version(), looking]
        batch = [Pending(work, loop) for work in works]
        batch[1].put_back = True
        transactions._writer._commit(batch)
        before, _, after = [await each.future for each in batch[1:]]
        assert (before, after) == (0, 1)


async def test_two_writers_keep_a_log_each_and_number_events_without_a_gap(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as one, opened(database_url, clock) as two:

        def work(tx: SqlUnitOfWork, number: int) -> str:
            tx.outbox.append(draft(number, subject=f"app-{number % 5}", destination=f"utility-{number % 2}"))
            return tx.records.append(entry(number))

        ids = await asyncio.gather(
            *((one, two)[n % 2].write(lambda tx, n=n: work(tx, n)) for n in range(200)),
        )
        assert len(set(ids)) == 200
        report = await one.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
        assert (report.logs, report.entries, report.broken) == (2, 200, ())
        for destination in ("utility-0", "utility-1"):
            feed = await one.read(lambda tx, d=destination: tx.deliveries.feed(d, 0, 1000))
            assert [event.position for event in feed] == list(range(1, 101))
            for subject in {event.subject for event in feed}:
                sequences = [event.sequence for event in feed if event.subject == subject]
                assert sequences == list(range(1, len(sequences) + 1))


async def test_processes_whose_units_want_the_same_rows_the_other_way_round_do_not_wait_for_each_other(
    databases: Databases,
) -> None:
    """One holds A and wants B for the unit behind, the other holds B and wants A. PostgreSQL would end that after a
    second by undoing all that one of them did. SQLite has one process that writes."""
    ran: list[str] = []
    both_hold = threading.Barrier(2)

    def holder(tx: SqlUnitOfWork, token: str) -> bool:
        spent = tx.spent_tokens.spend("test", "issuer", token, NOON, LATER)
        ran.append(token)
        if ran.count(token) == 1:
            both_hold.wait(30)
        return spent

    async def units(transactions: SqlTransactions, first: str, second: str) -> list[bool]:
        """Both, in one batch: they arrive while the writer is at work."""
        begun, arrived = threading.Event(), threading.Event()
        busy = asyncio.create_task(transactions.write(lambda _: begun.set() or arrived.wait(30)))
        assert await asyncio.to_thread(begun.wait, 30)
        held = asyncio.create_task(transactions.write(lambda tx: holder(tx, first)))
        await waiting(transactions, 1)
        wanted = asyncio.create_task(
            transactions.write(lambda tx: tx.spent_tokens.spend("test", "issuer", second, NOON, LATER))
        )
        await waiting(transactions, 2)
        arrived.set()
        await busy
        return [await held, await wanted]

    async def waiting(transactions: SqlTransactions, count: int) -> None:
        async with asyncio.timeout(30):
            while transactions.waiting != count:  # noqa: ASYNC110 - the writer's thread tells nobody
                await asyncio.sleep(0.01)

    with databases.postgresql() as url, opened(url, SetClock()) as one, opened(url, SetClock()) as two:
        answers = await asyncio.gather(units(one, "a", "b"), units(two, "b", "a"))
    assert answers == [[True, False], [True, False]]
    assert sorted(ran) == ["a", "b"], "nothing was undone"


async def test_a_log_left_behind_is_continued_and_its_old_holder_cannot_fork_it(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as stalled:
        first = await stalled.write(lambda tx: tx.records.append(entry(1)))
        clock.advance(minutes=5)
        with opened(database_url, clock) as successor:
            second = await successor.write(lambda tx: tx.records.append(entry(2)))
            assert second.split("-")[0] == first.split("-")[0]
            third = await stalled.write(lambda tx: tx.records.append(entry(3)))
            assert third.split("-")[0] != first.split("-")[0]
            report = await successor.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
            assert (report.logs, report.entries, report.broken) == (2, 3, ())


async def test_a_released_log_is_continued_by_the_next_process(database_url: str) -> None:
    ids = []
    for number in range(3):
        with opened(database_url, SetClock()) as transactions:
            ids.append(await transactions.write(lambda tx, n=number: tx.records.append(entry(n))))
    assert len({record_id.split("-")[0] for record_id in ids}) == 1
    assert [record_id.split("-")[1] for record_id in ids] == ["1", "2", "3"]


async def test_what_a_read_writes_is_discarded_and_reading_records_nothing(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(lambda tx: tx.outbox.append(draft(1)))
        claimed = await transactions.read(lambda tx: tx.deliveries.claim("me", NOON, NOON, ClaimRoom(10, 10)))
        assert len(claimed) == 1
        view = await transactions.read(lambda tx: tx.deliveries.find("evt-1"))
        assert view is not None
        assert view.attempts == 0
        with pytest.raises(RuntimeError):
            await transactions.read(lambda tx: tx.records.append(entry(1)))


async def test_more_clients_than_any_pool_has_connections_all_get_their_answer(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:

        async def client(number: int) -> None:
            await transactions.write(lambda tx: tx.outbox.append(draft(number, subject=f"app-{number}")))
            assert await transactions.read(lambda tx: tx.deliveries.find(f"evt-{number}")) is not None

        await asyncio.wait_for(asyncio.gather(*(client(n) for n in range(128))), timeout=60)


async def test_when_the_record_cannot_be_written_nothing_is_done(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(lambda tx: tx.records.append(entry(1)))
        engine = create_engine(normalise_url(database_url))
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE record_entries RENAME TO hidden"))

        def work(tx: SqlUnitOfWork) -> None:
            tx.outbox.append(draft(1))
            tx.records.append(entry(2))

        with pytest.raises(Overloaded):
            await transactions.write(work)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO record_entries"))
        engine.dispose()
        assert await transactions.read(lambda tx: tx.deliveries.find("evt-1")) is None
        await transactions.write(work)
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
        assert (report.entries, report.broken) == (2, ())


async def test_a_loop_that_is_busy_holds_up_nobody_of_another(database_url: str) -> None:
    """Units are gathered by the loop that they come from: one that is stuck must not be waited for."""
    with opened(database_url, SetClock()) as transactions:
        await transactions.write(lambda tx: tx.records.append(entry(0)))
        begun, over = threading.Event(), threading.Event()

        async def stuck() -> str:
            waiting = asyncio.ensure_future(transactions.write(lambda tx: tx.records.append(entry(1))))
            await asyncio.sleep(0)
            begun.set()
            over.wait(20)
            return await waiting

        elsewhere = asyncio.create_task(asyncio.to_thread(asyncio.run, stuck()))
        await asyncio.to_thread(begun.wait, 20)
        try:
            await asyncio.wait_for(transactions.write(lambda tx: tx.records.append(entry(2))), 10)
            assert not over.is_set()
        finally:
            over.set()
        assert await elsewhere


async def test_whoever_comes_in_every_round_keeps_nobody_waiting(database_url: str) -> None:
    """As long as somebody new comes, a commit still begins: what was written first is told before the last came."""
    with opened(database_url, SetClock()) as transactions:
        told: list[int] = []

        async def write(number: int) -> None:
            await transactions.write(lambda tx: tx.records.append(entry(number)))
            told.append(number)

        tasks, first_told_after = [], None
        for number in range(3000):
            tasks.append(asyncio.create_task(write(number)))
            await asyncio.sleep(0)
            time.sleep(0.0005)  # noqa: ASYNC251 - a loop that is never idle
            if told and first_told_after is None:
                first_told_after = number
        await asyncio.gather(*tasks)
        assert first_told_after is not None, "nobody was told before the last one came"


async def test_a_connection_that_was_lost_between_two_commits_costs_nobody_an_answer(databases: Databases) -> None:
    with databases.postgresql() as url, opened(url, SetClock()) as transactions:
        for number in range(3):
            assert await transactions.write(lambda tx, n=number: tx.records.append(entry(n)))
            engine = create_engine(normalise_url(url))
            with engine.connect() as other:
                others = "datname = current_database() AND pid <> pg_backend_pid()"
                other.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
            engine.dispose()
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
        assert (report.logs, report.entries, report.broken) == (1, 3, ())


async def test_whoever_is_about_to_write_is_waited_for_and_shares_the_commit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.storage.writer.GATHERING_S", 10.0)
    here = [asyncio.Event() for _ in range(3)]

    async def late(transactions: SqlTransactions, number: int) -> str:
        with transactions.about_to_write():
            await here[number].wait()
        return await transactions.write(lambda tx: tx.records.append(entry(number)))

    with opened(database_url, SetClock()) as transactions:
        writing = [asyncio.create_task(late(transactions, number)) for number in range(3)]
        for number in range(2):
            here[number].set()
            await asyncio.sleep(0.1)
            assert not any(each.done() for each in writing)
        here[2].set()
        assert len(set(await asyncio.wait_for(asyncio.gather(*writing), 5))) == 3
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
        assert (report.entries, report.seals, report.broken) == (3, 1, ())


async def test_whoever_says_so_and_never_comes_keeps_nobody_waiting(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        for number in range(3):
            with transactions.about_to_write():
                await asyncio.wait_for(transactions.write(lambda tx, n=number: tx.records.append(entry(n))), 20)
            with pytest.raises(ValueError, match="never"), transactions.about_to_write():
                raise ValueError("never")
        assert transactions._writer._coming == 0


async def test_whoever_came_during_a_commit_shares_the_next_with_those_whom_it_answered(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.storage.writer.GATHERING_S", 10.0)
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: SqlUnitOfWork) -> str:
        begun.set()
        assert go_on.wait(30)
        return tx.records.append(entry(1))

    async def twice(transactions: SqlTransactions) -> None:
        await transactions.write(slow)
        await transactions.write(lambda tx: tx.records.append(entry(2)))

    with opened(database_url, SetClock()) as transactions:
        coming_again = asyncio.create_task(twice(transactions))
        assert await asyncio.to_thread(begun.wait, 30)
        meanwhile = asyncio.create_task(transactions.write(lambda tx: tx.records.append(entry(3))))
        await asyncio.sleep(0.1)
        go_on.set()
        await asyncio.wait_for(asyncio.gather(coming_again, meanwhile), 5)
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
        assert (report.entries, report.seals, report.broken) == (3, 2, ())


async def test_while_the_loop_is_busy_its_units_share_a_commit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.storage.writer.GATHERING_S", 10.0)

    async def after_some_work(transactions: SqlTransactions) -> None:
        for _ in range(6):
            time.sleep(0.002)  # noqa: ASYNC251 - the loop is busy with it
            await asyncio.sleep(0)
        await transactions.write(lambda tx: tx.records.append(entry(2)))

    with opened(database_url, SetClock()) as transactions:
        at_once = transactions.write(lambda tx: tx.records.append(entry(1)))
        await asyncio.wait_for(asyncio.gather(at_once, after_some_work(transactions)), 5)
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
        assert (report.entries, report.seals, report.broken) == (2, 1, ())


async def test_what_is_made_of_what_a_commit_answers_is_made_for_all_side_by_side(database_url: str) -> None:
    """Once it is durable, in the event loop, before anybody goes on; what it raises its own caller is told."""
    happened: list[str] = []

    def make(number: int, found: str) -> str:
        happened.append(f"made {number}")
        if number == 1:
            raise ValueError("nothing could be made of it")
        return f"{found} made"

    async def asked(transactions: SqlTransactions, number: int) -> str:
        work = Foreseen(lambda tx: tx.records.append(entry(number)), (), lambda found: make(number, found))
        try:
            return await transactions.write(work)
        finally:
            happened.append(f"told {number}")

    with opened(database_url, SetClock()) as transactions:
        told = await asyncio.gather(*(asked(transactions, number) for number in range(3)), return_exceptions=True)
        report = await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS))
    assert [str(each).rpartition(" ")[2] for each in told] == ["made", "it", "made"]
    assert isinstance(told[1], ValueError)
    assert happened == ["made 0", "made 1", "made 2", "told 0", "told 1", "told 2"]
    assert (report.entries, report.broken) == (3, ())


async def test_nothing_is_made_of_what_failed(database_url: str) -> None:
    def fail(_: SqlUnitOfWork) -> str:
        raise RuntimeError("the unit itself")

    with opened(database_url, SetClock()) as transactions, pytest.raises(RuntimeError, match="the unit itself"):
        await transactions.write(Foreseen(fail, (), lambda _: pytest.fail("nothing is there to make it of")))


async def test_what_was_spent_for_those_who_are_put_back_is_theirs(databases: Databases) -> None:
    """One finds a row that somebody else holds, after the tokens of all were spent together: none was used before."""
    with databases.postgresql() as url, opened(url, SetClock()) as transactions:
        await transactions.write(lambda tx: tx.partners.advance_version())
        engine = create_engine(normalise_url(url))
        holding = text("SELECT version FROM partner_directory FOR UPDATE")
        tried: list[int] = []

        def key(number: int) -> tuple[str, str, str, datetime, datetime]:
            return "test", "issuer", f"token-{number}", NOON, LATER

        def unit(number: int, waits: bool) -> Foreseen[bool]:
            def work(tx: SqlUnitOfWork) -> bool:
                tried.append(number)
                spent = tx.spent_tokens.spend(*key(number))
                if waits:
                    tx._statements.execute(holding)
                return spent

            looks = (Look(SPENT, key(number)), *([Look(CASE, ("of nobody",))] if waits else []))
            return Foreseen(work, looks)

        with engine.connect() as other:
            other.execute(holding)
            units = [unit(number, waits=number in (1, 3)) for number in range(5)]
            writing = [asyncio.create_task(transactions.write(each)) for each in units]
            async with asyncio.timeout(10):
                while tried.count(1) < 2:  # noqa: ASYNC110 - put back, and tried again by itself
                    await asyncio.sleep(0.01)
            other.rollback()
            assert await asyncio.wait_for(asyncio.gather(*writing), 30) == [True] * 5
        engine.dispose()
        assert tried[:2] == [0, 1], "the first of them ran before anybody waited"
        assert not any([await transactions.write(unit(number, waits=False)) for number in range(5)]), "once each"


@pytest.mark.parametrize(("set_to", "is_then"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")])
async def test_a_server_that_would_not_wait_for_its_disk_waits_for_ours(
    databases: Databases, set_to: str, is_then: str
) -> None:
    with databases.postgresql() as url:
        engine = create_engine(normalise_url(url))
        with engine.connect() as connection:
            name = connection.execute(text("SELECT current_database()")).scalar_one()
            connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = {set_to}'))
            connection.commit()
        engine.dispose()
        asked = text("SELECT current_setting('synchronous_commit')")
        with opened(url, SetClock()) as transactions:
            found = [await transactions.write(lambda tx: tx._statements.execute(asked).scalar_one()) for _ in range(2)]
    assert found == [is_then] * 2
