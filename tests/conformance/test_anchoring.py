"""The super log and proofs out of it, on both databases: what moved is anchored, by one process, and proved."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.caller import Caller, Role
from gateway.errors import Overloaded
from gateway.records.checkpoints import parse_checkpoint
from gateway.records.errors import CheckpointUnknown, RecordDamaged, RecordNotAnchored, RecordUnknown
from gateway.records.merkle import EMPTY, ProofInvalid, verify_consistency
from gateway.records.record_proof import RecordProof, verify_record_proof
from gateway.records.service import RecordProofs
from gateway.records.stored_tree import StoredTree
from gateway.records.super_log import SUPER_LOG, SuperLeaf, decode_leaf
from tests.support.anchoring import LOG_KEY, ORIGIN, anchoring, entry, recorded
from tests.support.storage import SetClock, opened

OPERATOR = Caller("operator", Role.OPERATOR, "t", frozenset())


def proofs(transactions: SqlTransactions) -> RecordProofs:
    return RecordProofs(transactions, wait_s=10)


async def proof_of(transactions: SqlTransactions, record_id: str) -> RecordProof:
    proof, _ = await proofs(transactions).for_partner(OPERATOR, record_id)
    return proof


@contextmanager
def behind_its_back(database_url: str, *statements: str, **parameters: object) -> Iterator[None]:
    engine = create_database_engine(database_url, pool_size=1)
    with engine.begin() as connection:
        for statement in statements:
            given = {name: value for name, value in parameters.items() if f":{name}" in statement}
            assert connection.execute(text(statement), given).rowcount != 0, statement
    engine.dispose()
    yield


async def test_every_log_that_moved_gets_a_leaf_and_everything_in_it_is_proved(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as one, opened(database_url, clock) as two:
        ids = [*await recorded(one, *map(entry, range(3))), *await recorded(two, *map(entry, range(5)))]
        first = await anchoring(one, clock).anchor_once()
        assert first is not None
        assert first.size == 2
        for record_id in ids:
            proof = await proof_of(two, record_id)
            assert proof.record_id == record_id
            assert verify_record_proof(proof, [LOG_KEY], ORIGIN).size == 2
        ids += await recorded(two, entry(6))
        clock.advance(seconds=10)
        second = await anchoring(one, clock).anchor_once()
        assert second is not None
        assert second.size == 3
        growth = await proofs(one).growth(2, None)
        verify_consistency(2, 3, growth.proof, first.root, second.root)
        page = await proofs(one).leaves(0, 100)
        said = [decode_leaf(leaf).last for leaf in page.leaves]
        assert (sorted(said[:2]), said[2:]) == ([3, 5], [6])
        assert verify_record_proof(await proof_of(one, ids[-1]), [LOG_KEY], ORIGIN).size == 3


async def test_where_nothing_moved_nothing_is_signed(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        anchor = anchoring(transactions, clock)
        assert await anchor.anchor_once() is None
        with pytest.raises(CheckpointUnknown):
            await proofs(transactions).checkpoint()
        await recorded(transactions, entry(1))
        sizes = [await anchor.anchor_once() for _ in range(3)]
        assert [each.size for each in sizes if each] == [1, 1, 1]
        assert str((await proofs(transactions).checkpoint()).note).startswith(f"{ORIGIN}\n1\n")


async def test_one_process_anchors_at_a_time_and_another_takes_over(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        one, two = anchoring(transactions, clock, "one"), anchoring(transactions, clock, "two")
        await recorded(transactions, entry(1))
        assert await one.anchor_once() is not None
        await recorded(transactions, entry(2))
        clock.advance(seconds=10)
        assert await two.anchor_once() is None
        clock.advance(minutes=1)
        taken = await two.anchor_once()
        assert taken is not None
        assert taken.size == 2
        await recorded(transactions, entry(3))
        assert await one.anchor_once() is None


async def test_a_process_that_ends_in_good_order_leaves_anchoring_to_the_next_at_once(database_url: str) -> None:
    """Also to one whose clock is a little behind, and never takes it from one that has it already."""
    clock, behind = SetClock(), SetClock()
    behind.advance(seconds=-5)
    stop = asyncio.Event()
    stop.set()
    with opened(database_url, clock) as transactions:
        await recorded(transactions, entry(1))
        await anchoring(transactions, clock, "one").run(stop)
        await recorded(transactions, entry(2))
        two = anchoring(transactions, behind, "two")
        taken = await two.anchor_once()
        assert taken is not None
        assert taken.size == 2
        await recorded(transactions, entry(3))
        await anchoring(transactions, clock, "one").run(stop)
        await recorded(transactions, entry(4))
        assert await anchoring(transactions, clock, "three").anchor_once() is None
        assert await two.anchor_once() is not None


async def test_a_lease_given_by_a_clock_that_was_ahead_stops_nobody(database_url: str) -> None:
    ahead, right = SetClock(), SetClock()
    ahead.advance(days=400)
    with opened(database_url, right) as transactions:
        await recorded(transactions, entry(1))
        assert await anchoring(transactions, ahead, "one").anchor_once() is not None
        await recorded(transactions, entry(2))
        taken = await anchoring(transactions, right, "two").anchor_once()
        assert taken is not None
        assert taken.size == 2


async def test_processes_that_anchor_at_once_sign_no_two_heads_of_one_size(database_url: str) -> None:
    """Each with a lease of its own that has lapsed for the others: the database alone keeps them apart."""
    clock = SetClock()
    with opened(database_url, clock) as one, opened(database_url, clock) as two:
        for number in range(6):
            await recorded((one, two)[number % 2], entry(number))
            clock.advance(minutes=5)
            await asyncio.gather(anchoring(one, clock, "one").anchor_once(), anchoring(two, clock, "two").anchor_once())
        page = await proofs(one).leaves(0, 100)
        assert page.size == len(page.leaves)
        positions = [(decode_leaf(leaf).log_id, decode_leaf(leaf).last) for leaf in page.leaves]
        assert len(set(positions)) == len(positions)
        latest = await proofs(one).checkpoint()
        for size in range(1, latest.size + 1):
            await proofs(two).growth(size, latest.size)


async def test_what_no_checkpoint_covers_yet_is_told_to_come_back(database_url: str) -> None:
    with opened(database_url, SetClock()) as transactions:
        (record_id,) = await recorded(transactions, entry(1))
        with pytest.raises(RecordNotAnchored) as refused:
            await proof_of(transactions, record_id)
        assert refused.value.retry_after == 10


@pytest.mark.parametrize("unknown", ["", "x", "x-0", "x-01", "x-1", "-1", "x-99999999999999999999", "super-1", "x-１"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_no_entry_is_unknown(database_url: str, unknown: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        await recorded(transactions, entry(1))
        await anchoring(transactions, clock).anchor_once()
        with pytest.raises(RecordUnknown):
            await proof_of(transactions, unknown)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_may_know_of_an_entry(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        mine, about, nothing = await recorded(
            transactions, entry(1), entry(2, actor="applicant"), entry(3, subject=None, actor="gateway")
        )
        await anchoring(transactions, clock).anchor_once()
        service = proofs(transactions)

        async def told(code: str, role: Role) -> list[str]:
            found = []
            for record_id in (mine, about, nothing):
                try:
                    await service.for_partner(Caller(code, role, "t", frozenset()), record_id)
                    found.append(record_id)
                except RecordUnknown:
                    pass
            return found

        everything = [mine, about, nothing]
        assert await told("operator", Role.OPERATOR) == everything
        assert await told("auditor", Role.AUDITOR) == everything
        assert await told("csg-guangzhou", Role.UTILITY) == [mine]
        assert await told("csg-shenzhen", Role.UTILITY) == []
        assert await told("gateway", Role.DEPARTMENT) == [nothing]
        assert (await service.about("app_1", about))[0].record_id == about
        for subject in ("app_2", "None", ""):
            with pytest.raises(RecordUnknown):
                await service.about(subject, nothing)


async def long_log(transactions: SqlTransactions, count: int) -> list[str]:
    ids: list[str] = []
    for start in range(0, count, 300):
        ids += await recorded(transactions, *map(entry, range(start, min(start + 300, count))))
    return ids


async def subtrees(transactions: SqlTransactions, log_id: str) -> Sequence[bytes | None]:
    return await transactions.read(lambda tx: tx.super_log.nodes(log_id, 1, 0, 5))


async def test_a_log_from_before_there_were_subtrees_gets_them(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        ids = await long_log(transactions, 1100)
        log_id = ids[0].split("-")[0]
        stored = await subtrees(transactions, log_id)
        assert [node is not None for node in stored] == [True] * 4 + [False]
        with behind_its_back(database_url, "DELETE FROM record_subtrees WHERE position <> 2"):
            assert await anchoring(transactions, clock).fill_subtrees() == 3
        assert await subtrees(transactions, log_id) == stored
        assert await anchoring(transactions, clock).fill_subtrees() == 0
        with behind_its_back(database_url, "DELETE FROM record_subtrees"):
            await anchoring(transactions, clock).anchor_once()
        for record_id in (ids[0], ids[255], ids[256], ids[1099]):
            verify_record_proof(await proof_of(transactions, record_id), [LOG_KEY], ORIGIN)
        with behind_its_back(database_url, "DELETE FROM record_subtrees"):
            verify_record_proof(await proof_of(transactions, ids[700]), [LOG_KEY], ORIGIN)


async def test_a_proof_reads_two_blocks_of_each_level_and_no_more(database_url: str) -> None:
    class Counted:
        def __init__(self, tx: SqlUnitOfWork) -> None:
            self.tx, self.read = tx, 0

        def nodes(self, log_id: str, level: int, first: int, count: int) -> Sequence[bytes | None]:
            self.read += count
            return self.tx.super_log.nodes(log_id, level, first, count)

    clock = SetClock()
    with opened(database_url, clock) as transactions:
        ids = await long_log(transactions, 1500)

        def cost(tx: SqlUnitOfWork) -> list[int]:
            costs = []
            for index in (0, 800, 1499):
                counted = Counted(tx)
                StoredTree(counted, ids[0].split("-")[0], 1500).inclusion_proof(index)
                costs.append(counted.read)
            return costs

        assert max(await transactions.read(cost)) <= 2 * 2 * 256


@dataclass(frozen=True)
class Tampering:
    statement: str
    error: type[Exception]


TAMPERINGS = {
    "the entry": Tampering("UPDATE record_entries SET leaf = :garbage WHERE sequence = 2", RecordDamaged),
    "its neighbour": Tampering("UPDATE record_entries SET leaf_hash = :zeros WHERE sequence = 1", RecordDamaged),
    "its neighbour is gone": Tampering("DELETE FROM record_entries WHERE sequence = 1", RecordDamaged),
    "the entry is gone": Tampering("DELETE FROM record_entries WHERE sequence = 2", RecordUnknown),
    "the leaf above": Tampering("UPDATE record_super_leaves SET leaf = :garbage", RecordDamaged),
    "a leaf beside that": Tampering(
        "UPDATE record_super_leaves SET leaf_hash = :zeros WHERE position = 1", RecordDamaged
    ),
}


@pytest.mark.parametrize("case", TAMPERINGS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_nothing_is_answered_that_does_not_prove_what_it_should(database_url: str, case: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        _, record_id = await recorded(transactions, entry(1), entry(2))
        await anchoring(transactions, clock).anchor_once()
        await recorded(transactions, entry(3))
        await anchoring(transactions, clock).anchor_once()
        tampering = TAMPERINGS[case]
        with behind_its_back(database_url, tampering.statement, garbage=b'{"actor":"x"}', zeros=bytes(32)):
            with pytest.raises(tampering.error):
                await proof_of(transactions, record_id)
            if "beside" in case:
                with pytest.raises(RecordDamaged):
                    await proofs(transactions).growth(1, 2)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_record_proof_that_was_spoilt_proves_nothing(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        _, record_id, _ = await recorded(transactions, entry(1), entry(2), entry(3))
        await anchoring(transactions, clock).anchor_once()
        proof = await proof_of(transactions, record_id)
    verify_record_proof(proof, [LOG_KEY], ORIGIN)
    other = parse_checkpoint(proof.checkpoint.text)
    spoilt = [
        replace(proof, sequence=1),
        replace(proof, leaf=proof.leaf + b" "),
        replace(proof, log_id="other"),
        replace(proof, log_size=2),
        replace(proof, inclusion=proof.inclusion[:-1]),
        replace(proof, super_leaf=proof.super_leaf + b" "),
        replace(proof, super_leaf=b"{}"),
        replace(proof, super_index=1),
        replace(proof, super_inclusion=[bytes(32)]),
        replace(proof, checkpoint=replace(proof.checkpoint, text=replace(other, root=bytes(32)).text())),
        replace(proof, checkpoint=replace(proof.checkpoint, signatures=())),
    ]
    for each in spoilt:
        with pytest.raises(ProofInvalid):
            verify_record_proof(each, [LOG_KEY], ORIGIN)
    with pytest.raises(ProofInvalid):
        verify_record_proof(proof, [LOG_KEY], "other.example/record")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_growth_is_proved_between_sizes_that_there_are(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        for number in range(4):
            await recorded(transactions, entry(number))
            await anchoring(transactions, clock).anchor_once()
        for old, new in ((0, 4), (1, 1), (3, 4), (0, 0)):
            assert (await proofs(transactions).growth(old, new)).new_size == new
        for old, new in ((5, None), (3, 2), (1, 5)):
            with pytest.raises(CheckpointUnknown):
                await proofs(transactions).growth(old, new)
        assert [len((await proofs(transactions).leaves(first, 2)).leaves) for first in (0, 2, 3, 4, 9)] == [
            2,
            2,
            1,
            0,
            0,
        ]


async def test_a_gate_refuses_writes_and_lets_anchoring_and_reading_through(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        (record_id,) = await recorded(transactions, entry(1))

        def closed() -> None:
            raise Overloaded(check="record.checkpoint_lag", owner="共享平台", remedy="x")  # type: ignore[arg-type]

        transactions.gate = closed
        with pytest.raises(Overloaded):
            await recorded(transactions, entry(2))
        assert await anchoring(transactions, clock).anchor_once() is not None
        assert (await proof_of(transactions, record_id)).record_id == record_id


async def test_the_super_log_has_subtrees_too(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        leaves = [SuperLeaf("log", number, number, bytes(32)) for number in range(1, 300)]
        await transactions.write(lambda tx: tx.super_log.append(EMPTY, leaves))
        await recorded(transactions, entry(1))
        await anchoring(transactions, clock).anchor_once()
        stored = await subtrees(transactions, SUPER_LOG)
        assert [node is not None for node in stored] == [True, False, False, False, False]
        with behind_its_back(database_url, "DELETE FROM record_subtrees WHERE log_id = 'super'"):
            assert await anchoring(transactions, clock).fill_subtrees() == 1
        assert await subtrees(transactions, SUPER_LOG) == stored
        await proofs(transactions).growth(257, 300)
