"""The bench measures what it says: work that is not done is noticed, and every figure is there. No time is asserted."""

import pytest

from gateway.crypto import sm2
from tests.bench import __main__ as bench
from tests.bench import claims
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
