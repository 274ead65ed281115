"""Reading one certificate by its TLVs: what real ones get away with, what is refused, and nothing else is raised."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.certificates.x509 import extensions as ext
from gateway.certificates.x509.signing_certificates import MAX_CERTIFICATE_BYTES, load_signing_certificate
from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode
from gateway.crypto.errors import DerMalformed
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, DAY, make, name, seq

ROOT = x.root()


def load(entity):
    return load_signing_certificate(entity.certificate)


def test_everything_that_a_path_needs_is_read():
    entity = ROOT.issue(
        name("测试签章", o="示例机构", code="11440000TDMB00011X"),
        x.SEAL,
        x.purposes("1.3.6.1.5.5.7.3.36"),
        x.crl_points(x.point([x.uri("http://x.example/a.crl")]), x.point([x.uri("ldap://x.example/b")])),
        x.ocsp_at("http://ocsp.example/", "ldap://ocsp.example"),
        serial=7,
    )
    found = load(entity)
    assert (found.version, found.serial_number) == (3, 7)
    assert (found.issuer, found.subject) == (ROOT.subject, entity.subject)
    assert found.subject_text == "O=示例机构, organizationIdentifier=11440000TDMB00011X, CN=测试签章"
    assert (found.authority_code, found.organization) == ("11440000TDMB00011X", "示例机构")
    assert (found.not_before, found.not_after) == (AT - 30 * DAY, AT + 365 * DAY)
    assert found.public_key_info == x.key_info(entity.key)
    assert found.purposes() == {"1.3.6.1.5.5.7.3.36"}
    assert found.key_usage().digital_signature
    assert found.basic_constraints() is None
    assert found.subject_key_id == x.key_id(entity.key)
    assert found.authority_key_id == x.key_id(ROOT.key)
    assert found.crl_addresses() == ("http://x.example/a.crl",)
    assert found.ocsp_addresses() == ("http://ocsp.example/",)
    assert len(found.key_digest()) == 64
    assert found.signed in found.encoded


def test_an_sm2_certificate_is_read_like_any_other():
    found = load(make("国密", key=sm2.generate_private_key()))
    assert found.signature_oid == "1.2.156.10197.1.501"


MALFORMED_NAMES = {
    "attribute with three parts": seq(encode(Tag.SET, seq(x.oid("2.5.4.3"), encode(12, b"a"), encode(12, b"b")))),
    "no set": seq(seq(x.oid("2.5.4.3"), encode(12, b"a"))),
    "broken inside": seq(encode(Tag.SET, b"\x30\x7f")),
    "bytes that are no text": seq(encode(Tag.SET, seq(x.oid("2.5.4.3"), encode(0x1E, b"\xd8")))),
}


@pytest.mark.parametrize("subject", MALFORMED_NAMES.values(), ids=MALFORMED_NAMES)
def test_a_malformed_name_is_shown_and_not_refused(subject):
    found = load(ROOT.issue(subject))
    assert found.subject == subject
    assert found.authority_code is None
    assert isinstance(found.subject_text, str)


@pytest.mark.parametrize("serial", [0, -1, -(1 << 159), 1 << 158, (1 << 160) - 1])
def test_serial_numbers_that_are_seen_are_taken(serial):
    assert load(ROOT.issue("a", serial=serial)).serial_number == serial


@pytest.mark.parametrize(
    "validity",
    [
        seq(x.generalized(AT), x.utc(AT + DAY)),
        seq(x.utc(datetime(1951, 1, 1, tzinfo=UTC)), x.generalized(datetime(2051, 1, 1, tzinfo=UTC))),
    ],
    ids=["GeneralizedTime before 2050", "both centuries"],
)
def test_both_forms_of_time_are_read(validity):
    found = load(ROOT.issue("a", validity=validity))
    assert found.not_before < found.not_after


def test_two_digit_years_stand_for_1950_to_2049():
    found = load(ROOT.issue("a", validity=seq(encode(0x17, b"500101000000Z"), encode(0x17, b"491231235959Z"))))
    assert (found.not_before.year, found.not_after.year) == (1950, 2049)


REFUSED = {
    "serial of 21 octets": lambda: ROOT.issue("a", serial=1 << 160),
    "other algorithm inside": lambda: ROOT.issue("a", inner_algorithm=seq(x.oid("1.2.840.113549.1.1.11"))),
    "empty issuer": lambda: ROOT.issue("a", issuer_name=seq()),
    "extension twice": lambda: ROOT.issue("a", x.SEAL, x.SEAL),
    "extensions in version 1": lambda: make("a", version=None, extra_fields=encode(0xA3, seq(x.SEAL))),
    "unique identifier in version 1": lambda: make("a", version=1, extra_fields=b"\x81\x02\x00\x01"),
    "extensions in version 2": lambda: make("a", version=2, extra_fields=encode(0xA3, seq(x.SEAL))),
    "version 4": lambda: make("a", version=4),
    "version 1 written out": lambda: x.Entity(b"", None, _with_version_1(), 0),
    "unique identifiers in the wrong order": lambda: ROOT.issue("a", extra_fields=b"\x82\x02\x00\x01\x81\x02\x00\x01"),
    "unknown field": lambda: ROOT.issue("a", extra_fields=b"\xa4\x02\x05\x00"),
    "no extension in the list": lambda: make("a", version=2, extra_fields=b"\xa3\x02\x30\x00"),
    "time with an offset": lambda: ROOT.issue("a", validity=_validity(b"260101000000+0800")),
    "time without seconds": lambda: ROOT.issue("a", validity=_validity(b"2601010000Z")),
    "time with a fraction": lambda: ROOT.issue(
        "a", validity=seq(encode(0x18, b"20260101000000.5Z"), encode(0x17, b"300101000000Z"))
    ),
    "30 February": lambda: ROOT.issue("a", validity=_validity(b"260230000000Z")),
    "critical that is no boolean": lambda: ROOT.issue("a", seq(x.oid("1.2.3"), b"\x01\x02\xff\xff", x.octets(b""))),
    "basicConstraints of rubbish": lambda: ROOT.issue("a", x.extension("2.5.29.19", b"rubbish")),
    "negative pathLen": lambda: ROOT.issue("a", x.ca(-1)),
    "no purpose": lambda: ROOT.issue("a", x.purposes()),
    "no policy": lambda: ROOT.issue("a", x.policies()),
    "policy twice": lambda: ROOT.issue("a", x.policies("1.2.3", "1.2.3")),
    "no mapping": lambda: ROOT.issue("a", x.mappings()),
    "empty policyConstraints": lambda: ROOT.issue("a", x.policy_constraints()),
    "negative inhibitAnyPolicy": lambda: ROOT.issue("a", x.inhibit_any(-1)),
    "empty nameConstraints": lambda: ROOT.issue("a", x.name_constraints()),
    "alternative names of rubbish": lambda: ROOT.issue("a", x.extension("2.5.29.17", b"example.com")),
    "no alternative name": lambda: ROOT.issue("a", x.alternative_names()),
    "bytes after the end": lambda: x.Entity(b"", None, ROOT.certificate + b"\x00", 0),
    "cut short": lambda: x.Entity(b"", None, ROOT.certificate[:-1], 0),
    "nothing": lambda: x.Entity(b"", None, b"", 0),
    "too large": lambda: ROOT.issue("a", x.extension("1.2.3", bytes(MAX_CERTIFICATE_BYTES))),
    "deep nesting": lambda: x.Entity(b"", None, _nested(20_000), 0),
}


def _validity(value):
    return seq(encode(0x17, value), encode(0x17, b"400101000000Z"))


def _with_version_1():
    dates = _validity(b"260101000000Z")
    fields = (x.integer(1), x.algorithm(ROOT.key), ROOT.subject, dates, ROOT.subject, x.key_info(ROOT.key))
    return x.signed(seq(encode(Tag.CONTEXT_0, x.integer(0)), *fields), ROOT.key)


def _nested(depth):
    data = b"\x05\x00"
    for _ in range(depth):
        data = encode(Tag.SEQUENCE, data)
    return data


@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED)
def test_what_is_no_certificate_is_refused_by_our_own_error(build):
    with pytest.raises(DerMalformed):
        load(build())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x30\x00", (False, None)),
        (b"\x30\x03\x01\x01\x00", (False, None)),
        (b"\x30\x03\x02\x01\x00", (False, None)),
        (b"\x30\x03\x01\x01\x01", (True, None)),
        (b"\x30\x06\x01\x01\xff\x02\x01\x03", (True, 3)),
    ],
    ids=["empty", "default written out", "pathLen of no CA", "another TRUE", "pathLen"],
)
def test_basic_constraints_as_they_are_found(value, expected):
    found = ext.basic_constraints(value)
    assert (found.ca, found.path_length) == expected


@pytest.mark.parametrize("value", ["0303070080", "03020780", "030100"])
def test_key_usage_bits(value):
    bits = ext.key_usage(bytes.fromhex(value)).bits
    assert bits == {"0303070080": {8}, "03020780": {0}, "030100": set()}[value]


@pytest.mark.parametrize("value", ["0300", "030208ff", "030207ff", "0301ff", "030b" + "00" * 11, "0402078000"])
def test_key_usage_that_is_none(value):
    with pytest.raises(DerMalformed):
        ext.key_usage(bytes.fromhex(value))


def test_addresses_in_an_unreadable_extension_are_no_addresses():
    found = load(ROOT.issue("a", x.extension("2.5.29.31", b"\x30\x01"), x.extension("1.3.6.1.5.5.7.1.1", b"\x04\x00")))
    assert (found.crl_points(), found.crl_addresses(), found.ocsp_addresses()) == ((), (), ())


def test_addresses_of_one_kind_are_at_most_four():
    points = [x.point([x.uri(f"http://x.example/{number}")]) for number in range(50)]
    found = load(ROOT.issue("a", x.crl_points(*points), x.ocsp_at(*(f"http://x.example/{n}" for n in range(50)))))
    assert (len(found.crl_addresses()), len(found.ocsp_addresses())) == (4, 4)


GOOD = ROOT.issue(
    name("a", o="b", email="c@d.example"),
    x.SEAL,
    x.ca(1),
    x.policies("1.2.3"),
    x.mappings(("1.2.3", "1.2.4")),
    x.policy_constraints(1, 2),
    x.name_constraints([x.dns("example.com")], [x.ip(bytes(8))]),
    x.alternative_names(x.mail("c@d.example"), x.directory(name("e"))),
).certificate


@settings(max_examples=600, deadline=None)
@given(data=st.binary(max_size=300))
@example(data=b"\x30\x80\x00\x00")
@example(data=b"\x30" * 5000)
def test_any_bytes_are_a_certificate_or_malformed(data):
    with pytest.raises(DerMalformed):
        load_signing_certificate(data)


@settings(max_examples=1500, deadline=None)
@given(position=st.integers(0, len(GOOD) - 1), replacement=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_a_damaged_certificate_raises_nothing_but_malformed(position, replacement, cut):
    data = GOOD[:position] + replacement + GOOD[position + (0 if cut else len(replacement)) :]
    try:
        found = load_signing_certificate(data)
    except DerMalformed:
        return
    assert isinstance(found.subject_text, str)
    found.crl_addresses()
    found.ocsp_addresses()


@settings(max_examples=1500, deadline=None)
@given(oid=st.sampled_from([*ext._READERS, ext.CRL_POINTS, ext.AUTHORITY_ACCESS]), value=st.binary(max_size=40))
def test_any_bytes_in_an_extension_are_read_or_malformed(oid, value):
    found = {oid: ext.Extension(oid, True, value)}
    with suppress(DerMalformed):
        ext.PathExtensions.read(found)
        if oid == ext.CRL_POINTS:
            ext.distribution_points(value)
        if oid == ext.AUTHORITY_ACCESS:
            ext.access_addresses(value, ext.OCSP_ACCESS)
