"""Witnesses, each over its own back-end: what they keep and sign, what they refuse, and what is made of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from adapters.http_client import HttpLimits
from adapters.httpx_client import HttpxClient
from adapters.storage.transactions import SqlTransactions
from adapters.witnesses.files import LATEST, CheckpointFiles, checkpoint_paths
from adapters.witnesses.http import HttpWitness
from gateway.errors import Owner, PartnerUnavailable
from gateway.records.checkpoints import Checkpoint, cosignatures_of, sign_checkpoint
from gateway.records.errors import CheckpointContradicted
from gateway.records.merkle import ProofInvalid, consistency_proof, leaf_hash, root
from gateway.records.notes import Note, SignatureLine, VerifierKey, parse_note, parse_vkey
from gateway.records.ports import Submission, Witness
from gateway.records.service import RecordProofs
from gateway.records.witnessing import Witnessing
from tests.support.anchoring import LOG_KEY, LOG_SIGNER, ORIGIN, anchoring, entry, recorded
from tests.support.mock_process import running_mock
from tests.support.storage import SetClock, opened
from tests.support.tiny_server import Answer, Asked, TinyServer, tiny_server

LEAVES = [leaf_hash(b"%d" % number) for number in range(12)]
FORK = [leaf_hash(b"other"), *LEAVES[1:]]


def submission(size: int, leaves: Sequence[bytes] = LEAVES, origin: str = ORIGIN) -> Submission:
    async def proof_from(old_size: int) -> list[bytes]:
        return consistency_proof(leaves[:size], old_size)

    note = sign_checkpoint(Checkpoint(origin, size, root(leaves[:size])), [LOG_SIGNER])
    return Submission(note, size, proof_from)


@dataclass
class Mock:
    url: str
    key: VerifierKey
    http: HttpxClient

    def witness(self) -> HttpWitness:
        """One that knows nothing of what the witness saw: as after a start."""
        return HttpWitness(self.http, self.url, [self.key])

    async def fault(self, **fault: object) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.put(f"{self.url}/__admin/faults", json=[fault])).raise_for_status()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    arguments = ("--data-dir", str(tmp_path_factory.mktemp("witness")), "--log", str(LOG_KEY))
    with running_mock("mock_services.witness", *arguments) as (url, _):
        yield url


@pytest.fixture
async def mock(process: str) -> AsyncIterator[Mock]:
    async with httpx.AsyncClient(trust_env=False) as client:
        (await client.post(f"{process}/__admin/reset")).raise_for_status()
        key = parse_vkey((await client.get(f"{process}/vkey")).json()["vkey"])
    http = HttpxClient(HttpLimits(attempts=1))
    yield Mock(process, key, http)
    await http.aclose()


@pytest.fixture(params=["files", "http"])
async def witness(request: pytest.FixtureRequest, tmp_path: Path) -> Witness:
    if request.param == "files":
        return CheckpointFiles(tmp_path / "heads")
    mock: Mock = request.getfixturevalue("mock")
    return mock.witness()


@pytest.mark.parametrize("witness", ["files"], indirect=True)
@pytest.mark.parametrize("sizes", [(1, 2, 3, 8, 12), (5,), (7, 7, 7)])
async def test_a_file_holds_the_latest_checkpoint(witness: Witness, tmp_path: Path, sizes: Sequence[int]) -> None:
    for size in sizes:
        assert await witness.observe(submission(size)) == ()
        assert parse_note((tmp_path / "heads" / LATEST).read_bytes()) == submission(size).note
    assert len(checkpoint_paths(tmp_path / "heads")) == 1


@pytest.mark.parametrize("sizes", [(1, 2, 3, 8, 12), (5,), (7, 7, 7)])
async def test_growth_is_cosigned(mock: Mock, sizes: Sequence[int]) -> None:
    kept = mock.witness()
    for size in sizes:
        for witness in (kept, mock.witness()):
            submitted = submission(size)
            lines = await witness.observe(submitted)
            (found,) = cosignatures_of(submitted.note.also_signed(lines), [mock.key])
            assert found.witness == mock.key.name


FORKS = {
    "another history": submission(9, FORK),
    "another root of the same size": submission(8, FORK),
    "less than was seen": submission(5),
}


@pytest.mark.parametrize("case", FORKS)
async def test_a_fork_is_refused_and_what_was_seen_stays(mock: Mock, case: str) -> None:
    kept = mock.witness()
    await kept.observe(submission(8))
    for witness in (kept, mock.witness()):
        with pytest.raises(CheckpointContradicted) as refused:
            await witness.observe(FORKS[case])
        assert refused.value.partner == mock.key.name
    await mock.witness().observe(submission(12))


@pytest.mark.parametrize("case", FORKS)
async def test_a_file_that_is_contradicted_stays(tmp_path: Path, case: str) -> None:
    witness = CheckpointFiles(tmp_path)
    await witness.observe(submission(8))
    for _ in range(2):
        with pytest.raises(CheckpointContradicted):
            await witness.observe(FORKS[case])
    assert parse_note((tmp_path / LATEST).read_bytes()) == submission(8).note
    assert await witness.observe(submission(9)) == ()


async def test_a_record_under_another_name_takes_its_place_and_sets_it_aside(tmp_path: Path) -> None:
    witness = CheckpointFiles(tmp_path)
    await witness.observe(submission(8))
    renamed = submission(5, FORK, origin=f"{ORIGIN}-2")
    assert await witness.observe(renamed) == ()
    assert parse_note((tmp_path / "record.8.checkpoint").read_bytes()) == submission(8).note
    assert parse_note((tmp_path / LATEST).read_bytes()) == renamed.note


async def test_a_log_or_key_that_a_witness_does_not_know(mock: Mock) -> None:
    stranger = Note(submission(1).note.text, (SignatureLine(ORIGIN, b"\0\0\0\0", bytes(64)),))
    for submitted, check in (
        (submission(1, origin="other.example/record"), "witness.origin_unknown"),
        (Submission(stranger, 1, submission(1).proof_from), "witness.key_unknown"),
    ):
        with pytest.raises(PartnerUnavailable) as refused:
            await mock.witness().observe(submitted)
        assert refused.value.check == check


async def test_a_wrong_cosignature_is_not_taken(mock: Mock) -> None:
    await mock.fault(kind="wrong_signature")
    with pytest.raises(PartnerUnavailable, match=r"witness\.cosignature"):
        await mock.witness().observe(submission(1))
    assert await mock.witness().observe(submission(1))


ANSWERS = {
    "nothing": Answer(200, b""),
    "no signature lines": Answer(200, b"{}"),
    "a line of a stranger": Answer(200, "— stranger AAAAAAA=\n".encode()),
    "no text": Answer(200, b"\xff\xff"),
    "a conflict that tells no size": Answer(409, b"7\n", "text/plain"),
    "a conflict with something else": Answer(409, b"seven\n", "text/x.tlog.size"),
    "a size with a zero in front": Answer(409, b"07\n", "text/x.tlog.size"),
    "a size that does not end": Answer(409, b"7", "text/x.tlog.size"),
    "a refusal": Answer(400, b""),
    "too much": Answer(200, b"x" * 100_000),
}


@pytest.fixture(scope="module")
def server() -> Iterator[TinyServer]:
    with tiny_server(lambda asked: Answer()) as running:
        yield running


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_that_is_none_is_the_witness_s_fault(mock: Mock, server: TinyServer, case: str) -> None:
    server.respond = lambda asked: ANSWERS[case]
    with pytest.raises(PartnerUnavailable) as refused:
        await HttpWitness(mock.http, server.url, [mock.key]).observe(submission(3))
    assert not isinstance(refused.value, CheckpointContradicted)


async def test_what_is_sent_is_as_the_specification_writes_it(mock: Mock, server: TinyServer) -> None:
    def respond(asked: Asked) -> Answer:
        return Answer(409, b"2\n", "text/x.tlog.size") if asked.body.startswith(b"old 0\n") else Answer(400)

    server.asked.clear()
    server.respond = respond
    with pytest.raises(PartnerUnavailable):
        await HttpWitness(mock.http, server.url, [mock.key]).observe(submission(3))
    first, second = server.asked
    assert (first.method, first.path) == ("POST", "/add-checkpoint")
    note = str(submission(3).note)
    assert first.body.decode() == f"old 0\n\n{note}"
    head, _, rest = second.body.decode().partition("\n\n")
    assert (head.split("\n")[0], len(head.split("\n")), rest) == ("old 2", 2, note)


@dataclass
class Scripted:
    """A witness that does what the test says, and remembers what it was shown."""

    name: str = "scripted"
    failures: list[Exception] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)

    async def observe(self, submission: Submission) -> Sequence[SignatureLine]:
        if self.failures:
            raise self.failures.pop(0)
        await submission.proof_from(self.shown[-1] if self.shown else 0)
        self.shown.append(submission.size)
        return ()


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


DOWN = PartnerUnavailable(check="http.connection", owner=Owner.GATEWAY, remedy="x", partner="scripted")
FORKED = CheckpointContradicted(check="record.witness", owner=Owner.GATEWAY, remedy="x", partner="scripted")


async def anchored(transactions: SqlTransactions, clock: SetClock, witnessing: Witnessing) -> None:
    await recorded(transactions, entry(1))
    latest = await anchoring(transactions, clock).anchor_once()
    assert latest is not None
    witnessing.signed(latest)


async def test_what_a_witness_signs_stands_in_the_checkpoint(database_url: str, mock: Mock) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        witness = mock.witness()
        witnessing = Witnessing(transactions, [witness], [mock.key])
        for size in (1, 2, 3):
            await anchored(transactions, clock, witnessing)
            assert await witnessing.show(witness)
            assert await witnessing.show(witness)
            proofs = RecordProofs(transactions, 1)
            (found,) = cosignatures_of((await proofs.checkpoint()).note, [mock.key])
            assert (await proofs.checkpoint()).size == size
            assert found.witness == mock.key.name
        await recorded(transactions, entry(1))
        await anchoring(transactions, clock).anchor_once()
        preferred = await transactions.read(lambda tx: tx.super_log.checkpoint_covering(0))
        assert preferred is not None
        assert preferred.size == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_that_fails_is_shown_again_and_holds_up_nobody(database_url: str) -> None:
    clock, stop = SetClock(), asyncio.Event()
    told: dict[str, tuple[int, bool]] = {}
    with opened(database_url, clock) as transactions:
        failing = Scripted("failing", [DOWN, FORKED, ValueError("x"), OSError("x")])
        steady = Scripted("steady")

        def tell(witness: str, behind: int, contradicted: bool) -> None:
            told[witness] = (behind, contradicted)

        witnessing = Witnessing(transactions, [failing, steady], [], tell, first_pause_s=0.001)
        running = asyncio.create_task(witnessing.run(stop))
        await anchored(transactions, clock, witnessing)
        await until(lambda: failing.shown == [1] and steady.shown == [1])
        assert told == {"failing": (0, False), "steady": (0, False)}
        failing.failures = [FORKED] * 1000
        await anchored(transactions, clock, witnessing)
        await until(lambda: steady.shown == [1, 2] and told["failing"] == (1, True))
        failing.failures = []
        stop.set()
        await running
        assert failing.shown == [1, 2]


async def test_no_proof_is_given_from_beyond_the_checkpoint(mock: Mock) -> None:
    with pytest.raises(ProofInvalid):
        await submission(3).proof_from(4)
