"""What was read ahead for earlier batches and still stands, because nobody has written anything since.

SQLite tells each connection whether another one has committed (``PRAGMA data_version``), and how many rows it changed
itself (``sqlite3_total_changes64``). What this one commits its writer knows: units that say beforehand what they look
at change nothing of that but what they say; any other that changed a single row ends it all, and one that found
nothing to do does not. PostgreSQL has no such answer, and rows are held there by reading them: nothing stands.
"""

from collections.abc import Collection, MutableMapping
from typing import Any, Final

from sqlalchemy import Connection

from adapters.storage.plain import Plain, driver_of, is_postgresql
from adapters.storage.read_ahead import Looked, ReadAhead
from gateway.certificates.ports import COPIES
from gateway.licences.ports import CASE
from gateway.partners.ports import DIRECTORY

MOST: Final = 4096
STANDING: Final[Collection[str]] = frozenset({CASE, COPIES, DIRECTORY})
"""Looks that are nothing but looks, in the words of ``Look.what``."""
_DATA_VERSION = Plain("PRAGMA data_version")


class StandingLooks:
    """Of one writer. ``as_of`` in the transaction of each batch, ``keep`` after its commit, ``end`` for any other.

    Units that say nothing beforehand come between ``mark`` and ``unchanged``.
    """

    def __init__(self) -> None:
        self._found: dict[Looked, Any] = {}
        self._seen: tuple[object, int] | None = None
        self._mark: int | None = None

    def mark(self, connection: Connection) -> None:
        """Units come that may change anything."""
        self._mark = _rows_changed(connection)

    def unchanged(self, connection: Connection) -> bool:
        """Whether not a single row was changed since ``mark``, as far as the database tells."""
        return self._mark is not None and self._mark == _rows_changed(connection)

    def as_of(self, connection: Connection) -> MutableMapping[Looked, Any]:
        """What stands as the transaction of ``connection`` sees it, which has begun and nobody else writes beside.

        Raises SQLAlchemy's ``DBAPIError`` family.
        """
        if is_postgresql(connection):
            return {}
        seen = driver_of(connection), int(_DATA_VERSION.rows(connection)[0][0])
        if seen != self._seen or len(self._found) > MOST:
            self._found.clear()
            self._seen = seen
        return self._found

    def keep(self, ahead: ReadAhead) -> None:
        """A batch was committed whose units looked at what was read ahead, and at nothing else."""
        if self._seen is not None:
            self._found.update((look, value) for look, value in ahead.read.items() if look[0] in STANDING)
            for look, value in ahead.changed.items():
                if value is None:
                    self._found.pop(look, None)
                elif look[0] in STANDING:
                    self._found[look] = value

    def end(self) -> None:
        """Something else was written, or nobody knows what was."""
        self._found.clear()
        self._seen = None


def _rows_changed(connection: Connection) -> int | None:
    """By this connection since it was opened, also where that was undone; None where the database does not tell."""
    return None if is_postgresql(connection) else int(driver_of(connection).total_changes)
