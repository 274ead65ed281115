"""What was seen lately, in memory and bounded."""

from datetime import datetime, timedelta

from gateway.errors import Overloaded, Owner


class ReplayMemory:
    """Remembers each key for at least ``window`` after it was first seen, in two generations that take turns.

    It is one process's memory: several processes share nothing (``docs/divergences.md``). When ``capacity`` keys came
    within one window it refuses rather than forgets: raises ``Overloaded``.
    """

    def __init__(self, window: timedelta, capacity: int = 500_000) -> None:
        self._window = window
        self._capacity = capacity
        self._young: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()
        self._turned_at: datetime | None = None

    def first_seen(self, owner: str, token_id: str, at: datetime) -> bool:
        """True once for each ``(owner, token_id)``, False while it is remembered."""
        self._turn(at)
        key = (owner, token_id)
        if key in self._young or key in self._old:
            return False
        if len(self._young) >= self._capacity:
            raise Overloaded(
                check="replay.capacity",
                owner=Owner.GATEWAY,
                remedy="请稍后重试",
                retry_after=int(self._window.total_seconds()),
            )
        self._young.add(key)
        return True

    def _turn(self, at: datetime) -> None:
        if self._turned_at is None:
            self._turned_at = at
        elapsed = at - self._turned_at
        if elapsed < self._window:
            return
        self._old = self._young if elapsed < 2 * self._window else set()
        self._young = set()
        self._turned_at = at
