"""The one seam through which every signature is verified: JWS, X.509 and OFD alike.

`verify_signature` returns None or raises; there is no boolean to forget. Keys are parsed once: pass key objects, or
SubjectPublicKeyInfo in DER, which is cached by its bytes. What a key must be is told in `public_keys`, which schemes
there are in `schemes`.
"""

from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from gateway.crypto import sm2
from gateway.crypto.der import parse_integer_pair
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid
from gateway.crypto.public_keys import StandardKey, check_strength, der_of, load_standard_key
from gateway.crypto.schemes import JOSE_SCHEMES, SCHEME_BY_OID, Encoding, Scheme, scheme_of

__all__ = [
    "JOSE_SCHEMES",
    "SCHEME_BY_OID",
    "Encoding",
    "PrivateKey",
    "PublicKey",
    "Scheme",
    "load_public_key",
    "scheme_of",
    "sign",
    "verify_signature",
]

PublicKey = StandardKey | sm2.Sm2PublicKey | bytes | str
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | sm2.Sm2PrivateKey

_JOSE_CURVES: Final[dict[Scheme, tuple[type[ec.EllipticCurve], int, ec.ECDSA]]] = {
    Scheme.ES256: (ec.SECP256R1, 32, ec.ECDSA(hashes.SHA256())),
    Scheme.ES384: (ec.SECP384R1, 48, ec.ECDSA(hashes.SHA384())),
}
_X509_HASHES: Final[dict[Scheme, ec.ECDSA]] = {
    Scheme.ECDSA_SHA256: ec.ECDSA(hashes.SHA256()),
    Scheme.ECDSA_SHA384: ec.ECDSA(hashes.SHA384()),
    Scheme.ECDSA_SHA512: ec.ECDSA(hashes.SHA512()),
}
_SCHEMES: Final[dict[str, Scheme]] = {scheme.value: scheme for scheme in Scheme}
_KINDS: Final[tuple[type, ...]] = (
    *(sm2.Sm2PublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, rsa.RSAPublicKey),
    *(sm2.Sm2PrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey),
)
_KIND_OF: Final[dict[type, type | None]] = {}
_ENCODED: Final = (bytes, str, bytearray, memoryview)
_CHECKED_AS_LOADED: Final = (rsa.RSAPublicKey, ed25519.Ed25519PublicKey)
"""Kinds of keys whose strength is looked at as they are loaded, and by whoever is given one that another loaded."""
_X509_WIDTHS: Final = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66}
"""Bytes of the order of each curve that a certificate's key may be on."""
_PKCS1: Final[dict[Scheme, hashes.HashAlgorithm]] = {
    Scheme.RS256: hashes.SHA256(),
    Scheme.RS384: hashes.SHA384(),
    Scheme.RS512: hashes.SHA512(),
}
_PSS: Final[dict[Scheme, hashes.HashAlgorithm]] = {
    Scheme.PS256: hashes.SHA256(),
    Scheme.PS384: hashes.SHA384(),
    Scheme.PS512: hashes.SHA512(),
}


def verify_signature(
    scheme: Scheme | str,
    public_key: PublicKey,
    message: bytes,
    signature: bytes,
    *,
    encoding: Encoding | None = None,
) -> None:
    """Prove that ``signature`` over ``message`` was made by the holder of ``public_key`` under ``scheme``.

    ``scheme`` is a `Scheme` or its text: ES256, ES384, EdDSA (Ed25519), RS256, PS256, SM2-SM3; for X.509 alone also
    RS384, RS512, PS384, PS512 and ecdsa-with-SHA256/384/512 (P-256, P-384 or P-521). `scheme_of` reads it out of an
    AlgorithmIdentifier. ``public_key`` is a key object of `cryptography` or `gateway.crypto.sm2`, or
    SubjectPublicKeyInfo in DER or as one PEM block (of text too); for SM2 also the point 04‖x‖y. A certificate or a JWK
    is no key here. ``message`` is what was signed, not its hash; both it and ``signature`` are bytes, bytearray or
    memoryview.

    ``encoding`` None means the scheme's own habit: r‖s of exact length for ES256 and ES384 (RFC 7518 §3.4), DER for
    ecdsa-with-SHA*, either for SM2. Verifying X.509, pass `Encoding.DER`; SM2 in a JWS, `Encoding.RAW`.

    Raises `SignatureInvalid` (also for a wrong length or encoding), `KeyUnfit` (a key of another type, curve or
    strength, or no key at all) and `AlgorithmUnavailable` (unknown scheme, a certificate's key on a curve not spoken
    here, no library for SM2: indeterminate); `TypeError` for a message or signature that is no bytes, `ValueError` for
    an encoding that there is not. For instance, the example of GM/T 0003.5 annex A:

    >>> point = bytes.fromhex(
    ...     "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    ...     "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    ... )
    >>> signature = bytes.fromhex(
    ...     "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    ...     "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    ... )
    >>> verify_signature("SM2-SM3", point, b"message digest", signature)
    """
    scheme = _known(scheme)
    if encoding is not None and type(encoding) is not Encoding:
        encoding = Encoding(encoding)
    if type(message) is not bytes or type(signature) is not bytes:
        message, signature = _octets(message), _octets(signature)
    key: Any = public_key
    kind = _kind_of(key)
    if kind in _CHECKED_AS_LOADED:
        check_strength(key)
    elif kind is None and isinstance(key, _ENCODED):
        key = _load(scheme, key.encode("ascii", "replace") if isinstance(key, str) else bytes(key))
        kind = _kind_of(key)
    try:
        if kind is sm2.Sm2PublicKey and scheme is Scheme.SM2_SM3:
            key.verify(message, signature, encoding or Encoding.EITHER)
        elif kind is ec.EllipticCurvePublicKey:
            _verify_ecdsa(scheme, key, message, signature, encoding)
        elif kind is ed25519.Ed25519PublicKey and scheme is Scheme.EDDSA:
            key.verify(signature, message)
        elif kind is rsa.RSAPublicKey:
            _verify_rsa(scheme, key, message, signature)
        else:
            raise KeyUnfit
    except (InvalidSignature, DerMalformed):
        raise SignatureInvalid from None
    except UnsupportedAlgorithm:
        raise AlgorithmUnavailable from None


