"""What the record asks of the unit of work."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.records.checkpoints import Checkpoint, Cosignature
from gateway.records.entries import RecordEntry
from gateway.records.log import LogHead, Seal
from gateway.records.merkle import Frontier, Subtree
from gateway.records.notes import Note, SignatureLine
from gateway.records.stored_tree import NodeReader
from gateway.records.super_log import SuperLeaf


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


@dataclass(frozen=True)
class StoredSuperLeaf:
    """A leaf of the super log as it lies in the database; what stands beside ``leaf`` repeats what that says."""

    position: int
    leaf_hash: bytes
    leaf: bytes
    log_id: str
    last: int
    number: int


class SuperRecordReader(Protocol):
    """Reads what lies above the logs for audit, as ``RecordReader`` reads them."""

    def super_heads(self) -> Sequence[Frontier]:
        """Where the super log stands by its own row: one, unless someone meddled."""
        ...

    def super_leaves(self) -> Generator[StoredSuperLeaf]:
        """In order of ``position``, in a stream."""
        ...

    def super_leaves_of(self, log_id: str) -> Generator[StoredSuperLeaf]:
        """Those that are filed under the log, in order of ``last``, in a stream."""
        ...

    def checkpoints(self) -> Generator[tuple[int, bytes, str]]:
        """Size, root and note, in order of size, in a stream."""
        ...

    def cosignatures(self, size: int) -> Sequence[tuple[str, str, str]]:
        """Witness, key ID and line of those of one checkpoint."""
        ...

    def stored_time_stamps(self, size: int) -> Sequence[tuple[str, bytes]]:
        """Authority and token of those of one checkpoint."""
        ...

    def subtree_logs(self) -> Sequence[str]: ...

    def subtree_levels(self, log_id: str) -> Sequence[int]: ...

    def subtrees(self, log_id: str, level: int) -> Generator[Subtree]:
        """In order of position, in a stream."""
        ...

    def unchecked(self) -> Sequence[tuple[str, int]]:
        """Table and size of what was signed of a checkpoint that there is not."""
        ...


class AuditReader(RecordReader, SuperRecordReader, Protocol):
    """Both."""


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


@dataclass(frozen=True)
class SuperHead:
    """Where the super log stands, and which process appends to it until when."""

    holder: str
    held_until: datetime
    frontier: Frontier


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint of the super log at ``size`` leaves. ``note`` has the log's signatures and all cosignatures."""

    size: int
    root: bytes
    signed_at: datetime
    note: Note


@dataclass(frozen=True)
class TimeStamp:
    """An RFC 3161 token (DER) over a checkpoint's text, by ``authority``."""

    authority: str
    stamped_at: datetime
    token: bytes


