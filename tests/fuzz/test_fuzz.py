"""No exception but our own, no hang: every fuzz target under hypothesis. ``make fuzz`` runs the same for longer."""

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.certificates.envelopes.ofd import verify_ofd
from gateway.certificates.registry import KindRegistry
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation
from gateway.certificates.x509.chain import verify_chain
from gateway.crypto.jwk import VerificationKey
from gateway.crypto.jws import verify_jws
from tests.fuzz import run, seeds
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import OURS, PLAIN, PROOF, TARGETS, Target
from tests.support import ofd_writer
from tests.support.ecertificates import ENTERPRISE
from tests.support.tokens import AT

ROOT = Path(__file__).parents[2]
DEADLINE = timedelta(seconds=3)
"""For one input; honest ones take milliseconds, and a loaded machine stalls now and then."""
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
KEPT = (
    pytest.param("ocsp", "30050a0100a000", id="a response without a body"),
    pytest.param("certificate", "30053000300003", id="cut short"),
    pytest.param("ofd", "504b0506" + "00" * 18, id="an empty archive"),
)
"""Inputs that were found once, or that a parser meets first."""


@each_target
def test_good_inputs_raise_nothing_but_our_own(target: Target) -> None:
    for seed in target.seeds():
        assert len(seed) <= target.max_bytes
        target.attempt(seed)


def test_the_inputs_that_are_spoilt_are_good() -> None:
    """Else all of them would be refused at the first gate, and what lies behind it never be fuzzed."""
    pki = seeds.pki()
    lists, stapled = [pki.crl, pki.root_crl], [pki.ocsp]
    path = ([pki.ca.certificate], [pki.root.certificate], AT)
    assert verify_chain(pki.leaf.certificate, *path, crls=lists).verdict is Verdict.VALID
    assert verify_chain(pki.leaf.certificate, *path, crls=[pki.root_crl], status=stapled).verdict is Verdict.VALID
    anchors, between = [seeds.ofd_pki().root.certificate], [seeds.ofd_pki().ca.certificate]
    for document in seeds.ofds():
        assert verify_ofd(document, anchors, ofd_writer.NOW, intermediates=between).intact
    kind, holder = KindRegistry.discover().get("business_licence"), HolderExpectation(ENTERPRISE)
    for document in (seeds.envelope(), seeds.licence()):
        judged = seeds.province().verifier().verify(document, kind, AT, holder, seeds.province_evidence())
        assert judged.verdict is Verdict.VALID
    for policy, token in zip((PLAIN, PROOF), seeds.tokens(), strict=False):
        key = VerificationKey("k1", seeds.keys()["ES256"].public_key(), frozenset({"ES256"}))
        assert verify_jws(token, [key], policy, AT).claims == seeds.CLAIMS


@each_target
@settings(max_examples=60, deadline=DEADLINE, suppress_health_check=[HealthCheck.too_slow])
@given(number=st.integers(0, 2**32), raw=st.none() | st.binary(max_size=300))
@example(number=0, raw=b"")
def test_spoilt_inputs_raise_nothing_but_our_own(target: Target, number: int, raw: bytes | None) -> None:
    chance = Random(number)
    data = raw
    if data is None:
        data = mutate(chance.choice(target.seeds()), chance, words=target.words, max_bytes=target.max_bytes)
    target.attempt(data)


@pytest.mark.parametrize(("name", "data"), KEPT)
def test_what_was_found_stays_mended(name: str, data: str) -> None:
    TARGETS[name].attempt(bytes.fromhex(data))


def test_each_target_refuses_rubbish_rather_than_taking_it() -> None:
    """A target that takes anything would prove nothing."""
    taking = [name for name, target in TARGETS.items() if _takes(target, b"\x00rubbish\xff")]
    judging = {"public-key", "signature", "chain", "crl", "ocsp", "status-list", "envelope", "seal", "ofd", "ofd-entry"}
    assert set(taking) <= judging, "these answer with a verdict, or try one key after another; all others refuse"


def _takes(target: Target, data: bytes) -> bool:
    try:
        target.run(data)
    except OURS:
        return False
    return True


@pytest.fixture
def alarmed(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, run._too_slow)
    yield tmp_path
    signal.signal(signal.SIGALRM, before)


def test_the_fuzzer_finds_what_is_there(alarmed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign exception and a hang, planted; each is caught, told and kept."""

    def raises(data: bytes) -> None:
        if len(data) > 3:
            raise KeyError("planted")

    def hangs(_: bytes) -> None:
        while True:
            pass

    monkeypatch.setattr(run, "LIMIT_S", 0.05)
    with pytest.raises(AssertionError, match="KeyError"):
        run.by_mutation(Target("planted", raises, lambda: [b"abc"]), 5, 1)
    report = json.loads((alarmed / "build/fuzz/planted/report.json").read_text())
    assert "planted" in report["trace"]
    assert len((alarmed / report["found"]).read_bytes()) > 3
    runner = run.Runner(Target("hanging", hangs, list), "mutation")
    with pytest.raises(AssertionError, match="TooSlow"):
        runner.feed(b"x")


def test_the_command_prints_executions_memory_and_the_slowest_input(tmp_path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "json", "algorithm", "--seconds", "0.5", "--engine", "mutation"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    heading, *lines = ended.stdout.splitlines()[1:]
    assert "peak memory" in heading
    assert "slowest" in heading
    assert [line.split()[0] for line in lines] == ["json", "algorithm"]
    assert all(" MiB " in line and " ms (" in line for line in lines)
