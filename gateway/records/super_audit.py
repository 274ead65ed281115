"""The audit of what lies above the logs: complete subtrees, leaves of the super log, checkpoints, cosignatures."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.crypto.errors import AlgorithmUnavailable
from gateway.records.checkpoints import Checkpoint, cosignatures_of, parse_checkpoint
from gateway.records.log import Seal, record_id
from gateway.records.merkle import EMPTY, Frontier, Subtree, leaf_hash
from gateway.records.notes import (
    ED25519_TYPE,
    Note,
    NoteInvalid,
    VerifierKey,
    parse_note,
    parse_signature_lines,
    proved_by,
)
from gateway.records.ports import NotAsWritten, StoredSuperLeaf, SuperRecordReader
from gateway.records.super_log import SUPER_LOG, SuperLeaf, decode_leaf

_NO_KEY: Final = "is signed by no key that this audit was given"


class Flaw(Exception):
    """Ends a walk. ``where`` is a record id, ``super-N`` for the N-th leaf of the super log, or a log."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason


@dataclass(frozen=True)
class CheckpointKeys:
    """What signatures of checkpoints are checked with: seal keys, further keys of the log, and those of witnesses."""

    seal_keys: Sequence[Ed25519PublicKey] = ()
    log_keys: Sequence[VerifierKey] = ()
    witness_keys: Sequence[VerifierKey] = ()
    stamp_flaw: Callable[[bytes, bytes], str | None] = lambda token, text: None  # noqa: ARG005
    """What is wrong with a time stamp token over a text; None for nothing."""

    def of(self, origin: str) -> list[VerifierKey]:
        """Of the log that is called ``origin``: seal keys sign under whatever name it has had."""
        own = [VerifierKey(origin, ED25519_TYPE, key.public_bytes_raw()) for key in self.seal_keys]
        return [*own, *self.log_keys]

    def flaw_of(self, note: Note, origin: str) -> str | None:
        """What is wrong with the log's signatures; None for nothing."""
        if not any(key.signed(line) for key in self.of(origin) for line in note.signatures):
            return _NO_KEY
        try:
            proved_by(note, self.of(origin))
        except NoteInvalid:
            return "has a wrong signature"
        except AlgorithmUnavailable:
            return "is signed with SM2, which no library here speaks"
        return None


@dataclass
class SuperReport:
    """What was seen of it."""

    leaves: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    strangers: int = 0
    time_stamps: int = 0
    kept: int = 0
    flaws: list[tuple[str, str]] = field(default_factory=list)


class SubtreeCheck:
    """Compares stored subtrees of one log with those that a walk completes. One that is not stored is no flaw."""

    def __init__(self, reader: SuperRecordReader, log_id: str) -> None:
        self._reader = reader
        self._log_id = log_id
        self._streams: dict[int, Generator[Subtree]] = {}
        self._next: dict[int, Subtree | None] = {}
        self._open = ExitStack()

    def meet(self, completed: Sequence[Subtree], where: str) -> None:
        """Raises ``Flaw`` at ``where`` for a stored root that is another."""
        for each in completed:
            stored = self._peek(each.level)
            if stored is not None and stored.position <= each.position:
                if stored != each:
                    raise Flaw(where, f"the stored subtree {each.position} of level {each.level} is another")
                self._advance(each.level)

    def finish(self, where: str) -> None:
        """Raises ``Flaw`` for subtrees that there cannot be."""
        for level in self._reader.subtree_levels(self._log_id):
            if level < 1 or self._peek(level) is not None:
                raise Flaw(where, f"a stored subtree of level {level} covers entries that there are not")

    def close(self) -> None:
        """Let go of the database."""
        self._open.close()

    def _peek(self, level: int) -> Subtree | None:
        if level not in self._streams:
            self._streams[level] = self._open.enter_context(closing(self._reader.subtrees(self._log_id, level)))
            self._advance(level)
        return self._next[level]

    def _advance(self, level: int) -> None:
        self._next[level] = next(self._streams[level], None)


