"""The scheme seam: each scheme signs and verifies, and takes neither another's key, curve, length nor encoding."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding as KeyEncoding
from cryptography.hazmat.primitives.serialization import PublicFormat

from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable, KeyUnfit, SignatureInvalid
from gateway.crypto.signatures import Encoding, Scheme, sign, verify_signature

MESSAGE = "办电".encode()
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
SM2 = sm2.generate_private_key()
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)

SIGNED = {
    Scheme.ES256: (P256.public_key(), sign(Scheme.ES256, P256, MESSAGE)),
    Scheme.ES384: (P384.public_key(), sign(Scheme.ES384, P384, MESSAGE)),
    Scheme.EDDSA: (ED25519.public_key(), sign(Scheme.EDDSA, ED25519, MESSAGE)),
    Scheme.RS256: (RSA.public_key(), RSA.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())),
    Scheme.PS256: (RSA.public_key(), RSA.sign(MESSAGE, PSS, hashes.SHA256())),
    Scheme.SM2_SM3: (SM2.public_key, sign(Scheme.SM2_SM3, SM2, MESSAGE, encoding=Encoding.RAW)),
}


@pytest.mark.parametrize("scheme", Scheme)
def test_each_scheme_verifies_by_key_object_and_by_der(scheme: Scheme) -> None:
    key, signature = SIGNED[scheme]
    verify_signature(scheme, key, MESSAGE, signature)
    verify_signature(scheme.value, key, MESSAGE, signature)
    spki = (
        key.spki
        if isinstance(key, sm2.Sm2PublicKey)
        else key.public_bytes(KeyEncoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    verify_signature(scheme, spki, MESSAGE, signature)


@pytest.mark.parametrize("scheme", Scheme)
def test_spoilt_signatures_are_refused(scheme: Scheme) -> None:
    key, signature = SIGNED[scheme]
    wrong = [b"", signature[:-1], signature + b"\0", bytes(len(signature)), b"\xff" * len(signature)]
    for position in (0, len(signature) // 2, len(signature) - 1):
        spoilt = bytearray(signature)
        spoilt[position] ^= 0x10
        wrong.append(bytes(spoilt))
    for candidate in wrong:
        with pytest.raises(SignatureInvalid):
            verify_signature(scheme, key, MESSAGE, candidate)
    with pytest.raises(SignatureInvalid):
        verify_signature(scheme, key, MESSAGE + b".", signature)


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("other", Scheme)
def test_no_scheme_takes_anothers_key(scheme: Scheme, other: Scheme) -> None:
    key = SIGNED[other][0]
    if key is SIGNED[scheme][0] or {scheme, other} == {Scheme.RS256, Scheme.PS256}:
        return
    with pytest.raises(KeyUnfit):
        verify_signature(scheme, key, MESSAGE, SIGNED[scheme][1])


def test_the_two_rsa_paddings_are_not_mixed_up() -> None:
    key = RSA.public_key()
    for scheme, other in ((Scheme.RS256, Scheme.PS256), (Scheme.PS256, Scheme.RS256)):
        with pytest.raises(SignatureInvalid):
            verify_signature(scheme, key, MESSAGE, SIGNED[other][1])


def test_pss_salt_is_as_long_as_the_digest() -> None:
    short = RSA.sign(MESSAGE, padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=0), hashes.SHA256())
    with pytest.raises(SignatureInvalid):
        verify_signature(Scheme.PS256, RSA.public_key(), MESSAGE, short)


def test_jose_signatures_are_raw_and_x509_signatures_are_der() -> None:
    key, raw = SIGNED[Scheme.ES256]
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    verify_signature(Scheme.ES256, key, MESSAGE, der, encoding=Encoding.DER)
    for signature, encoding in ((der, None), (der, Encoding.RAW), (raw, Encoding.DER), (der + b"\0", Encoding.DER)):
        with pytest.raises(SignatureInvalid):
            verify_signature(Scheme.ES256, key, MESSAGE, signature, encoding=encoding)


def test_sm2_takes_both_encodings_unless_one_is_demanded() -> None:
    key, raw = SIGNED[Scheme.SM2_SM3]
    der = sm2.signature_to_der(raw)
    for signature in (raw, der):
        verify_signature(Scheme.SM2_SM3, key, MESSAGE, signature)
        verify_signature(Scheme.SM2_SM3, key, MESSAGE, signature, encoding=Encoding.EITHER)
    verify_signature(Scheme.SM2_SM3, key, MESSAGE, der, encoding=Encoding.DER)
    for signature, encoding in ((der, Encoding.RAW), (raw, Encoding.DER)):
        with pytest.raises(SignatureInvalid):
            verify_signature(Scheme.SM2_SM3, key, MESSAGE, signature, encoding=encoding)


def test_signing_in_der_on_request() -> None:
    r, s = decode_dss_signature(sign(Scheme.ES256, P256, MESSAGE, encoding=Encoding.DER))
    verify_signature(Scheme.ES256, P256.public_key(), MESSAGE, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_signing_with_an_unfit_key() -> None:
    for scheme, key in ((Scheme.ES256, P384), (Scheme.ES256, ED25519), (Scheme.EDDSA, P256), (Scheme.SM2_SM3, P256)):
        with pytest.raises(KeyUnfit):
            sign(scheme, key, MESSAGE)
    with pytest.raises(AlgorithmUnavailable):
        sign(Scheme.RS256, P256, MESSAGE)


@pytest.mark.parametrize("scheme", ["none", "HS256", "es256", "ES512", ""])
def test_unknown_schemes_are_unavailable(scheme: str) -> None:
    with pytest.raises(AlgorithmUnavailable):
        verify_signature(scheme, P256.public_key(), MESSAGE, bytes(64))


def test_weak_rsa_is_unfit() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    signature = weak.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(KeyUnfit):
        verify_signature(Scheme.RS256, weak.public_key(), MESSAGE, signature)


@pytest.mark.parametrize("encoded", [b"", b"\x30\x00", b"-----BEGIN PUBLIC KEY-----"])
@pytest.mark.parametrize("scheme", Scheme)
def test_bytes_that_are_no_key_are_unfit(scheme: Scheme, encoded: bytes) -> None:
    with pytest.raises(KeyUnfit):
        verify_signature(scheme, encoded, MESSAGE, bytes(64))
