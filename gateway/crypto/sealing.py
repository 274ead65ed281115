"""Sealing: how what is personal, or secret, rests in the database. Pure, but for fresh random bytes.

A sealed value is ``format | algorithm | key id | salt | nonce | ciphertext and tag`` (1, 1, 4, 16, 12, n + 16 bytes).
All before the ciphertext, and the *context* (``table.column:row key``), are authenticated with it: nobody can move a
value to another row or column, or make it look as if another key had sealed it.

**How much one key seals.** Random 96-bit nonces bound a GCM key to 2^32 messages (NIST SP 800-38D §8.3). So a data key
encrypts nothing itself: HMAC over a fresh 128-bit salt derives a *working key* from it, which a process keeps for
``MOST_MESSAGES`` messages and then replaces. Two working keys meet after about 2^64 of them; within one, two nonces
meet with a chance below 2^-56. A data key is changed by the calendar, not by count.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag

from gateway.crypto.aead import NONCE_BYTES, Aead, Algorithm, aead, derive_key, require_available
from gateway.errors import Indeterminate, Owner
from gateway.ids import random_bytes
from gateway.wording.phrases import Phrase

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
SALT_BYTES: Final = 16
HEADER_BYTES: Final = 2 + KEY_ID_BYTES + SALT_BYTES + NONCE_BYTES
MOST_MESSAGES: Final = 1 << 20
"""Under one working key."""

UNSEALED: Final = b"\x00"
"""Format 0: what follows is plain. Only an upgrade leaves it so, for ``bandian keys reseal``; nothing else opens it."""
_FORMAT: Final = 1
_NUMBERS: Final[Mapping[Algorithm, int]] = {Algorithm.AES_256_GCM: 1, Algorithm.SM4_GCM: 2}
_ALGORITHMS: Final = {number: algorithm for algorithm, number in _NUMBERS.items()}
_USE: Final = b"bandian at rest 1"


@dataclass(kw_only=True, eq=False)
class StoredDataUnreadable(Indeterminate):
    """What lies in the database cannot be opened: nothing is said about what it held. ``key_id`` names the key."""

    kind = "stored-data-unreadable"
    title = "留存的数据无法打开"

    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data-encryption key: 32 random bytes. ``key_id`` is 8 hexadecimal characters."""

    key_id: str
    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(bytes.fromhex(self.key_id)) != KEY_ID_BYTES or len(self.material) != KEY_BYTES:
            raise ValueError("a data key has 32 bytes, and an id of 8 hexadecimal characters")


class DataKeys(Protocol):
    """The data keys that are at hand now."""

    def current(self) -> DataKey:
        """The key that seals."""
        ...

    def find(self, key_id: str) -> DataKey | None:
        """The key of that id, current or not."""
        ...


