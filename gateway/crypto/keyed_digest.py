"""Keyed digests: look-ups by a person's number without storing the number. HMAC-SHA256, RFC 2104."""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

MIN_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyedDigest:
    """Digests under one secret. An identity number has few values, so a plain hash of it would tell it."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise ValueError(f"a look-up key has at least {MIN_KEY_BYTES} bytes")

    def of(self, use: str, value: str) -> str:
        """64 hexadecimal characters; the same value has another digest in another ``use``."""
        return hmac.new(self.key, f"{use}\x00{value}".encode(), sha256).hexdigest()
