"""What providers are asked, and wrapping with keys that this process holds itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.crypto.aead import Algorithm
from gateway.crypto.sealing import KEY_BYTES, KEY_ID_BYTES, DataKey, FixedKeys, KeyProviderError, Sealer

MOST_KEYS = 2
"""The one in use, and the one before it while data keys are wrapped anew."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider is opened with: ``reference`` is the part after its scheme, ``variable`` answers variables."""

    reference: str
    variable: Callable[[str], str | None]
    algorithm: Algorithm
    generate: bool


class LocalWrapper:
    """``KeyProvider`` over one or two local keys, read again at each use, so that a new one needs no restart."""

    def __init__(self, read: Callable[[], Sequence[bytes]], algorithm: Algorithm) -> None:
        """``read`` answers the keys, the one in use first. Raises what ``read`` raises."""
        self._read = read
        self._algorithm = algorithm
        read()

    def wrap(self, key: bytes, context: str) -> bytes:
        return self._sealer().seal(key, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        return self._sealer().open(wrapped, context)

    def _sealer(self) -> Sealer:
        return Sealer(FixedKeys(tuple(map(_named, self._read()))), self._algorithm)


def _named(key: bytes) -> DataKey:
    """A wrapping key is named by its digest, so that a wrapped key tells which of two opens it."""
    return DataKey(sha256(b"bandian wrapping key" + key).digest()[:KEY_ID_BYTES].hex(), key)


def parse_keys(lines: Sequence[str], where: str) -> list[bytes]:
    """Keys from lines of 64 hexadecimal characters. Raises ``KeyProviderError``, which names ``where`` they stand."""
    try:
        keys = [bytes.fromhex(line.strip()) for line in lines]
    except ValueError:
        keys = []
    if not 1 <= len(keys) <= MOST_KEYS or any(len(key) != KEY_BYTES for key in keys):
        raise KeyProviderError(
            f"{where} must hold one key, or the new and the old one, of {KEY_BYTES * 2} hexadecimal characters each; "
            "restore it from the backup."
        )
    return keys
