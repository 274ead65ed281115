"""Which keys are taken, and by which AlgorithmIdentifier: forms, bounds, RSASSA-PSS parameters, PEM."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode, encode_integer, parse
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid
from gateway.crypto.schemes import JOSE_SCHEMES, Scheme, scheme_of
from gateway.crypto.signatures import load_public_key, verify_signature
from tests.support.keys import RSA_KEY

P256 = ec.generate_private_key(ec.SECP256R1())
N = RSA_KEY.public_key().public_numbers().n
NULL = b"\x05\x00"
HASHES = {"sha256": "0609608648016503040201", "sha384": "0609608648016503040202", "sha512": "0609608648016503040203"}
SHA1, MGF1, PSS = "06052b0e03021a", "06092a864886f70d010108", "06092a864886f70d01010a"
EC_OID, RSA_OID, P256_OID = "06072a8648ce3d0201", "06092a864886f70d010101", "06082a8648ce3d030107"
# FIPS 186-5 / SEC 2: the domain parameters of P-256.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = bytes.fromhex(
    "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
    "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def sequence(*parts: bytes) -> bytes:
    return encode(Tag.SEQUENCE, *parts)


def spki(algorithm: bytes, key: bytes) -> bytes:
    return sequence(algorithm, encode(Tag.BIT_STRING, b"\0" + key))


def rsa_spki(n: int, e: int, oid: str = RSA_OID, parameters: bytes = NULL) -> bytes:
    return spki(sequence(bytes.fromhex(oid), parameters), sequence(encode_integer(n), encode_integer(e)))


def ec_spki(point: bytes, parameters: bytes) -> bytes:
    return spki(sequence(bytes.fromhex(EC_OID), parameters), point)


def pss_parameters(digest: str, mask: str, salt: int, trailer: int | None = None) -> bytes:
    one = sequence(bytes.fromhex(digest), NULL)
    two = sequence(bytes.fromhex(MGF1), sequence(bytes.fromhex(mask), NULL))
    fields = [encode(0xA0, one), encode(0xA1, two), encode(0xA2, encode_integer(salt))]
    return sequence(*fields, *([] if trailer is None else [encode(0xA3, encode_integer(trailer))]))


def der(key) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


POINT = P256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
COMPRESSED = P256.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
EXPLICIT = sequence(
    encode_integer(1),
    sequence(bytes.fromhex("06072a8648ce3d0101"), encode_integer(P)),
    sequence(encode(Tag.OCTET_STRING, (P - 3).to_bytes(32)), encode(Tag.OCTET_STRING, B.to_bytes(32))),
    encode(Tag.OCTET_STRING, G),
    encode_integer(ORDER),
    encode_integer(1),
)
NAMED = bytes.fromhex(P256_OID)
GOOD_PSS = pss_parameters(*[HASHES["sha256"]] * 2, 32).hex()


def test_a_compressed_point_is_the_same_key() -> None:
    signature = P256.sign(b"m", ec.ECDSA(hashes.SHA256()))
    verify_signature(Scheme.ECDSA_SHA256, ec_spki(COMPRESSED, NAMED), b"m", signature)


@pytest.mark.parametrize(
    ("scheme", "encoded"),
    [
        pytest.param("ES256", ec_spki(POINT, EXPLICIT), id="explicit curve parameters"),
        pytest.param("ES256", ec_spki(bytes([6 + (POINT[-1] & 1)]) + POINT[1:], NAMED), id="hybrid point"),
        pytest.param("ES256", ec_spki(b"\0", NAMED), id="point at infinity"),
        pytest.param("ES256", ec_spki(POINT[:-1] + bytes([POINT[-1] ^ 1]), NAMED), id="off the curve"),
        pytest.param("ES256", ec_spki(POINT, NULL), id="inherited parameters"),
        pytest.param("ES256", ec_spki(POINT, NAMED + NULL), id="two parameters"),
        pytest.param("ES256", ec_spki(POINT, NAMED) + b"\0", id="bytes left over"),
        pytest.param("ES256", b"\x30\x81" + ec_spki(POINT, NAMED)[1:], id="long form of length"),
        pytest.param("RS256", rsa_spki(N, 1), id="exponent one"),
        pytest.param("RS256", rsa_spki(N, 65536), id="even exponent"),
        pytest.param("RS256", rsa_spki(N, N - 2), id="exponent as long as the modulus"),
        pytest.param("RS256", rsa_spki(N + 1, 65537), id="even modulus"),
        pytest.param("RS256", rsa_spki((1 << 16384) + 1, 65537), id="modulus of 16385 bits"),
        pytest.param("RS256", rsa_spki((1 << 2046) + 1, 65537), id="modulus of 2047 bits"),
        pytest.param("RS256", rsa_spki(N, 65537, parameters=sequence()), id="parameters that RSA has not"),
        pytest.param("RS256", rsa_spki(N, 65537, PSS, b""), id="PSS key for PKCS #1"),
        pytest.param("PS256", rsa_spki(N, 65537, PSS, pss_parameters(*[HASHES["sha512"]] * 2, 64)), id="other hash"),
        pytest.param("EdDSA", spki(sequence(bytes.fromhex("06032b6570"), NULL), bytes(32)), id="Ed25519 with NULL"),
        pytest.param("EdDSA", spki(sequence(bytes.fromhex("06032b6570")), b"\x01" + bytes(31)), id="neutral point"),
        pytest.param("EdDSA", der(ed448.Ed448PrivateKey.generate().public_key()), id="Ed448"),
        pytest.param("EdDSA", der(x25519.X25519PrivateKey.generate().public_key()), id="X25519"),
        pytest.param("ES256", sm2.generate_private_key().public_key.spki, id="SM2 key for ECDSA"),
        pytest.param("ES256", b"\x30" * 5000, id="oversize"),
        pytest.param("SM2-SM3", ec_spki(POINT, NAMED), id="P-256 key for SM2"),
        pytest.param("SM2-SM3", ec_spki(POINT, EXPLICIT), id="SM2 with explicit parameters"),
        pytest.param("SM2-SM3", ec_spki(COMPRESSED, bytes.fromhex("06082a811ccf5501822d")), id="SM2 compressed"),
        pytest.param("SM2-SM3", ec_spki(b"\0", bytes.fromhex("06082a811ccf5501822d")), id="SM2 at infinity"),
    ],
)
def test_keys_that_are_not_taken(scheme: str, encoded: bytes) -> None:
    with pytest.raises(KeyUnfit):
        load_public_key(scheme, encoded)


def test_a_dsa_key_is_not_taken() -> None:
    """Made here: the numbers of one take half a second, and every process collects the tests above."""
    with pytest.raises(KeyUnfit):
        load_public_key("RS256", der(dsa.generate_private_key(2048).public_key()))


def test_the_low_order_points_are_refused_as_objects_too() -> None:
    """Under the neutral point, R = sB is a signature of every message: Wycheproof's universal forgery."""
    neutral = ed25519.Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))
    base = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
    forged = base + (1).to_bytes(32, "little")
    neutral.verify(forged, b"anything")
    with pytest.raises(KeyUnfit):
        verify_signature("EdDSA", neutral, b"anything", forged)


