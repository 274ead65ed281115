"""Both algorithms against published vectors."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import algorithms

from gateway.crypto import aead as room
from gateway.crypto.aead import Algorithm, aead, derive_key, is_available, require_available
from gateway.crypto.errors import AlgorithmUnavailable

FEED = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
NIST_PLAIN = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
VECTORS = {
    "GCM specification, test case 13: AES-256, nothing": (
        Algorithm.AES_256_GCM,
        "00" * 32,
        "00" * 12,
        "",
        "",
        "530f8afbc74536b9a963b4f1c4cb738b",
    ),
    "GCM specification, test case 16: AES-256, 60 bytes, 20 of associated data": (
        Algorithm.AES_256_GCM,
        "feffe9928665731c6d6a8f9467308308" * 2,
        "cafebabefacedbaddecaf888",
        NIST_PLAIN,
        FEED,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    "RFC 8998 A.1: SM4-GCM": (
        Algorithm.SM4_GCM,
        "0123456789abcdeffedcba9876543210",
        "00001234567800000000abcd",
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
        "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        FEED,
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_published_vector_comes_out_and_goes_back(name: str) -> None:
    algorithm, *texts = VECTORS[name]
    key, nonce, plain, associated, sealed = map(bytes.fromhex, texts)
    cipher = aead(algorithm, key)
    assert cipher.encrypt(nonce, plain, associated) == sealed
    assert cipher.decrypt(nonce, sealed, associated) == plain
    for spoilt in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:-1], sealed[:15], b""):
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, spoilt, associated)
    with pytest.raises(InvalidTag):
        cipher.decrypt(nonce, sealed, associated + b"x")


@pytest.mark.parametrize("algorithm", Algorithm)
def test_derived_keys_fit_the_algorithm_and_differ_by_what_they_are_for(algorithm: Algorithm) -> None:
    one, other = (derive_key(algorithm, b"k" * 32, info) for info in (b"a", b"b"))
    assert one != other
    aead(algorithm, one)


def test_sm4_keys_are_derived_with_sm3() -> None:
    """HMAC-SM3, GB/T 32905 under RFC 2104; made with an independent tool (openssl dgst -sm3 -hmac)."""
    assert derive_key(Algorithm.SM4_GCM, b"k" * 32, b"info").hex() == HMAC_SM3[:32]


HMAC_SM3 = "71f5fed40863f1d80069cd8e9defaa94da395d93798ffc5712017588ec3f70d3"


@pytest.mark.parametrize("key", [b"", b"k" * 16, b"k" * 31])
def test_a_shorter_key_does_not_pass_for_aes_256(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        aead(Algorithm.AES_256_GCM, key)


def test_a_library_without_sm4_says_so_and_one_that_computes_it_wrongly_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert is_available(Algorithm.SM4_GCM)
    is_available.cache_clear()
    try:
        monkeypatch.setattr(room, "_Sm4Gcm", _Unsupported)
        assert not is_available(Algorithm.SM4_GCM)
        with pytest.raises(AlgorithmUnavailable) as caught:
            require_available(Algorithm.SM4_GCM)
        assert caught.value.check == "at_rest.algorithm"
        require_available(Algorithm.AES_256_GCM)
        is_available.cache_clear()
        monkeypatch.setattr(room, "_Sm4Gcm", _Wrong)
        assert not is_available(Algorithm.SM4_GCM)
    finally:
        is_available.cache_clear()


class _Unsupported:
    def __init__(self, key: bytes) -> None:
        raise room.UnsupportedAlgorithm("SM4 is not built in")


class _Wrong:
    """AES under the name of SM4."""

    def __init__(self, key: bytes) -> None:
        algorithms.SM4(key)
        self._cipher = aead(Algorithm.AES_256_GCM, key * 2)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        return self._cipher.encrypt(nonce, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        return self._cipher.decrypt(nonce, data, associated_data)
