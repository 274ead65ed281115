"""Key, deed and answer in one commit: one effect and one answer, whoever dies and whichever process is asked."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import Response
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions
from gateway.errors import Conflict, Owner
from gateway.http.errors import IdempotencyKeyReused, RequestInProgress
from gateway.http.idempotency import KEPT_FOR, LEASE, Claim, Idempotency
from gateway.records.entries import RecordEntry
from tests.support.storage import DIGESTS, SetClock, opened

SCOPE, SAME, ANOTHER = "scope-1", "a" * 64, "b" * 64
KILLED = 9


@dataclass
class Process:
    """One process of several on the same database; ``deeds`` are record entries, which say which process did it."""

    name: str
    transactions: SqlTransactions
    idempotency: Idempotency
    clock: SetClock
    reached: asyncio.Event
    may_go_on: asyncio.Event
    status: int = 201

    async def post(self, request: str = SAME, scope: str = SCOPE) -> Response:
        async def work(claim: Claim) -> Response:
            self.reached.set()
            await self.may_go_on.wait()
            beside = claim.with_answer(lambda made: Response(f'{{"by":"{made}"}}', self.status))
            await self.transactions.write(lambda tx: beside(tx, lambda: self.deed(tx)))
            return claim.answer

        return await self.idempotency.answer_with(scope, request, work)

    def deed(self, tx: Any) -> str:
        tx.records.append(RecordEntry("test.deed", self.clock(), self.name))
        return self.name


def deeds(database_url: str) -> int:
    engine = create_database_engine(database_url, pool_size=1)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM record_entries WHERE action = 'test.deed'")).scalar_one()
    engine.dispose()
    return int(found)


@pytest.fixture
def start(database_url: str) -> Iterator[Callable[[str], Process]]:
    with ExitStack() as stack:
        clock = SetClock()

        def process(name: str) -> Process:
            transactions = stack.enter_context(opened(database_url, clock))
            free = asyncio.Event()
            free.set()
            return Process(name, transactions, Idempotency(transactions, clock, DIGESTS), clock, asyncio.Event(), free)

        yield process


def says(answer: Response) -> tuple[int, bytes]:
    return answer.status_code, bytes(answer.body)


async def test_a_repetition_gets_the_same_answer_in_every_process(
    start: Callable[[str], Process], database_url: str
) -> None:
    one, other = start("one"), start("other")
    first = await one.post()
    one.reached.clear()
    again = [await each.post() for each in (one, other, one)]
    assert not one.reached.is_set(), "nobody's work is begun again: sources are asked once"
    assert not other.reached.is_set()
    assert {says(first), *map(says, again)} == {(201, b'{"by":"one"}')}
    assert ["idempotency-replayed" in each.headers for each in (first, *again)] == [False, True, True, True]
    assert deeds(database_url) == 1


async def test_another_request_under_the_key_is_refused_in_every_process(
    start: Callable[[str], Process], database_url: str
) -> None:
    one, other = start("one"), start("other")
    await one.post()
    for each in (one, other):
        with pytest.raises(IdempotencyKeyReused):
            await each.post(ANOTHER)
    assert deeds(database_url) == 1


@pytest.mark.parametrize("second", [SAME, ANOTHER])
async def test_of_two_processes_at_the_same_time_one_does_it(
    start: Callable[[str], Process], database_url: str, second: str
) -> None:
    """Both have looked and found nothing; then the one commits, and the other comes to its deed."""
    one, other = start("one"), start("other")
    other.may_go_on.clear()
    late = asyncio.create_task(other.post(second))
    await other.reached.wait()
    first = await one.post()
    other.may_go_on.set()
    if second == SAME:
        assert says(await late) == says(first) == (201, b'{"by":"one"}')
    else:
        with pytest.raises(IdempotencyKeyReused):
            await late
    assert deeds(database_url) == 1


async def test_of_many_at_once_in_two_processes_one_is_done(start: Callable[[str], Process], database_url: str) -> None:
    both = [start("one"), start("other")]
    answers = await asyncio.gather(*(both[n % 2].post() for n in range(12)), return_exceptions=True)
    told = {says(each) for each in answers if isinstance(each, Response)}
    assert len(told) == 1
    assert all(isinstance(each, Response | RequestInProgress) for each in answers)
    assert deeds(database_url) == 1


async def test_while_the_first_is_at_work_the_second_of_the_process_is_told_to_wait(
    start: Callable[[str], Process], database_url: str
) -> None:
    one = start("one")
    one.may_go_on.clear()
    first = asyncio.create_task(one.post())
    await one.reached.wait()
    with pytest.raises(RequestInProgress):
        await one.post()
    with pytest.raises(IdempotencyKeyReused):
        await one.post(ANOTHER)
    one.may_go_on.set()
    assert says(await first) == says(await one.post())
    assert deeds(database_url) == 1


async def test_what_is_refused_frees_the_key_and_leaves_nothing(
    start: Callable[[str], Process], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = start("one")

    def refused(_tx: Any) -> str:
        raise Conflict(check="x", owner=Owner.CALLER, remedy="x")

    with monkeypatch.context() as patched:
        patched.setattr(one, "deed", refused)
        with pytest.raises(Conflict):
            await one.post()
    one.status = 422
    assert (await one.post(ANOTHER)).status_code == 422
    one.status = 201
    assert says(await one.post()) == (201, b'{"by":"one"}')


@pytest.mark.parametrize("done_meanwhile", [True, False])
async def test_whoever_is_refused_because_another_process_did_it_answers_what_that_did(
    start: Callable[[str], Process], database_url: str, done_meanwhile: bool
) -> None:
    """As a confirmation that comes too late finds nothing to confirm, before it comes to its own deed."""
    one, other = start("one"), start("other")

    async def refused(_claim: Claim) -> Response:
        if done_meanwhile:
            await other.post()
        raise Conflict(check="x", owner=Owner.CALLER, remedy="x")

    if done_meanwhile:
        assert says(await one.idempotency.answer_with(SCOPE, SAME, refused)) == (201, b'{"by":"other"}')
    else:
        with pytest.raises(Conflict):
            await one.idempotency.answer_with(SCOPE, SAME, refused)
    assert deeds(database_url) == int(done_meanwhile)


async def test_whoever_went_away_after_the_commit_finds_the_answer(
    start: Callable[[str], Process], database_url: str
) -> None:
    one, other = start("one"), start("other")

    async def gone(claim: Claim) -> Response:
        beside = claim.with_answer(lambda made: Response(f'{{"by":"{made}"}}', 201))
        await one.transactions.write(lambda tx: beside(tx, lambda: one.deed(tx)))
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await one.idempotency.answer_with(SCOPE, SAME, gone)
    assert {says(await each.post()) for each in (one, other)} == {(201, b'{"by":"one"}')}
    assert deeds(database_url) == 1


async def test_a_hold_of_the_other_way_is_respected_until_it_lapses(
    start: Callable[[str], Process], database_url: str
) -> None:
    """As a process of the release before has it, which holds a key in a commit of its own."""
    one, other = start("one"), start("other")
    held = Claim(SCOPE, other.idempotency._claim(SCOPE, SAME).request_digest, "f" * 32, other.clock())
    await other.transactions.write(held.reserve)
    with pytest.raises(RequestInProgress):
        await one.post()
    with pytest.raises(IdempotencyKeyReused):
        await one.post(ANOTHER)
    one.clock.at += LEASE
    assert says(await one.post()) == (201, b'{"by":"one"}')
    assert deeds(database_url) == 1


async def test_an_answer_is_kept_for_a_day(start: Callable[[str], Process], database_url: str) -> None:
    one = start("one")
    await one.post()
    one.clock.at += KEPT_FOR
    assert "idempotency-replayed" not in (await one.post(ANOTHER)).headers
    assert deeds(database_url) == 2


DYING = """
import asyncio, os, sys
from fastapi import Response
from gateway.http.idempotency import Idempotency
from gateway.records.entries import RecordEntry
from tests.support.storage import DIGESTS, SetClock, opened

