"""Committed bytes, judged at their own fixed time: they do not follow changes of the code that made them."""

import base64
import json
from datetime import datetime
from pathlib import Path

import pytest

from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.envelopes.ofd import verify_ofd
from gateway.certificates.errors import OfdRefused
from gateway.certificates.registry import KindRegistry
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.trust import TrustStore
from gateway.certificates.verification import HolderExpectation
from gateway.certificates.verifier import Verifier
from gateway.certificates.x509.chain import verify_chain
from gateway.crypto import der
from gateway.crypto.errors import DerMalformed, JoseRefused
from gateway.crypto.jwk import parse_jwk
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.crypto.signatures import verify_signature
from gateway.errors import GatewayError

HERE = Path(__file__).parent
ABOUT = {path.parent.name: json.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*/index.json"))}
ENVELOPES, TOKENS, OFDS = HERE / "ecertificates", HERE / "tokens", HERE / "ofd"
ABOUT_ENVELOPES = ABOUT["ecertificates"]


def each_case(folder: str):
    return pytest.mark.parametrize("case", ABOUT[folder]["cases"], ids=lambda case: case["name"])


def unb64(texts: list[str] | None) -> list[bytes] | None:
    return None if texts is None else [base64.b64decode(text) for text in texts]


@each_case("signatures")
def test_signature(case):
    data = [bytes.fromhex(case[name]) for name in ("key", "message", "signature")]
    try:
        found = verify_signature(case["scheme"], *data, encoding=case["encoding"])
    except GatewayError as refused:
        found = type(refused).__name__
    assert found == case["refused"], case["why"]


@each_case("der")
def test_der(case):
    try:
        getattr(der.parse(bytes.fromhex(case["data"])), case["read"])()
        good = True
    except DerMalformed:
        good = False
    assert good is case["good"], case["why"]


@each_case("chains")
def test_chain(case):
    result = verify_chain(
        base64.b64decode(case["leaf"]),
        unb64(case["intermediates"]),
        unb64(case["anchors"]),
        datetime.fromisoformat(ABOUT["chains"]["at"]),
        crls=unb64(case["crls"]),
        status=unb64(case["status"]),
        policies=case["policies"],
    )
    assert (result.verdict, result.check) == (case["verdict"], case["check"]), case["why"]


@each_case("ecertificates")
def test_e_certificate(case):
    trust = TrustStore.build(
        [(ENVELOPES / "root.der").read_bytes()], json.loads((ENVELOPES / "issuers.json").read_text("utf-8"))
    )
    evidence = StatusEvidence(
        {ABOUT_ENVELOPES["status_list"]: (ENVELOPES / "status-list.jwt").read_bytes()},
        tuple(path.read_bytes() for path in sorted(ENVELOPES.glob("*.crl"))),
    )
    result = Verifier(ChainVerifier(trust), (JwsFormat(),)).verify(
        (ENVELOPES / f"{case['name']}.jws").read_bytes(),
        KindRegistry.discover().get(ABOUT_ENVELOPES["kind"]),
        datetime.fromisoformat(ABOUT_ENVELOPES["at"]),
        HolderExpectation(ABOUT_ENVELOPES["holder"]),
        evidence,
    )
    found = result.failed_check.check if result.failed_check else None
    assert (result.verdict, found) == (case["verdict"], case["check"]), case["why"]


@each_case("ofd")
def test_ofd(case):
    """``refused``: the bytes cannot be opened safely, and nothing is judged."""
    root, ca = ((OFDS / f"{name}.der").read_bytes() for name in ("root", "ca"))
    document, at = (OFDS / f"{case['name']}.ofd").read_bytes(), datetime.fromisoformat(ABOUT["ofd"]["at"])
    try:
        found = verify_ofd(document, [root], at, intermediates=[ca]).verdict.value
    except OfdRefused:
        found = "refused"
    assert found == case["verdict"], case["why"]


@each_case("tokens")
def test_token(case):
    about = ABOUT["tokens"]
    policy = JwsPolicy(
        typ=frozenset({about["typ"]}),
        algorithms=frozenset(about["algorithms"]),
        audience=frozenset({about["audience"]}),
        issuer=about["issuer"],
    )
    keys = [parse_jwk(key) for key in about["keys"]]
    at, token = datetime.fromisoformat(about["at"]), (TOKENS / f"{case['name']}.jwt").read_bytes()
    if case["check"] is None:
        assert verify_jws(token, keys, policy, at).claims["jti"] == "1"
        return
    with pytest.raises(JoseRefused) as refused:
        verify_jws(token, keys, policy, at)
    assert refused.value.check == case["check"], case["why"]


def test_every_file_has_a_case():
    for folder, ending in ((ENVELOPES, "jws"), (TOKENS, "jwt"), (OFDS, "ofd")):
        named = {case["name"] for case in ABOUT[folder.name]["cases"]} | {"status-list"}
        assert {path.stem for path in folder.glob(f"*.{ending}")} <= named


@pytest.mark.parametrize("folder", ABOUT)
def test_every_case_says_in_one_line_what_is_wrong_and_each_folder_has_good_ones(folder):
    cases = ABOUT[folder]["cases"]
    assert len({case["name"] for case in cases}) == len(cases)
    lines = [case["why"] for case in cases]
    assert all(line.endswith(".") and "\n" not in line and len(line) < 100 for line in lines)
    good = [line for line in lines if line.startswith("Nothing is wrong")]
    assert 0 < len(good) < len(lines)
