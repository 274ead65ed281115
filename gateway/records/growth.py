"""That several proofs are of one record: each log in them only grew from one size to the next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.records.checkpoints import Checkpoint, parse_checkpoint
from gateway.records.errors import RecordDamaged
from gateway.records.merkle import ProofInvalid, verify_consistency
from gateway.records.record_proof import RecordProof
from gateway.records.stored_tree import NodeReader, StoredTree, TreeIncomplete
from gateway.records.super_log import SUPER_LOG, decode_leaf


@dataclass(frozen=True)
class LogGrowth:
    """That the log ``log_id`` (``SUPER_LOG`` for the one above all) of ``new_size`` leaves begins with the older one's.

    ``proof`` is that of RFC 9162 §2.1.4.1.
    """

    log_id: str
    old_size: int
    new_size: int
    proof: Sequence[bytes]


def growth_between(
    reader: NodeReader, proofs: Iterable[RecordProof], more: Iterable[Checkpoint] = ()
) -> list[LogGrowth]:
    """From each size of each log in ``proofs`` (all of them valid) and of ``more`` to the next larger one, checked.

    Raises ``RecordDamaged`` where what is stored does not bear it out.
    """
    roots: dict[str, dict[int, bytes]] = {}
    for each in more:
        roots.setdefault(SUPER_LOG, {})[each.size] = each.root
    for proof in proofs:
        checkpoint, head = parse_checkpoint(proof.checkpoint.text), decode_leaf(proof.super_leaf)
        roots.setdefault(SUPER_LOG, {})[checkpoint.size] = checkpoint.root
        roots.setdefault(head.log_id, {})[head.last] = head.root
    return [
        _grown(reader, log_id, sizes, old, new)
        for log_id, sizes in sorted(roots.items())
        for old, new in pairwise(sorted(sizes))
    ]


def _grown(reader: NodeReader, log_id: str, roots: Mapping[int, bytes], old: int, new: int) -> LogGrowth:
    try:
        proof = StoredTree(reader, log_id, new).consistency_proof(old)
        verify_consistency(old, new, proof, roots[old], roots[new])
    except (ProofInvalid, TreeIncomplete):
        raise RecordDamaged from None
    return LogGrowth(log_id, old, new, proof)
