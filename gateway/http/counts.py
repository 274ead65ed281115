"""Counts of requests in memory, as the ``limits`` library wants them of a storage.

The library's own memory storage starts a thread for whatever has run out, every ten milliseconds under load; here what
has run out goes when somebody counts. One thread counts: the event loop's.
"""

import time

from limits.storage.base import SlidingWindowCounterSupport, Storage

SWEEP_S = 60.0
"""Seconds after which counters that have run out are looked for."""


class _Counter:
    """Requests of one key in the window that has the number ``window``, and in the one before it."""

    __slots__ = ("before", "current", "expiry", "window")

    def __init__(self, window: int, expiry: int) -> None:
        self.window, self.expiry = window, expiry
        self.before = self.current = 0

    def turn(self, window: int) -> None:
        if window != self.window:
            self.before = self.current if window == self.window + 1 else 0
            self.current, self.window = 0, window


class WindowCounts(Storage, SlidingWindowCounterSupport):
    """Sliding windows that are estimated from two counters: the share of the last window that still lies within."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._counters: dict[str, _Counter] = {}
        self._swept_at = time.time()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """See ``count``; the library wraps its own methods."""
        return self.count(key, limit, expiry, amount)

    def count(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count ``amount`` of ``key``, unless that is more than ``limit`` in the last ``expiry`` seconds."""
        now = time.time()
        if now - self._swept_at > SWEEP_S:
            self._sweep(now)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = _Counter(int(now / expiry), expiry)
        counter.turn(int(now / expiry))
        share = 1 - (now / expiry) % 1
        if int(counter.before * share + counter.current) + amount > limit:
            return False
        counter.current += amount
        return True

    def has_room(self, key: str, limit: int, expiry: int) -> bool:
        """Whether ``count`` would let one more of ``key`` in; counts nothing."""
        counter = self._counters.get(key)
        if counter is None:
            return limit >= 1
        now = time.time()
        counter.turn(int(now / expiry))
        share = 1 - (now / expiry) % 1
        return int(counter.before * share + counter.current) + 1 <= limit

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count and seconds left of the window before, and of this one."""
        now = time.time()
        counter = self._counters.get(key)
        left = (1 - (now / expiry) % 1) * expiry
        if counter is None:
            return 0, 0.0, 0, left + expiry
        counter.turn(int(now / expiry))
        return counter.before, left if counter.before else 0.0, counter.current, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget ``key``."""
        self._counters.pop(key, None)

    def clear(self, key: str) -> None:
        self._counters.pop(key, None)

    def reset(self) -> int:
        """Forget all; answers how many keys there were."""
        count = len(self._counters)
        self._counters.clear()
        return count

    def check(self) -> bool:
        return True

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError("only sliding windows are counted here")

    def get(self, key: str) -> int:
        raise NotImplementedError("only sliding windows are counted here")

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError("only sliding windows are counted here")

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        over = [key for key, each in self._counters.items() if now / each.expiry >= each.window + 2]
        for key in over:
            del self._counters[key]