class AnchorCheck:
    """Compares what the super log says of one log with the log's own seals, in their order."""

    def __init__(self, reader: SuperRecordReader, log_id: str) -> None:
        self._log_id = log_id
        self._stream = reader.super_leaves_of(log_id)
        self._next = self._following()

    def meet(self, seal: Seal) -> None:
        """Raises ``Flaw`` where a leaf names this seal and not its root."""
        while self._next is not None and self._next.number <= seal.number:
            if (self._next.last, self._next.number, self._next.root) != (seal.last_sequence, seal.number, seal.root):
                where = record_id(self._log_id, seal.first_sequence)
                raise Flaw(where, f"the super log names another root than seal {seal.number} has")
            self._next = self._following()

    def finish(self, where: str) -> None:
        """Raises ``Flaw`` for a leaf that names more than there is: it was signed, so that the log was cut off."""
        if self._next is not None:
            raise Flaw(where, f"the log was cut off: the super log names {self._next.last} entries")

    def close(self) -> None:
        """Let go of the database."""
        self._stream.close()

    def _following(self) -> SuperLeaf | None:
        stored = next(self._stream, None)
        return None if stored is None else said_by(stored)


def said_by(stored: StoredSuperLeaf) -> SuperLeaf:
    """What a stored leaf says, which is what it is found by. Raises ``Flaw``."""
    where = f"{SUPER_LOG}-{stored.position + 1}"
    if leaf_hash(stored.leaf) != stored.leaf_hash:
        raise Flaw(where, "the leaf was changed")
    try:
        leaf = decode_leaf(stored.leaf)
    except (ValueError, TypeError):
        raise Flaw(where, "the leaf cannot be read") from None
    if (leaf.log_id, leaf.last, leaf.number) != (stored.log_id, stored.last, stored.number):
        raise Flaw(where, "the leaf is filed under another log than it names")
    return leaf


