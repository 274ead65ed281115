"""RFC 9162 §2.1 Merkle trees over SHA-256: roots, inclusion and consistency proofs. Pure, and standing alone.

The tree of no leaves has the root SHA-256("") (§2.1.1). A leaf is hashed with the prefix 0x00 and a node with 0x01,
so that neither can pass for the other. Leaves are numbered from 0. A proof is a list of hashes of 32 bytes each.

**The empty tree** contains nothing, so no leaf can be proved in it. It is the beginning of every tree: a consistency
proof from size 0 is the empty list, and the older root must be the empty tree's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
SUBTREE_BITS = 8
"""Complete subtrees of 256, 256², … leaves are remembered where a tree is stored."""
EMPTY_ROOT = sha256(b"").digest()


class ProofInvalid(ValueError):
    """A proof does not prove what it should, or is none; the text says why, in words of ours alone."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf), 32 bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root of the tree over ``leaf_hashes`` (32 bytes each), by the recursive definition of §2.1.1."""
    if not leaf_hashes:
        return EMPTY_ROOT
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    split = 1 << (len(leaf_hashes) - 1).bit_length() - 1
    return node_hash(root(leaf_hashes[:split]), root(leaf_hashes[split:]))


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, leaves) of RFC 9162 §2.1.3.1: the siblings from the leaf up, for the tree over ``leaf_hashes``.

    Raises ``ProofInvalid`` where there is no leaf ``index``.
    """
    _check_index(index, len(leaf_hashes))
    return [root(leaf_hashes[start:end]) for start, end in inclusion_ranges(index, len(leaf_hashes))]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves, first and end, whose roots PATH(index, D[size]) consists of, in its order."""
    start, end = 0, size
    ranges: list[tuple[int, int]] = []
    while end - start > 1:
        middle = start + largest_power_below(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """PROOF(old_size, leaves) of RFC 9162 §2.1.4.1: that the first ``old_size`` leaves are the beginning of all.

    Empty for 0 and for all of them. Raises ``ProofInvalid`` where there are fewer leaves than ``old_size``.
    """
    _check_sizes(old_size, len(leaf_hashes))
    return [root(leaf_hashes[start:end]) for start, end in consistency_ranges(old_size, len(leaf_hashes))]


def consistency_ranges(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """The ranges of leaves, first and end, whose roots PROOF(old_size, D[new_size]) consists of, in its order."""
    if old_size in (0, new_size):
        return []
    start, end, whole = 0, new_size, True
    ranges: list[tuple[int, int]] = []
    while old_size != end:
        middle = start + largest_power_below(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, end))
    return ranges[::-1]


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 §2.1.3.2: prove that leaf ``index`` of the tree of ``size`` leaves under ``root`` has ``leaf_hash``.

    Raises ``ProofInvalid`` for every other input, whatever it is.
    """
    _check_index(index, size)
    _check_hashes("the leaf hash", [leaf_hash])
    _check_hashes("the root", [root])
    _check_proof(proof)
    node, position, last = leaf_hash, index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the proof is too short")
    if node != root:
        raise ProofInvalid("the proof leads to another root")


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """RFC 9162 §2.1.4.2: prove that the tree of ``old_size`` under ``old_root`` is the beginning of the newer one.

    Of size 0 and of equal sizes the proof is empty; then the older root must be ``EMPTY_ROOT``, or the newer one.
    Raises ``ProofInvalid`` for every other input, whatever it is.
    """
    _check_sizes(old_size, new_size)
    _check_hashes("the older root", [old_root])
    _check_hashes("the newer root", [new_root])
    _check_proof(proof)
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofInvalid("the root is not that of the empty tree")
    if old_size in (0, new_size):
        if proof:
            raise ProofInvalid("the proof is too long")
        if old_size == new_size and old_root != new_root:
            raise ProofInvalid("two roots of one size differ")
        return
    nodes = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    _climb(nodes, old_size - 1, new_size - 1, old_root, new_root)


def _climb(nodes: Sequence[bytes], old_last: int, new_last: int, old_root: bytes, new_root: bytes) -> None:
    """Steps 4 to 7 of §2.1.4.2."""
    if not nodes:
        raise ProofInvalid("the proof is too short")
    while old_last & 1:
        old_last, new_last = old_last >> 1, new_last >> 1
    old_node = new_node = nodes[0]
    for sibling in nodes[1:]:
        if new_last == 0:
            raise ProofInvalid("the proof is too long")
        if old_last & 1 or old_last == new_last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not old_last & 1 and old_last:
                old_last, new_last = old_last >> 1, new_last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        old_last, new_last = old_last >> 1, new_last >> 1
    if new_last != 0:
        raise ProofInvalid("the proof is too short")
    if old_node != old_root:
        raise ProofInvalid("the proof leads to another older root")
    if new_node != new_root:
        raise ProofInvalid("the proof leads to another newer root")


def largest_power_below(count: int) -> int:
    """The largest power of two that is smaller than ``count``, which is at least 2: where §2.1.1 splits a list."""
    return 1 << (count - 1).bit_length() - 1


def _check_index(index: object, size: object) -> None:
    if not _is_count(size) or not _is_count(index):
        raise ProofInvalid("sizes and indexes are whole numbers from 0")
    if index >= size:  # type: ignore[operator]  # both are whole numbers
        raise ProofInvalid("the tree has no leaf of this index")


def _check_sizes(old_size: object, new_size: object) -> None:
    if not _is_count(old_size) or not _is_count(new_size):
        raise ProofInvalid("sizes and indexes are whole numbers from 0")
    if old_size > new_size:  # type: ignore[operator]  # both are whole numbers
        raise ProofInvalid("the older tree is larger than the newer one")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_proof(proof: object) -> None:
    if not isinstance(proof, list | tuple):
        raise ProofInvalid("a proof is a list of hashes")
    _check_hashes("a hash of the proof", proof)


def _check_hashes(what: str, hashes: Sequence[object]) -> None:
    if not all(isinstance(one, bytes) and len(one) == HASH_BYTES for one in hashes):
        raise ProofInvalid(f"{what} is not {HASH_BYTES} bytes")


class Subtree(NamedTuple):
    """The root of a complete subtree of 256^``level`` leaves, the one at ``position`` of that size, from 0."""

    level: int
    position: int
    root: bytes


@dataclass(frozen=True)
class Frontier:
    """What is needed to grow a tree: its size and the roots of its complete subtrees, largest first.

    There are as many of them as ``size`` has one-bits, so growing by a leaf and telling the root are O(log size).
    """

    size: int = 0
    peaks: tuple[bytes, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError("a frontier has one peak for each one-bit of its size")

    def grown(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """The frontier after ``leaf_hashes`` are appended, in order."""
        return self.extended(leaf_hashes)[0]

    def extended(self, leaf_hashes: Iterable[bytes]) -> tuple["Frontier", list[Subtree]]:
        """``grown``, and the subtrees of 256, 256², … leaves that became complete by it, in order of their ends."""
        size, peaks = self.size, list(self.peaks)
        completed: list[Subtree] = []
        for node in leaf_hashes:
            carry, height = size, 0
            while carry & 1:
                node = node_hash(peaks.pop(), node)
                carry >>= 1
                height += 1
                if not height % SUBTREE_BITS:
                    completed.append(Subtree(height // SUBTREE_BITS, size >> height, node))
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks)), completed

    @property
    def root(self) -> bytes:
        """Root of the whole tree."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node


EMPTY = Frontier()
"""The tree of no leaves."""
