"""Committed bytes, judged at their own fixed time: they do not follow changes of the code that made them."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.registry import KindRegistry
from gateway.certificates.revocation import StatusEvidence
from gateway.certificates.trust import TrustStore
from gateway.certificates.verification import HolderExpectation
from gateway.certificates.verifier import Verifier
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import parse_jwk
from gateway.crypto.jws import JwsPolicy, verify_jws

HERE = Path(__file__).parent
ENVELOPES, TOKENS = HERE / "ecertificates", HERE / "tokens"
ABOUT_ENVELOPES = json.loads((ENVELOPES / "index.json").read_text("utf-8"))
ABOUT_TOKENS = json.loads((TOKENS / "index.json").read_text("utf-8"))


@pytest.mark.parametrize("case", ABOUT_ENVELOPES["cases"], ids=lambda case: case["name"])
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


@pytest.mark.parametrize("case", ABOUT_TOKENS["cases"], ids=lambda case: case["name"])
def test_token(case):
    policy = JwsPolicy(
        typ=frozenset({ABOUT_TOKENS["typ"]}),
        audience=frozenset({ABOUT_TOKENS["audience"]}),
        issuer=ABOUT_TOKENS["issuer"],
    )
    keys = [parse_jwk(ABOUT_TOKENS["key"])]
    at, token = datetime.fromisoformat(ABOUT_TOKENS["at"]), (TOKENS / f"{case['name']}.jwt").read_bytes()
    if case["check"] is None:
        assert verify_jws(token, keys, policy, at).claims["jti"] == "1"
        return
    with pytest.raises(JoseRefused) as refused:
        verify_jws(token, keys, policy, at)
    assert refused.value.check == case["check"], case["why"]


def test_every_file_has_a_case():
    for folder, about, ending in ((ENVELOPES, ABOUT_ENVELOPES, "jws"), (TOKENS, ABOUT_TOKENS, "jwt")):
        named = {case["name"] for case in about["cases"]} | {"status-list"}
        assert {path.stem for path in folder.glob(f"*.{ending}")} <= named
