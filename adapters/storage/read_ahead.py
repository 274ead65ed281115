"""What units of work look at, read once for many of them inside the transaction that they share."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping, Sequence
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

    def __init__(self, readers: Mapping[str, Reader], standing: MutableMapping[Looked, Any] | None = None) -> None:
        self._readers = readers
        self._standing = {} if standing is None else standing
        self._whole = False
        self.filled = False
        self.read: dict[Looked, Any] = {}
        """What had to be read."""
        self.changed: dict[Looked, Any] = {}
        """What units of the batch changed, and what it is now; None where it is to be read."""

    def fill(self, connection: Connection, looks: Iterable[Look]) -> None:
        """Read it all: a statement for each sort of look, in the order of the readers.

        One that waits for what others hold comes before those that hold and do not wait.
        """
        keys: defaultdict[str, dict[tuple[Hashable, ...], None]] = defaultdict(dict)
        for look in looks:
            if look not in self._standing:
                keys[look.what][look.key] = None
        self.filled = self._whole = True
        for what in sorted(keys, key=list(self._readers).index):
            wanted = list(keys[what])
            found = self._readers[what](connection, wanted)
            self.read.update(((what, key), value) for key, value in found.items())
            self._whole = self._whole and all(key in found for key in wanted)

    def forget(self, looks: Iterable[Looked]) -> None:
        """What is looked at so was changed: whoever comes after in this batch reads by itself."""
        if self.filled:
            self.changed.update(dict.fromkeys(looks))
            self._whole = False

    def now(self, look: Looked, value: Any) -> None:
        """What is looked at so was changed to ``value``; None where that is to be read."""
        if self.filled:
            self.changed[look] = value
            self._whole = self._whole and value is not None

    def unsure(self) -> None:
        """A unit failed: what it changed is undone, and nobody knows here what that was."""
        self.forget(list(self.changed))

    def get(self, look: Looked) -> Any | None:
        """What was read for ``look``; None where nothing was."""
        if self.changed and look in self.changed:
            return self.changed[look]
        found = self._standing.get(look)
        return self.read.get(look) if found is None else found

    def has(self, looks: Iterable[Look] | None) -> bool:
        """Whether all of ``looks``, of a unit it was filled for, was read; None is what nobody told, and was not."""
        return looks is not None and (self._whole or all(self.get(look) is not None for look in looks))

    def known_as(self, look: Looked, value: Any) -> None:
        """What was read for ``look`` equals ``value``: from here on it is the same object, to be known at a glance."""
        for kept in (self._standing, self.read):
            if look in kept:
                kept[look] = value
