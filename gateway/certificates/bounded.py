"""A small cache that forgets what was used longest ago."""

from collections import OrderedDict
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class BoundedCache(Generic[KeyT, ValueT]):
    """At most ``size`` values by key. Whether a value may still be used is the caller's question."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[KeyT, ValueT] = OrderedDict()

    def get(self, key: KeyT) -> ValueT | None:
        """The value of ``key``, which counts as used now; None when it is not kept."""
        value = self._kept.get(key)
        if value is not None:
            self._kept.move_to_end(key)
        return value

    def put(self, key: KeyT, value: ValueT) -> None:
        """Keep ``value``, forgetting the one used longest ago when there are too many."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
