"""The bench measures what it says: work that is not done is noticed, and every figure is there. No time is asserted."""

import pytest

from gateway.crypto import sm2
from mock_services.demo.processes import free_port
from tests.bench import __main__ as bench
from tests.bench import claims
from tests.bench.hot import paths, slices, wire
from tests.bench.paired import compare
from tests.bench.signatures import bare_evp
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
    fleet = wire.Fleet(port, 3)
    answered = await fleet.ask([request(b"%d" % number) for number in range(20)])
    assert sorted(asked, key=int) == [b"%d" % number for number in range(20)]
    assert len(answered.took) == 20
    with pytest.raises(RuntimeError, match="not expected"):
        await fleet.ask([request(b"bad")])
    fleet.close()
    server.close()


def test_what_was_not_recorded_spoils_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = iter([0, 3])
    monkeypatch.setattr(paths, "recorded", lambda url: next(counted))
    with pytest.raises(paths.SpeedBought, match="4 answers, 3 entries"):
        paths.require_recorded("sqlite:///x", paths.recorded("sqlite:///x"), 4)


def test_work_per_cpu_second_is_compared_in_rounds() -> None:
    assert slices.rounds_of([100.0, 300.0, 50.0, 50.0]) == [150.0, 50.0]
