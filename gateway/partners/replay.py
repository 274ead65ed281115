"""What was seen lately, in memory and bounded."""

from array import array
from collections import deque
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from gateway.errors import Overloaded, Owner

_PARTS: Final = 4
_MARK_BYTES: Final = 8
"""Of a key nothing longer is kept: at a thousand requests a second a hundred thousand are, and chance makes two of them
look alike once in six thousand years. Then the second is refused; nothing is ever admitted by it."""
_FEWEST: Final = 1024
_ROOM: Final = 1.125
"""Times as many keys as came in the quarter before find room in the next; one more than that takes twice the room."""


class ReplayMemory:
    """Remembers each key for at least ``window`` after it was first seen, and a quarter longer at most.

    Each generation takes in the keys of a quarter of a window, and the oldest goes as a whole. It is one process's
    memory: several processes share nothing (``docs/divergences.md``). When it holds ``capacity`` keys it refuses
    rather than forgets: raises ``Overloaded``. A key takes 18 bytes where as many come as before, and 32 once more come
    than find room, where a set of Python's would take 90.
    """

    def __init__(self, window: timedelta, capacity: int = 500_000) -> None:
        self._window = window
        self._part = window / _PARTS
        self._capacity = capacity
        self._held = 0
        self._generations: deque[_Marks] = deque([_Marks(_FEWEST)], maxlen=_PARTS + 1)
        self._turned_at: datetime | None = None

    def first_seen(self, owner: str, token_id: str, at: datetime) -> bool:
        """True once for each ``(owner, token_id)``, False while it is remembered. No ``owner`` contains a NUL."""
        self._turn(at)
        # By a secret of the process (SipHash, PEP 456): nobody can choose keys that look alike or crowd together.
        mark = hash(f"{owner}\0{token_id}") or 1
        for generation in self._generations:
            slots, slot = generation.slots, mark % generation.size
            while found := slots[slot]:
                if found == mark:
                    return False
                slot = generation.after(slot)
        if self._held >= self._capacity:
            raise Overloaded(
                check="replay.capacity",
                owner=Owner.GATEWAY,
                remedy="请稍后重试",
                retry_after=ceil((self._window + self._part).total_seconds()),
            )
        self._generations[0].add(mark)
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
            self._generations.appendleft(_Marks(ceil(_ROOM * len(self._generations[0]))))
        self._held = sum(map(len, self._generations))
        self._turned_at += parts * self._part


class _Marks:
    """Signed numbers of 64 bits but for 0, each added once: open addressing with linear probing, at most half full.

    A number is in the first free slot from ``number % size`` on, by ``after``; a free one holds 0.
    """

    __slots__ = ("_held", "size", "slots")

    def __init__(self, expected: int) -> None:
        self._held = 0
        self._empty(2 * max(expected, _FEWEST))

    def _empty(self, size: int) -> None:
        self.size = size
        self.slots = array("q", bytes(_MARK_BYTES * size))

    def __len__(self) -> int:
        return self._held

    def after(self, slot: int) -> int:
        """The slot that is looked at next."""
        return slot + 1 if slot + 1 < self.size else 0

    def add(self, mark: int) -> None:
        """Hold ``mark``, which it does not hold yet."""
        if 2 * self._held >= self.size:
            before = self.slots
            self._empty(2 * self.size)
            for kept in filter(None, before):
                self._put(kept)
        self._put(mark)
        self._held += 1

    def _put(self, mark: int) -> None:
        slot = mark % self.size
        while self.slots[slot]:
            slot = self.after(slot)
        self.slots[slot] = mark
