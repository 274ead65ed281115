"""The bench measures what it says: work that is not done is noticed, and every figure is there. No time is asserted."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gateway.crypto import sm2
from gateway.records.entries import RecordEntry
from mock_services.demo.processes import free_port
from tests.bench import __main__ as bench
from tests.bench import claims, layers, tables
from tests.bench.growth import partitions
from tests.bench.hot import machine, memory, open_loop, paths, recorded, slices, surroundings, wire
from tests.bench.hot.limit_store import open_store
from tests.bench.paired import compare
from tests.bench.signatures import bare_evp
from tests.support import storage
from tests.support.databases import Databases


def test_the_ratio_and_its_interval_come_from_rounds() -> None:
    counted = {"subject": 0, "reference": 0}

    def work(name: str, loops: int):
        def run(count: int) -> None:
            counted[name] += count
            for _ in range(count * loops):
                sum(range(50))

        return run

    compared = compare("half", work("subject", 2), work("reference", 1), seconds=0.01, rounds=6)
    assert compared.low <= compared.ratio <= compared.high
    assert compared.rounds == 6
    assert min(counted.values()) > 0
    assert str(compared).startswith("half: ")


def test_a_bare_loop_that_verifies_nothing_is_noticed() -> None:
    key = sm2.generate_private_key()
    with pytest.raises(AssertionError):
        bare_evp(key.public_key, key.sign(b"another message"))(1)


def test_the_command_prints_each_comparison(capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "signatures", "--seconds", "0.005", "--rounds", "2"])
    bench.main()
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("SM2 by ")
    assert [line.split(":")[0] for line in told[1:]] == [
        "SM2 verify, seam ÷ bare EVP (DER)",
        "SM2 verify, seam ÷ bare EVP (r‖s)",
    ]


def test_a_library_without_sm2_ends_the_command_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--sm2-library", "no-such-libcrypto.so"])
    try:
        with pytest.raises(SystemExit, match="no SM2 here"):
            bench.main()
    finally:
        sm2.use_library(None)


def test_the_same_events_are_claimed_whatever_waits_beside_them(databases: Databases) -> None:
    told = {case: claimed for case, (_, _, claimed) in claims.measured(databases.sqlite(), 60)}
    oldest = claims.LIVE_EVENTS // claims.EVENTS_EACH
    assert told.pop("nothing due") == 0
    assert set(told.values()) == {oldest}


async def test_a_fleet_asks_each_request_once_and_notices_another_answer() -> None:
    asked: list[bytes] = []

    def handle(head: bytes, body: bytes, reply: wire.Reply) -> None:
        asked.append(body)
        reply(wire.answer("200 OK" if body != b"bad" else "500 Oh", "text/plain", body))

    def request(body: bytes) -> bytes:
        return b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    port = free_port()
    server = await wire.listen(handle, port)
    fleet = wire.Fleet([port], 3)
    answered = await fleet.ask([request(b"%d" % number) for number in range(20)])
    assert sorted(asked, key=int) == [b"%d" % number for number in range(20)]
    assert len(answered.took) == 20
    with pytest.raises(RuntimeError, match="not expected"):
        await fleet.ask([request(b"bad")])
    fleet.close()
    await _closed(server)


def test_what_was_not_recorded_spoils_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = iter([0, 3])
    monkeypatch.setattr(recorded, "recorded", lambda url, action: next(counted))
    with pytest.raises(recorded.SpeedBought, match="4 answers, 3 entries"):
        recorded.require_recorded("sqlite:///x", recorded.recorded("sqlite:///x", "done"), 4)


def test_work_per_cpu_second_is_compared_in_rounds() -> None:
    assert slices.rounds_of([100.0, 300.0, 50.0, 50.0]) == [150.0, 50.0]


async def _closed(server: asyncio.Server) -> None:
    """Close it, and wait until its connections are closed too: their sockets would be found open in another test."""
    closed = asyncio.ensure_future(server.wait_closed())
    await asyncio.sleep(0)
    server.close()
    await asyncio.wait_for(closed, 10)


def _request(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _echo(head: bytes, body: bytes, reply: wire.Reply) -> None:
    reply(wire.answer("200 OK" if body != b"bad" else "500 Oh", "text/plain", body))


def _twice(first: bytes, heard: list[bytes]) -> Generator[bytes, bytes, None]:
    """A second request that follows from the answer to the first."""
    answered = yield _request(first)
    heard.append((yield _request(answered + b"!")))


async def test_requests_of_an_exchange_follow_from_one_another() -> None:
    port, heard = free_port(), []
    server = await wire.listen(_echo, port)
    fleet = wire.Fleet([port], 2)
    answered = await fleet.ask([_twice(b"%d" % number, heard) for number in range(5)])
    assert sorted(heard) == [b"%d!" % number for number in range(5)]
    assert len(answered.took) == 5
    fleet.close()
    await _closed(server)


async def test_what_arrives_by_itself_is_answered_and_another_answer_noticed() -> None:
    port, heard = free_port(), []
    server = await wire.listen(_echo, port)
    exchanges = [_twice(b"%d" % number, heard) if number % 2 else _request(b"x") for number in range(30)]
    seen = await open_loop.arrive(port, exchanges, 0.5, 3000.0)
    assert sorted(heard) == sorted(b"%d!" % number for number in range(1, 30, 2))
    assert 0 < seen.p50_ms <= seen.p99_ms
    with pytest.raises(RuntimeError, match="not expected"):
        await open_loop.arrive(port, [_request(b"x"), _request(b"bad"), _request(b"x")], 0.5, 3000.0)
    await _closed(server)


async def test_who_comes_while_others_wait_is_late_from_when_they_came() -> None:
    """One answer in all the time: each of the others has waited since it arrived, not since it was sent."""
    port, waiting = free_port(), []

    def handle(head: bytes, body: bytes, reply: wire.Reply) -> None:
        waiting.append((reply, body))
        if len(waiting) == 10:
            for each, said in waiting:
                each(wire.answer("200 OK", "text/plain", said))

    server = await wire.listen(handle, port)
    seen = await open_loop.arrive(port, [_request(b"x")] * 10, 0.5, 500.0)
    assert seen.p99_ms > seen.p50_ms
    await _closed(server)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_limit_finds_what_it_kept(database: str, databases: Databases) -> None:
    with ExitStack() as opened:
        url = databases.empty_sqlite() if database == "sqlite" else opened.enter_context(databases.empty_postgresql())
        store = opened.enter_context(closing(open_store(url.removeprefix("sqlite:///"))))
        row = ("log", 1, b"hash", b'{"result":"done"}', "done", "app_1")
        store.append([row], (1, 1, b"root", b"signed"), [("intakes", "int_1", b"one"), ("outbox", "app_1", b"two")])
        assert (store.get("intakes", "int_1"), store.get("outbox", "app_1")) == (b"one", b"two")
        second = ("log", 2, *row[2:])
        store.append([second], (2, 2, b"root", b"signed"), [("intakes", "int_1", None)])
        with pytest.raises((TypeError, AssertionError)):
            store.get("intakes", "int_1")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_only_what_was_done_counts_as_recorded(database: str, databases: Databases) -> None:
    with ExitStack() as opened:
        url = databases.sqlite() if database == "sqlite" else opened.enter_context(databases.postgresql())
        transactions = opened.enter_context(storage.opened(url, storage.SetClock()))
        with asyncio.Runner() as runner:
            for result in ("done", "refused", "done"):
                entry = RecordEntry(recorded.DISCLOSED, storage.NOON, "bench", "app_1", result=result)
                runner.run(transactions.write(lambda tx, entry=entry: tx.records.append(entry)))
        assert recorded.recorded(url) == 2
        assert recorded.recorded(url, "another") == 0
        assert b'"result":"done"' in recorded.newest_leaf(url)
        assert recorded.sealed_size(url, "record_entries", "leaf") >= len(recorded.newest_leaf(url))


def test_the_layers_of_the_record_come_one_by_one(tmp_path: Path) -> None:
    found = list(layers.measure(tmp_path, ["sqlite"], rounds=1, units=layers.TOGETHER))
    assert [each.name for each in found] == list(layers.LAYERS)
    assert min(each.cpu_us for each in found) > 0
    assert found[0].compared.ratio == 1


def test_the_machine_is_described(tmp_path: Path) -> None:
    told = surroundings.described(tmp_path, None)
    assert told["databases"]["sqlite"]["fsyncs_per_s"] > 0
    assert told["python_call_ns"] > 0
    assert set(told["libraries"]) == set(surroundings.LIBRARIES)
    assert list(tmp_path.iterdir()) == []


def test_what_was_measured_is_kept_where_a_later_part_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: object) -> Iterator[dict[str, object]]:
        yield {"memory": [{"database": "sqlite", "requests": 8}]}
        raise RuntimeError("the other database")

    out = tmp_path / "bench.json"
    monkeypatch.setattr(paths, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["bench", "memory", "--database", "sqlite", "--out", str(out)])
    with pytest.raises(RuntimeError, match="the other database"):
        bench.main()
    told = json.loads(out.read_text("utf-8"))
    assert told["memory"] == [{"database": "sqlite", "requests": 8}]
    assert told["machine"]["python_call_ns"] > 0


def test_who_has_ended_is_left_out_of_what_others_used() -> None:
    processes = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2)]
    stays, leaves = processes
    try:
        began = machine.cpu_seconds_of_each([process.pid for process in processes])
        leaves.communicate(b"\n")
        assert list(began) == [stays.pid, leaves.pid]
        ended = machine.cpu_seconds_of_each(began)
        assert list(ended) == [stays.pid]
        assert ended[stays.pid] >= began[stays.pid]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_memory_that_grows_has_a_slope() -> None:
    assert memory.slope([(0, 100.0), (10, 100.0), (20, 100.0)]) == 0
    assert memory.slope([(0, 100.0), (10, 105.0), (20, 110.0)]) == pytest.approx(0.5)


def test_figures_take_the_place_of_the_same_ones_and_of_no_others() -> None:
    def figure(database: str, ratio: float) -> dict[str, object]:
        return {"database": database, "connections": 32, "ratio": ratio}

    before = {"1a": [figure("sqlite", 0.1), figure("postgresql", 0.2)], "3": [figure("sqlite", 0.3)], "machine": {}}
    now = {"1a": [figure("sqlite", 0.4)], "machine": {"cores": 2}}
    told = tables.merged(before, now)
    assert [each["ratio"] for each in told["1a"]] == [0.2, 0.4]
    assert (told["3"], told["machine"]) == (before["3"], {"cores": 2})


def test_partitions_are_asked_what_one_table_is(databases: Databases, tmp_path: Path) -> None:
    with databases.empty_postgresql():  # skips where no server answers
        pass
    told: list[str] = []
    found = partitions.measure(tmp_path, 2600, told.append)
    one, by_month = found.values()
    assert list(one) == list(by_month)
    assert "a month goes" in one
    assert min(cost.wall_us for layout in found.values() for cost in layout.values()) > 0
    assert partitions.table(found).splitlines()[0] == "| asked | one table | by month |"
    assert told == ["one table: 2600 copies in 13 months", "by month: 2600 copies in 13 months"]
