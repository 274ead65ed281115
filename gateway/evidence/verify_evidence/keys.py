"""Public keys, and signatures by the algorithms of JOSE."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from .errors import Refused
from .reading import text_of, unbase64url
from .sm2 import Sm2Key
from .work import spend

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey | Sm2Key
_CURVES: Final[Mapping[str, tuple[type[ec.EllipticCurve], int]]] = {
    "P-256": (ec.SECP256R1, 32),
    "P-384": (ec.SECP384R1, 48),
}
_JOSE_EC: Final[Mapping[str, tuple[str, Callable[[], hashes.HashAlgorithm]]]] = {
    "ES256": ("secp256r1", hashes.SHA256),
    "ES384": ("secp384r1", hashes.SHA384),
}


def key_of_jwk(jwk: Mapping[str, Any]) -> PublicKey:
    """The public key in a JWK (RFC 7517, RFC 8037; SM2 as ``docs/divergences.md`` has it). Raises ``Refused``."""
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(unbase64url(text_of(jwk, "x")))
            case "EC", "SM2":
                x, y = (int.from_bytes(unbase64url(text_of(jwk, each))) for each in ("x", "y"))
                return Sm2Key(x, y)
            case "EC", str(name) if name in _CURVES:
                x, y = (int.from_bytes(unbase64url(text_of(jwk, each))) for each in ("x", "y"))
                return ec.EllipticCurvePublicNumbers(x, y, _CURVES[name][0]()).public_key()
            case "RSA", None:
                n, e = (int.from_bytes(unbase64url(text_of(jwk, name))) for name in ("n", "e"))
                return rsa.RSAPublicNumbers(e, n).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("not a public key") from None
    raise Refused("a key of a type unknown here")


def verify_jose(algorithm: str, key: PublicKey, signature: bytes, message: bytes) -> None:
    """One JWS signature. Raises ``Refused`` where the key does not fit or did not make it."""
    spend("signatures")
    spend("bytes", len(message))
    try:
        match algorithm, key:
            case "EdDSA", ed25519.Ed25519PublicKey():
                return key.verify(signature, message)
            case "SM2-SM3", Sm2Key():
                return key.verify(signature, message)
            case (("ES256" | "ES384"), ec.EllipticCurvePublicKey()):
                curve, digest = _JOSE_EC[algorithm]
                half = len(signature) // 2
                if key.curve.name != curve or len(signature) != 2 * ((key.curve.key_size + 7) // 8):
                    raise Refused("the key does not fit the algorithm")
                r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
                return key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(digest()))
            case "RS256", rsa.RSAPublicKey():
                return key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            case "PS256", rsa.RSAPublicKey():
                scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
                return key.verify(signature, message, scheme, hashes.SHA256())
    except (InvalidSignature, ValueError):
        raise Refused("the signature is wrong") from None
    raise Refused("the key does not fit the algorithm")
