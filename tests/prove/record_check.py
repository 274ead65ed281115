"""The record, read from the database and computed anew: leaf hashes, roots, chains of seals, their signatures.

Shares no code with the gateway: what an entry and a seal are is written down here a second time, from
``docs/records.md``.
"""

import base64
import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SEAL_PREFIX = "seal-"
_NOTHING = bytes(32)
_SEALS = (
    "SELECT log_id, number, first_sequence, last_sequence, root, previous_hash, sealed_at, key_id, signature"
    " FROM record_seals ORDER BY log_id, number"
)
_ENTRIES = "SELECT log_id, sequence, leaf, leaf_hash FROM record_entries ORDER BY log_id, sequence"


@contextlib.contextmanager
def opened(database_url: str) -> Iterator[Any]:
    """A connection to the gateway's database that changes nothing."""
    if database_url.startswith("sqlite:///"):
        uri = f"file:{Path(database_url.removeprefix('sqlite:///')).absolute()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            yield database
    else:
        with psycopg.connect(database_url) as connection:
            connection.read_only = True
            yield connection


@dataclass
class Record:
    """What was read: ``facts`` of each entry by its id, for whoever has to find something in it."""

    logs: int = 0
    seals: int = 0
    checkpoints: int = 0
    roots: dict[tuple[str, int], tuple[int, bytes]] = field(default_factory=dict)
    """Of each seal, by log and number: the last entry and the root over all up to it, computed here."""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def seal_keys(jwks: bytes) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys for seals in a JWK set."""
    return {
        key["kid"]: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=" * (-len(key["x"]) % 4)))
        for key in json.loads(jwks)["keys"]
        if key["kid"].startswith(SEAL_PREFIX) and key.get("crv") == "Ed25519"
    }


def check_record(connection: Any, keys: dict[str, Ed25519PublicKey]) -> Record:
    """Walk every log. What is wrong is named in ``broken``; the walk goes on, to name all of it."""
    record, leaves = Record(), _read_entries(connection)
    for log_id, hashes in leaves.hashes.items():
        if hashes and sorted(hashes) != list(range(1, len(hashes) + 1)):
            record.broken.append(f"log {log_id} has a gap")
    record.broken += leaves.broken
    record.entries = leaves.entries
    previous, size, tree = _NOTHING, 0, Tree()
    log, expected = "", 1
    for row in connection.execute(_SEALS):
        log_id, number, first, last, root, linked, sealed_at, key_id, signature = row
        if log_id != log:
            record.broken += _unsealed(log, size, leaves)
            previous, size, tree, log, expected = _NOTHING, 0, Tree(), log_id, 1
            record.logs += 1
        named = f"seal {number} of log {log_id}"
        if (number, first, as_bytes(linked)) != (expected, size + 1, previous) or last < first:
            record.broken.append(f"{named} does not follow from the one before")
        for sequence in range(first, last + 1):
            tree.add(leaves.hashes.get(log_id, {}).get(sequence, _NOTHING))
        if tree.root() != as_bytes(root):
            record.broken.append(f"{named} does not cover what the log holds")
        body = _seal_body(log_id, number, first, last, as_bytes(root), as_bytes(linked), sealed_at, key_id)
        try:
            keys[key_id].verify(as_bytes(signature), body)
        except (KeyError, InvalidSignature):
            record.broken.append(f"{named} has no valid signature")
        record.roots[log_id, number] = (last, tree.root())
        previous, size, expected = hashlib.sha256(body + as_bytes(signature)).digest(), last, number + 1
        record.seals += 1
    record.broken += _unsealed(log, size, leaves)
    sealed = {log_id for (log_id,) in connection.execute("SELECT DISTINCT log_id FROM record_seals")}
    record.broken += [f"log {log_id} has entries and no seal" for log_id in leaves.hashes.keys() - sealed]
    return record


@dataclass
class _Leaves:
    hashes: dict[str, dict[int, bytes]] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def _read_entries(connection: Any) -> _Leaves:
    found = _Leaves()
    for log_id, sequence, leaf, stored in connection.execute(_ENTRIES):
        named = f"{log_id}-{sequence}"
        computed = hashlib.sha256(b"\x00" + as_bytes(leaf)).digest()
        if computed != as_bytes(stored):
            found.broken.append(f"entry {named} was changed")
        found.hashes.setdefault(log_id, {})[sequence] = computed
        try:
            found.entries[named] = json.loads(as_bytes(leaf))
        except ValueError:
            found.broken.append(f"entry {named} cannot be read")
    return found


def _unsealed(log_id: str, size: int, leaves: _Leaves) -> list[str]:
    held = len(leaves.hashes.get(log_id, {}))
    return [f"log {log_id} holds {held} entries and seals cover {size}"] if log_id and held != size else []


def _seal_body(
    log_id: str, number: int, first: int, last: int, root: bytes, linked: bytes, sealed_at: Any, key_id: str
) -> bytes:
    members = {
        "first": first,
        "key": key_id,
        "last": last,
        "log": log_id,
        "number": number,
        "previous": linked.hex(),
        "root": root.hex(),
        "sealed_at": _milliseconds(sealed_at),
        "v": 1,
    }
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


def as_bytes(value: Any) -> bytes:
    """A column's bytes; what is none is taken as it reads, and fits nothing."""
    return value if isinstance(value, bytes) else bytes(value) if isinstance(value, memoryview) else str(value).encode()


def _milliseconds(value: Any) -> str:
    if isinstance(value, str):
        value = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    at = value.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


class Tree:
    """A growing Merkle tree (RFC 9162 §2.1.1): the roots of its full subtrees with their heights."""

    def __init__(self) -> None:
        self._full: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        height, node = 0, leaf
        while self._full and self._full[-1][0] == height:
            node = hashlib.sha256(b"\x01" + self._full.pop()[1] + node).digest()
            height += 1
        self._full.append((height, node))

    def root(self) -> bytes:
        if not self._full:
            return hashlib.sha256(b"").digest()
        node = self._full[-1][1]
        for _, left in reversed(self._full[:-1]):
            node = hashlib.sha256(b"\x01" + left + node).digest()
        return node
