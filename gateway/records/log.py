"""The hash-chained log: entries are leaves, a batch of them is sealed by one signed head. Pure.

A seal binds the log, its number in it, the first and last entry, the Merkle root over *all* entries so far, and the
hash of the seal before it. Whoever holds one seal can tell every later change to anything before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from gateway.records.merkle import EMPTY, Frontier, Subtree
from schemas.wire import format_instant

GENESIS = bytes(32)
"""``previous_hash`` of a log's first seal."""


@dataclass(frozen=True)
class Seal:
    """A signed head. Sequences count from 1; hashes are 32 bytes; ``signature`` is Ed25519 over ``seal_body``."""

    log_id: str
    number: int
    first_sequence: int
    last_sequence: int
    root: bytes
    previous_hash: bytes
    sealed_at: datetime
    key_id: str
    signature: bytes = b""

    def body(self) -> bytes:
        """What is signed: JSON with sorted members, hashes in hexadecimal."""
        members: dict[str, Any] = {
            "first": self.first_sequence,
            "key": self.key_id,
            "last": self.last_sequence,
            "log": self.log_id,
            "number": self.number,
            "previous": self.previous_hash.hex(),
            "root": self.root.hex(),
            "sealed_at": format_instant(self.sealed_at),
            "v": 1,
        }
        return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)

    def hash(self) -> bytes:
        """SHA-256 over body and signature: the next seal's ``previous_hash``."""
        return sha256(self.body() + self.signature).digest()


@dataclass(frozen=True)
class LogHead:
    """Where a log stands: how many entries and seals it has, and what the next seal builds on."""

    log_id: str
    seals: int = 0
    frontier: Frontier = EMPTY
    last_seal_hash: bytes = GENESIS

    def sealed(
        self, leaf_hashes: Sequence[bytes], at: datetime, key_id: str, sign: Callable[[bytes], bytes]
    ) -> tuple[Seal, "LogHead", Sequence[Subtree]]:
        """Seal ``leaf_hashes`` (at least one) as the next batch.

        Answers the seal, the head after it, and the subtrees that became complete by it.
        """
        if not leaf_hashes:
            raise ValueError("a seal covers at least one entry")
        grown, completed = self.frontier.extended(leaf_hashes)
        unsigned = Seal(
            self.log_id,
            self.seals + 1,
            self.frontier.size + 1,
            grown.size,
            grown.root,
            self.last_seal_hash,
            at,
            key_id,
        )
        seal = Seal(**{**unsigned.__dict__, "signature": sign(unsigned.body())})
        return seal, LogHead(self.log_id, seal.number, grown, seal.hash()), completed


def record_id(log_id: str, sequence: int) -> str:
    """How an entry is named to the outside: ``{log}-{sequence}``."""
    return f"{log_id}-{sequence}"
