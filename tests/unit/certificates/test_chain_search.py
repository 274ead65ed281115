"""Finding and judging paths: forests, loops and rollovers within stated work, and every rule along the way."""

import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509 import links
from gateway.certificates.x509.chain import (
    verify_chain,
)
from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed
from mock_services.pki import distinguished_name
from tests.support import x509_writer as x
from tests.support.keys import RSA_KEY
from tests.support.x509_writer import AT, DAY, Entity, encode, make, name, rdn, root, seq

ROOT = root()
CA = ROOT.issue_ca("CA")
SEAL = CA.issue("章")


def judge(leaf, *given, anchors=(ROOT,), at=AT, **more):
    started = time.process_time()
    result = verify_chain(
        leaf.certificate, [e.certificate for e in given], [e.certificate for e in anchors], at, **more
    )
    assert time.process_time() - started < 2.0
    return result


def chain(*extensions, length=3, **more):
    """root → ``length`` CAs → seal; ``extensions`` go into the topmost CA."""
    issuer, given = ROOT, []
    for number in range(length):
        issuer = issuer.issue_ca(f"CA{number}", *(extensions if number == 0 else ()), **(more if number == 0 else {}))
        given.append(issuer)
    return issuer.issue("章"), given


def test_a_chain_is_found_whatever_order_it_comes_in():
    seal, given = chain()
    assert judge(seal, *given).verdict is Verdict.VALID
    assert judge(seal, *reversed(given)).verdict is Verdict.VALID
    assert [each.subject for each in judge(seal, *given).path[1:]] == [
        *(each.subject for each in reversed(given)),
        ROOT.subject,
    ]


@pytest.mark.parametrize("make_key", [x.p256, sm2.generate_private_key])
def test_sm2_links_and_mixed_ones_are_walked_alike(make_key):
    top = root("混合根", key=make_key())
    authority = top.issue_ca("混合CA", key=sm2.generate_private_key())
    seal = authority.issue("章", key=make_key())
    assert judge(seal, authority, anchors=(top,)).verdict is Verdict.VALID
    forged = x.signed(x.parse(seal.certificate).children()[0].raw, sm2.generate_private_key())
    assert judge(Entity(b"", seal.key, forged, 0), authority, anchors=(top,)).check == "chain.signature"


def built(key, algorithm, **more):
    subject = distinguished_name("别的算法")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(AT - DAY)
        .not_valid_after(AT + DAY)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, algorithm, **more)
    )
    return Entity(b"", key, builder.public_bytes(Encoding.DER), 1)


def pss(algorithm, salt=None, mask=None):
    return padding.PSS(padding.MGF1(mask or algorithm), salt or algorithm.digest_size)


SPOKEN = {
    "RSA SHA-256": (RSA_KEY, hashes.SHA256(), {}),
    "RSA SHA-384": (RSA_KEY, hashes.SHA384(), {}),
    "RSA SHA-512": (RSA_KEY, hashes.SHA512(), {}),
    "PSS SHA-256": (RSA_KEY, hashes.SHA256(), {"rsa_padding": pss(hashes.SHA256())}),
    "PSS SHA-512": (RSA_KEY, hashes.SHA512(), {"rsa_padding": pss(hashes.SHA512())}),
    "P-256 SHA-384": (ec.generate_private_key(ec.SECP256R1()), hashes.SHA384(), {}),
    "P-384 SHA-256": (ec.generate_private_key(ec.SECP384R1()), hashes.SHA256(), {}),
    "P-384 SHA-512": (ec.generate_private_key(ec.SECP384R1()), hashes.SHA512(), {}),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate(), None, {}),
}


@pytest.mark.parametrize(("key", "algorithm", "more"), SPOKEN.values(), ids=SPOKEN)
def test_every_algorithm_that_is_spoken_carries_a_link(key, algorithm, more):
    top = built(key, algorithm, **more)
    assert judge(top, anchors=(top,)).verdict is Verdict.VALID
    broken = Entity(b"", key, top.certificate[:-1] + bytes([top.certificate[-1] ^ 1]), 1)
    assert judge(broken, anchors=(top,)).check == "chain.signature"


UNSPOKEN = {
    "PSS with another salt": (hashes.SHA256(), {"rsa_padding": pss(hashes.SHA256(), 20)}),
    "PSS with another mask": (hashes.SHA256(), {"rsa_padding": pss(hashes.SHA256(), 32, hashes.SHA512())}),
}


@pytest.mark.parametrize(("algorithm", "more"), UNSPOKEN.values(), ids=UNSPOKEN)
def test_an_algorithm_that_is_not_spoken_is_indeterminate(algorithm, more):
    top = built(RSA_KEY, algorithm, **more)
    result = judge(top, anchors=(top,))
    assert (result.verdict, result.check) == (Verdict.INDETERMINATE, "chain.algorithm_unavailable")


