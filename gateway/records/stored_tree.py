"""Proofs out of a tree that is stored: from leaf hashes and the roots of its complete subtrees of 256, 256², … leaves.

For n leaves at most two blocks of 256 hashes are read of each level: O(256 · log256 n), at any size of the tree.
"""

from collections.abc import Sequence
from typing import Protocol

from gateway.records.merkle import SUBTREE_BITS, ProofInvalid, consistency_ranges, inclusion_ranges, node_hash, root
from gateway.records.merkle import largest_power_below as split

FAN_OUT = 1 << SUBTREE_BITS


class NodeReader(Protocol):
    """Where the hashes of trees are."""

    def nodes(self, log_id: str, level: int, first: int, count: int) -> Sequence[bytes | None]:
        """``count`` hashes from the ``first`` of ``level`` on: 0 leaf hashes, k roots of complete 256^k leaves.

        Those that are not stored are None; what lies at the end may be left out.
        """
        ...


class TreeIncomplete(Exception):
    """A leaf that belongs to the tree is not stored."""


class StoredTree:
    """The first ``size`` leaves of the log ``log_id``. Subtree roots that nobody stored yet are computed."""

    def __init__(self, reader: NodeReader, log_id: str, size: int) -> None:
        self._reader = reader
        self._log_id = log_id
        self.size = size
        self._blocks: dict[tuple[int, int], Sequence[bytes | None]] = {}

    def root(self) -> bytes:
        """Of all leaves. Raises ``TreeIncomplete``."""
        return self._root(0, self.size) if self.size else root([])

    def inclusion_proof(self, index: int) -> list[bytes]:
        """As ``merkle.inclusion_proof``. Raises ``ProofInvalid``, ``TreeIncomplete``."""
        if not 0 <= index < self.size:
            raise ProofInvalid("the tree has no leaf of this index")
        return [self._root(start, end) for start, end in inclusion_ranges(index, self.size)]

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """As ``merkle.consistency_proof``. Raises ``ProofInvalid``, ``TreeIncomplete``."""
        if not 0 <= old_size <= self.size:
            raise ProofInvalid("the older tree is larger than the newer one")
        return [self._root(start, end) for start, end in consistency_ranges(old_size, self.size)]

    def subtree(self, level: int, index: int) -> bytes:
        """The root of the ``index``-th complete subtree of 256^``level`` leaves. Raises ``TreeIncomplete``."""
        block, offset = divmod(index, FAN_OUT)
        if (level, block) not in self._blocks:
            self._blocks[level, block] = self._reader.nodes(self._log_id, level, block * FAN_OUT, FAN_OUT)
        stored = self._blocks[level, block]
        node = stored[offset] if offset < len(stored) else None
        if node is not None:
            return node
        if level == 0:
            raise TreeIncomplete(f"{self._log_id} leaf {index}")
        return root([self.subtree(level - 1, index * FAN_OUT + child) for child in range(FAN_OUT)])

    def _root(self, start: int, end: int) -> bytes:
        count = end - start
        if count & (count - 1):
            middle = start + split(count)
            return node_hash(self._root(start, middle), self._root(middle, end))
        level, bits = divmod(count.bit_length() - 1, SUBTREE_BITS)
        first = start >> (level * SUBTREE_BITS)
        return root([self.subtree(level, first + offset) for offset in range(1 << bits)])