def _kind_of(key: object) -> type | None:
    """Which of the kinds that are spoken here ``key`` is. Abstract classes are asked once for each type of key."""
    concrete = type(key)
    if concrete not in _KIND_OF:
        _KIND_OF[concrete] = next((kind for kind in _KINDS if issubclass(concrete, kind)), None)
    return _KIND_OF[concrete]


def _octets(data: object) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError("message and signature are bytes")
    return bytes(data)


def sign(scheme: Scheme | str, private_key: PrivateKey, message: bytes, *, encoding: Encoding | None = None) -> bytes:
    """Sign ``message``: ES256/ES384 (r‖s, or DER when asked), EdDSA, or SM2 (DER, or r‖s when asked).

    Raises `KeyUnfit` when the key is not of the scheme's type or curve, `AlgorithmUnavailable` for any other scheme.
    """
    key: Any = private_key
    scheme, kind = _known(scheme), _kind_of(private_key)
    if kind is sm2.Sm2PrivateKey and scheme is Scheme.SM2_SM3:
        signature: bytes = key.sign(message)
        return sm2.signature_to_raw(signature) if encoding is Encoding.RAW else signature
    if kind is ed25519.Ed25519PrivateKey and scheme is Scheme.EDDSA:
        return bytes(key.sign(message))
    if kind is ec.EllipticCurvePrivateKey and scheme in _JOSE_CURVES:
        curve, width, ecdsa = _JOSE_CURVES[scheme]
        if type(key.curve) is not curve:
            raise KeyUnfit
        signature = key.sign(message, ecdsa)
        if encoding is Encoding.DER:
            return signature
        r, s = decode_dss_signature(signature)
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")
    if scheme in _PKCS1 or scheme in _PSS:
        raise AlgorithmUnavailable(remedy="共享平台不以 RSA 签名")
    raise KeyUnfit


def load_public_key(scheme: Scheme | str, encoded: bytes) -> StandardKey | sm2.Sm2PublicKey:
    """The key of a SubjectPublicKeyInfo (DER or PEM), from a bounded cache. Raises `KeyUnfit`, `AlgorithmUnavailable`.

    A key that restricts itself to other schemes (RSASSA-PSS, RFC 4055) is unfit.
    """
    return _load(_known(scheme), encoded)


def _load(scheme: Scheme, encoded: bytes) -> StandardKey | sm2.Sm2PublicKey:
    spki = der_of(encoded)
    if scheme is Scheme.SM2_SM3:
        return sm2.public_key(spki)
    try:
        key, restricted = load_standard_key(spki)
    except AlgorithmUnavailable:
        if scheme in JOSE_SCHEMES:
            raise KeyUnfit from None
        raise
    if restricted is not None and scheme not in restricted:
        raise KeyUnfit(remedy="该公钥只可用于它所声明的 RSASSA-PSS 签名")
    return key


def _known(scheme: Scheme | str) -> Scheme:
    known = _SCHEMES.get(scheme) if isinstance(scheme, str) else None
    if known is None:
        raise AlgorithmUnavailable(remedy="签名算法不在共享平台支持的范围内")
    return known


def _verify_ecdsa(
    scheme: Scheme, key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes, encoding: Encoding | None
) -> None:
    if scheme in _JOSE_CURVES:
        curve, width, ecdsa = _JOSE_CURVES[scheme]
        if type(key.curve) is not curve:
            raise KeyUnfit
    elif scheme in _X509_HASHES:
        if key.curve.name not in _X509_WIDTHS:
            raise AlgorithmUnavailable(remedy="公钥所在曲线不在共享平台支持的范围内")
        width, ecdsa, encoding = _X509_WIDTHS[key.curve.name], _X509_HASHES[scheme], encoding or Encoding.DER
    else:
        raise KeyUnfit
    if encoding is Encoding.DER:
        parse_integer_pair(signature)
    else:
        if len(signature) != 2 * width:
            raise SignatureInvalid(check="signature.encoding")
        signature = encode_dss_signature(
            int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big")
        )
    key.verify(signature, message, ecdsa)


def _verify_rsa(scheme: Scheme, key: rsa.RSAPublicKey, message: bytes, signature: bytes) -> None:
    if scheme not in _PKCS1 and scheme not in _PSS:
        raise KeyUnfit
    if len(signature) != (key.key_size + 7) // 8:
        raise SignatureInvalid(check="signature.encoding")
    if scheme in _PKCS1:
        key.verify(signature, message, padding.PKCS1v15(), _PKCS1[scheme])
    else:
        digest = _PSS[scheme]
        key.verify(signature, message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