def test_without_a_library_for_sm2_nothing_is_known_and_the_rest_works(monkeypatch):
    def none(*args, **more):
        raise AlgorithmUnavailable

    top = root("国密根", key=sm2.generate_private_key())
    seal = top.issue("章")
    verify = links.verify_signature
    monkeypatch.setattr(
        links, "verify_signature", lambda scheme, *a, **k: none() if scheme == "SM2-SM3" else verify(scheme, *a, **k)
    )
    assert judge(seal, anchors=(top,)).check == "chain.algorithm_unavailable"
    assert judge(seal, anchors=(top,)).verdict is Verdict.INDETERMINATE
    assert judge(SEAL, CA).verdict is Verdict.VALID


# Names and rollovers


def test_names_chain_by_rfc_5280_whatever_case_spacing_or_string_type():
    for issuer_name in (name("ca"), name(" C a"), seq(rdn("2.5.4.3", "CA", 0x13))):
        seal = CA.issue("章", issuer_name=issuer_name)
        found = judge(seal, CA)
        assert (found.verdict is Verdict.VALID) == (issuer_name != name(" C a"))


def test_a_malformed_ca_name_chains_to_the_same_bytes():
    broken = seq(encode(0x31, b"\x30\x7f"))
    authority = ROOT.issue_ca(broken)
    assert judge(authority.issue("章"), authority).verdict is Verdict.VALID


def test_a_ca_with_a_new_key_is_found_with_and_without_key_identifiers():
    for identifiers in (True, False):
        old, new = (ROOT.issue_ca("CA", identifiers=identifiers) for _ in range(2))
        for signer in (old, new):
            seal = signer.issue("章", identifiers=identifiers)
            assert judge(seal, old, new).verdict is Verdict.VALID
            assert judge(seal, new, old).verdict is Verdict.VALID


def test_key_identifiers_order_candidates_and_decide_nothing():
    liar = ROOT.issue_ca("CA", x.extension("2.5.29.14", x.octets(b"another")), identifiers=False)
    assert judge(liar.issue("章"), liar).verdict is Verdict.VALID


def test_the_anchor_may_be_any_ca_and_what_stands_above_it_does_not_matter():
    assert judge(SEAL, ROOT, anchors=(CA,)).verdict is Verdict.VALID
    assert judge(SEAL, CA, ROOT, anchors=(root("别的"), ROOT)).verdict is Verdict.VALID


def test_an_expired_cross_certificate_does_not_hide_the_root():
    """The AddTrust case: the same CA, also certified by an older root whose certificate for it has expired."""
    older = root("老根")
    crossed = older.issue_ca(ROOT.subject, key_of=ROOT, not_after=AT - DAY)
    assert judge(SEAL, CA, crossed, anchors=(older, ROOT)).verdict is Verdict.VALID
    assert judge(SEAL, CA, crossed, anchors=(older,)).check == "chain.expired"


def test_a_malformed_certificate_in_the_bag_is_told_only_when_nothing_else_is_found():
    rubbish = Entity(b"", None, b"\x30\x03\x02\x01", 0)
    assert judge(SEAL, rubbish, CA).verdict is Verdict.VALID
    assert judge(SEAL, rubbish).check == "chain.malformed"


def test_an_anchor_that_is_no_certificate_is_the_callers_mistake():
    with pytest.raises(DerMalformed):
        verify_chain(SEAL.certificate, [], [b"\x30\x00"], AT)


# Rules along the path


def test_path_lengths_count_cas_that_are_not_self_issued():
    seal, given = chain(length=2, path_length=0)
    assert judge(seal, *given).check == "chain.path_length"
    seal, given = chain(length=2, path_length=1)
    assert judge(seal, *given).verdict is Verdict.VALID
    first = ROOT.issue_ca("CA", path_length=0)
    again = first.issue_ca("CA", path_length=0)
    assert judge(again.issue("章"), first, again).verdict is Verdict.VALID
    assert judge(again, first, usages=None).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("extensions", "check"),
    [
        ((x.CA_USAGE,), "chain.not_a_ca"),
        ((x.extension("2.5.29.19", seq()), x.CA_USAGE), "chain.not_a_ca"),
        ((x.ca(), x.usage(0)), "chain.key_usage"),
        ((x.ca(), x.usage()), "chain.key_usage"),
        ((x.ca(critical=False), x.usage(5)), None),
        ((x.ca(),), None),
        ((x.ca(), x.CA_USAGE, x.purposes("1.3.6.1.5.5.7.3.1")), "chain.extended_key_usage"),
        ((x.ca(), x.CA_USAGE, x.extension("1.2.3.4", b"", critical=True)), "chain.critical_extension"),
        ((x.ca(), x.CA_USAGE, x.extension("1.2.3.4", b"")), None),
        (
            (x.ca(), x.CA_USAGE, x.extension("2.5.29.18", seq(x.dns("a.example")), critical=True)),
            "chain.critical_extension",
        ),
    ],
)
def test_a_ca_must_be_one(extensions, check):
    authority = make("CA", *extensions, issuer=ROOT)
    assert judge(authority.issue("章"), authority).check == check
    anchor = make("另根", *extensions)
    assert judge(anchor.issue("章"), anchors=(anchor,)).check == check


