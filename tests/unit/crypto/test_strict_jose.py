"""Attacks on tokens: RFC 8725 and what PyJWT lets through. PyJWT stays the reference for what is accepted."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from gateway.crypto import sm2
from gateway.crypto.errors import JoseRefused, SignatureInvalid
from gateway.crypto.jwk import SigningKey, VerificationKey, export_jwk, thumbprint
from gateway.crypto.jws import JwsPolicy, check_signature, read_jws, sign_jws, verify_jws
from tests.support.keys import RSA_KEY
from tests.support.tokens import AT, NOW, b64, make_token, malleable_twin, unb64

EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
KEY = SigningKey("k1", "ES256", EC_KEY)
KEYS = [KEY.public(), SigningKey("k2", "EdDSA", ED_KEY).public()]
POLICY = JwsPolicy(typ=frozenset({"at+jwt"}), audience=frozenset({"gateway"}), issuer="utility")
CLAIMS = {"iss": "utility", "aud": "gateway", "exp": NOW + 60, "iat": NOW, "jti": "1"}
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}


def token(header=HEADER, payload=CLAIMS, key=EC_KEY):
    return make_token(header, payload, key, header["alg"])


def raw_header(text: bytes) -> bytes:
    """A token whose header is exactly these bytes, properly signed."""
    return make_token(text, CLAIMS, EC_KEY)


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
    spellings = ["none", "None", "NONE", "nOnE", " none", "n\u006fne", "nоne", "HS256", "HS512", "hs256"]
    for alg in (*spellings, "RS256", "RS384", "PS512", "ecdsa-with-SHA256", "es256", "", None, 0, True, ["ES256"], {}):
        head = b64(json.dumps({"alg": alg, "typ": "at+jwt"}).encode())
        assert check_of(f"{head}.{payload}.") == "algorithm"
    spki = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = b64(b'{"alg":"HS256","typ":"at+jwt","kid":"k1"}')
    jwk = json.dumps(export_jwk(KEY.public())).encode()
    for secret in (
        spki,
        spki.strip(),
        b"",
        jwk,
        EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        mac = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
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
        ("header_key", {"x5t": b64(bytes(20))}),
        ("header_key", {"x5t#S256": b64(bytes(32))}),
        ("header_key", {"jwk": None}),
        ("header_key", {"jku": None}),
        ("header_key", {"x5u": ""}),
        ("header_key", {"epk": {}}),
        ("header_key", {"iss": "utility"}),
        ("header_key", {"b64": True}),
        ("crit", {"crit": None}),
        ("crit", {"crit": "exp"}),
        ("crit", {"crit": ["alg"]}),
        ("crit", {"crit": ["http://example.invalid/UNDEFINED"], "http://example.invalid/UNDEFINED": True}),
        ("header_key", {"zip": "DEF"}),
        ("typ", {"typ": "JWT"}),
        ("typ", {"typ": "dpop+jwt"}),
        ("typ", {"typ": None}),
        ("typ", {"typ": ""}),
        ("typ", {"typ": ["at+jwt"]}),
        ("typ", {"typ": "at+jwt "}),
        ("typ", {"typ": "application/application/at+jwt"}),
        ("typ", {"typ": "text/at+jwt"}),
        ("typ", {"typ": "at+jwt; charset=utf-8"}),
        ("kid", {"kid": None}),
        ("kid", {"kid": ["k1"]}),
        ("key_unknown", {"kid": "K1"}),
        ("key_unknown", {"kid": "k1 "}),
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
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":["\\udc00\\ud800"]}'),
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","\\ud800":1}'),
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":{"\\u0000":1}}'),
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":"a\\u0000"}'),
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":"\xed\xa0\x80"}'),
        ("encoding", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":"\xc0\xaf"}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":"a\0"}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":"a\tb"}'),
        ("json", b"{'alg':'ES256','typ':'at+jwt','kid':'k1'}"),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","n":01}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","n":+1}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","n":.5}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","n":0x1}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","n":-Infinity}'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1"}/* */'),
        ("json", b'{"alg":"ES256","typ":"at+jwt","kid":"k1"}\0'),
        ("json", b""),
        ("duplicate_member", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","k\\u0069d":"k1"}'),
        ("duplicate_member", b'{"alg":"ES256","typ":"at+jwt","kid":"k1","x":[{"a":1,"a":1}]}'),
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
    assert base64.urlsafe_b64decode(signature[:-1] + sibling + b"==") == unb64(signature)
    assert check_of(good[:-1] + sibling) == "base64url"


def test_oversize_is_refused_before_it_is_read():
    assert check_of(b"a" * (POLICY.max_bytes + 1)) == "oversize"


def test_signatures_in_another_encoding_or_length_are_refused():
    head, payload, signature = token().split(b".")
    raw = unb64(signature)
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
        ("time", {"iat": False}),
        ("time", {"nbf": None}),
        ("time", {"exp": "never"}),
        ("time", {"exp": 253_402_300_800}),
        ("expired", {"exp": 0}),
        ("expired", {"exp": -0.0}),
        ("time", {"iat": NOW * 1000}),
        ("not_yet_valid", {"nbf": NOW + 30.5}),
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


@pytest.mark.parametrize(
    "number", [b"1e400", b"-1e400", b"9" * 400, b"1" + b"0" * 5000, b"NaN", b"Infinity", b"1e999999"]
)
def test_numbers_that_no_clock_shows_are_refused(number):
    payload = json.dumps(CLAIMS).encode().replace(b'"exp": ' + str(NOW + 60).encode(), b'"exp": ' + number)
    assert number in payload
    assert check_of(token(payload=payload)) == "json"


def test_payload_must_be_one_object():
    for payload in (b"[]", b"null", b'{"iss":"a","iss":"utility"}', b"\xef\xbb\xbf{}", b""):
        assert check_of(token(payload=payload)) in ("json", "duplicate_member")


def test_parts_of_a_second_and_the_last_instant_count_for_the_stricter_side():
    for strict in ({"exp": NOW - 30}, {"exp": NOW - 29.5}, {"nbf": NOW + 30.5}, {"iat": NOW + 30.5}):
        assert check_of(token(payload=CLAIMS | strict)) in ("expired", "not_yet_valid", "issued_in_future")
    for still in ({"exp": NOW - 29}, {"nbf": NOW + 30}, {"iat": NOW + 30}):
        assert verify_jws(token(payload=CLAIMS | still), KEYS, POLICY, AT).claims == CLAIMS | still


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
    assert check_of(token(header | {"jwk": bare | {"alg": "ES384"}}), policy=policy) == "key_use"
    assert check_of(token(header | {"jwk": bare | {"use": "enc"}}), policy=policy) == "key_use"
    assert check_of(token(header | {"jwk": [bare]}), policy=policy) == "jwk"
    assert check_of(token(header | {"jwk": {}}), policy=policy) == "jwk"
    assert check_of(token(header | {"x5c": []}), policy=policy) == "header_key"


def test_an_embedded_key_bound_to_another_algorithm_is_refused():
    """Both paddings fit one RSA key; the key itself says which of them it is for."""
    policy = JwsPolicy(typ=frozenset({"dpop+jwt"}), algorithms=frozenset({"RS256", "PS256"}), proof_key=True)
    public = export_jwk(VerificationKey("k", RSA_KEY.public_key(), frozenset({"RS256"})))
    for alg, check in (("RS256", None), ("PS256", "key_type")):
        made = make_token({"alg": alg, "typ": "dpop+jwt", "jwk": public}, {}, RSA_KEY, alg)
        if check is None:
            verify_jws(made, (), policy, AT)
        else:
            assert check_of(made, (), policy) == check


def test_the_public_function_refuses_to_be_misused():
    with pytest.raises(ValueError, match="zone"):
        verify_jws(token(), KEYS, POLICY, AT.replace(tzinfo=None))
    with pytest.raises(ValueError, match="x5c"):
        verify_jws(token(), KEYS, JwsPolicy(typ=frozenset({"at+jwt"}), x5c=True), AT)


def test_keys_may_come_as_jwks_or_a_set_of_them():
    ec_jwk, ed_jwk = map(export_jwk, KEYS)
    other = ec_jwk | {"use": "enc", "kid": "other"}
    for keys in ([ec_jwk], ec_jwk, KEYS[0], {"keys": [other, ed_jwk, ec_jwk]}, iter([other, KEYS[0]])):
        assert verify_jws(token(), keys, POLICY, AT).claims == CLAIMS
    for keys, check in (([], "key_unknown"), ({"keys": []}, "key_unknown"), ([other], "key_use"), ([{}], "jwk")):
        assert check_of(token(), keys) == check
    for keys in (None, 5, "key", [None], ["key"], [EC_KEY.public_key()], {"keys": None}):
        with pytest.raises(TypeError):
            verify_jws(token(), keys, POLICY, AT)


def test_a_token_is_text_or_bytes_and_anything_else_is_refused():
    made = token()
    for kind in (bytes, bytearray, memoryview):
        assert verify_jws(kind(made), KEYS, POLICY, AT).claims == CLAIMS
    for wrong in (None, 5, {"payload": made}, [made]):
        assert check_of(wrong) == "compact"
    for at in (None, 5, "2026-11-23"):
        with pytest.raises(TypeError):
            verify_jws(made, KEYS, POLICY, at)


def test_one_text_in_a_policy_is_a_set_of_one_and_not_of_its_letters():
    """``"at+jwt" in "that+jwt"`` is true of two texts."""
    wider = JwsPolicy(typ="that+jwt", algorithms="ES256")
    assert check_of(token(), policy=wider) == "typ"
    for typ in ("at+jwt", ["AT+JWT"], ("application/at+jwt",)):
        assert verify_jws(token(), KEYS, JwsPolicy(typ=typ, algorithms=["ES256"]), AT).claims == CLAIMS
    with pytest.raises(ValueError, match="texts"):
        JwsPolicy(typ=[1])


def test_a_key_set_in_which_one_name_stands_twice_lends_no_authority():
    """kid confusion: of two keys of one name only the one that fits algorithm and signature counts."""
    other = ec.generate_private_key(ec.SECP256R1())
    twice = [VerificationKey("k1", other.public_key(), frozenset({"ES256"})), *KEYS]
    assert verify_jws(token(), twice, POLICY, AT).claims == CLAIMS
    ed = [VerificationKey("k1", ED_KEY.public_key(), frozenset({"EdDSA"}))]
    assert check_of(token(), ed) == "key_unknown"
    # A key that was registered for another algorithm than its type speaks is no help either.
    mixed = [VerificationKey("k1", ED_KEY.public_key(), frozenset({"ES256"}))]
    assert check_of(token(), mixed) == "key_type"
    many = [VerificationKey("k1", EC_KEY.public_key(), frozenset({"ES256"}))] * 5
    assert check_of(token(), many) == "kid"


def test_rsa_tokens_verify_where_the_policy_allows_them():
    policy = JwsPolicy(typ=frozenset({"at+jwt"}), algorithms=frozenset({"RS256", "PS256"}))
    keys = [VerificationKey("k1", RSA_KEY.public_key(), frozenset({"RS256", "PS256"}))]
    for alg in ("RS256", "PS256"):
        good = make_token(HEADER | {"alg": alg}, CLAIMS, RSA_KEY, alg)
        assert verify_jws(good, keys, policy, AT).claims == CLAIMS
        assert check_of(good, keys, POLICY) == "algorithm"


def test_a_malleable_copy_is_the_same_message_with_the_same_meaning():
    """ECDSA's n−s copy cannot be told from a signature, so replay caches are keyed on iss and jti, not on bytes."""
    copy = malleable_twin(token().decode())
    assert copy != token()
    assert verify_jws(copy, KEYS, POLICY, AT).claims["jti"] == "1"


def test_sm2_tokens_are_r_and_s_and_go_through_the_same_door():
    private = sm2.library().generate_private_key()
    header = HEADER | {"alg": "SM2-SM3"}
    keys = [VerificationKey("k1", private.public_key.spki, frozenset({"SM2-SM3"}))]
    signing_input = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(CLAIMS).encode())}".encode()
    der = private.sign(signing_input)
    policy = JwsPolicy(typ=frozenset({"at+jwt"}), algorithms=frozenset({"SM2-SM3"}))
    good = read_jws(signing_input + b"." + b64(sm2.signature_to_raw(der)).encode(), policy)
    check_signature(good, private.public_key.spki)
    assert verify_jws(signing_input + b"." + b64(good.signature).encode(), keys, policy, AT).claims == CLAIMS
    with pytest.raises(JoseRefused):
        read_jws(signing_input + b"." + b64(der).encode(), policy)
    with pytest.raises(SignatureInvalid):
        check_signature(good, sm2.library().generate_private_key().public_key.spki)
    with pytest.raises(JoseRefused) as refused:
        check_signature(good, EC_KEY.public_key())
    assert refused.value.check == "jose.key_type"


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