def test_rsa_without_null_and_with_a_small_exponent_is_read() -> None:
    for encoded in (rsa_spki(N, 65537, parameters=b""), rsa_spki(N, 3)):
        load_public_key("RS256", encoded)


def test_a_pss_key_verifies_what_it_restricts_itself_to() -> None:
    how = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    signature = RSA_KEY.sign(b"m", how, hashes.SHA384())
    for parameters in (b"", pss_parameters(*[HASHES["sha384"]] * 2, 48)):
        verify_signature("PS384", rsa_spki(N, 65537, PSS, parameters), b"m", signature)
    with pytest.raises(AlgorithmUnavailable):
        load_public_key("PS384", rsa_spki(N, 65537, PSS, pss_parameters(*[HASHES["sha384"]] * 2, 20)))


def test_pem_is_taken_as_one_block() -> None:
    pem = P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert load_public_key("ES256", pem) == P256.public_key()
    assert load_public_key("ES256", pem.replace(b"\n", b"\r\n")) == P256.public_key()
    text = base64.encodebytes(sm2.generate_private_key().public_key.spki)
    load_public_key("SM2-SM3", b"-----BEGIN PUBLIC KEY-----\n" + text + b"-----END PUBLIC KEY-----\n")
    private = P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for wrong in (pem + pem, private, pem[:-30], pem.replace(b"MF", b"M*"), pem.replace(b"=", b"")):
        with pytest.raises(KeyUnfit):
            load_public_key("ES256", wrong)


