"""SM2 through libcrypto: the standard's example, both encodings, refusals, the openssl command as second opinion."""

import ctypes
import gc
import resource
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode, encode_integer
from gateway.crypto.errors import AlgorithmUnavailable, KeyUnfit, SignatureInvalid
from tests.support.require import skip_or_fail

# GM/T 0003.5-2012 annex A, the example on the recommended curve.
SCALAR = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
POINT = bytes.fromhex(
    "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
MESSAGE = b"message digest"
RAW = R.to_bytes(32, "big") + S.to_bytes(32, "big")


def der(r: int, s: int) -> bytes:
    return encode(Tag.SEQUENCE, encode_integer(r), encode_integer(s))


@pytest.fixture(scope="module")
def key() -> sm2.Sm2PrivateKey:
    return sm2.generate_private_key()


def test_the_standards_example_verifies_in_both_encodings() -> None:
    key = sm2.public_key(POINT)
    key.verify(MESSAGE, RAW)
    key.verify(MESSAGE, der(R, S))


def test_the_examples_point_follows_from_its_scalar() -> None:
    assert sm2.private_key(sm2.scalar_to_der(SCALAR)).public_key.spki.endswith(POINT)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        RAW[:-1],
        RAW + b"\0",
        der(R, S) + b"\0",
        der(R, S)[:-1],
        der(R ^ 1, S),
        der(R, S ^ 1),
        der(S, R),
        der(R, ORDER - R),
        der(0, S),
        der(R, 0),
        der(ORDER, S),
        der(R, ORDER),
        RAW[:32] + bytes(32),
        bytes(32) + RAW[32:],
        RAW[:32] + ORDER.to_bytes(32, "big"),
        b"\xff" * 64,
        encode(Tag.SEQUENCE, encode(Tag.INTEGER, RAW[:32]), encode(Tag.INTEGER, RAW[32:])),
        encode(Tag.SEQUENCE, encode_integer(R), encode(Tag.OCTET_STRING, RAW[32:])),
        encode(Tag.SEQUENCE, encode_integer(R)),
        encode(Tag.SET, encode_integer(R), encode_integer(S)),
        b"\x30\x82\x00" + der(R, S)[1:],
        der(R, S) * 2,
        bytes(64),
        ORDER.to_bytes(32, "big") + RAW[32:],
        RAW[:32] + (S + ORDER).to_bytes(33, "big")[-32:],
        der(R, S + ORDER),
        encode(Tag.SEQUENCE, encode(Tag.INTEGER, b"\0\0" + RAW[:32]), encode_integer(S)),
        b"\x30\x81" + der(R, S)[1:],
        b"\x30\x80" + der(R, S)[2:] + b"\0\0",
        encode(Tag.SEQUENCE, encode_integer(R), encode_integer(S), encode_integer(1)),
    ],
)
def test_other_signatures_are_refused(signature: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        sm2.public_key(POINT).verify(MESSAGE, signature)


@pytest.mark.parametrize("wrong", [der(ORDER, S), der(R, ORDER), RAW[:32] + ORDER.to_bytes(32, "big"), bytes(64)])
def test_numbers_out_of_range_are_refused_before_the_library_sees_them(wrong: bytes) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        sm2.public_key(POINT).verify(MESSAGE, wrong)
    assert refused.value.check == "signature.encoding"


@pytest.mark.parametrize("message", [b"", b"message digest ", b"Message digest"])
def test_other_messages_are_refused(message: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        sm2.public_key(POINT).verify(message, RAW)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        POINT[:-1],
        POINT[:-1] + bytes([POINT[-1] ^ 1]),
        b"\x02" + POINT[1:33],
        b"\x04" + bytes(64),
        bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + POINT,
        bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200") + POINT + b"\0",
    ],
)
def test_other_keys_are_unfit(encoded: bytes) -> None:
    with pytest.raises(KeyUnfit):
        sm2.public_key(encoded)


