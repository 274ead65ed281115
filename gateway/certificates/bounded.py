"""A small cache that forgets what was used longest ago."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class BoundedCache(Generic[KeyT, ValueT]):
    """Values by key that weigh at most ``size`` together. Whether one may still be used is the caller's question."""

    def __init__(self, size: int, weigh: Callable[[ValueT], int] = lambda _: 1) -> None:
        self._size, self._weigh = size, weigh
        self._weight = 0
        self._kept: OrderedDict[KeyT, ValueT] = OrderedDict()

    def get(self, key: KeyT) -> ValueT | None:
        """The value of ``key``, which counts as used now; None when it is not kept."""
        value = self._kept.get(key)
        if value is not None:
            self._kept.move_to_end(key)
        return value

    def put(self, key: KeyT, value: ValueT) -> None:
        """Keep ``value``, forgetting what was used longest ago when it is too much, at last ``value`` itself."""
        before = self._kept.pop(key, None)
        self._weight += self._weigh(value) - (0 if before is None else self._weigh(before))
        self._kept[key] = value
        while self._weight > self._size:
            _, forgotten = self._kept.popitem(last=False)
            self._weight -= self._weigh(forgotten)


class BriefMemory(Generic[KeyT, ValueT]):
    """Values by key, ``size`` at most, none longer than ``kept_for`` after it was put: for what is only remembered.

    What is over goes at the next look or put, or when somebody calls ``sweep``.
    """

    def __init__(self, size: int, kept_for: timedelta) -> None:
        self._size, self._kept_for = size, kept_for
        self._kept: OrderedDict[KeyT, tuple[datetime, ValueT]] = OrderedDict()
        self._over_at: datetime | None = None
        """Nothing is over before; None where nothing is kept."""
        self.changes = 0
        """As long as it is the same, so is all that is kept."""

    def get(self, key: KeyT, at: datetime) -> ValueT | None:
        """The value of ``key`` at the aware instant ``at``; None where there is none."""
        if self._over_at is not None and at >= self._over_at:
            self.sweep(at)
        kept = self._kept.get(key)
        return None if kept is None else kept[1]

    def until(self, key: KeyT) -> datetime:
        """When the value of ``key``, which is kept, is over. Raises ``KeyError`` where it is not."""
        return self._kept[key][0] + self._kept_for

    def put(self, key: KeyT, value: ValueT, at: datetime) -> None:
        """Keep ``value`` from ``at`` on, forgetting what was put longest ago when it is too much."""
        self.sweep(at)
        self.drop(key)
        self._kept[key] = (at, value)
        self.changes += 1
        self._over_at = self._over_at or at + self._kept_for
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def drop(self, key: KeyT) -> None:
        """Forget ``key``, if it is kept."""
        if self._kept.pop(key, None) is not None:
            self.changes += 1

    def sweep(self, at: datetime) -> None:
        """Forget what is over."""
        over = at - self._kept_for
        while self._kept and next(iter(self._kept.values()))[0] <= over:
            self._kept.popitem(last=False)
            self.changes += 1
        self._over_at = next((put_at + self._kept_for for put_at, _ in self._kept.values()), None)

    def __len__(self) -> int:
        return len(self._kept)
