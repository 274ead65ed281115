"""A head is one file with one reading."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records.heads import MAX_HEAD_BYTES, decode_head, encode_head
from gateway.records.log import LogHead, Seal
from gateway.records.merkle import leaf_hash
from tests.support.storage import NOON, SEAL_SIGNER


def sealed() -> Seal:
    seal, *_ = LogHead("0123456789ab").sealed([leaf_hash(b"1")], NOON, SEAL_SIGNER.key_id, SEAL_SIGNER.sign)
    return seal


def test_a_head_is_read_back_as_it_was() -> None:
    seal = sealed()
    assert decode_head(encode_head(seal)) == seal
    said = json.loads(encode_head(seal))
    assert (said["log"], said["number"], said["last"], said["hash"]) == ("0123456789ab", 1, 1, seal.hash().hex())


@pytest.mark.parametrize("member", json.loads(encode_head(sealed())))
def test_a_head_that_lacks_or_changes_a_member_is_none(member: str) -> None:
    said = json.loads(encode_head(sealed()))
    with pytest.raises(ValueError):
        decode_head(json.dumps({name: value for name, value in said.items() if name != member}).encode())
    for other in (None, [], {}, True, 2.5, "x", -7):
        with pytest.raises(ValueError):
            decode_head(json.dumps(said | {member: other}).encode())
    with pytest.raises(ValueError):
        decode_head(json.dumps(said | {"more": 1}).encode())


def test_a_head_whose_hash_is_not_its_own_is_none() -> None:
    said = json.loads(encode_head(sealed()))
    other = replace(sealed(), signature=bytes(64))
    with pytest.raises(ValueError, match="contradict"):
        decode_head(json.dumps(said | {"hash": other.hash().hex()}).encode())


@given(st.binary(max_size=200) | st.just(b"[]") | st.just(b" " * (MAX_HEAD_BYTES + 1)))
def test_rubbish_is_no_head(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_head(data)
