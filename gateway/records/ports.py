"""What the record asks of the unit of work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.records.entries import RecordEntry
from gateway.records.log import Seal


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
    """An entry as it lies in the database."""

    log_id: str
    sequence: int
    leaf: bytes
    leaf_hash: bytes


class RecordReader(Protocol):
    """Reads the record for audit and for those entitled to see their entries."""

    def log_ids(self) -> Sequence[str]: ...

    def seals(self, log_id: str) -> Iterator[Seal]:
        """In order of ``number``, in a stream."""
        ...

    def entries(self, log_id: str, first: int, last: int) -> Sequence[StoredEntry]:
        """Entries ``first``…``last`` (inclusive), in order; fewer where some are missing."""
        ...

    def entry_count(self, log_id: str) -> int: ...

    def of_subject(self, subject: str, actions: Sequence[str]) -> Sequence[StoredEntry]:
        """Entries about ``subject`` with one of ``actions``, oldest first."""
        ...


@dataclass(frozen=True)
class SealKey:
    """The key that signs seals: Ed25519, 32 raw bytes each way."""

    key_id: str
    public_key: bytes
    valid_from: datetime | None = None
