"""What units of work look at, read once for many of them inside the transaction that they share."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from gateway.transaction import Look

Reader = Callable[[Connection, Sequence[tuple[Any, ...]]], Mapping[tuple[Any, ...], Any]]
"""Answers what stands under each key. One left out is read by the unit itself, which may have to wait."""
Looked = tuple[str, tuple[Hashable, ...]]
"""A ``Look``, or the tuple that it is."""


class ReadAhead:
    """What was read for the units of one batch, by look; empty until it is filled.

    ``standing`` was read before and is sure to be the same still.
    """

    def __init__(self, readers: Mapping[str, Reader], standing: Mapping[Look, Any] | None = None) -> None:
        self._readers = readers
        self._standing = standing or {}
        self._found: dict[Looked, Any] = {}
        self.filled = False
        self.read: list[tuple[Look, Any]] = []
        """What had to be read."""
        self.changed: set[Look] = set()
        """What units of the batch changed."""

    def fill(self, connection: Connection, looks: Iterable[Look]) -> None:
        """Read it all: a statement for each sort of look, in the order of the readers.

        One that waits for what others hold comes before those that hold and do not wait.
        """
        keys: defaultdict[str, dict[tuple[Hashable, ...], None]] = defaultdict(dict)
        for look in looks:
            if look in self._standing:
                self._found[look] = self._standing[look]
            else:
                keys[look.what][look.key] = None
        for what in sorted(keys, key=list(self._readers).index):
            found = self._readers[what](connection, list(keys[what]))
            self.read += [(Look(what, key), value) for key, value in found.items()]
        self._found.update(self.read)
        self.filled = True

    def forget(self, looks: Iterable[Look]) -> None:
        """What is looked at so was changed: whoever comes after in this batch reads by itself."""
        for look in looks:
            self._found.pop(look, None)
            if self.filled:
                self.changed.add(look)

    def get(self, look: Looked) -> Any | None:
        """What was read for ``look``; None where nothing was."""
        return self._found.get(look)

    def has(self, looks: Iterable[Look] | None) -> bool:
        """Whether all of ``looks`` was read; None is what nobody told, and was not."""
        return looks is not None and all(look in self._found for look in looks)
