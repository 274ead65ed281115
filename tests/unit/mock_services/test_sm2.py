"""The mock's own SM2: the standard's known answer, and agreement with the gateway's, which shares no line with it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.crypto.errors import SignatureInvalid
from gateway.crypto.signatures import Scheme, verify_signature
from gateway.crypto.sm2 import generate_private_key
from mock_services.sm2 import N, Sm2Key, Sm2PublicKey

KEY = Sm2Key(0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8)
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21


def test_the_known_answer_of_gmt_0003_5() -> None:
    signature = KEY.sign(b"message digest", nonce=NONCE)
    assert "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3" in signature.hex()
    assert "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa" in signature.hex()
    assert KEY.public_key.verify(b"message digest", signature)


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=200))
def test_the_gateway_and_the_mock_believe_each_other(message: bytes) -> None:
    verify_signature(Scheme.SM2_SM3, KEY.public_key.spki, message, KEY.sign(message))
    other = generate_private_key()
    point = other.public_key.spki[-64:]
    public = Sm2PublicKey(int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big"))
    assert public.spki == other.public_key.spki
    assert public.verify(message, other.sign(message))


def test_both_refuse_another_message_and_another_key() -> None:
    signature = KEY.sign(b"one")
    assert not KEY.public_key.verify(b"two", signature)
    assert not Sm2Key.generate().public_key.verify(b"one", signature)
    with pytest.raises(SignatureInvalid):
        verify_signature(Scheme.SM2_SM3, KEY.public_key.spki, b"two", signature)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 71), st.integers(1, 255))
def test_no_altered_signature_is_believed(place: int, flip: int) -> None:
    signature = bytearray(KEY.sign(b"one", nonce=NONCE))
    signature[place % len(signature)] ^= flip
    assert not KEY.public_key.verify(b"one", bytes(signature))


def test_rubbish_is_no_signature_no_key_and_no_point() -> None:
    for rubbish in (b"", b"\x30", bytes(70), b"\x30\x06\x02\x01\x00\x02\x01\x00"):
        assert not KEY.public_key.verify(b"one", rubbish)
    with pytest.raises(ValueError):
        Sm2PublicKey(1, 1)
    for d in (0, N - 1, N):
        with pytest.raises(ValueError):
            Sm2Key(d)


def test_a_key_survives_its_file_and_nothing_else_is_one() -> None:
    text = KEY.to_pem()
    assert Sm2Key.from_pem(text) == KEY
    assert f"{KEY.d:x}" not in repr(KEY)
    for wrong in (b"", text[:-2], text.replace(b"PRIVATE", b"PUBLIC"), text.replace(b"A", b"B", 1)):
        with pytest.raises(ValueError):
            Sm2Key.from_pem(wrong)
