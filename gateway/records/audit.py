"""``bandian audit``: reads the whole record in a stream, recomputes everything and names the first broken entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.records.log import GENESIS, Seal, record_id
from gateway.records.merkle import EMPTY, Frontier, leaf_hash
from gateway.records.ports import RecordReader


@dataclass(frozen=True)
class Break:
    """The first place where the record is not what was sealed. ``where`` is a record id or a seal."""

    where: str
    reason: str


@dataclass(frozen=True)
class AuditReport:
    """What an audit saw; the record is whole when ``broken`` is empty."""

    logs: int
    entries: int
    seals: int
    broken: tuple[Break, ...]


@dataclass
class _LogWalk:
    """One log, seal by seal."""

    reader: RecordReader
    log_id: str
    keys: Mapping[str, Ed25519PublicKey]
    progress: Callable[[int], None]
    frontier: Frontier = EMPTY
    previous: bytes = GENESIS
    seals: int = 0

    def run(self) -> Break | None:
        for seal in self.reader.seals(self.log_id):
            broken = self._check_link(seal) or self._check_entries(seal) or self._check_signature(seal)
            if broken:
                return broken
            self.previous = seal.hash()
            self.seals += 1
            self.progress(seal.last_sequence - seal.first_sequence + 1)
        stored = self.reader.entry_count(self.log_id)
        if stored > self.frontier.size:
            return Break(record_id(self.log_id, self.frontier.size + 1), "no seal covers this entry")
        return None

    def _check_link(self, seal: Seal) -> Break | None:
        expected = record_id(self.log_id, self.frontier.size + 1)
        if seal.number != self.seals + 1:
            return Break(expected, f"seal {self.seals + 1} is missing")
        if seal.previous_hash != self.previous:
            return Break(expected, f"seal {seal.number} does not follow from the seal before it")
        if seal.first_sequence != self.frontier.size + 1 or seal.last_sequence < seal.first_sequence:
            return Break(expected, f"seal {seal.number} leaves a gap or overlaps")
        return None

    def _check_entries(self, seal: Seal) -> Break | None:
        hashes: list[bytes] = []
        entries = self.reader.entries(self.log_id, seal.first_sequence, seal.last_sequence)
        for sequence, entry in enumerate(entries, seal.first_sequence):
            if entry.sequence != sequence:
                return Break(record_id(self.log_id, sequence), "the entry is missing")
            if leaf_hash(entry.leaf) != entry.leaf_hash:
                return Break(record_id(self.log_id, sequence), "the entry was changed")
            hashes.append(entry.leaf_hash)
        missing = seal.first_sequence + len(hashes)
        if missing <= seal.last_sequence:
            return Break(record_id(self.log_id, missing), "the entry is missing")
        self.frontier = self.frontier.grown(hashes)
        if self.frontier.root != seal.root:
            first, last = record_id(self.log_id, seal.first_sequence), record_id(self.log_id, seal.last_sequence)
            return Break(first, f"the entries {first} to {last} are not those that seal {seal.number} covers")
        return None

    def _check_signature(self, seal: Seal) -> Break | None:
        first = record_id(self.log_id, seal.first_sequence)
        key = self.keys.get(seal.key_id)
        if key is None:
            return Break(first, f"seal {seal.number} is signed by a key that this audit was not given")
        try:
            key.verify(seal.signature, seal.body())
        except InvalidSignature:
            return Break(first, f"the signature of seal {seal.number} is wrong")
        return None


def audit(
    reader: RecordReader,
    keys: Mapping[str, Ed25519PublicKey],
    progress: Callable[[int], None] = lambda _: None,
) -> AuditReport:
    """Walk every log of ``reader``; ``keys`` are the seal keys by id. ``progress`` is told how many entries passed.

    Memory is that of one batch. A log stops at its first break, since nothing after it can be trusted.
    """
    broken: list[Break] = []
    entries = seals = 0
    log_ids = reader.log_ids()
    for log_id in log_ids:
        walk = _LogWalk(reader, log_id, keys, progress)
        first_break = walk.run()
        if first_break:
            broken.append(first_break)
        entries += walk.frontier.size
        seals += walk.seals
    return AuditReport(len(log_ids), entries, seals, tuple(broken))
