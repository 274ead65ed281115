"""Revocation lists as bytes: what is none, how large one may be, and that nothing but our own error is raised."""

import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.crls import MAX_CRL_BYTES, load_crl
from gateway.crypto.der import Tag, encode
from gateway.crypto.errors import DerMalformed
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, DAY, HOUR, Revoked, bits, crl, root, scope, seq

CA = root()
SEAL = CA.issue("章")
CLEAR, UNKNOWN, REVOKED = None, "chain.revocation_unknown", "chain.revoked"


def judge(*lists):
    return verify_chain(SEAL.certificate, [], [CA.certificate], AT, crls=lists).check


def listed(reason=None, at=AT - DAY, *extensions, serial=None):
    return Revoked(SEAL.serial if serial is None else serial, at, reason, None, extensions)


def test_a_list_of_version_1_or_without_a_number_is_taken_and_a_critical_number_is_not():
    for more in ({"version": 1}, {"number": None}):
        assert judge(crl(CA, **more)) is CLEAR
        assert judge(crl(CA, Revoked(SEAL.serial), **more)) == REVOKED
    number = x.extension("2.5.29.20", x.integer(1), critical=True)
    assert judge(crl(CA, number=None, extensions=[number])) == UNKNOWN


MALFORMED = {
    "version 3": lambda: crl(CA, version=3),
    "entry that is no sequence": lambda: with_entries(b"\x31\x00"),
    "entry without a number": lambda: with_entries(seq(x.utc(AT))),
    "entry cut short": lambda: with_entries(b"\x30\x10\x02\x01\x01"),
    "number not in its shortest form": lambda: with_entries(seq(b"\x02\x02\x00\x01", x.utc(AT))),
    "entry with a huge length": lambda: with_entries(b"\x30\x84\xff\xff\xff\xff\x02\x01\x01"),
    "bytes after the end": lambda: crl(CA) + b"\x00",
    "negative number": lambda: crl(CA, number=-1),
    "extension twice": lambda: crl(CA, extensions=[x.extension("2.5.29.20", x.integer(1))]),
    "too large": lambda: bytes(MAX_CRL_BYTES + 1),
    "nothing": lambda: b"",
}


def with_entries(entries):
    body = seq(
        x.integer(1),
        x.algorithm(CA.key),
        CA.subject,
        x.utc(AT - HOUR),
        x.utc(AT + DAY),
        seq(entries),
        encode(Tag.CONTEXT_0, seq(x.extension("2.5.29.20", x.integer(1)))),
    )
    return x.signed(body, CA.key)


@pytest.mark.parametrize("build", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_list_is_refused_by_our_own_error_and_makes_nothing_known(build):
    with pytest.raises(DerMalformed):
        load_crl(build())
    assert judge(build()) == UNKNOWN


def large(count, serial_bytes=16):
    """A signed list of ``count`` entries, written without a builder's help."""
    base = 1 << (8 * serial_bytes - 2)
    date = x.utc(AT - DAY)
    return with_entries(b"".join(seq(x.integer(base + number), date) for number in range(count)))


def test_a_list_of_four_mebibytes_is_indexed_once_in_little_memory_and_asked_quickly():
    count = (MAX_CRL_BYTES - 4096) // 35
    data = large(count)
    assert len(data) > 4_000_000
    load_crl.cache_clear()
    tracemalloc.start()
    started = time.process_time()
    found = load_crl(data)
    built = time.process_time() - started
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.entries) == count
    assert built < 10
    assert kept < 1_500_000
    assert peak < 40_000_000
    last, absent = x.integer((1 << 126) + count - 1), x.integer(1 << 126 | 1 << 40)
    started = time.process_time()
    for _ in range(20):
        assert len(found.entries.find(last)) == 1
        assert found.entries.find(absent) == []
    assert time.process_time() - started < 2
    assert judge(data) is CLEAR


def test_many_entries_with_a_reason_are_as_good_as_few():
    """A reason of 1 ends in 01 01, as the mark of a critical extension begins."""
    reasons = (Revoked(number, reason=1 + number % 5) for number in range(1 << 20, (1 << 20) + 20_000))
    many = crl(CA, *reasons)
    assert judge(many) is CLEAR
    assert len(load_crl(many).entries.find(x.integer((1 << 20) + 19_999))) == 1


def test_more_marks_of_critical_extensions_than_stated_make_a_list_unusable():
    marked = x.extension("1.2.3.4", b"\x01\x01\xff\x04" * 100)
    assert judge(crl(CA, *(listed(None, AT - DAY, marked, serial=number) for number in range(50)))) is CLEAR
    assert judge(crl(CA, *(listed(None, AT - DAY, marked, serial=number) for number in range(100)))) == UNKNOWN


def test_a_serial_number_inside_another_is_not_found():
    short = seq(x.integer(0x42), x.utc(AT))
    inner = x.integer(int.from_bytes(b"\x11" + x.integer(SEAL.serial) + b"\x11"))
    found = load_crl(with_entries(short + seq(inner, x.utc(AT))))
    assert found.entries.find(x.integer(SEAL.serial)) == []
    assert len(found.entries.find(x.integer(0x42))) == 1


GOOD = crl(
    CA, listed(6), Revoked(7, reason=1), extensions=[scope([x.uri("http://x.example/ca.crl")], reasons=bits(1, 2))]
)


@settings(max_examples=1500, deadline=None)
@given(position=st.integers(0, len(GOOD) - 1), replacement=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_a_damaged_list_raises_nothing_but_malformed(position, replacement, cut):
    data = GOOD[:position] + replacement + GOOD[position + (0 if cut else len(replacement)) :]
    with suppress(DerMalformed):
        found = load_crl(data)
        for serial in (SEAL.serial, 7, 0):
            found.entries.find(x.integer(serial))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_malformed(data):
    with pytest.raises(DerMalformed):
        load_crl(data)
    with suppress(DerMalformed):
        load_crl(with_entries(data))
