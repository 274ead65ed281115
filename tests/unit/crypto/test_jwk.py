"""Keys as JOSE writes them: which are taken, what they may be used for, their names."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gateway.crypto import sm2
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import SigningKey, VerificationKey, algorithms_of, export_jwk, parse_jwk, thumbprint
from tests.support.keys import RSA_KEY
from tests.support.tokens import b64

EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
KEY = SigningKey("k1", "ES256", EC_KEY)
KEYS = [KEY.public(), SigningKey("k2", "EdDSA", ED_KEY).public()]


def test_keys_whose_use_forbids_verifying_are_refused():
    jwk = export_jwk(KEY.public())
    for wrong in (
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"key_ops": ["verify", "verify"]},
        {"alg": "ES384"},
        {"alg": "HS256"},
    ):
        with pytest.raises(JoseRefused) as refused:
            parse_jwk(jwk | wrong)
        assert refused.value.check == "jose.key_use"


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "x": "AA"},
        {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32))},
        {"kty": "EC", "crv": "P-256", "x": b64(bytes(31)), "y": b64(bytes(32))},
        {"kty": "OKP", "crv": "X25519", "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "x": b64((1).to_bytes(32, "little"))},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\xff" * 32)},
        {"kty": "RSA", "n": b64(b"\x81" * 128), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\x81" * 2048), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\x81" * 256), "e": "AQ"},
        {"kty": "RSA", "n": b64(b"\x81" * 256), "e": "Ag"},
        {"kty": "RSA", "n": b64(b"\x81" * 256), "e": b64(b"\x01" * 9)},
        {"kty": "RSA", "n": b64(b"\x81" * 255 + b"\x80"), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\0" + b"\x81" * 256), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\x81" * 256), "e": b64(b"\0\x01\0\x01")},
        {"kty": "RSA", "n": b64(b"\x81" * 256)},
        {"kty": "RSA", "crv": "P-256", "n": b64(b"\x81" * 256), "e": "AQAB"},
        {"kty": "EC", "crv": "secp256k1", "x": b64(bytes(32)), "y": b64(bytes(32))},
        {"kty": "EC", "crv": "SM2", "x": b64(bytes(32)), "y": b64(bytes(32))},
        {"kty": "EC", "crv": "SM2", "x": b64(b"\xff" * 32), "y": b64(b"\xff" * 32)},
        {"kty": "EC", "crv": "SM2", "x": b64(bytes(31)), "y": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed448", "x": b64(bytes(57))},
        {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"},
        {"kty": ["EC"], "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        {},
    ],
)
def test_keys_that_are_weak_foreign_or_off_the_curve_are_refused(jwk):
    with pytest.raises(JoseRefused) as refused:
        parse_jwk(jwk)
    assert refused.value.check == "jose.jwk"


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_keys_that_show_private_members_are_refused(member):
    for public in (export_jwk(KEY.public()), export_jwk(KEYS[1])):
        for value in ("AA", None, "", 0):
            with pytest.raises(JoseRefused) as refused:
                parse_jwk(public | {member: value})
            assert refused.value.check == "jose.jwk_private"


def test_what_is_no_object_is_no_jwk():
    for source in (None, "{}", [], 5):
        with pytest.raises(JoseRefused, match=r"jose\.jwk"):
            parse_jwk(source)


def test_a_jwk_given_as_bytes_is_read_strictly():
    text = json.dumps(export_jwk(KEY.public())).encode()
    assert thumbprint(parse_jwk(text).public_key) == thumbprint(EC_KEY.public_key())
    for wrong, check in (
        (text[:-1] + b',"kty":"EC"}', "duplicate_member"),
        (b"\xef\xbb\xbf" + text, "json"),
        (text + b" " * 9000, "oversize"),
        (text[:-1] + b',"x5c":' + b"[" * 20 + b"]" * 20 + b"}", "depth"),
        (b"[" + text + b"]", "json"),
    ):
        with pytest.raises(JoseRefused) as refused:
            parse_jwk(wrong)
        assert refused.value.check == f"jose.{check}"


def test_an_sm2_key_is_read_where_no_library_speaks_sm2():
    public = sm2.generate_private_key().public_key
    jwk = export_jwk(VerificationKey("s1", public.spki, frozenset({"SM2-SM3"})))
    assert (jwk["kty"], jwk["crv"], jwk["alg"]) == ("EC", "SM2", "SM2-SM3")
    sm2.use_library("no-such-libcrypto.so")
    try:
        assert parse_jwk(jwk) == VerificationKey("s1", public.spki, frozenset({"SM2-SM3"}))
        assert thumbprint(public.spki) == b64(
            hashlib.sha256(
                json.dumps({n: jwk[n] for n in ("crv", "kty", "x", "y")}, separators=(",", ":")).encode()
            ).digest()
        )
    finally:
        sm2.use_library(None)
    with pytest.raises(JoseRefused):
        parse_jwk(jwk | {"x": b64(bytes(32))})


def test_an_sm2_coordinate_has_one_spelling():
    """x + p is the same residue: the point is on the curve, and its key would have two names."""
    p, b = sm2._PRIME, sm2._B
    for x in range(1, 200):
        y = pow(x**3 - 3 * x + b, (p + 1) // 4, p)
        if (y * y - x**3 + 3 * x - b) % p == 0:
            break
    good = {"kty": "EC", "crv": "SM2", "x": b64(x.to_bytes(32)), "y": b64(y.to_bytes(32))}
    assert parse_jwk(good).algorithms == {"SM2-SM3"}
    with pytest.raises(JoseRefused):
        parse_jwk(good | {"x": b64((x + p).to_bytes(32))})


def test_jwk_round_trip_and_the_thumbprint_of_rfc_7638():
    for key in (EC_KEY, ED_KEY, RSA_KEY, ec.generate_private_key(ec.SECP384R1())):
        public = key.public_key()
        parsed = parse_jwk(export_jwk(VerificationKey("a", public, algorithms_of(public))))
        assert parsed.kid == "a"
        assert parsed.algorithms == algorithms_of(public)
        assert thumbprint(parsed.public_key) == thumbprint(public)
    example = {
        "kty": "RSA",
        "n": (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
            "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
            "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
            "kEgU8awapJzKnqDKgw"
        ),
        "e": "AQAB",
        "alg": "RS256",
    }
    assert parse_jwk(example).kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
