"""The key that signs seals."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class SealSigner:
    """Ed25519; ``key_id`` names the public key in every seal."""

    key_id: str
    private_key: Ed25519PrivateKey

    def sign(self, body: bytes) -> bytes:
        """64 bytes over ``body``."""
        return self.private_key.sign(body)
