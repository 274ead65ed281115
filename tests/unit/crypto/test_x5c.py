"""Chains in a token's header: one spelling, few certificates, and digests that are those of the leaf."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.crypto.errors import JoseRefused
from gateway.crypto.jws import JwsPolicy, read_jws
from tests.support.tokens import NOW, b64, make_token

EC_KEY = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": "utility", "iat": NOW}


def token(header):
    return make_token(header, CLAIMS, EC_KEY)


def test_digests_of_a_certificate_must_be_those_of_the_chain_that_came():
    leaf, policy = b"\x30\x03\x02\x01\x01", JwsPolicy(typ=frozenset({"at+jwt"}), x5c=True)
    header = {"alg": "ES256", "typ": "at+jwt", "x5c": [base64.b64encode(leaf).decode()]}
    good = {"x5t": b64(hashlib.sha1(leaf).digest()), "x5t#S256": b64(hashlib.sha256(leaf).digest())}
    assert read_jws(token(header | good), policy).x5c == (leaf,)
    for wrong in (
        {"x5t": b64(bytes(20))},
        {"x5t#S256": b64(bytes(32))},
        {"x5t#S256": None},
        {"x5t": good["x5t"] + "="},
    ):
        with pytest.raises(JoseRefused) as refused:
            read_jws(token(header | good | wrong), policy)
        assert refused.value.check == "jose.x5c"


@pytest.mark.parametrize(
    "x5c",
    [
        "",
        "AA==",
        [],
        [""],
        ["A"],
        ["AA=="] * 7,
        ["AA==", None],
        ["A A="],
        ["AA==\n"],
        ["AB=="],
        ["-_8="],
        {"0": "AA=="},
    ],
)
def test_chains_in_another_spelling_are_refused(x5c):
    header = {"alg": "ES256", "typ": "at+jwt", "x5c": x5c}
    with pytest.raises(JoseRefused) as refused:
        read_jws(token(header), JwsPolicy(typ=frozenset({"at+jwt"}), x5c=True))
    assert refused.value.check == "jose.x5c"
