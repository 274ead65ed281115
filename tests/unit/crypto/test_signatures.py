"""The scheme seam: each scheme signs and verifies, and takes neither another's key, curve, length nor encoding."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding as KeyEncoding
from cryptography.hazmat.primitives.serialization import PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable, KeyUnfit, SignatureInvalid
from gateway.crypto.signatures import Encoding, Scheme, sign, verify_signature
from tests.support.keys import RSA_KEY

MESSAGE = "办电".encode()
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
SM2 = sm2.generate_private_key()

ECDSA_HASHES = {
    Scheme.ECDSA_SHA256: hashes.SHA256(),
    Scheme.ECDSA_SHA384: hashes.SHA384(),
    Scheme.ECDSA_SHA512: hashes.SHA512(),
}
RSA_PADDINGS = {
    Scheme.RS256: (padding.PKCS1v15(), hashes.SHA256()),
    Scheme.RS384: (padding.PKCS1v15(), hashes.SHA384()),
    Scheme.RS512: (padding.PKCS1v15(), hashes.SHA512()),
    Scheme.PS256: (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
    Scheme.PS384: (padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()),
    Scheme.PS512: (padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512()),
}

SIGNED = {
    Scheme.ES256: (P256.public_key(), sign(Scheme.ES256, P256, MESSAGE)),
    Scheme.ES384: (P384.public_key(), sign(Scheme.ES384, P384, MESSAGE)),
    Scheme.EDDSA: (ED25519.public_key(), sign(Scheme.EDDSA, ED25519, MESSAGE)),
    **{scheme: (RSA_KEY.public_key(), RSA_KEY.sign(MESSAGE, *how)) for scheme, how in RSA_PADDINGS.items()},
    **{scheme: (P256.public_key(), P256.sign(MESSAGE, ec.ECDSA(how))) for scheme, how in ECDSA_HASHES.items()},
    Scheme.SM2_SM3: (SM2.public_key, sign(Scheme.SM2_SM3, SM2, MESSAGE, encoding=Encoding.RAW)),
}
STANDARD_SPKIS = [
    key.public_bytes(KeyEncoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for key in (P256.public_key(), P384.public_key(), ED25519.public_key(), RSA_KEY.public_key())
]


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
    if type(key) is type(SIGNED[scheme][0]) and {scheme, other} != {Scheme.ES256, Scheme.ES384}:
        return
    with pytest.raises(KeyUnfit):
        verify_signature(scheme, key, MESSAGE, SIGNED[scheme][1])


@pytest.mark.parametrize("scheme", RSA_PADDINGS)
@pytest.mark.parametrize("other", RSA_PADDINGS)
def test_rsa_paddings_and_hashes_are_not_mixed_up(scheme: Scheme, other: Scheme) -> None:
    if scheme is other:
        return
    with pytest.raises(SignatureInvalid):
        verify_signature(scheme, RSA_KEY.public_key(), MESSAGE, SIGNED[other][1])


@pytest.mark.parametrize("scheme", ECDSA_HASHES)
@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
def test_certificates_bring_curve_and_hash_apart(scheme: Scheme, curve: type[ec.EllipticCurve]) -> None:
    """RFC 5758 §3.2: the identifier names the hash, the key brings the curve; the signature is DER."""
    private = ec.generate_private_key(curve())
    signature = private.sign(MESSAGE, ec.ECDSA(ECDSA_HASHES[scheme]))
    verify_signature(scheme, private.public_key(), MESSAGE, signature)
    verify_signature(scheme, private.public_key(), MESSAGE, signature, encoding=Encoding.DER)
    for other in ECDSA_HASHES.keys() - {scheme}:
        with pytest.raises(SignatureInvalid):
            verify_signature(other, private.public_key(), MESSAGE, signature)
    with pytest.raises(SignatureInvalid):
        verify_signature(scheme, private.public_key(), MESSAGE, signature, encoding=Encoding.RAW)


def test_a_certificates_key_on_a_foreign_curve_is_unknown_and_not_wrong() -> None:
    private = ec.generate_private_key(ec.BrainpoolP256R1())
    signature = private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    spki = private.public_key().public_bytes(KeyEncoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for key in (private.public_key(), spki):
        with pytest.raises(AlgorithmUnavailable):
            verify_signature(Scheme.ECDSA_SHA256, key, MESSAGE, signature)
        with pytest.raises(KeyUnfit):
            verify_signature(Scheme.ES256, key, MESSAGE, bytes(64))


def test_pss_salt_is_as_long_as_the_digest() -> None:
    short = RSA_KEY.sign(MESSAGE, padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=0), hashes.SHA256())
    with pytest.raises(SignatureInvalid):
        verify_signature(Scheme.PS256, RSA_KEY.public_key(), MESSAGE, short)


def test_jose_signatures_are_raw_and_x509_signatures_are_der() -> None:
    key, raw = SIGNED[Scheme.ES256]
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    verify_signature(Scheme.ES256, key, MESSAGE, der, encoding=Encoding.DER)
    for signature, encoding in ((der, None), (der, Encoding.RAW), (raw, Encoding.DER), (der + b"\0", Encoding.DER)):
        with pytest.raises(SignatureInvalid):
            verify_signature(Scheme.ES256, key, MESSAGE, signature, encoding=encoding)


@pytest.mark.parametrize("scheme", [Scheme.ES256, Scheme.ES384, Scheme.SM2_SM3])
def test_a_zero_octet_between_r_and_s_changes_no_number_and_is_refused(scheme: Scheme) -> None:
    key, raw = SIGNED[scheme]
    half = len(raw) // 2
    with pytest.raises(SignatureInvalid):
        verify_signature(scheme, key, MESSAGE, raw[:half] + b"\0" + raw[half:])


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


@pytest.mark.parametrize("scheme", ["ES256", "EdDSA", "SM2-SM3"])
def test_any_bytes_will_do_and_nothing_else(scheme: str) -> None:
    key = {"ES256": lambda: ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate}.get(
        scheme, sm2.generate_private_key
    )()
    public = key.public_key if isinstance(key, sm2.Sm2PrivateKey) else key.public_key()
    signature = sign(scheme, key, b"message")
    for kind in (bytes, bytearray, memoryview):
        verify_signature(scheme, public, kind(b"message"), kind(signature))
    for wrong in (None, "message", 7, [1, 2]):
        with pytest.raises(TypeError):
            verify_signature(scheme, public, wrong, signature)
        with pytest.raises(TypeError):
            verify_signature(scheme, public, b"message", wrong)


def test_signing_in_der_on_request() -> None:
    r, s = decode_dss_signature(sign(Scheme.ES256, P256, MESSAGE, encoding=Encoding.DER))
    verify_signature(Scheme.ES256, P256.public_key(), MESSAGE, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_signing_with_an_unfit_key() -> None:
    for scheme, key in ((Scheme.ES256, P384), (Scheme.ES256, ED25519), (Scheme.EDDSA, P256), (Scheme.SM2_SM3, P256)):
        with pytest.raises(KeyUnfit):
            sign(scheme, key, MESSAGE)
    with pytest.raises(AlgorithmUnavailable):
        sign(Scheme.RS256, P256, MESSAGE)


@pytest.mark.parametrize("scheme", ["none", "HS256", "es256", "ES512", "", "ES256\0", None, 7, ["ES256"]])
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


keys = (
    st.sampled_from([key for key, _ in SIGNED.values()]) | st.binary(max_size=200) | st.sampled_from([None, "key", 7])
)
spkis = st.sampled_from([sm2.generate_private_key().public_key.spki, *STANDARD_SPKIS])


@st.composite
def spoilt_keys(draw: st.DrawFn) -> bytes:
    """A real SubjectPublicKeyInfo with a byte changed, left out or put in."""
    spki = bytearray(draw(spkis))
    position = draw(st.integers(0, len(spki) - 1))
    spki[position : position + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(spki)


@settings(max_examples=400, deadline=None)
@given(
    scheme=st.sampled_from(list(Scheme)) | st.text(max_size=10),
    key=keys | spoilt_keys(),
    message=st.binary(max_size=100),
    signature=st.binary(max_size=150) | st.sampled_from([signature for _, signature in SIGNED.values()]),
    encoding=st.sampled_from([None, *Encoding, "der"]),
)
def test_whatever_comes_in_nothing_but_a_refusal_comes_out(scheme, key, message, signature, encoding) -> None:
    with pytest.raises((SignatureInvalid, KeyUnfit, AlgorithmUnavailable)):
        verify_signature(scheme, key, message, signature, encoding=encoding)
