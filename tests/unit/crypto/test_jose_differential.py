"""What is accepted here, PyJWT and joserfc accept with the same claims: they are the references."""

import json

import joserfc.jws
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import VerificationKey
from gateway.crypto.jws import JwsPolicy, verify_jws
from tests.support.keys import RSA_KEY
from tests.support.tokens import AT, NOW, make_token

# RFC 9864 would have EdDSA named Ed25519; here the one means the other.
pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")

PRIVATE = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": RSA_KEY,
    "PS256": RSA_KEY,
}
THEIRS = {"ES256": ECKey, "ES384": ECKey, "EdDSA": OKPKey, "RS256": RSAKey, "PS256": RSAKey}
KEYS = [VerificationKey(f"k-{alg}", key.public_key(), frozenset({alg})) for alg, key in PRIVATE.items()]
POLICY = JwsPolicy(
    typ=frozenset({"at+jwt"}), algorithms=frozenset(PRIVATE), audience=frozenset({"gateway"}), issuer="utility"
)
CLAIMS = {"iss": "utility", "aud": "gateway", "exp": NOW + 60, "iat": NOW, "jti": "1"}
NO_TIMES = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
each_algorithm = pytest.mark.parametrize("alg", PRIVATE)


def header_of(alg):
    return {"alg": alg, "typ": "at+jwt", "kid": f"k-{alg}"}


def joserfc_accepts(text: bytes, alg: str):
    try:
        key, registry = THEIRS[alg].import_key(PRIVATE[alg]), JWSRegistry(algorithms=[alg], strict_check_header=False)
        return json.loads(joserfc.jws.deserialize_compact(text, key, registry=registry).payload)
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def pyjwt_accepts(text: bytes, alg: str):
    public, expected = PRIVATE[alg].public_key(), {"audience": "gateway", "issuer": "utility"}
    try:
        return jwt.decode(text, public, algorithms=[alg], leeway=30, options=NO_TIMES, **expected)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def agree(text: bytes, alg: str) -> bool:
    """True when all three accept with equal claims, False when we refuse; anything else fails the test."""
    try:
        ours = verify_jws(text, KEYS, POLICY, AT).claims
    except JoseRefused:
        return False
    assert pyjwt_accepts(text, alg) == ours
    assert joserfc_accepts(text, alg) == ours
    return True


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
member_names = st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "b64", "iss", "aud", "iat", "jti", "x"])
spelling = st.sampled_from(list(b'{}[]",:\\u0 \t\n-1e.\xef\xbb\xbf\xff') + list(range(256)))


@each_algorithm
def test_all_three_accept_a_good_token(alg):
    assert agree(make_token(header_of(alg), CLAIMS, PRIVATE[alg], alg), alg)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    alg=st.sampled_from(sorted(PRIVATE)),
    header=st.dictionaries(member_names, json_values, max_size=3),
    claims=st.dictionaries(member_names, json_values, max_size=4),
)
def test_other_members(alg, header, claims):
    agree(make_token(header_of(alg) | header, CLAIMS | claims, PRIVATE[alg], alg), alg)


@settings(max_examples=200, deadline=None)
@given(
    in_header=st.booleans(), position=st.integers(0, 200), taken=st.integers(0, 3), put=st.lists(spelling, max_size=3)
)
def test_other_spellings(in_header, position, taken, put):
    """The JSON itself is changed by a few bytes and then properly signed: two readings would come apart here."""
    head, body = (bytearray(json.dumps(part).encode()) for part in (header_of("EdDSA"), CLAIMS))
    changed = head if in_header else body
    position %= len(changed) + 1
    changed[position : position + taken] = bytes(put)
    agree(make_token(bytes(head), bytes(body), PRIVATE["EdDSA"], "EdDSA"), "EdDSA")


@settings(max_examples=200, deadline=None)
@given(alg=st.sampled_from(["ES256", "ES384", "EdDSA"]), position=st.integers(0, 500), byte=st.integers(0, 255))
def test_other_token_bytes(alg, position, byte):
    text = bytearray(make_token(header_of(alg), CLAIMS, PRIVATE[alg], alg))
    position %= len(text)
    same = text[position] == byte
    text[position] = byte
    assert agree(bytes(text), alg) is same
