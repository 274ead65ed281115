"""A small cache that forgets what was used longest ago."""

from collections import OrderedDict
from collections.abc import Callable
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

    def drop(self, key: KeyT) -> None:
        """Forget ``key``, if it is kept."""
        value = self._kept.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
