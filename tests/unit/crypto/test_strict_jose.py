"""Attacks on tokens: RFC 8725 and what PyJWT lets through. PyJWT stays the reference for what is accepted."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import joserfc.jws
import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from gateway.crypto import sm2
from gateway.crypto.errors import JoseRefused, SignatureInvalid
from gateway.crypto.jwk import SigningKey, VerificationKey, algorithms_of, export_jwk, parse_jwk, thumbprint
from gateway.crypto.jws import JwsPolicy, check_signature, read_jws, sign_jws, verify_jws
from tests.support.ecertificates import b64, seal

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
RSA_KEY = rsa.generate_private_key(65537, 2048)
KEY = SigningKey("k1", "ES256", EC_KEY)
KEYS = [KEY.public(), SigningKey("k2", "EdDSA", ED_KEY).public()]
POLICY = JwsPolicy(typ=frozenset({"at+jwt"}), audience=frozenset({"gateway"}), issuer="utility")
CLAIMS = {"iss": "utility", "aud": "gateway", "exp": NOW + 60, "iat": NOW, "jti": "1"}
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}


def token(header=HEADER, payload=CLAIMS, key=EC_KEY):
    return seal(header, payload, key, header.get("alg"))


def raw_header(text: bytes) -> bytes:
    """A token whose header is exactly these bytes, properly signed."""
    signing_input = b64(text).encode() + b"." + b64(json.dumps(CLAIMS).encode()).encode()
    return signing_input + b"." + b64(_es256(signing_input)).encode()


def _es256(data: bytes) -> bytes:
    r, s = decode_dss_signature(EC_KEY.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def check_of(bad, keys=KEYS, policy=POLICY) -> str:
    with pytest.raises(JoseRefused) as refused:
        verify_jws(bad, keys, policy, AT)
    return refused.value.check.removeprefix("jose.")


def test_a_good_token_gives_its_claims_and_the_key_that_signed_it():
    for good in (token(), token().decode(), sign_jws(CLAIMS, KEY, "at+jwt")):
        verified = verify_jws(good, KEYS, POLICY, AT)
        assert verified.claims == CLAIMS
        assert verified.key_id == "k1"


def test_unsigned_and_hmac_tokens_are_refused():
    payload = b64(json.dumps(CLAIMS).encode())
    for alg in ("none", "None", "nOnE", "HS256", "RS256", "", None, ["ES256"]):
        head = b64(json.dumps({"alg": alg, "typ": "at+jwt"}).encode())
        assert check_of(f"{head}.{payload}.") == "algorithm"
    spki = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = b64(b'{"alg":"HS256","typ":"at+jwt","kid":"k1"}')
    mac = hmac.new(spki, f"{head}.{payload}".encode(), hashlib.sha256).digest()
    assert check_of(f"{head}.{payload}.{b64(mac)}") == "algorithm"


@pytest.mark.parametrize(
    ("check", "header"),
    [
        ("crit", {"crit": ["exp"]}),
        ("crit", {"crit": []}),
        ("crit", {"crit": ["b64", "b64"], "b64": False}),
        ("header_key", {"b64": False}),
        ("header_key", {"jku": "https://evil.example/keys"}),
        ("header_key", {"x5u": "https://evil.example/chain"}),
        ("header_key", {"jwk": {"kty": "EC"}}),
        ("header_key", {"x5c": []}),
        ("header_key", {"zip": "DEF"}),
        ("typ", {"typ": "JWT"}),
        ("typ", {"typ": "dpop+jwt"}),
        ("typ", {"typ": None}),
        ("kid", {"kid": 1}),
        ("kid", {"kid": ""}),
        ("key_unknown", {"kid": "other"}),
        ("key_unknown", {"kid": "../../etc/passwd"}),
    ],
)
def test_headers_that_another_reader_might_obey_are_refused(check, header):
    assert check_of(token(HEADER | header)) == check


def test_media_type_prefix_and_case_of_typ_do_not_matter():
    assert verify_jws(token(HEADER | {"typ": "application/AT+jwt"}), KEYS, POLICY, AT).claims == CLAIMS


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("duplicate_member", b'{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"k1"}'),
        ("duplicate_member", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":{"a":1,"\\u0061":2}}'),
        ("json", b'\xef\xbb\xbf{"alg":"ES256","typ":"at+jwt","kid":"k1"}'),
        ("json", b' {"alg":"ES256","typ":"at+jwt","kid":"k1"}'),
        ("json", '{"alg":"ES256"}'.encode("utf-16")),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","n":NaN}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","n":1e999}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1"}{}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1",}'),
        ("json", b'["ES256"]'),
        ("json", b'{"n":' + b"9" * 5000 + b"}"),
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"\xff"}'),
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"\\ud800"}'),
        ("depth", b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"),
        ("depth", b'{"a":' + b'{"a":' * 9 + b"1" + b"}" * 10),
    ],
)
def test_headers_with_two_readings_are_refused(check, text):
    assert check_of(raw_header(text)) == check


def test_brackets_inside_strings_are_not_depth():
    verified = verify_jws(token(HEADER | {"note": '[[[[[[{{{{{{"\\'}), KEYS, POLICY, AT)
    assert verified.claims == CLAIMS


def test_hostile_quotes_cost_one_pass():
    text = b'{"a":"' + b'\\"' * 5_000 + b"{" * 20
    assert check_of(raw_header(text)) == "json"


def test_the_text_has_one_spelling():
    good = token()
    head, payload, signature = good.split(b".")
    assert check_of(good + b"=") == "base64url"
    assert check_of(head + b"=." + payload + b"." + signature) == "base64url"
    assert check_of(good + b"\n") == "base64url"
    assert check_of(b" " + good) == "base64url"
    assert check_of(good.replace(b".", b"..", 1)) == "compact"
    assert check_of(good + b".") == "compact"
    assert check_of(head + b"." + payload) == "compact"
    assert check_of("eyJhbGciOiJFUzI1NiJ9\uff0eeyJ9.AA") == "compact"
    assert check_of(json.dumps({"payload": "", "signatures": []})) == "compact"
    # The last character of 64 bytes carries 4 unused bits: a sibling spelling decodes to the same signature.
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(good[-1]) ^ 1 : (alphabet.index(good[-1]) ^ 1) + 1]
    assert base64.urlsafe_b64decode(signature[:-1] + sibling + b"==") == base64.urlsafe_b64decode(signature + b"==")
    assert check_of(good[:-1] + sibling) == "base64url"


def test_oversize_is_refused_before_it_is_read():
    assert check_of(b"a" * (POLICY.max_bytes + 1)) == "oversize"


def test_signatures_in_another_encoding_or_length_are_refused():
    head, payload, signature = token().split(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    for other in (der, raw + b"\0", raw[:-1], b"\0" + raw, b""):
        assert check_of(head + b"." + payload + b"." + b64(other).encode()) == "signature_length"
    for other in (bytes(64), raw[:32] + bytes(32), b"\xff" * 64):
        assert check_of(head + b"." + payload + b"." + b64(other).encode()) == "signature"


def test_a_changed_payload_or_key_is_refused():
    head, _, signature = token().split(b".")
    forged = b64(json.dumps(CLAIMS | {"sub": "admin"}).encode()).encode()
    assert check_of(head + b"." + forged + b"." + signature) == "signature"
    assert check_of(token(key=ec.generate_private_key(ec.SECP256R1()))) == "signature"
    assert check_of(token({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"}, key=ED_KEY)) == "key_unknown"


@pytest.mark.parametrize(
    ("check", "claims"),
    [
        ("time", {"exp": str(NOW + 60)}),
        ("time", {"exp": True}),
        ("time", {"exp": None}),
        ("time", {"exp": -1}),
        ("time", {"exp": 10**15}),
        ("time", {"exp": [NOW + 60]}),
        ("time", {"nbf": "0"}),
        ("time", {"iat": {}}),
        ("expired", {"exp": NOW - 31}),
        ("not_yet_valid", {"nbf": NOW + 31}),
        ("issued_in_future", {"iat": NOW + 31}),
        ("issuer", {"iss": "other"}),
        ("claim_type", {"iss": ["utility"]}),
        ("claim_type", {"jti": 7}),
        ("audience", {"aud": "other"}),
        ("audience", {"aud": []}),
        ("audience", {"aud": None}),
        ("audience", {"aud": ["gateway", 1]}),
        ("audience", {"aud": {"gateway": 1}}),
    ],
)
def test_claims_of_the_wrong_type_time_or_name_are_refused(check, claims):
    assert check_of(token(payload=CLAIMS | claims)) == check


def test_payload_must_be_one_object():
    for payload in (b"[]", b"null", b'{"iss":"a","iss":"utility"}', b"\xef\xbb\xbf{}", b""):
        assert check_of(token(payload=payload)) in ("json", "duplicate_member")


def test_ages_and_lifetimes_are_bounded():
    short = JwsPolicy(typ=frozenset({"at+jwt"}), max_age=timedelta(minutes=1), max_lifetime=timedelta(minutes=5))
    assert check_of(token(payload={"iat": NOW - 120, "exp": NOW + 60}), policy=short) == "too_old"
    assert check_of(token(payload={"exp": NOW + 60}), policy=short) == "too_old"
    assert check_of(token(payload={"iat": NOW, "exp": NOW + 301}), policy=short) == "lifetime"
    assert check_of(token(payload={"iat": NOW}), policy=short) == "claim_missing"
    needs = JwsPolicy(typ=frozenset({"at+jwt"}), required=frozenset({"jti"}))
    for missing in ({}, {"jti": ""}, {"jti": None}):
        assert check_of(token(payload=missing), policy=needs) == "claim_missing"


def test_an_empty_policy_is_refused():
    for wrong in ({"typ": frozenset()}, {"typ": frozenset({"x"}), "algorithms": frozenset()}):
        with pytest.raises(ValueError, match="policy"):
            JwsPolicy(**wrong)
    with pytest.raises(ValueError, match="policy"):
        JwsPolicy(typ=frozenset({"x"}), algorithms=frozenset({"HS256"}))
    with pytest.raises(ValueError, match="audience"):
        JwsPolicy(typ=frozenset({"x"}), audience=frozenset())


def test_a_proof_key_proves_possession_and_is_named_by_its_thumbprint():
    policy = JwsPolicy(typ=frozenset({"dpop+jwt"}), proof_key=True)
    public = export_jwk(KEY.public())
    bare = {name: public[name] for name in ("kty", "crv", "x", "y")}
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": bare}
    verified = verify_jws(token(header), (), policy, AT)
    assert verified.key_id == thumbprint(EC_KEY.public_key()) == ECKey.import_key(bare).thumbprint()
    assert check_of(token(header | {"jwk": bare | {"d": "AA"}}), policy=policy) == "jwk_private"
    assert check_of(token(header | {"jwk": "k1"}), policy=policy) == "jwk"
    assert check_of(token(HEADER | {"typ": "dpop+jwt"}), policy=policy) == "header_key"
    other = ec.generate_private_key(ec.SECP256R1())
    assert check_of(token(header, key=other), policy=policy) == "signature"


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
        {},
    ],
)
def test_keys_that_are_weak_foreign_or_off_the_curve_are_refused(jwk):
    with pytest.raises(JoseRefused) as refused:
        parse_jwk(jwk)
    assert refused.value.check == "jose.jwk"


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


def test_rsa_tokens_verify_where_the_policy_allows_them():
    policy = JwsPolicy(typ=frozenset({"at+jwt"}), algorithms=frozenset({"RS256", "PS256"}))
    keys = [VerificationKey("k1", RSA_KEY.public_key(), frozenset({"RS256", "PS256"}))]
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    for alg, pad in (("RS256", padding.PKCS1v15()), ("PS256", pss)):
        head = b64(json.dumps(HEADER | {"alg": alg}).encode())
        signing_input = f"{head}.{b64(json.dumps(CLAIMS).encode())}"
        good = f"{signing_input}.{b64(RSA_KEY.sign(signing_input.encode(), pad, hashes.SHA256()))}"
        assert verify_jws(good, keys, policy, AT).claims == CLAIMS
        assert check_of(good, keys, POLICY) == "algorithm"


def test_a_malleable_copy_is_the_same_message_with_the_same_meaning():
    """ECDSA's n−s copy cannot be told from a signature, so replay caches are keyed on iss and jti, not on bytes."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    head, payload, signature = token().split(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    twin = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    copy = head + b"." + payload + b"." + b64(twin).encode()
    assert copy != token()
    assert verify_jws(copy, KEYS, POLICY, AT).claims["jti"] == "1"


