"""Leaves of the super log: one spelling, and nothing else is one."""

import pytest

from gateway.records.super_log import SuperLeaf, decode_leaf, encode_leaf

LEAF = SuperLeaf("4f0c5d1e2a3b", 30, 3, bytes(range(32)))
WRITTEN = b'{"last":30,"log":"4f0c5d1e2a3b","number":3,"root":"%s","v":1}' % bytes(range(32)).hex().encode()


def test_a_leaf_is_written_as_the_documentation_says() -> None:
    assert encode_leaf(LEAF) == WRITTEN
    assert decode_leaf(WRITTEN) == LEAF


@pytest.mark.parametrize(
    ("what", "other"),
    [
        (b'"last":30', b'"last": 30'),
        (b'"last":30', b'"last":2'),
        (b'"last":30', b'"last":30.0'),
        (b'"last":30', b'"last":"30"'),
        (b'"last":30', b'"last":true'),
        (b'"number":3', b'"number":true'),
        (b'"number":3', b'"number":0'),
        (b'"number":3', b'"number":-3'),
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v":1,"w":1'),
        (b'"4f0c5d1e2a3b"', b'""'),
        (b'"4f0c5d1e2a3b"', b'"a b"'),
        (b'"4f0c5d1e2a3b"', b"null"),
        (b"1e1f", b"1e"),
        (b"1e1f", b"1E1F"),
        (b"1e1f", b"1e1g"),
        (b"0001", b" 0001"),
        (b"}", b""),
        (b"{", b"[{"),
    ],
)
def test_what_is_written_otherwise_is_none(what: bytes, other: bytes) -> None:
    assert what in WRITTEN
    with pytest.raises(ValueError):
        decode_leaf(WRITTEN.replace(what, other))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"1", b"\xff", WRITTEN + b"\n"])
def test_what_is_no_object_is_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_leaf(data)