async def main(url, dies):
    clock = SetClock()
    with opened(url, clock) as transactions:
        async def work(claim):
            if dies == "before":
                os._exit(9)
            beside = claim.with_answer(lambda made: Response('{"by":"dying"}', 201))
            def unit(tx):
                def deed():
                    tx.records.append(RecordEntry("test.deed", clock(), "dying"))
                    if dies == "in the deed":
                        os._exit(9)
                made = beside(tx, deed)
                if dies == "before the commit":
                    os._exit(9)
                return made
            await transactions.write(unit)
            os._exit(9)
        await Idempotency(transactions, clock, DIGESTS).answer_with(sys.argv[3], sys.argv[4], work)

asyncio.run(main(*sys.argv[1:3]))
"""


@pytest.mark.parametrize("dies", ["before", "in the deed", "before the commit", "after the commit"])
async def test_killed_between_any_two_steps_it_is_done_once(
    start: Callable[[str], Process], database_url: str, dies: str
) -> None:
    """At once, and not after a lease: nothing holds the key of whoever died."""
    told = [sys.executable, "-c", DYING, database_url, dies, SCOPE, SAME]
    ended = await asyncio.to_thread(subprocess.run, told, check=False)
    assert ended.returncode == KILLED
    one = start("one")
    by = b"dying" if dies == "after the commit" else b"one"
    assert [says(await one.post()) for _ in range(2)] == [(201, b'{"by":"%b"}' % by)] * 2
    assert deeds(database_url) == 1
