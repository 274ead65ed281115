"""The one seam through which every signature is verified: JWS, X.509 and OFD alike.

`verify_signature` returns None or raises; there is no boolean to forget. Keys are parsed once: pass key objects, or
SubjectPublicKeyInfo in DER, which is cached by its bytes.

Sources: RFC 7518 §3 (ES*, RS*, PS*), RFC 8037 (EdDSA), GB/T 32918.2 (SM2 with SM3; JOSE has no name for it, ours is in
docs/divergences.md), RFC 3279 / RFC 5758 / GM/T 0006 for the object identifiers.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.crypto import sm2
from gateway.crypto.der import parse_integer_pair
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey | sm2.Sm2PublicKey | bytes
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | sm2.Sm2PrivateKey

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
"""Above this a single key could be used to keep the gateway busy."""


class Scheme(StrEnum):
    """Signature schemes, by their JOSE names where there is one."""

    ES256 = "ES256"
    ES384 = "ES384"
    EDDSA = "EdDSA"
    RS256 = "RS256"
    PS256 = "PS256"
    SM2_SM3 = "SM2-SM3"


class Encoding(StrEnum):
    """How an elliptic-curve signature is written. RSA and EdDSA have one form and take no notice."""

    RAW = "raw"
    """r‖s, each as long as the curve's order: JOSE."""
    DER = "der"
    """SEQUENCE {r, s}: X.509, CRLs, CMS."""
    EITHER = "either"
    """Both, as electronic seals are found in the field; SM2 only."""


SCHEME_BY_OID: Final = {
    "1.2.156.10197.1.501": Scheme.SM2_SM3,
    "1.2.840.10045.4.3.2": Scheme.ES256,
    "1.2.840.10045.4.3.3": Scheme.ES384,
    "1.3.101.112": Scheme.EDDSA,
    "1.2.840.113549.1.1.11": Scheme.RS256,
}
"""Signature algorithm identifiers of X.509 and electronic seals that name their scheme completely."""

_CURVES: Final[dict[Scheme, tuple[type[ec.EllipticCurve], int, hashes.HashAlgorithm]]] = {
    Scheme.ES256: (ec.SECP256R1, 32, hashes.SHA256()),
    Scheme.ES384: (ec.SECP384R1, 48, hashes.SHA384()),
}
_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)


def verify_signature(
    scheme: Scheme | str,
    public_key: PublicKey,
    message: bytes,
    signature: bytes,
    *,
    encoding: Encoding | None = None,
) -> None:
    """Prove that ``signature`` over ``message`` was made by the holder of ``public_key`` under ``scheme``.

    ``public_key`` is a key object, or SubjectPublicKeyInfo in DER. ``encoding`` None means the scheme's own habit: r‖s
    of exact length for ES256/ES384 as in JOSE, DER or r‖s for SM2. Verifying X.509, pass `Encoding.DER`; verifying
    SM2 in a JWS, pass `Encoding.RAW`.

    Raises `SignatureInvalid` (also for a wrong length or encoding), `KeyUnfit` (a key of another type, curve or
    strength, or no key at all) and `AlgorithmUnavailable` (unknown scheme; no library for SM2).
    """
    scheme = _known(scheme)
    key = load_public_key(scheme, public_key) if isinstance(public_key, bytes) else public_key
    try:
        if isinstance(key, sm2.Sm2PublicKey) and scheme is Scheme.SM2_SM3:
            _check_sm2_encoding(signature, encoding)
            key.verify(message, signature)
        elif isinstance(key, ec.EllipticCurvePublicKey) and scheme in _CURVES:
            _verify_ecdsa(scheme, key, message, signature, encoding)
        elif isinstance(key, ed25519.Ed25519PublicKey) and scheme is Scheme.EDDSA:
            key.verify(signature, message)
        elif isinstance(key, rsa.RSAPublicKey) and scheme in (Scheme.RS256, Scheme.PS256):
            _verify_rsa(scheme, key, message, signature)
        else:
            raise KeyUnfit
    except (InvalidSignature, DerMalformed):
        raise SignatureInvalid from None
    except UnsupportedAlgorithm:
        raise AlgorithmUnavailable from None


def sign(scheme: Scheme | str, private_key: PrivateKey, message: bytes, *, encoding: Encoding | None = None) -> bytes:
    """Sign ``message``: ES256/ES384 (r‖s, or DER when asked), EdDSA, or SM2 (DER, or r‖s when asked).

    Raises `KeyUnfit` when the key is not of the scheme's type or curve, `AlgorithmUnavailable` for any other scheme.
    """
    scheme = _known(scheme)
    if isinstance(private_key, sm2.Sm2PrivateKey) and scheme is Scheme.SM2_SM3:
        signature = private_key.sign(message)
        return sm2.signature_to_raw(signature) if encoding is Encoding.RAW else signature
    if isinstance(private_key, ed25519.Ed25519PrivateKey) and scheme is Scheme.EDDSA:
        return private_key.sign(message)
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and scheme in _CURVES:
        curve, width, digest = _CURVES[scheme]
        if not isinstance(private_key.curve, curve):
            raise KeyUnfit
        signature = private_key.sign(message, ec.ECDSA(digest))
        if encoding is Encoding.DER:
            return signature
        r, s = decode_dss_signature(signature)
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")
    if scheme in (Scheme.RS256, Scheme.PS256):
        raise AlgorithmUnavailable(remedy="共享平台不以 RSA 签名")
    raise KeyUnfit


def load_public_key(scheme: Scheme | str, spki: bytes) -> PublicKey:
    """The key of a SubjectPublicKeyInfo in DER, from a bounded cache. Raises `KeyUnfit`, `AlgorithmUnavailable`."""
    if _known(scheme) is Scheme.SM2_SM3:
        return sm2.public_key(spki)
    return _load_standard_key(spki)


@lru_cache(maxsize=1024)
def _load_standard_key(spki: bytes) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey:
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnfit from None
    if isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        return key
    raise KeyUnfit


def _known(scheme: Scheme | str) -> Scheme:
    try:
        return Scheme(scheme)
    except ValueError:
        raise AlgorithmUnavailable(remedy="签名算法不在共享平台支持的范围内") from None


def _check_sm2_encoding(signature: bytes, encoding: Encoding | None) -> None:
    if encoding is Encoding.RAW and len(signature) != 64:
        raise SignatureInvalid(check="signature.encoding")
    if encoding is Encoding.DER:
        parse_integer_pair(signature)


def _verify_ecdsa(
    scheme: Scheme, key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes, encoding: Encoding | None
) -> None:
    curve, width, digest = _CURVES[scheme]
    if not isinstance(key.curve, curve):
        raise KeyUnfit
    if encoding is Encoding.DER:
        parse_integer_pair(signature)
    else:
        if len(signature) != 2 * width:
            raise SignatureInvalid(check="signature.encoding")
        signature = encode_dss_signature(
            int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big")
        )
    key.verify(signature, message, ec.ECDSA(digest))


def _verify_rsa(scheme: Scheme, key: rsa.RSAPublicKey, message: bytes, signature: bytes) -> None:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise KeyUnfit(remedy="RSA 密钥长度不在允许范围内")
    if len(signature) != (key.key_size + 7) // 8:
        raise SignatureInvalid(check="signature.encoding")
    key.verify(signature, message, padding.PKCS1v15() if scheme is Scheme.RS256 else _PSS, hashes.SHA256())
