"""Names: when two are the same (RFC 5280 §7.1), and which ones a CA may permit (§4.2.1.10)."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.names import (
    MALFORMED_NAME,
    attribute,
    general_names,
    name_key,
    name_text,
    same_name,
    within,
)
from gateway.crypto.der import Tag, encode
from gateway.crypto.errors import DerMalformed
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, name, rdn, seq

PRINTABLE, UTF8, BMP, IA5 = 0x13, 0x0C, 0x1E, 0x16


def one(value, tag=UTF8, oid="2.5.4.3"):
    return seq(encode(Tag.SET, seq(x.oid(oid), encode(tag, value if isinstance(value, bytes) else value.encode()))))


SAME = {
    "case": (one("Example CA"), one("EXAMPLE ca")),
    "inner spaces": (one("Example  CA"), one("Example CA")),
    "outer spaces": (one("  Example CA "), one("Example CA")),
    "string type": (one("Example", PRINTABLE), one("Example", UTF8)),
    "BMPString": (one("示例".encode("utf-16-be"), BMP), one("示例")),
    "full width": (one("Ｅxample"), one("Example")),
    "sharp s": (one("STRASSE"), one("straße")),
    "composed": (one("\u00e9"), one("e\u0301")),
    "soft hyphen": (one("exa\u00admple"), one("example")),
}


@pytest.mark.parametrize(("left", "right"), SAME.values(), ids=SAME)
def test_names_that_are_the_same(left, right):
    assert same_name(left, right)
    assert same_name(right, left)


TWO_VALUES = encode(Tag.SET, rdn("2.5.4.3", "a")[2:], rdn("2.5.4.10", "b")[2:])
TURNED = encode(Tag.SET, rdn("2.5.4.10", "b")[2:], rdn("2.5.4.3", "a")[2:])
DIFFERENT = {
    "value": (one("a"), one("b")),
    "attribute": (one("a"), one("a", oid="2.5.4.10")),
    "order of RDNs": (seq(rdn("2.5.4.3", "a"), rdn("2.5.4.10", "b")), seq(rdn("2.5.4.10", "b"), rdn("2.5.4.3", "a"))),
    "more RDNs": (seq(rdn("2.5.4.3", "a")), seq(rdn("2.5.4.3", "a"), rdn("2.5.4.3", "a"))),
    "one RDN or two": (seq(TWO_VALUES), seq(rdn("2.5.4.3", "a"), rdn("2.5.4.10", "b"))),
    "spaces or none": (one("Example CA"), one("ExampleCA")),
    "binary type": (one(b"a", 0x04), one("a")),
    "empty and not": (seq(), one("a")),
}


@pytest.mark.parametrize(("left", "right"), DIFFERENT.values(), ids=DIFFERENT)
def test_names_that_are_not_the_same(left, right):
    assert not same_name(left, right)


def test_the_order_within_one_rdn_does_not_matter():
    assert same_name(seq(TWO_VALUES), seq(TURNED))


def test_a_malformed_name_is_the_same_as_itself_alone():
    broken, other = seq(encode(Tag.SET, b"\x30\x7f")), seq(encode(Tag.SET, b"\x30\x7e"))
    assert same_name(broken, bytes(bytearray(broken)))
    assert not same_name(broken, other)
    assert name_text(broken) == MALFORMED_NAME
    assert attribute(broken, "2.5.4.3") is None
    with pytest.raises(DerMalformed):
        within(broken, seq())


def test_an_attribute_that_stands_twice_has_no_value():
    assert attribute(one("a"), "2.5.4.3") == "a"
    assert attribute(seq(rdn("2.5.4.3", "a"), rdn("2.5.4.3", "a")), "2.5.4.3") is None


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_have_a_key_and_a_text(data):
    assert name_key(data) == name_key(data)
    assert isinstance(name_text(data), str)
    with suppress(DerMalformed):
        general_names(data)


def judge(constraints, *leaf, subject="a", middle=(), self_issued=False):
    """root (with ``constraints``) → CA (with ``middle``) → leaf (with its alternative names)."""
    root = x.root("根", constraints)
    ca_name = "根" if self_issued else "示例CA"
    authority = root.issue_ca(ca_name, *middle)
    seal = authority.issue(subject, x.SEAL, *([x.alternative_names(*leaf)] if leaf else []))
    return verify_chain(seal.certificate, [authority.certificate], [root.certificate], AT)


def permitted(*bases):
    return x.name_constraints(bases)


def excluded(*bases):
    return x.name_constraints((), bases)


LEFT, RIGHT = bytes([192, 0, 2, 0]), bytes([255, 255, 255, 0])
NET = LEFT + RIGHT
NET6 = bytes(15) + b"\x01" + b"\xff" * 16
OTHER_NAME = encode(0xA0, x.oid("1.3.6.1.4.1.55738.666.3"), encode(0xA0, b"\x05\x00"))
MAILBOX = encode(0xA0, x.oid("1.3.6.1.5.5.7.8.9"), encode(0xA0, encode(UTF8, b"a@example.com")))

TEXTS = [
    # constraint, name, whether the name lies in it
    (x.dns("example.com"), x.dns("example.com"), True),
    (x.dns("example.com"), x.dns("EXAMPLE.com"), True),
    (x.dns("example.com"), x.dns("foo.bar.example.com"), True),
    (x.dns("example.com"), x.dns("notexample.com"), False),
    (x.dns(""), x.dns("anything.example"), True),
    (x.mail("example.com"), x.mail("a@example.com"), True),
    (x.mail("example.com"), x.mail("a@sub.example.com"), False),
    (x.mail(".example.com"), x.mail("a@sub.example.com"), True),
    (x.mail(".example.com"), x.mail("a@example.com"), False),
    (x.mail("a@example.com"), x.mail("a@EXAMPLE.com"), True),
    (x.mail("a@example.com"), x.mail("b@example.com"), False),
    (x.uri("example.com"), x.uri("https://example.com:8443/path"), True),
    (x.uri("example.com"), x.uri("https://user@sub.example.com"), False),
    (x.uri(".example.com"), x.uri("https://sub.example.com"), True),
    (x.uri(".example.com"), x.uri("https://example.com"), False),
    (x.ip(NET), x.ip(bytes([192, 0, 2, 1])), True),
    (x.ip(NET), x.ip(bytes([192, 0, 3, 1])), False),
    (x.ip(NET), x.ip(bytes(16)), False),
    (x.ip(NET6), x.ip(bytes(15) + b"\x01"), True),
    (x.ip(bytes(8)), x.ip(bytes([10, 0, 0, 1])), True),
    (x.directory(name("x", o="甲")), x.directory(name("x", o="甲")), True),
    (x.directory(seq(rdn("2.5.4.10", "甲"))), x.directory(name("x", o="甲")), True),
    (x.directory(seq(rdn("2.5.4.10", "乙"))), x.directory(name("x", o="甲")), False),
]


@pytest.mark.parametrize(("base", "text", "inside"), TEXTS)
def test_each_form_of_name_is_held_against_its_constraints(base, text, inside):
    # A directory constraint binds the subject too, so the subject is that very name (the content of its [4]).
    subject = text[2:] if text[0] == 0xA4 else "a"
    allowed = judge(permitted(base), text, subject=subject, self_issued=True)
    assert (allowed.check is None) == inside
    assert allowed.check in (None, "chain.name_constraints")
    forbidden = judge(excluded(base), text, subject=subject, self_issued=True)
    assert (forbidden.check == "chain.name_constraints") == inside


UNJUDGEABLE = {
    "wildcard constraint": (x.dns("*.example.com"), x.dns("foo.example.com")),
    "constraint with a leading period": (x.dns(".example.com"), x.dns("foo.example.com")),
    "name with a leading period": (x.dns("example.com"), x.dns(".example.com")),
    "name with an empty label": (x.dns("example.com"), x.dns("a..example.com")),
    "name that is not ASCII": (x.dns("example.com"), x.dns("示例.example.com")),
    "NUL in a name": (x.dns("example.com"), x.dns("evil.test\0.example.com")),
    "address as constraint": (x.ip(bytes([127, 0, 0, 1])), x.ip(bytes([127, 0, 0, 1]))),
    "network as name": (x.ip(NET), x.ip(NET)),
    "mask with holes": (x.ip(bytes([192, 0, 2, 0, 255, 0, 255, 0])), x.ip(bytes([192, 0, 2, 1]))),
    "two at signs in a name": (x.mail("example.com"), x.mail("a@b@example.com")),
    "two at signs in a constraint": (x.mail("a@b@example.com"), x.mail("a@example.com")),
    "quoted local part": (x.mail("example.com"), x.mail('"a@evil.test"@example.com')),
    "URI without a host": (x.uri("example.com"), x.uri("urn:example:a")),
    "URI with an address": (x.uri("example.com"), x.uri("https://192.0.2.1/")),
    "URI that is none": (x.uri("example.com"), x.uri("https://[")),
    "URI with a backslash": (x.uri("example.com"), x.uri("https://evil.test\\@example.com/")),
    "URI with a line end": (x.uri("example.com"), x.uri("https://exam\nple.com/")),
    "otherName": (OTHER_NAME, OTHER_NAME),
    "mailbox in an otherName": (x.mail("example.com"), MAILBOX),
    "registeredID": (encode(0x88, b"\x2a"), encode(0x88, b"\x2a")),
}


@pytest.mark.parametrize("rule", [permitted, excluded])
@pytest.mark.parametrize(("base", "text"), UNJUDGEABLE.values(), ids=UNJUDGEABLE)
def test_what_cannot_be_judged_is_refused(base, text, rule):
    assert judge(rule(base), text).check == "chain.name_constraints"


def test_a_constraint_on_a_form_that_does_not_occur_refuses_nothing():
    for rule in (permitted, excluded):
        assert judge(rule(OTHER_NAME), x.dns("example.com")).verdict is Verdict.VALID
        assert judge(rule(x.ip(NET)), x.dns("example.com")).verdict is Verdict.VALID


def test_an_exclusion_overrides_a_permission_and_a_wildcard_is_read_to_the_safe_side():
    both = x.name_constraints([x.dns("example.com")], [x.dns("bar.example.com")])
    assert judge(both, x.dns("foo.example.com")).verdict is Verdict.VALID
    assert judge(both, x.dns("bar.example.com")).check == "chain.name_constraints"
    assert judge(both, x.dns("*.example.com")).check == "chain.name_constraints"
    assert judge(permitted(x.dns("foo.example.com")), x.dns("*.example.com")).check == "chain.name_constraints"
    assert judge(permitted(x.dns("example.com")), x.dns("*.example.com")).verdict is Verdict.VALID


def test_constraints_below_narrow_those_above_and_never_widen_them():
    foo, bar = x.dns("foo.example.com"), x.dns("bar.example.com")
    assert judge(permitted(foo, bar), foo, middle=(permitted(bar),)).check == "chain.name_constraints"
    assert judge(permitted(bar), foo, middle=(permitted(foo, bar),)).check == "chain.name_constraints"
    assert judge(permitted(foo, bar), foo, middle=(permitted(foo),)).verdict is Verdict.VALID


def test_a_cas_own_names_are_judged_unless_it_is_self_issued():
    inner = (x.alternative_names(x.dns("forbidden.example.com")),)
    rule = excluded(x.dns("forbidden.example.com"))
    assert judge(rule, x.dns("a.example.com"), middle=inner).check == "chain.name_constraints"
    assert judge(rule, x.dns("a.example.com"), middle=inner, self_issued=True).verdict is Verdict.VALID


def test_a_self_issued_leaf_is_judged_all_the_same():
    root = x.root("根", excluded(x.dns("forbidden.example.com")))
    leaf = root.issue("根", x.SEAL, x.alternative_names(x.dns("forbidden.example.com")))
    assert verify_chain(leaf.certificate, [], [root.certificate], AT).check == "chain.name_constraints"


def test_the_subject_and_its_mail_address_are_names_too():
    rule = permitted(x.directory(seq(rdn("2.5.4.10", "甲"))))
    assert judge(rule, subject=name("x", o="甲"), self_issued=True).verdict is Verdict.VALID
    assert judge(rule, subject=name("x", o="乙"), self_issued=True).check == "chain.name_constraints"
    rule = permitted(x.mail("example.com"))
    assert judge(rule, subject=name("x", email="a@example.com")).verdict is Verdict.VALID
    assert judge(rule, subject=name("x", email="a@example.net")).check == "chain.name_constraints"


def test_a_malformed_subject_under_a_constraint_is_refused_without_one_it_is_not():
    broken = seq(encode(Tag.SET, b"\x30\x7f"))
    assert judge(permitted(x.dns("example.com")), subject=broken).check == "chain.name_constraints"
    assert judge(x.policies("1.2.3"), subject=broken).verdict is Verdict.VALID


def test_constraints_are_for_cas_and_must_be_critical():
    root = x.root()
    for critical in (True, False):
        seal = root.issue("a", x.SEAL, x.name_constraints([x.dns("a.example")], critical=critical))
        assert verify_chain(seal.certificate, [], [root.certificate], AT).verdict is Verdict.INVALID
    lax = x.root("根", x.name_constraints([x.dns("example.com")], critical=False))
    seal = lax.issue("a", x.SEAL, x.alternative_names(x.dns("a.example.com")))
    assert verify_chain(seal.certificate, [], [lax.certificate], AT).check == "chain.critical_extension"


def test_names_times_constraints_are_counted():
    bases = [x.dns(f"d{number}.example") for number in range(600)]
    names = [x.dns(f"n{number}.example") for number in range(600)]
    assert judge(excluded(*bases), *names[:50]).verdict is Verdict.VALID
    assert judge(excluded(*bases), *names).check == "chain.work_limit"
