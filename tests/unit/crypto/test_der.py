"""The strict DER reader: what it takes, what it refuses, and that it raises nothing of others."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.crypto.der import Tag, encode, encode_integer, parse, parse_integer_pair, parse_time
from gateway.crypto.errors import DerMalformed


@pytest.mark.parametrize(
    ("encoded", "wrong"),
    [
        ("", "nothing"),
        ("30", "no length"),
        ("3003020101ff", "bytes left over"),
        ("30040201", "cut short"),
        ("308003020101", "indefinite length"),
        ("30810302 0101".replace(" ", ""), "length not in its shortest form"),
        ("3082000302 0101".replace(" ", ""), "length with a leading zero"),
        ("3085000000000 1ff".replace(" ", ""), "length of five octets"),
        ("1f010100", "tag of several octets"),
    ],
)
def test_broken_framing_is_refused(encoded: str, wrong: str) -> None:
    with pytest.raises(DerMalformed):
        parse(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    ("encoded", "read"),
    [
        ("0200", "integer"),
        ("02020001", "integer"),
        ("0202ff80", "integer"),
        ("0301", "bits"),
        ("030204f0", "bits"),
        ("0600", "oid"),
        ("060180", "oid"),
        ("06032a8001", "oid"),
        ("0201ff", "oid"),
    ],
)
def test_broken_values_are_refused(encoded: str, read: str) -> None:
    with pytest.raises(DerMalformed):
        getattr(parse(bytes.fromhex(encoded)), read)()


def test_a_length_has_no_leading_zero_octet() -> None:
    for encoded in ("30820080" + "0500" * 64, "3083000100" + "0500" * 128):
        with pytest.raises(DerMalformed):
            parse(bytes.fromhex(encoded))


@pytest.mark.parametrize("encoded", ["3006020100020101", "3006020101020100", "30060201ff020101", "3003020101", "3100"])
def test_a_signature_is_two_positive_integers(encoded: str) -> None:
    with pytest.raises(DerMalformed):
        parse_integer_pair(bytes.fromhex(encoded))
    assert parse_integer_pair(bytes.fromhex("3006020101020102")) == (1, 2)


def pair_by_elements(data: bytes) -> tuple[int, int] | None:
    """The same by the general reader: what the reader by offsets is held to."""
    try:
        children = parse(data).expect(Tag.SEQUENCE).children()
        values = tuple(child.integer() for child in children)
    except DerMalformed:
        return None
    return values if len(values) == 2 and min(values) > 0 and len(data) < 0x80 + 0x83 else None


@settings(max_examples=600)
@given(
    r=st.integers(-2, 1 << 530),
    s=st.integers(1, 1 << 530),
    position=st.integers(0, 140),
    put=st.binary(max_size=2),
    taken=st.integers(0, 2),
)
def test_signatures_are_read_as_the_general_reader_reads_them(r, s, position, put, taken) -> None:
    encoded = bytearray(encode(Tag.SEQUENCE, encode_integer(abs(r)), encode_integer(s)))
    for data in (bytes(encoded), bytes(encoded[:position] + put + encoded[position + taken :])):
        try:
            read = parse_integer_pair(data)
        except DerMalformed:
            read = None
        assert read == pair_by_elements(data)


@given(st.integers(0, 1 << 600))
def test_integers_go_both_ways(value: int) -> None:
    assert parse(encode_integer(value)).integer() == value


def test_object_identifiers() -> None:
    assert parse(bytes.fromhex("06082a811ccf55018375")).oid() == "1.2.156.10197.1.501"
    assert parse(bytes.fromhex("0603883703")).oid() == "2.999.3"


@pytest.mark.parametrize(
    ("content", "century", "expected"),
    [
        (b"260601010203Z", False, datetime(2026, 6, 1, 1, 2, 3, tzinfo=UTC)),
        (b"500101000000Z", False, datetime(1950, 1, 1, tzinfo=UTC)),
        (b"20260601010203Z", True, datetime(2026, 6, 1, 1, 2, 3, tzinfo=UTC)),
        (b"20260601090203+0800", True, datetime(2026, 6, 1, 1, 2, 3, tzinfo=UTC)),
    ],
)
def test_times(content: bytes, century: bool, expected: datetime) -> None:
    assert parse_time(content, century=century) == expected


@pytest.mark.parametrize(
    "content",
    [b"", b"20260601010203", b"20261301010203Z", b"20260230010203Z", b"2026060101020\xb2Z", b"20260601010203+9999"],
)
def test_times_that_are_none(content: bytes) -> None:
    with pytest.raises(DerMalformed):
        parse_time(content, century=True)


@given(st.binary(max_size=120))
def test_any_bytes_raise_only_der_malformed(data: bytes) -> None:
    for candidate in (data, encode(Tag.SEQUENCE, data), encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, data), data)):
        try:
            element = parse(candidate)
            for child in element.children():
                for read in (child.oid, child.integer, child.time, child.bits, child.octets):
                    try:
                        read()
                    except DerMalformed:
                        continue
        except DerMalformed:
            continue