def test_sm2_tokens_are_r_and_s_and_go_through_the_same_door():
    private = sm2.library().generate_private_key()
    header = HEADER | {"alg": "SM2-SM3"}
    signing_input = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(CLAIMS).encode())}".encode()
    der = private.sign(signing_input)
    policy = JwsPolicy(typ=frozenset({"at+jwt"}), algorithms=frozenset({"SM2-SM3"}))
    good = read_jws(signing_input + b"." + b64(sm2.signature_to_raw(der)).encode(), policy)
    check_signature(good, private.public_key.spki)
    with pytest.raises(JoseRefused):
        read_jws(signing_input + b"." + b64(der).encode(), policy)
    with pytest.raises(SignatureInvalid):
        check_signature(good, sm2.library().generate_private_key().public_key.spki)
    with pytest.raises(JoseRefused) as refused:
        check_signature(good, EC_KEY.public_key())
    assert refused.value.check == "jose.key_type"


def _joserfc_accepts(text: bytes):
    try:
        key, registry = ECKey.import_key(EC_KEY), JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        return json.loads(joserfc.jws.deserialize_compact(text, key, registry=registry).payload)
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _pyjwt_accepts(text: bytes):
    try:
        return jwt.decode(
            text,
            EC_KEY.public_key(),
            algorithms=["ES256"],
            audience="gateway",
            issuer="utility",
            leeway=30,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
        return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
member_names = st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "b64", "iss", "aud", "iat", "jti", "x"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    header=st.dictionaries(member_names, json_values, max_size=3),
    claims=st.dictionaries(member_names, json_values, max_size=4),
)
def test_what_is_accepted_pyjwt_accepts_with_the_same_claims(header, claims):
    text = seal({**HEADER, **header}, CLAIMS | claims, EC_KEY, "ES256")
    try:
        ours = verify_jws(text, KEYS, POLICY, AT).claims
    except JoseRefused:
        return
    assert _pyjwt_accepts(text) == ours
    assert _joserfc_accepts(text) == ours


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 400), byte=st.integers(0, 255))
def test_no_changed_byte_is_accepted_and_nothing_but_a_refusal_is_raised(position, byte):
    good = token()
    position %= len(good)
    bad = good[:position] + bytes([byte]) + good[position + 1 :]
    if bad != good:
        check_of(bad)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=100))
def test_rubbish_is_refused(data):
    check_of(data)