def test_extensions_that_must_not_be_critical_are_refused_where_they_are():
    for critical in (
        x.extension("2.5.29.14", x.octets(b"id"), critical=True),
        x.extension("2.5.29.35", seq(), critical=True),
        x.extension("1.3.6.1.5.5.7.1.1", seq(), critical=True),
        x.extension("2.5.29.46", seq(), critical=True),
    ):
        seal = CA.issue("章", x.SEAL, critical, identifiers=False)
        assert judge(seal, CA).check == "chain.critical_extension"


def test_a_ca_of_version_1_is_none_and_a_leaf_of_version_1_may_be_one():
    ancient = make("老CA", issuer=ROOT, version=None)
    assert judge(ancient.issue("章"), ancient).check == "chain.not_a_ca"
    assert judge(make("章", issuer=CA, version=None), CA).verdict is Verdict.VALID
    anchor = make("老根", version=None)
    assert judge(anchor.issue("章"), anchors=(anchor,)).check == "chain.not_a_ca"


def test_a_leaf_marked_for_signing_certificates_is_still_no_ca():
    """keyCertSign with cA FALSE, as it stands in real seal certificates."""
    almost = CA.issue("章", x.usage(0, 5), x.extension("2.5.29.19", seq(), critical=True))
    assert judge(almost, CA).verdict is Verdict.VALID
    assert judge(almost.issue("冒名"), CA, almost).check == "chain.not_a_ca"


@pytest.mark.parametrize(("bits", "good"), [((0,), True), ((1,), True), ((0, 1), True), ((2, 3), False), ((), False)])
def test_a_seal_needs_digital_signature_or_non_repudiation(bits, good):
    seal = CA.issue("章", x.usage(*bits))
    assert (judge(seal, CA).check is None) == good
    assert judge(seal, CA, usages=None).verdict is Verdict.VALID


def test_purposes_are_asked_for_by_the_caller():
    server = CA.issue("章", x.SEAL, x.purposes("1.3.6.1.5.5.7.3.1"))
    assert judge(server, CA).check == "chain.extended_key_usage"
    assert judge(server, CA, purposes=frozenset({"1.3.6.1.5.5.7.3.1"})).verdict is Verdict.VALID
    assert judge(server, CA, purposes=None).verdict is Verdict.VALID


def test_a_leaf_without_a_subject_needs_a_critical_alternative_name():
    other = x.dns("a.example")
    assert judge(CA.issue(seq(), x.SEAL), CA).check == "chain.names"
    assert judge(CA.issue(seq(), x.SEAL, x.alternative_names(other)), CA).check == "chain.names"
    assert judge(CA.issue(seq(), x.SEAL, x.alternative_names(other, critical=True)), CA).verdict is Verdict.VALID


def test_a_ca_without_a_subject_issues_nothing():
    nameless = ROOT.issue_ca(seq())
    assert judge(nameless.issue("章"), nameless).check == "chain.malformed"


# Time


def test_validity_includes_both_ends_and_counts_in_seconds():
    seal = CA.issue("章", not_before=AT, not_after=AT + DAY)
    last = AT + DAY
    tick = timedelta(milliseconds=5)
    assert judge(seal, CA, at=AT).verdict is Verdict.VALID
    assert judge(seal, CA, at=AT - tick).check == "chain.not_yet_valid"
    assert judge(seal, CA, at=last + tick).verdict is Verdict.VALID
    assert judge(seal, CA, at=last + timedelta(seconds=1)).check == "chain.expired"


def test_a_seal_made_earlier_is_judged_at_its_own_time_save_for_revocation():
    authority = ROOT.issue_ca("CA", not_after=AT - 2 * DAY)
    seal = authority.issue("章", not_after=AT - 2 * DAY)
    made = AT - 3 * DAY
    assert judge(seal, authority).check == "chain.expired"
    result = judge(seal, authority, valid_at=made)
    assert (result.verdict, result.valid_until) == (Verdict.VALID, None)
    lists = [x.crl(ROOT), x.crl(authority)]
    result = judge(seal, authority, valid_at=made, crls=lists)
    assert (result.verdict, result.valid_until) == (Verdict.VALID, AT + DAY)
    lists = [x.crl(ROOT), x.crl(authority, x.Revoked(seal.serial, AT - DAY))]
    assert judge(seal, authority, valid_at=made, crls=lists).check == "chain.revoked"
    stale = [x.crl(ROOT), x.crl(authority, this_update=made, next_update=made + DAY)]
    assert judge(seal, authority, valid_at=made, crls=stale).check == "chain.revocation_unknown"