class SuperWalk:
    """The super log, leaf by leaf, with the checkpoints over it. ``kept`` are those that left the database."""

    def __init__(
        self, reader: SuperRecordReader, keys: CheckpointKeys, kept: Sequence[Note], progress: Callable[[int], None]
    ) -> None:
        self._reader = reader
        self._keys = keys
        self._progress = progress
        self._frontier: Frontier = EMPTY
        self._kept: dict[int, list[Checkpoint]] = {}
        self._given = kept
        self.report = SuperReport()

    def run(self, logs: Sequence[str]) -> SuperReport:
        """Walk it; ``logs`` are those that the audit knows."""
        try:
            self._read_kept()
            self._walk(logs)
        except Flaw as flaw:
            self.report.flaws.append((flaw.where, flaw.reason))
        except NotAsWritten as error:
            self.report.flaws.append((self._here(), str(error)))
        return self.report

    def _read_kept(self) -> None:
        for note in self._given:
            try:
                checkpoint = parse_checkpoint(note.text)
            except NoteInvalid:
                raise Flaw(SUPER_LOG, "the checkpoint kept outside cannot be read") from None
            flaw = self._keys.flaw_of(note, checkpoint.origin)
            if flaw:
                raise Flaw(f"{SUPER_LOG}-{checkpoint.size}", f"the checkpoint kept outside {flaw}")
            self._kept.setdefault(checkpoint.size, []).append(checkpoint)

    def _walk(self, logs: Sequence[str]) -> None:
        subtrees = SubtreeCheck(self._reader, SUPER_LOG)
        with (
            closing(subtrees),
            closing(self._reader.super_leaves()) as leaves,
            closing(self._reader.checkpoints()) as checkpoints,
        ):
            covered = 0
            upcoming = next(checkpoints, None)
            for stored in leaves:
                self._pass_leaf(stored, logs, subtrees)
                if upcoming is not None and upcoming[0] <= self._frontier.size:
                    self._check_checkpoint(*upcoming)
                    covered = self._frontier.size
                    upcoming = next(checkpoints, None)
            if upcoming is not None:
                raise Flaw(self._next(), f"the super log was cut off: a checkpoint has {upcoming[0]} leaves")
            if covered != self._frontier.size:
                raise Flaw(f"{SUPER_LOG}-{covered + 1}", "no checkpoint covers this leaf")
            subtrees.finish(self._next())
        self._finish()

    def _pass_leaf(self, stored: StoredSuperLeaf, logs: Sequence[str], subtrees: SubtreeCheck) -> None:
        if stored.position != self._frontier.size:
            raise Flaw(self._next(), "the leaf is missing")
        leaf = said_by(stored)
        self._frontier, completed = self._frontier.extended([stored.leaf_hash])
        if leaf.log_id not in logs:
            raise Flaw(self._here(), "the leaf names a log that there is not")
        subtrees.meet(completed, self._here())
        for kept in self._kept.pop(self._frontier.size, []):
            if kept.root != self._frontier.root:
                raise Flaw(self._here(), "the super log is not the one of the checkpoint that was kept outside")
            self.report.kept += 1
        self.report.leaves += 1
        self._progress(1)

    def _check_checkpoint(self, size: int, root: bytes, text: str) -> None:
        where = f"{SUPER_LOG}-{size}"
        try:
            note = parse_note(text.encode())
            said = parse_checkpoint(note.text)
        except (NoteInvalid, UnicodeEncodeError):
            raise Flaw(where, f"the checkpoint of {size} leaves cannot be read") from None
        if (said.size, said.root, size, root) != (size, root, self._frontier.size, self._frontier.root):
            raise Flaw(where, f"the checkpoint of {size} leaves is not over those that there are")
        flaw = self._keys.flaw_of(note, said.origin)
        if flaw:
            raise Flaw(where, f"the checkpoint of {size} leaves {flaw}")
        self.report.checkpoints += 1
        for witness, key_id, line in self._reader.cosignatures(size):
            self._check_cosignature(where, note, (witness, key_id), line)
        for authority, token in self._reader.stored_time_stamps(size):
            flaw = self._keys.stamp_flaw(token, note.text.encode())
            if flaw:
                raise Flaw(where, f"the time stamp of {authority} {flaw}")
            self.report.time_stamps += 1

    def _check_cosignature(self, where: str, note: Note, filed: tuple[str, str], line: str) -> None:
        try:
            (signature,) = parse_signature_lines(line)
            found = cosignatures_of(Note(note.text, (signature,)), self._keys.witness_keys)
        except (NoteInvalid, ValueError):
            raise Flaw(where, "a cosignature of the checkpoint is wrong") from None
        if filed != (signature.name, signature.key_id.hex()):
            raise Flaw(where, "a cosignature is filed under another witness than it names")
        self.report.cosignatures += len(found)
        self.report.strangers += not found

    def _finish(self) -> None:
        if self._kept:
            size = min(self._kept)
            raise Flaw(self._next(), f"the super log was cut off: a checkpoint of {size} leaves was kept outside")
        stored = self._reader.super_heads()
        if len(stored) != 1 or stored[0] != self._frontier:
            raise Flaw(self._next(), "the head of the super log is not that of its last leaf")

    def _here(self) -> str:
        return f"{SUPER_LOG}-{self._frontier.size}"

    def _next(self) -> str:
        return f"{SUPER_LOG}-{self._frontier.size + 1}"


def strays(reader: SuperRecordReader, logs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Subtrees, cosignatures and time stamps of what there is not."""
    for log_id in reader.subtree_logs():
        if log_id not in logs and log_id != SUPER_LOG:
            yield log_id, "subtrees are stored of a log that there is not"
    for table, size in reader.unchecked():
        yield f"{SUPER_LOG}-{size}", f"a row of {table} is of a checkpoint that there is not"
