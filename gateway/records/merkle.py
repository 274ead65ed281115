"""RFC 9162 §2.1 Merkle trees over SHA-256. Pure.

The tree of no leaves has the root SHA-256("") (§2.1.1). A leaf is hashed with the prefix 0x00 and a node with 0x01,
so that neither can pass for the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


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
        size, peaks = self.size, list(self.peaks)
        for node in leaf_hashes:
            carry = size
            while carry & 1:
                node = node_hash(peaks.pop(), node)
                carry >>= 1
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks))

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
