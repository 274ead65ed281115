"""The keys of seals: the one that signs, and those that an audit checks with."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.crypto.jwk import parse_jwk
from gateway.errors import GatewayError

SEAL_KID_PREFIX = "seal-"
"""Seal keys are named so where all keys of the gateway are published together; no other key may sign a seal."""


@dataclass(frozen=True)
class SealSigner:
    """Ed25519; ``key_id`` names the public key in every seal."""

    key_id: str
    private_key: Ed25519PrivateKey

    def sign(self, body: bytes) -> bytes:
        """64 bytes over ``body``."""
        return self.private_key.sign(body)


def seal_keys_of(jwks: bytes) -> Mapping[str, Ed25519PublicKey]:
    """The seal keys by id in a JWK set (RFC 7517 §5) such as ``/.well-known/jwks.json``; other keys are passed over.

    Raises ``ValueError`` for what is no JWK set of public keys, or has no seal key.
    """
    try:
        members = [member for member in orjson.loads(jwks)["keys"] if str(member["kid"]).startswith(SEAL_KID_PREFIX)]
        parsed = [parse_jwk(member) for member in members]
    except (ValueError, KeyError, TypeError, GatewayError):
        raise ValueError("not a JWK set") from None
    found = {key.kid: key.public_key for key in parsed if isinstance(key.public_key, Ed25519PublicKey)}
    if not found:
        raise ValueError("no seal key")
    return found
