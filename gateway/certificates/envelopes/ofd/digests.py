"""Digest methods as OFD signatures name them, and digests as seals write them down."""

import base64
import hmac
from typing import Final

from cryptography.hazmat.primitives import hashes

from gateway.crypto.schemes import Scheme

SM3: Final = hashes.SM3()
SHA256: Final = hashes.SHA256()
SHA384: Final = hashes.SHA384()
SHA512: Final = hashes.SHA512()

_METHODS: Final[dict[str, hashes.HashAlgorithm]] = {
    "SM3": SM3,
    "1.2.156.10197.1.401": SM3,
    "1.2.156.10197.1.401.1": SM3,
    "SHA256": SHA256,
    "2.16.840.1.101.3.4.2.1": SHA256,
    "SHA384": SHA384,
    "2.16.840.1.101.3.4.2.2": SHA384,
    "SHA512": SHA512,
    "2.16.840.1.101.3.4.2.3": SHA512,
}
_BROKEN: Final = frozenset(
    {"MD5", "SHA1", "SHA", "1.2.840.113549.2.5", "1.3.14.3.2.26", "1.2.156.10197.1.410", "1.2.156.10197.1.411"}
)
"""Collisions can be made for these (GB/T 33190 even defaults to MD5): such a reference protects nothing."""
_OF_SCHEME: Final[dict[Scheme, hashes.HashAlgorithm]] = {
    Scheme.SM2_SM3: SM3,
    Scheme.ECDSA_SHA384: SHA384,
    Scheme.RS384: SHA384,
    Scheme.ECDSA_SHA512: SHA512,
    Scheme.RS512: SHA512,
}


def digest_method(name: str) -> hashes.HashAlgorithm | None:
    """The digest that a CheckMethod, a hash's identifier or a type of certificate digest names; None if unknown."""
    return _METHODS.get(_plain(name))


def is_broken(name: str) -> bool:
    """Whether the method is known and protects nothing any more."""
    return _plain(name) in _BROKEN


def digest_of_scheme(scheme: Scheme | None) -> hashes.HashAlgorithm:
    """What a signature of this scheme digests its document with; an unknown one is taken for SM2's."""
    return SM3 if scheme is None else _OF_SCHEME.get(scheme, SHA256)


def digest(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    """The digest of ``data``."""
    context = hashes.Hash(algorithm)
    context.update(data)
    return context.finalize()


def states(stated: bytes, actual: bytes) -> bool:
    """Whether ``stated`` is the digest ``actual``: bare, or as writers wrap it, in an OCTET STRING, base64 or hex."""
    forms = (actual, bytes([0x04, len(actual)]) + actual, base64.b64encode(actual), actual.hex().encode())
    return any(hmac.compare_digest(stated, form) for form in (*forms, actual.hex().upper().encode()))


def _plain(name: str) -> str:
    return name.strip().upper().replace("SHA-", "SHA").replace("SHA2-", "SHA")
