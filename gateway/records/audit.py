"""``bandian audit``: reads the whole record in a stream, recomputes everything and names the first broken entry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.records.entries import indexed_by
from gateway.records.log import GENESIS, LogHead, Seal, record_id
from gateway.records.merkle import EMPTY, Frontier, leaf_hash
from gateway.records.notes import Note, VerifierKey
from gateway.records.ports import AuditReader, NotAsWritten, RecordReader, StoredEntry
from gateway.records.super_audit import (
    AnchorCheck,
    CheckpointKeys,
    Flaw,
    SubtreeCheck,
    SuperReport,
    SuperWalk,
    strays,
)

SealKeys = Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True)
class Break:
    """The first place where a log, or what refers to it, is not what was sealed. ``where`` is a record id or a log."""

    where: str
    reason: str


@dataclass(frozen=True)
class AuditReport:
    """What an audit saw; the record is whole when ``broken`` is empty.

    ``heads`` counts those kept outside that were met in the database. Of the logs without one, ``unkept``, nobody can
    tell from the database alone whether their end was cut off together with its head.
    """

    logs: int
    entries: int
    seals: int
    broken: tuple[Break, ...]
    heads: int = 0
    unkept: int = 0
    above: SuperReport = field(default_factory=SuperReport)


def _flaw_of_signature(seal: Seal, keys: SealKeys) -> str | None:
    key = keys.get(seal.key_id)
    if key is None:
        return "is signed by a key that this audit was not given"
    try:
        key.verify(seal.signature, seal.body())
    except InvalidSignature:
        return "has a wrong signature"
    return None


class _LogWalk:
    """One log, seal by seal. It stops at its first break, since nothing after it can be trusted."""

    def __init__(
        self, reader: AuditReader, log_id: str, keys: SealKeys, kept: Sequence[Seal], progress: Callable[[int], None]
    ) -> None:
        self._reader = reader
        self._log_id = log_id
        self._keys = keys
        self._kept = kept
        self._progress = progress
        self._previous = GENESIS
        self._sequence = 1  # of the entry that is looked at, or comes next
        self.frontier: Frontier = EMPTY
        self.seals = 0
        self.heads_met = 0
        self.broken: Break | None = None

    def run(self) -> None:
        try:
            with (
                closing(self._reader.seals(self._log_id)) as seals,
                closing(self._reader.entries(self._log_id)) as entries,
                closing(SubtreeCheck(self._reader, self._log_id)) as subtrees,
                closing(AnchorCheck(self._reader, self._log_id)) as anchors,
            ):
                for seal in seals:
                    self._pass_seal(seal, entries, subtrees)
                    anchors.meet(seal)
                for entry in entries:
                    raise Flaw(self._named(entry.sequence), "no seal covers this entry")
                self._meet_kept_heads_beyond()
                self._check_head(self._reader.heads(self._log_id))
                anchors.finish(self._next())
                subtrees.finish(self._next())
        except Flaw as flaw:
            self.broken = Break(flaw.where, flaw.reason)
        except NotAsWritten as error:
            self.broken = Break(self._named(self._sequence), str(error))

    def _pass_seal(self, seal: Seal, entries: Iterator[StoredEntry], subtrees: SubtreeCheck) -> None:
        self._check_link(seal)
        frontier, completed = self.frontier.extended(self._leaf_hashes(seal, entries))
        first = self._named(seal.first_sequence)
        if frontier.root != seal.root:
            covered = f"{first} to {self._named(seal.last_sequence)}"
            raise Flaw(first, f"the entries {covered} are not those that seal {seal.number} covers")
        flaw = _flaw_of_signature(seal, self._keys)
        if flaw:
            raise Flaw(first, f"seal {seal.number} {flaw}")
        here = [head for head in self._kept if head.number == seal.number]
        if any(head.hash() != seal.hash() for head in here):
            raise Flaw(first, f"seal {seal.number} is not the one that was kept outside the database")
        self.heads_met += len(here)
        subtrees.meet(completed, first)
        self.frontier, self._previous = frontier, seal.hash()
        self.seals += 1
        self._progress(seal.last_sequence - seal.first_sequence + 1)

    def _check_link(self, seal: Seal) -> None:
        expected = self._named(self.frontier.size + 1)
        if seal.number != self.seals + 1:
            raise Flaw(expected, f"seal {self.seals + 1} is missing")
        if seal.previous_hash != self._previous:
            raise Flaw(expected, f"seal {seal.number} does not follow from the seal before it")
        if seal.first_sequence != self.frontier.size + 1 or seal.last_sequence < seal.first_sequence:
            raise Flaw(expected, f"seal {seal.number} leaves a gap or overlaps")

    def _leaf_hashes(self, seal: Seal, entries: Iterator[StoredEntry]) -> Iterator[bytes]:
        for sequence in range(seal.first_sequence, seal.last_sequence + 1):
            self._sequence = sequence
            entry = next(entries, None)
            if entry is not None and entry.sequence < sequence:
                raise Flaw(self._named(entry.sequence), "the entry lies outside its log")
            if entry is None or entry.sequence > sequence:
                raise Flaw(self._named(sequence), "the entry is missing")
            self._check_entry(entry)
            yield entry.leaf_hash
        self._sequence = seal.last_sequence + 1

    def _check_entry(self, entry: StoredEntry) -> None:
        where = self._named(entry.sequence)
        if leaf_hash(entry.leaf) != entry.leaf_hash:
            raise Flaw(where, "the entry was changed")
        try:
            found_by = indexed_by(entry.leaf)
        except ValueError:
            raise Flaw(where, "the entry cannot be read") from None
        if found_by != (entry.action, entry.subject):
            raise Flaw(where, "the entry is filed under another action or subject than it names")

    def _meet_kept_heads_beyond(self) -> None:
        latest = max((head.number for head in self._kept), default=0)
        if latest > self.seals:
            raise Flaw(self._next(), f"the log was cut off: head {latest} was kept outside the database")

    def _check_head(self, stored: Sequence[LogHead]) -> None:
        walked = LogHead(self._log_id, self.seals, self.frontier, self._previous)
        if len(stored) != 1:
            raise Flaw(self._log_id, "the head of the log is missing" if not stored else "the log has two heads")
        (head,) = stored
        if head.frontier.size > walked.frontier.size or head.seals > walked.seals:
            counted = f"{head.frontier.size} entries and {head.seals} seals"
            raise Flaw(self._next(), f"the log was cut off: its head counts {counted}")
        if head != walked:
            where = min(head.frontier.size, walked.frontier.size) + 1
            raise Flaw(self._named(where), "the head of the log is not that of its last seal")

    def _named(self, sequence: int) -> str:
        return record_id(self._log_id, sequence)

    def _next(self) -> str:
        return self._named(self.frontier.size + 1)


@dataclass(frozen=True)
class Outside:
    """What an audit is given that did not come from the database.

    ``checkpoints`` are those that left it, read *before* the reader's snapshot was taken; ``log_keys`` are further keys
    of the log (SM2, or of other names), ``witness_keys`` those of witnesses; ``stamp_flaw`` tells what is wrong with a
    time stamp token over a text.
    """

    checkpoints: Sequence[Note] = ()
    log_keys: Sequence[VerifierKey] = ()
    witness_keys: Sequence[VerifierKey] = ()
    stamp_flaw: Callable[[bytes, bytes], str | None] = lambda token, text: None  # noqa: ARG005


def audit(
    reader: AuditReader,
    keys: SealKeys,
    progress: Callable[[int], None] = lambda _: None,
    kept: Sequence[Seal] = (),
    outside: Outside = Outside(),
) -> AuditReport:
    """Walk every log of ``reader``, the super log above them, and everything in the database that refers to an entry.

    ``keys`` are the seal keys by id; ``kept`` the heads that left the database, read *before* the reader's snapshot
    was taken. ``progress`` is told how many entries and leaves passed. Memory does not grow with the record.
    """
    broken: list[Break] = []
    try:
        stored = list(reader.log_ids())
    except NotAsWritten as error:
        return AuditReport(0, 0, 0, (Break("record", str(error)),))
    for head in kept:
        flaw = _flaw_of_signature(head, keys)
        if flaw:
            broken.append(Break(record_id(head.log_id, head.last_sequence), f"the head kept outside {flaw}"))
    walks: dict[str, _LogWalk] = {}
    for log_id in sorted({*stored, *(head.log_id for head in kept)}):
        walk = _LogWalk(reader, log_id, keys, [head for head in kept if head.log_id == log_id], progress)
        walk.run()
        walks[log_id] = walk
        if walk.broken:
            broken.append(walk.broken)
    above = _walk_above(reader, keys, outside, list(walks), progress)
    broken += [Break(where, reason) for where, reason in above.flaws]
    broken += _dangling(reader, walks)
    return AuditReport(
        len(stored),
        sum(walk.frontier.size for walk in walks.values()),
        sum(walk.seals for walk in walks.values()),
        tuple(broken),
        sum(walk.heads_met for walk in walks.values()),
        len(set(stored) - {head.log_id for head in kept}),
        above,
    )


def _walk_above(
    reader: AuditReader, keys: SealKeys, outside: Outside, logs: Sequence[str], progress: Callable[[int], None]
) -> SuperReport:
    checked = CheckpointKeys(list(keys.values()), outside.log_keys, outside.witness_keys, outside.stamp_flaw)
    report = SuperWalk(reader, checked, outside.checkpoints, progress).run(logs)
    try:
        report.flaws += strays(reader, logs)
    except NotAsWritten as error:
        report.flaws.append(("record", str(error)))
    return report


def _dangling(reader: RecordReader, walks: Mapping[str, _LogWalk]) -> list[Break]:
    """For each table the first row that names an entry which is not there; beyond a break nothing can be said."""
    found: dict[str, Break] = {}
    try:
        with closing(reader.references()) as references:
            for reference in references:
                if reference.table not in found and not _is_there(reference.record_id, walks):
                    reason = f"the entry does not exist, and {reference.table} {reference.key} refers to it"
                    found[reference.table] = Break(reference.record_id, reason)
    except NotAsWritten as error:
        return [*found.values(), Break("record", str(error))]
    return list(found.values())


def _is_there(named: str, walks: Mapping[str, _LogWalk]) -> bool:
    log_id, _, digits = named.rpartition("-")
    walk = walks.get(log_id)
    if walk is None or not digits.isascii() or not digits.isdecimal() or digits.startswith("0") or len(digits) > 18:
        return False
    return int(digits) <= walk.frontier.size or walk.broken is not None
