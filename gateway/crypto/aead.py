"""Authenticated encryption under one of two algorithms, both by ``cryptography``: AES-256-GCM and SM4-GCM.

Sources: NIST SP 800-38D (GCM); GB/T 32907-2016 (SM4); RFC 8998 (SM4-GCM, and the vector of the self-test).
"""

import hmac
from enum import StrEnum
from functools import cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from gateway.crypto.errors import AlgorithmUnavailable

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


class Algorithm(StrEnum):
    """What stored data may be encrypted with."""

    AES_256_GCM = "aes-256-gcm"
    SM4_GCM = "sm4-gcm"


class Aead(Protocol):
    """One key, ready for use; safe to share between threads."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Ciphertext and 16-byte tag. A 12-byte ``nonce`` is good for one message under one key."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """What ``encrypt`` was given. Raises ``cryptography.exceptions.InvalidTag``."""
        ...


class _Sm4Gcm:
    """SM4-GCM with the interface of ``AESGCM``."""

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        encryptor = Cipher(self._key, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        if len(data) < TAG_BYTES:
            raise InvalidTag
        decryptor = Cipher(self._key, modes.GCM(nonce, data[-TAG_BYTES:])).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        return decryptor.update(data[:-TAG_BYTES]) + decryptor.finalize()


def aead(algorithm: Algorithm, key: bytes) -> Aead:
    """``key`` is 32 bytes for AES-256-GCM and 16 for SM4-GCM."""
    match algorithm:
        case Algorithm.AES_256_GCM:
            if len(key) != 32:
                raise ValueError("AES-256 has a key of 32 bytes")
            return AESGCM(key)
        case Algorithm.SM4_GCM:
            return _Sm4Gcm(key)


def derive_key(algorithm: Algorithm, key: bytes, info: bytes) -> bytes:
    """A key of the algorithm's length: the first bytes of HMAC over ``info``, with SHA-256, or with SM3 for SM4."""
    if algorithm is Algorithm.AES_256_GCM:
        return hmac.digest(key, info, "sha256")
    code = HMAC(key, hashes.SM3())
    code.update(info)
    return code.finalize()[:16]


_RFC_8998_A1: Final = {
    "key": "0123456789ABCDEFFEDCBA9876543210",
    "nonce": "00001234567800000000ABCD",
    "data": "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDD"
    "EEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA",
    "associated": "FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2",
    "sealed": "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
    "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
    "83DE3541E4C2B58177E065A9BF7B62EC",
}


@cache
def is_available(algorithm: Algorithm) -> bool:
    """Whether the installed library has it, and for SM4-GCM answers RFC 8998 A.1 as it must."""
    if algorithm is Algorithm.AES_256_GCM:
        return True
    vector = {name: bytes.fromhex(text) for name, text in _RFC_8998_A1.items()}
    try:
        cipher = aead(algorithm, vector["key"])
        sealed = cipher.encrypt(vector["nonce"], vector["data"], vector["associated"])
        opened = cipher.decrypt(vector["nonce"], vector["sealed"], vector["associated"])
        derive_key(algorithm, b"key", b"info")
    except (UnsupportedAlgorithm, InvalidTag):
        return False
    return sealed == vector["sealed"] and opened == vector["data"]


def require_available(algorithm: Algorithm) -> None:
    """Raises ``AlgorithmUnavailable`` where ``is_available`` says no."""
    if not is_available(algorithm):
        raise AlgorithmUnavailable(check="at_rest.algorithm")