@pytest.mark.parametrize(
    ("identifier", "scheme"),
    [
        ("06082a8648ce3d040302", Scheme.ECDSA_SHA256),
        ("06082a8648ce3d040303", Scheme.ECDSA_SHA384),
        ("06082a8648ce3d040304", Scheme.ECDSA_SHA512),
        ("06092a864886f70d01010b0500", Scheme.RS256),
        ("06092a864886f70d01010b", Scheme.RS256),
        ("06092a864886f70d01010c0500", Scheme.RS384),
        ("06092a864886f70d01010d0500", Scheme.RS512),
        ("06032b6570", Scheme.EDDSA),
        ("06082a811ccf55018375", Scheme.SM2_SM3),
        ("06082a811ccf550183750500", Scheme.SM2_SM3),
        (PSS + GOOD_PSS, Scheme.PS256),
        (PSS + pss_parameters(*[HASHES["sha384"]] * 2, 48).hex(), Scheme.PS384),
        (PSS + pss_parameters(*[HASHES["sha512"]] * 2, 64).hex(), Scheme.PS512),
        (PSS + pss_parameters(*[HASHES["sha256"]] * 2, 32, 1).hex(), Scheme.PS256),
    ],
)
def test_algorithm_identifiers(identifier: str, scheme: Scheme) -> None:
    assert scheme_of(sequence(bytes.fromhex(identifier))) is Scheme(scheme)


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param("06092a864886f70d0101050500", id="SHA-1 with RSA"),
        pytest.param("06092a864886f70d0101040500", id="MD5 with RSA"),
        pytest.param("06072a8648ce3d0401", id="ECDSA with SHA-1"),
        pytest.param("06032b6571", id="Ed448"),
        pytest.param(PSS, id="PSS without parameters"),
        pytest.param(PSS + "3000", id="PSS by default: SHA-1"),
        pytest.param(PSS + pss_parameters(SHA1, SHA1, 20).hex(), id="PSS with SHA-1"),
        pytest.param(PSS + pss_parameters(HASHES["sha256"], SHA1, 32).hex(), id="PSS with two hashes"),
        pytest.param(PSS + pss_parameters(*[HASHES["sha256"]] * 2, 20).hex(), id="PSS with a short salt"),
        pytest.param(PSS + pss_parameters(*[HASHES["sha256"]] * 2, 32, 2).hex(), id="PSS with another trailer"),
    ],
)
def test_algorithms_that_are_not_spoken_are_unknown(identifier: str) -> None:
    with pytest.raises(AlgorithmUnavailable):
        scheme_of(sequence(bytes.fromhex(identifier)))


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param("", id="empty"),
        pytest.param("0500", id="no name"),
        pytest.param("06082a8648ce3d0403020500", id="ECDSA with NULL"),
        pytest.param("06032b65700500", id="Ed25519 with NULL"),
        pytest.param("06092a864886f70d01010b05000500", id="two parameters"),
        pytest.param("06092a864886f70d01010b3000", id="RSA with a sequence"),
        pytest.param(PSS + "0500", id="PSS with NULL"),
        pytest.param(
            PSS + pss_parameters(HASHES["sha256"], HASHES["sha256"], 32).hex().replace("020120", "040120"),
            id="salt that is no number",
        ),
        pytest.param(PSS + "3006a0003003020120", id="empty hash"),
    ],
)
def test_malformed_identifiers(identifier: str) -> None:
    with pytest.raises(DerMalformed):
        scheme_of(sequence(bytes.fromhex(identifier)))


def test_tokens_never_see_the_schemes_of_certificates() -> None:
    assert {scheme.value for scheme in JOSE_SCHEMES} == {"ES256", "ES384", "EdDSA", "RS256", "PS256", "SM2-SM3"}


def test_a_signature_longer_than_the_modulus_is_refused() -> None:
    for scheme in ("RS256", "PS512"):
        with pytest.raises(SignatureInvalid) as told:
            verify_signature(scheme, RSA_KEY.public_key(), b"m", b"\0" + bytes(256))
        assert told.value.check == "signature.encoding"


def test_the_fixtures_are_what_they_say() -> None:
    assert parse(ec_spki(POINT, NAMED)).raw == der(P256.public_key())
    assert rsa_spki(N, 65537) == der(RSA_KEY.public_key())
