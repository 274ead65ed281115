"""What the record asks of the unit of work."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.records.entries import RecordEntry
from gateway.records.log import LogHead, Seal


class RecordAppender(Protocol):
    """The slice every room that decides anything needs."""

    def append(self, entry: RecordEntry) -> str:
        """Add ``entry`` to this unit of work; answers its record id, which holds once the unit is committed."""
        ...


class RecordingTransaction(Protocol):
    """A unit of work that can record."""

    @property
    def records(self) -> RecordAppender: ...


@dataclass(frozen=True)
class StoredEntry:
    """An entry as it lies in the database. ``action`` and ``subject`` repeat what the leaf says, to be found by."""

    log_id: str
    sequence: int
    leaf: bytes
    leaf_hash: bytes
    action: str
    subject: str | None


@dataclass(frozen=True)
class StoredReference:
    """A row of another table that names an entry; ``key`` is its primary key, as text."""

    table: str
    key: str
    record_id: str


class NotAsWritten(Exception):
    """A stored value is not of a kind that is ever written: text for bytes, nothing for a number. Says which."""


class RecordReader(Protocol):
    """Reads the record for audit. Whatever it reads may raise ``NotAsWritten``, at the row where that lies."""

    def log_ids(self) -> Sequence[str]:
        """Every log that any table of the record knows, in order."""
        ...

    def heads(self, log_id: str) -> Sequence[LogHead]:
        """Where the log stands by its own row: one, unless someone meddled."""
        ...

    def seals(self, log_id: str) -> Generator[Seal]:
        """In order of ``number``, in a stream."""
        ...

    def entries(self, log_id: str) -> Generator[StoredEntry]:
        """In order of ``sequence``, in a stream."""
        ...

    def references(self) -> Generator[StoredReference]:
        """Every row of another table that names an entry, table by table, in a stream."""
        ...


class HeadKeeper(Protocol):
    """Takes heads out of the database: what whoever holds the database can rewrite proves nothing about its end.

    The seal that it is given is the head: it binds all entries so far, and is signed. A file, a witness over HTTP or
    several of them can stand behind this port.
    """

    def keep(self, seal: Seal) -> None:
        """``seal`` was committed. Answers at once and never raises: keeping happens beside the writer."""
        ...

    def close(self) -> None:
        """Keep what was not kept yet, within a bounded time."""
        ...
