"""The record of a limit: entries that wait for the next commit, which all share, under one signed seal."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.bench.hot.limit_store import Change, Store

_LOG = "0123456789ab"


class Record:
    """Takes entries and changes, and lets answers go once they are durable."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._seal_key = Ed25519PrivateKey.generate()
        self._rows: list[tuple[Any, ...]] = []
        self._changes: list[Change] = []
        self._waiting: list[Callable[[], None]] = []
        self._sequence = self._seals = 0
        self._previous = bytes(32)
        self._loop = asyncio.get_running_loop()

    def append(self, entry: dict[str, Any], subject: str) -> str:
        """One more entry in the next commit; answers its record id."""
        self._sequence += 1
        leaf = orjson.dumps({**entry, "subject": subject, "at": time.time_ns()}, option=orjson.OPT_SORT_KEYS)
        leaf_hash = hashlib.sha256(b"\0" + leaf).digest()
        self._rows.append((_LOG, self._sequence, leaf_hash, leaf, entry["action"], subject))
        return f"{_LOG}-{self._sequence}"

    def committed(self, then: Callable[[], None], changes: Sequence[Change] = ()) -> None:
        """Call ``then`` when what was appended, and ``changes``, are durable."""
        if not self._waiting:
            self._loop.call_soon(self._commit)
        self._waiting.append(then)
        self._changes += changes

    def _commit(self) -> None:
        rows, changes, waiting = self._rows, self._changes, self._waiting
        self._rows, self._changes, self._waiting = [], [], []
        root = hashlib.sha256(b"".join((self._previous, *(row[2] for row in rows)))).digest()
        self._seals += 1
        self.store.append(rows, (self._seals, self._sequence, root, self._seal_key.sign(root)), changes)
        self._previous = root
        for then in waiting:
            then()
