"""RFC 9162 §2.1.4.2, written apart from the gateway's: two implementations that check each other."""

from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def grows(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether the tree of ``new`` leaves under ``new_root`` begins with that of ``old`` under ``old_root``.

    Read top down: the tree is split as §2.1.1 splits it, and the hashes are taken from the end of the proof.
    """
    if old > new or any(len(each) != 32 for each in proof):
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    left = list(proof)
    try:
        computed = _roots(old, new, old_root, left, whole=True)
    except IndexError:
        return False
    return not left and computed == (old_root, new_root)


def _roots(old: int, new: int, old_root: bytes, left: list[bytes], *, whole: bool) -> tuple[bytes, bytes]:
    """Roots of the first ``old`` and of all ``new`` leaves of a subtree; takes what it needs from the end of ``left``.

    ``whole`` – the subtree's first ``old`` leaves are all of the older tree, whose root is known.
    """
    if old == new:
        node = old_root if whole else left.pop()
        return node, node
    split = 1
    while split * 2 < new:
        split *= 2
    if old <= split:
        right = left.pop()
        before, after = _roots(old, split, old_root, left, whole=whole)
        return before, _node(after, right)
    shared = left.pop()
    before, after = _roots(old - split, new - split, old_root, left, whole=False)
    return _node(shared, before), _node(shared, after)