class SuperLog(NodeReader, Protocol):
    """The super log and its checkpoints in the database."""

    def head(self) -> SuperHead: ...

    def moved(self) -> Sequence[SuperLeaf]:
        """What every log that moved since its last leaf would be given as its next one, in order of logs."""
        ...

    def unanchored_since(self) -> datetime | None:
        """When the oldest entry was sealed that no leaf covers; None where every one is covered."""
        ...

    def take(self, former: str, holder: str, until: datetime) -> bool:
        """Become the one that appends in place of ``former``; False where that is no longer who does."""
        ...

    def append(self, before: Frontier, leaves: Sequence[SuperLeaf]) -> Frontier:
        """Append at least one leaf behind ``before``, in a unit of work that took the super log."""
        ...

    def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None: ...

    def latest_checkpoint(self) -> StoredCheckpoint | None: ...

    def latest_checkpoints(self, limit: int) -> Sequence[StoredCheckpoint]:
        """The newest first."""
        ...

    def checkpoint_covering(self, index: int) -> StoredCheckpoint | None:
        """The newest one that has the leaf ``index`` and that a witness signed; else the newest that has it."""
        ...

    def stamped_checkpoint(self, size: int) -> StoredCheckpoint | None:
        """The oldest of at least ``size`` leaves that has a time stamp; else the newest that has one."""
        ...

    def root_signed_at(self, size: int) -> bytes | None:
        """The root in the checkpoint of that size; None where none was signed at it."""
        ...

    def add_cosignatures(self, size: int, cosignatures: Sequence[Cosignature]) -> None:
        """Keep them beside the checkpoint at ``size``; one of the same witness is replaced."""
        ...

    def add_time_stamp(self, size: int, stamp: TimeStamp) -> None: ...

    def time_stamps(self, size: int) -> Sequence[TimeStamp]: ...

    def last_time_stamp(self, authority: str) -> datetime | None: ...

    def leaves(self, first: int, count: int) -> Sequence[bytes]:
        """The bytes of leaves from ``first`` on, at most ``count``."""
        ...

    def leaf_covering(self, log_id: str, sequence: int) -> int | None:
        """The index of the first leaf that covers the entry."""
        ...

    def entry(self, log_id: str, sequence: int) -> StoredEntry | None: ...

    def logs(self) -> Sequence[tuple[str, int]]:
        """Every log and how many entries it has, the super log among them."""
        ...

    def missing_subtrees(self, log_id: str, level: int, first: int, complete: int) -> Sequence[int]:
        """Of the subtrees of ``level`` from ``first`` to before ``complete`` those that are not stored."""
        ...

    def store_subtrees(self, log_id: str, subtrees: Sequence[Subtree]) -> None:
        """Keep those that are not there yet."""
        ...


class SuperLogTransaction(Protocol):
    """The slice that anchors and proves."""

    @property
    def super_log(self) -> SuperLog: ...


class RecordSubjects(Protocol):
    """To whom the things belong that entries are about."""

    def utility_of(self, subject: str) -> str | None:
        """The code of the utility of the application ``subject``; None for what is none."""
        ...


class ProvingTransaction(SuperLogTransaction, Protocol):
    """The slice that answers proofs to those who may know of an entry."""

    @property
    def record_subjects(self) -> RecordSubjects: ...


@dataclass(frozen=True)
class Submission:
    """A checkpoint for a witness, and where to get the proof that it follows from one of ``old_size`` leaves."""

    note: Note
    size: int
    proof_from: "ConsistencySource"


class ConsistencySource(Protocol):
    """Answers consistency proofs up to one size."""

    async def __call__(self, old_size: int) -> Sequence[bytes]:
        """Raises ``ProofInvalid`` where ``old_size`` is more than there is."""
        ...


class Witness(Protocol):
    """Somebody outside who is shown each checkpoint: a directory, a service that signs it too.

    It is called beside the writer, never within a transaction.
    """

    @property
    def name(self) -> str:
        """What metrics and the log call it."""
        ...

    async def observe(self, submission: Submission) -> Sequence[SignatureLine]:
        """Show it the checkpoint; answers its cosignatures, proved, or none where it only keeps.

        Raises a ``GatewayError``: ``PartnerUnavailable`` for one that cannot be reached or does not answer as it
        should, ``CheckpointContradicted`` for one that saw something that this checkpoint does not follow from.
        """
        ...


class KeptCheckpoint(Protocol):
    """Where the last checkpoint is kept that left the database."""

    def latest(self) -> Checkpoint | None:
        """None where none was kept yet. May wait for a disk. Raises ``RecordDamaged`` where it cannot be read."""
        ...


class TimeStamper(Protocol):
    """An authority that signs when it was shown something (RFC 3161)."""

    @property
    def name(self) -> str:
        """What its tokens are filed under."""
        ...

    async def stamp(self, text: bytes) -> TimeStamp:
        """A token over ``text``, proved under a configured anchor.

        Raises ``PartnerUnavailable`` for one that cannot be reached or whose answer is not to be believed.
        """
        ...