def test_a_private_key_of_another_curve_is_unfit() -> None:
    curve = encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex("2a8648ce3d030107"))
    secret = encode(Tag.OCTET_STRING, SCALAR.to_bytes(32, "big"))
    p256 = encode(Tag.SEQUENCE, encode_integer(1), secret, encode(Tag.CONTEXT_0, curve))
    for wrong in (p256, b"", b"\x30\x00"):
        with pytest.raises(KeyUnfit):
            sm2.private_key(wrong)


def test_keys_survive_their_own_encoding(key: sm2.Sm2PrivateKey) -> None:
    again = sm2.private_key(key.to_der())
    assert again.public_key.spki == key.public_key.spki
    key.public_key.verify(b"x", again.sign(b"x"))


def test_parsed_keys_are_cached(key: sm2.Sm2PrivateKey) -> None:
    assert sm2.public_key(key.public_key.spki) is sm2.public_key(bytes(key.public_key.spki))


@settings(max_examples=40, deadline=None)
@given(message=st.binary(max_size=300), flip=st.integers(0, 511))
def test_what_is_signed_verifies_and_nothing_else(key: sm2.Sm2PrivateKey, message: bytes, flip: int) -> None:
    raw = sm2.signature_to_raw(key.sign(message))
    key.public_key.verify(message, raw)
    spoilt = bytearray(raw)
    spoilt[flip // 8] ^= 1 << flip % 8
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(message, bytes(spoilt))


def test_without_a_capable_library_the_algorithm_is_unavailable() -> None:
    for path in ("no-such-libcrypto.so", "libc.so.6"):
        with pytest.raises(AlgorithmUnavailable):
            sm2.Sm2Library(path)


def test_the_library_can_be_changed_and_changed_back() -> None:
    sm2.use_library("no-such-libcrypto.so")
    try:
        for _ in range(2):
            with pytest.raises(AlgorithmUnavailable):
                sm2.public_key(POINT)
    finally:
        sm2.use_library(None)
    sm2.public_key(POINT).verify(MESSAGE, RAW)


def test_the_self_test_at_start_tells_the_library_or_that_there_is_none() -> None:
    assert "SSL" in str(sm2.self_test()) or "Tongsuo" in str(sm2.self_test())
    sm2.use_library("no-such-libcrypto.so")
    try:
        assert sm2.self_test() is None
    finally:
        sm2.use_library(None)


@pytest.mark.parametrize("broken", ["EVP_DigestVerify", "EVP_PKEY_CTX_set1_id", "EVP_DigestSign", "EVP_MD_fetch"])
def test_a_library_that_fails_the_example_is_not_used(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads and has every function, but one of them does not do its work, or says yes to everything."""
    real = sm2._open("libcrypto.so.3")

    class Faulty:
        def __getattr__(self, name: str):
            return (lambda *_: 0) if name == broken else getattr(real, name)

    monkeypatch.setattr(sm2, "_load", lambda _: Faulty())
    with pytest.raises(AlgorithmUnavailable):
        sm2.Sm2Library()


def test_a_library_that_takes_every_signature_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sm2._open("libcrypto.so.3")

    class Generous:
        def __getattr__(self, name: str):
            return (lambda *_: 1) if name == "EVP_DigestVerify" else getattr(real, name)

    monkeypatch.setattr(sm2, "_load", lambda _: Generous())
    with pytest.raises(AlgorithmUnavailable):
        sm2.Sm2Library()


def test_threads_may_share_a_key(key: sm2.Sm2PrivateKey) -> None:
    def work(number: int) -> bool:
        message = str(number).encode()
        signature = key.sign(message)
        key.public_key.verify(message, signature)
        try:
            key.public_key.verify(b"other", signature)
        except SignatureInvalid:
            return True
        return False

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(120)))


def resident_kib() -> int:
    """This process's resident memory in KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def mixed_rounds(count: int, fresh: bool) -> None:
    """``count`` good and as many bad verifications, under one cached key or under a key parsed anew each time."""
    library, private = sm2.library(), sm2.generate_private_key()
    signature, spki = private.sign(b"x"), private.public_key.spki
    for _ in range(count):
        if fresh:
            library.public_key.cache_clear()
        key = library.public_key(spki)
        key.verify(b"x", signature)
        for message, other in ((b"y", signature), (b"x", signature[:-1])):
            with pytest.raises(SignatureInvalid):
                key.verify(message, other)
        with pytest.raises(KeyUnfit):
            library.public_key(spki[:-1] + bytes([spki[-1] ^ 1]))
    gc.collect()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("fresh", [False, True], ids=["cached key", "fresh keys"])
def test_memory_stays_flat(fresh: bool) -> None:
    """Keys, contexts and errors are given back. A million take minutes: ``python -m tests.bench.sm2_memory``."""
    mixed_rounds(500, fresh)
    before = resident_kib()
    mixed_rounds(2000, fresh)
    # 140 bytes lost a round would come to more than this; a lost context or key to several times as much.
    assert resident_kib() - before < 280


def test_the_error_queue_is_left_clean(key: sm2.Sm2PrivateKey) -> None:
    """The queue is shared with Python's own TLS: what is left there would be read as a failure of a connection."""
    peek = sm2.library().loaded.ERR_peek_error
    peek.restype = ctypes.c_ulong
    signature = key.sign(b"x")
    key.public_key.verify(b"x", signature)
    assert peek() == 0
    for message, wrong in ((b"y", signature), (b"x", der(R, S)), (b"x", der(R, ORDER - R)), (b"x", RAW)):
        with pytest.raises(SignatureInvalid):
            key.public_key.verify(message, wrong)
        assert peek() == 0
    off_curve = key.public_key.spki[:-1] + bytes([key.public_key.spki[-1] ^ 1])
    for act in (lambda: sm2.public_key(off_curve), lambda: sm2.private_key(b"\x30\x03\x02\x01\x01")):
        with pytest.raises(KeyUnfit):
            act()
        assert peek() == 0
    sm2.private_key(key.to_der())
    assert peek() == 0


def test_more_keys_than_the_cache_holds_in_many_threads() -> None:
    """A key that falls out of the cache is freed, but not while a thread still verifies with it."""
    library = sm2.Sm2Library()
    signed = [
        (private.public_key.spki, private.sign(b"x"))
        for private in (library.generate_private_key() for _ in range(1100))
    ]
    assert library.public_key.cache_info().currsize <= sm2.KEY_CACHE_SIZE

    def work(start: int) -> int:
        for spki, signature in signed[start::2] + signed[:start:2]:
            library.public_key(spki).verify(b"x", signature)
        return 1

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 4
    assert library.public_key.cache_info().currsize == sm2.KEY_CACHE_SIZE


def test_openssl_agrees(key: sm2.Sm2PrivateKey, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        skip_or_fail("the openssl command is not installed")
    (tmp_path / "key.der").write_bytes(key.to_der())
    (tmp_path / "spki.der").write_bytes(key.public_key.spki)
    (tmp_path / "message").write_bytes(b"openssl agrees")
    (tmp_path / "signature").write_bytes(key.sign(b"openssl agrees"))
    common = ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", "message"]
    verify = [openssl, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "spki.der", "-sigfile", "signature"]
    told = subprocess.run([*verify, *common], cwd=tmp_path, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr
    sign = [openssl, "pkeyutl", "-sign", "-keyform", "DER", "-inkey", "key.der", "-out", "theirs"]
    subprocess.run([*sign, *common], cwd=tmp_path, capture_output=True, check=True)
    key.public_key.verify(b"openssl agrees", (tmp_path / "theirs").read_bytes())
    # Under OpenSSL's default, the empty ID, the same bytes are another signature.
    without_id = [part for part in common if "distid" not in part and part != "-pkeyopt"]
    subprocess.run([*sign, *without_id], cwd=tmp_path, capture_output=True, check=True)
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(b"openssl agrees", (tmp_path / "theirs").read_bytes())