class KeyProvider(Protocol):
    """Wraps data keys under a key that is kept elsewhere: in a file or variable, or in a KMS that never gives it away.

    ``context`` is authenticated with the key (a KMS calls it encryption context).
    """

    def wrap(self, key: bytes, context: str) -> bytes: ...

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Raises ``StoredDataUnreadable`` for what it did not wrap, or ``KeyProviderError`` when it has no answer."""
        ...


class KeyProviderError(ValueError):
    """The provider cannot be used; the text is one sentence for the operator, without any secret."""


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """``DataKeys`` that never change; the first seals."""

    keys: tuple[DataKey, ...]

    def current(self) -> DataKey:
        return self.keys[0]

    def find(self, key_id: str) -> DataKey | None:
        return next((key for key in self.keys if key.key_id == key_id), None)


@dataclass(frozen=True, slots=True)
class Header:
    """What a sealed value says of itself."""

    algorithm: Algorithm
    key_id: str
    salt: bytes
    nonce: bytes


class Sealer:
    """Seals with the current key and the chosen algorithm; opens with exactly the key that a value names."""

    def __init__(self, keys: DataKeys, algorithm: Algorithm = Algorithm.AES_256_GCM) -> None:
        self._keys = keys
        self._algorithm = algorithm
        self._working: _WorkingKey | None = None

    def seal(self, plain: bytes, context: str) -> bytes:
        """``plain`` for ``context``; 50 bytes longer. Raises ``AlgorithmUnavailable``."""
        key = self._keys.current()
        working = self._working
        if working is None or working.key_id != key.key_id or working.left <= 0:
            working = self._working = _fresh_working_key(key, self._algorithm)
        working.left -= 1
        header = working.prefix + random_bytes()[:NONCE_BYTES]
        return header + working.cipher.encrypt(header[-NONCE_BYTES:], plain, header + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """What ``seal`` was given, for the same ``context``.

        Raises ``StoredDataUnreadable`` (``at_rest.key_unknown``, ``.tampered``, ``.format``, ``.unsealed``), and
        ``AlgorithmUnavailable`` where SM4-GCM sealed it and the library here has none.
        """
        header = header_of(sealed)
        key = self._keys.find(header.key_id)
        if key is None:
            raise _unreadable(
                "key_unknown",
                Phrase(
                    "密钥 {key} 不在本机，请从备份恢复该密钥文件（bandian keys list 可查看现有密钥）", key=header.key_id
                ),
                header.key_id,
            )
        try:
            cipher = _cipher(key.material, header.algorithm, header.salt)
            return cipher.decrypt(header.nonce, sealed[HEADER_BYTES:], sealed[:HEADER_BYTES] + context.encode())
        except InvalidTag:
            raise _unreadable(
                "tampered", "该数据与封存时不符，可能被改动或移动过，请与备份核对", header.key_id
            ) from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether ``seal`` would seal it with the same key and algorithm today. False for format 0."""
        if sealed[:1] == UNSEALED:
            return False
        key_id = self._keys.current().key_id
        working = self._working
        if working is not None and working.key_id == key_id and len(sealed) > HEADER_BYTES:
            named = 2 + KEY_ID_BYTES
            if sealed[:named] == working.prefix[:named]:  # as mostly
                return True
        header = header_of(sealed)
        return header.key_id == key_id and header.algorithm is self._algorithm

    def resealed(self, sealed: bytes, context: str) -> bytes:
        """The same plain bytes under today's key and algorithm; format 0 is sealed as it stands. Raises as ``open``."""
        plain = sealed[1:] if sealed[:1] == UNSEALED else self.open(sealed, context)
        return self.seal(plain, context)


def header_of(sealed: bytes) -> Header:
    """What ``sealed`` says of itself; nothing of it is proved. Raises ``StoredDataUnreadable``."""
    if sealed[:1] == UNSEALED:
        raise _unreadable("unsealed", "数据升级后尚未加密，请运行：bandian keys reseal")
    if len(sealed) <= HEADER_BYTES or sealed[0] != _FORMAT or sealed[1] not in _ALGORITHMS:
        raise _unreadable("format", "该数据不是本系统封存的格式，请与备份核对")
    salt_at = 2 + KEY_ID_BYTES
    nonce_at = salt_at + SALT_BYTES
    return Header(
        _ALGORITHMS[sealed[1]], sealed[2:salt_at].hex(), sealed[salt_at:nonce_at], sealed[nonce_at:HEADER_BYTES]
    )


class _WorkingKey:
    """A derived key in use. Threads may count past each other: ``MOST_MESSAGES`` leaves ample room for that."""

    __slots__ = ("cipher", "key_id", "left", "prefix")

    def __init__(self, key_id: str, prefix: bytes, cipher: Aead) -> None:
        self.key_id = key_id
        self.prefix = prefix
        self.cipher = cipher
        self.left = MOST_MESSAGES


def _fresh_working_key(key: DataKey, algorithm: Algorithm) -> _WorkingKey:
    salt = os.urandom(SALT_BYTES)
    prefix = bytes((_FORMAT, _NUMBERS[algorithm])) + bytes.fromhex(key.key_id) + salt
    return _WorkingKey(key.key_id, prefix, _cipher(key.material, algorithm, salt))


@lru_cache(maxsize=1024)
def _cipher(material: bytes, algorithm: Algorithm, salt: bytes) -> Aead:
    require_available(algorithm)
    return aead(algorithm, derive_key(algorithm, material, _USE + bytes((_NUMBERS[algorithm],)) + salt))


def _unreadable(check: str, remedy: str, key_id: str | None = None) -> StoredDataUnreadable:
    return StoredDataUnreadable(check=f"at_rest.{check}", owner=Owner.GATEWAY, remedy=remedy, key_id=key_id)
