"""RFC 9162 §2.1.3 and §2.1.4: proofs against the definition, against known answers, and against everything spoilt."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records.merkle import (
    EMPTY,
    EMPTY_ROOT,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.records.test_merkle import REFERENCE_LEAVES

HASHES = [leaf_hash(leaf) for leaf in REFERENCE_LEAVES]
MANY = [leaf_hash(number.to_bytes(4)) for number in range(700)]

# Of the reference tree, as Certificate Transparency implementations publish them (index or old size, size, hashes).
INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


@pytest.mark.parametrize(("index", "size", "hashes"), INCLUSION)
def test_known_inclusion_proofs(index: int, size: int, hashes: list[str]) -> None:
    proof = [bytes.fromhex(text) for text in hashes]
    assert inclusion_proof(HASHES[:size], index) == proof
    verify_inclusion(HASHES[index], index, size, proof, root(HASHES[:size]))


@pytest.mark.parametrize(("old", "new", "hashes"), CONSISTENCY)
def test_known_consistency_proofs(old: int, new: int, hashes: list[str]) -> None:
    proof = [bytes.fromhex(text) for text in hashes]
    assert consistency_proof(HASHES[:new], old) == proof
    verify_consistency(old, new, proof, root(HASHES[:old]), root(HASHES[:new]))


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH as §2.1.3.1 defines it, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*path(index, leaves[:k]), root(leaves[k:])]
    return [*path(index - k, leaves[k:]), root(leaves[:k])]


def subproof(old: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF as §2.1.4.1 defines it, word for word."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if old <= k:
        return [*subproof(old, leaves[:k], whole), root(leaves[k:])]
    return [*subproof(old - k, leaves[k:], False), root(leaves[:k])]


def test_every_small_proof_is_that_of_the_definition_and_verifies() -> None:
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(MANY[:size], index)
            assert proof == path(index, MANY[:size])
            verify_inclusion(MANY[index], index, size, proof, root(MANY[:size]))
        for old in range(1, size + 1):
            proof = consistency_proof(MANY[:size], old)
            assert proof == subproof(old, MANY[:size], True)
            verify_consistency(old, size, proof, root(MANY[:old]), root(MANY[:size]))


@given(st.data())
def test_larger_proofs_too(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(MANY)))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    leaves, whole = MANY[:size], root(MANY[:size])
    proof = inclusion_proof(leaves, index)
    assert proof == path(index, leaves)
    verify_inclusion(MANY[index], index, size, proof, whole)
    if old:
        assert consistency_proof(leaves, old) == subproof(old, leaves, True)
    verify_consistency(old, size, consistency_proof(leaves, old), root(MANY[:old]), whole)


def flipped(data: bytes) -> list[bytes]:
    return [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]


def spoilt_proofs(proof: list[bytes]) -> list[list[bytes]]:
    """Every flipped bit, everything cut, added, doubled or exchanged."""
    found = [[*proof[:at], other, *proof[at + 1 :]] for at, node in enumerate(proof) for other in flipped(node)]
    found += [proof[:at] + proof[at + 1 :] for at in range(len(proof))]
    found += [[*proof[:at], bytes(32), *proof[at:]] for at in range(len(proof) + 1)]
    found += [[*proof[:at], *proof[at : at + 1], *proof[at:]] for at in range(len(proof))]
    found += [[*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :]] for at in range(len(proof) - 1)]
    found += [[*proof[:at], proof[at][:cut], *proof[at + 1 :]] for at in range(len(proof)) for cut in (0, 31)]
    return found


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (4, 5), (6, 7), (3, 8), (255, 256), (256, 257)])
def test_every_spoilt_inclusion_is_refused(index: int, size: int) -> None:
    leaf, whole = MANY[index], root(MANY[:size])
    proof = inclusion_proof(MANY[:size], index)
    cases: list[tuple[Any, ...]] = [(leaf, index, size, other, whole) for other in spoilt_proofs(proof)]
    cases += [(other, index, size, proof, whole) for other in flipped(leaf)]
    cases += [(leaf, index, size, proof, other) for other in flipped(whole)]
    cases += [(leaf, other, size, proof, whole) for other in range(-1, size + 1) if other != index]
    for case in cases:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*case)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 3), (3, 4), (4, 7), (6, 8), (256, 257), (255, 300), (300, 301)])
def test_every_spoilt_consistency_is_refused(old: int, new: int) -> None:
    before, after = root(MANY[:old]), root(MANY[:new])
    proof = consistency_proof(MANY[:new], old)
    cases: list[tuple[Any, ...]] = [(old, new, other, before, after) for other in spoilt_proofs(proof)]
    cases += [(old, new, proof, other, after) for other in flipped(before)]
    cases += [(old, new, proof, before, other) for other in flipped(after)]
    cases += [(other, new, proof, before, after) for other in range(-1, new + 2) if other != old]
    cases += [(old, old, proof, before, after), (new, new, proof, after, after), (new, old, proof, after, before)]
    for case in cases:
        with pytest.raises(ProofInvalid):
            verify_consistency(*case)


GOOD = inclusion_proof(HASHES, 2)
WHOLE = root(HASHES)
NO_INCLUSION: dict[str, Callable[[], None]] = {
    "an index that is a truth value": lambda: verify_inclusion(HASHES[1], True, 8, inclusion_proof(HASHES, 1), WHOLE),
    "a size that is a truth value": lambda: verify_inclusion(HASHES[0], 0, True, [], HASHES[0]),
    "an index that is a fraction": lambda: verify_inclusion(HASHES[2], 2.0, 8, GOOD, WHOLE),  # type: ignore[arg-type]
    "a size that is text": lambda: verify_inclusion(HASHES[2], 2, "8", GOOD, WHOLE),  # type: ignore[arg-type]
    "a tree of no leaves": lambda: verify_inclusion(HASHES[0], 0, 0, [], EMPTY_ROOT),
    "a size below nothing": lambda: verify_inclusion(HASHES[0], 0, -1, [], HASHES[0]),
    "a proof that is one string": lambda: verify_inclusion(HASHES[2], 2, 8, b"".join(GOOD), WHOLE),  # type: ignore[arg-type]
    "a proof that is nothing": lambda: verify_inclusion(HASHES[0], 0, 1, None, HASHES[0]),  # type: ignore[arg-type]
    "hashes in hexadecimal": lambda: verify_inclusion(HASHES[2], 2, 8, [one.hex() for one in GOOD], WHOLE),  # type: ignore[misc]
    "a root of another length": lambda: verify_inclusion(HASHES[2], 2, 8, GOOD, WHOLE + b"\0"),
    "a leaf that is not hashed": lambda: verify_inclusion(b"", 0, 1, [], HASHES[0]),
    "a node in place of a leaf": lambda: verify_inclusion(node_hash(HASHES[2], HASHES[3]), 2, 8, GOOD[1:], WHOLE),
}
NO_CONSISTENCY: dict[str, Callable[[], None]] = {
    "equal sizes with hashes": lambda: verify_consistency(8, 8, [WHOLE], WHOLE, WHOLE),
    "equal sizes, roots that differ": lambda: verify_consistency(8, 8, [], WHOLE, HASHES[0]),
    "from nothing, with hashes": lambda: verify_consistency(0, 8, [WHOLE], EMPTY_ROOT, WHOLE),
    "from nothing, under another root": lambda: verify_consistency(0, 8, [], WHOLE, WHOLE),
    "two empty trees under another root": lambda: verify_consistency(0, 0, [], WHOLE, WHOLE),
    "no hashes where there must be some": lambda: verify_consistency(4, 8, [], root(HASHES[:4]), WHOLE),
    "a size that is a truth value": lambda: verify_consistency(True, 8, consistency_proof(HASHES, 1), HASHES[0], WHOLE),
    "sizes below nothing": lambda: verify_consistency(-2, -1, [], EMPTY_ROOT, EMPTY_ROOT),
}


@pytest.mark.parametrize("case", [*NO_INCLUSION, *NO_CONSISTENCY])
def test_what_is_no_proof_is_refused_with_one_error(case: str) -> None:
    with pytest.raises(ProofInvalid):
        (NO_INCLUSION | NO_CONSISTENCY)[case]()


def test_the_empty_tree_is_the_beginning_of_every_tree_and_holds_nothing() -> None:
    for size in (0, 1, 8):
        assert consistency_proof(HASHES[:size], 0) == []
        verify_consistency(0, size, [], EMPTY_ROOT, root(HASHES[:size]))
    with pytest.raises(ProofInvalid):
        inclusion_proof([], 0)


@pytest.mark.parametrize(("leaves", "number"), [(8, 8), (8, -1), (0, 0), (8, True)])
def test_no_proof_is_made_of_a_leaf_that_there_is_not(leaves: int, number: int) -> None:
    with pytest.raises(ProofInvalid):
        inclusion_proof(HASHES[:leaves], number)
    if number is not True:
        with pytest.raises(ProofInvalid):
            consistency_proof(HASHES[:leaves], 9)


def test_growing_tells_the_complete_subtrees_of_256_leaves_wherever_it_is_cut() -> None:
    whole = [(1, 0, root(MANY[:256])), (1, 1, root(MANY[256:512]))]
    for cut in (0, 1, 255, 256, 257, 512, 700):
        frontier, first = EMPTY.extended(MANY[:cut])
        grown, rest = frontier.extended(MANY[cut:])
        assert [*first, *rest] == whole
        assert grown == EMPTY.grown(MANY)
