"""What was seen lately, in memory and bounded."""

from collections import deque
from datetime import datetime, timedelta
from hashlib import blake2b
from math import ceil
from typing import Final

from gateway.errors import Overloaded, Owner

_PARTS: Final = 4
_DIGEST_BYTES: Final = 12
"""Of a key nothing longer is kept: at a thousand requests a second a hundred thousand are, and chance makes two of them
look alike once in 10^13 years. Then the second is refused; nothing is ever admitted by it."""


class ReplayMemory:
    """Remembers each key for at least ``window`` after it was first seen, and a quarter longer at most.

    Each generation takes in the keys of a quarter of a window, and the oldest goes as a whole. It is one process's
    memory: several processes share nothing (``docs/divergences.md``). When it holds ``capacity`` keys it refuses
    rather than forgets: raises ``Overloaded``.
    """

    def __init__(self, window: timedelta, capacity: int = 500_000) -> None:
        self._window = window
        self._part = window / _PARTS
        self._capacity = capacity
        self._held = 0
        self._generations: deque[set[bytes]] = deque([set()], maxlen=_PARTS + 1)
        self._turned_at: datetime | None = None

    def first_seen(self, owner: str, token_id: str, at: datetime) -> bool:
        """True once for each ``(owner, token_id)``, False while it is remembered. No ``owner`` contains a NUL."""
        self._turn(at)
        key = blake2b(f"{owner}\0{token_id}".encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
        for generation in self._generations:
            if key in generation:
                return False
        if self._held >= self._capacity:
            raise Overloaded(
                check="replay.capacity",
                owner=Owner.GATEWAY,
                remedy="请稍后重试",
                retry_after=ceil((self._window + self._part).total_seconds()),
            )
        self._generations[0].add(key)
        self._held += 1
        return True

    def _turn(self, at: datetime) -> None:
        if self._turned_at is None:
            self._turned_at = at
        elapsed = at - self._turned_at
        if elapsed < self._part:
            return
        parts = elapsed // self._part
        for _ in range(min(parts, _PARTS + 1)):
            self._generations.appendleft(set())
        self._held = sum(map(len, self._generations))
        self._turned_at += parts * self._part
