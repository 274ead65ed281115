"""The proof of one entry: from its leaf to the root of its log, from there to the signed head of all. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.records.checkpoints import Checkpoint, parse_checkpoint, verified_checkpoint
from gateway.records.log import record_id
from gateway.records.merkle import ProofInvalid, leaf_hash, verify_inclusion
from gateway.records.notes import Note, NoteInvalid, VerifierKey
from gateway.records.super_log import decode_leaf


@dataclass(frozen=True)
class RecordProof:
    """Entry ``sequence`` (from 1) of ``log_id`` is ``leaf``; the log's root over ``log_size`` entries stands in
    ``super_leaf``, which is leaf ``super_index`` (from 0) of the super log that ``checkpoint`` signs.
    """

    log_id: str
    sequence: int
    leaf: bytes
    log_size: int
    inclusion: Sequence[bytes]
    super_leaf: bytes
    super_index: int
    super_inclusion: Sequence[bytes]
    checkpoint: Note

    @property
    def record_id(self) -> str:
        return record_id(self.log_id, self.sequence)


def verify_hashes(proof: RecordProof) -> Checkpoint:
    """Prove everything but signatures; answers what the checkpoint says. Raises ``ProofInvalid``."""
    try:
        anchor = decode_leaf(proof.super_leaf)
        checkpoint = parse_checkpoint(proof.checkpoint.text)
    except (ValueError, TypeError):
        raise ProofInvalid("the super log's leaf or the checkpoint cannot be read") from None
    if (anchor.log_id, anchor.last) != (proof.log_id, proof.log_size):
        raise ProofInvalid("the super log's leaf speaks of another log or size")
    verify_inclusion(leaf_hash(proof.leaf), proof.sequence - 1, anchor.last, proof.inclusion, anchor.root)
    verify_inclusion(
        leaf_hash(proof.super_leaf), proof.super_index, checkpoint.size, proof.super_inclusion, checkpoint.root
    )
    return checkpoint


def verify_record_proof(proof: RecordProof, keys: Sequence[VerifierKey], origin: str) -> Checkpoint:
    """Prove that the log of ``origin``, whose ``keys`` are given, has the entry.

    Raises ``ProofInvalid``, ``NoteInvalid``; for SM2 also ``AlgorithmUnavailable``.
    """
    try:
        verified_checkpoint(proof.checkpoint, keys, origin)
    except NoteInvalid as error:
        raise ProofInvalid(str(error)) from None
    return verify_hashes(proof)
