"""How `verify_chain` is called by somebody who has only its docstring, and what it keeps of what it was given."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509 import names, signing_certificates
from gateway.certificates.x509.chain import TrustAnchor, verify_chain
from gateway.crypto import sm2
from gateway.crypto.errors import DerMalformed
from mock_services.pki import distinguished_name
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, DAY, certificate_id, crl, ocsp, rdn, root, seq, single

ROOT = root()
CA = ROOT.issue_ca("CA")
SEAL = CA.issue("章")
LEAF, GIVEN, ANCHORS = SEAL.certificate, [CA.certificate], [ROOT.certificate]
LISTS = [crl(ROOT), crl(CA)]
PEM = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(LEAF) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("many", [list, tuple, iter, lambda items: (item for item in items)])
def test_any_bytes_and_any_iterable_of_them_will_do(kind, many):
    status = [ocsp(CA, single(certificate_id(SEAL, CA)))]
    given = {"crls": many(list(map(kind, LISTS))), "status": many(list(map(kind, status)))}
    result = verify_chain(kind(LEAF), many([kind(GIVEN[0])]), many([kind(ANCHORS[0])]), AT, **given)
    assert result.verdict is Verdict.VALID
    assert verify_chain(LEAF, GIVEN, [TrustAnchor(ROOT.certificate)], AT).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (TypeError, lambda: verify_chain(None, GIVEN, ANCHORS, AT)),
        (TypeError, lambda: verify_chain(5, GIVEN, ANCHORS, AT)),
        (TypeError, lambda: verify_chain(PEM.decode(), GIVEN, ANCHORS, AT)),
        (TypeError, lambda: verify_chain(LEAF, None, ANCHORS, AT)),
        (TypeError, lambda: verify_chain(LEAF, GIVEN[0], ANCHORS, AT)),
        (TypeError, lambda: verify_chain(LEAF, [None], ANCHORS, AT)),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, None, AT)),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, ANCHORS[0], AT)),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, TrustAnchor(ANCHORS[0]), AT)),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, [7], AT)),
        (DerMalformed, lambda: verify_chain(LEAF, GIVEN, [PEM], AT)),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, AT, crls=LISTS[0])),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, AT, crls=[None])),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, AT, status=["good"])),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, AT, policies="1.2.3")),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, "2026-11-23")),
        (TypeError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, None)),
        (ValueError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, AT.replace(tzinfo=None))),
        (ValueError, lambda: verify_chain(LEAF, GIVEN, ANCHORS, AT, valid_at=AT.replace(tzinfo=None))),
    ],
)
def test_a_wrong_call_is_told_by_a_documented_error(error, call):
    with pytest.raises(error):
        call()


def test_pem_is_told_from_rubbish():
    result = verify_chain(PEM, GIVEN, ANCHORS, AT)
    assert (result.check, "PEM" in result.remedy) == ("chain.malformed", True)


def leaf_of(key):
    """A leaf below an anchor, with the public key of ``key``."""
    top = ec.generate_private_key(ec.SECP256R1())
    made = []
    for subject, holder, authority in (("钥根", top, True), ("章", key, False)):
        builder = x509.CertificateBuilder().subject_name(distinguished_name(subject)).serial_number(9)
        builder = builder.issuer_name(distinguished_name("钥根")).public_key(holder.public_key())
        builder = builder.not_valid_before(AT - DAY).not_valid_after(AT + DAY)
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        made.append(builder.sign(top, hashes.SHA256()).public_bytes(Encoding.DER))
    return verify_chain(made[1], [], [made[0]], AT)


@pytest.mark.parametrize(
    ("make_key", "verdict", "check"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), Verdict.VALID, None),
        (lambda: ed25519.Ed25519PrivateKey.generate(), Verdict.VALID, None),
        (lambda: ec.generate_private_key(ec.SECP521R1()), Verdict.VALID, None),
        (lambda: rsa.generate_private_key(65537, 1024), Verdict.INVALID, "chain.key"),
        (lambda: dsa.generate_private_key(1024), Verdict.INVALID, "chain.key"),
        (lambda: ec.generate_private_key(ec.SECP224R1()), Verdict.INDETERMINATE, "chain.algorithm_unavailable"),
    ],
    ids=["RSA", "Ed25519", "P-521", "RSA of 1024 bits", "DSA", "P-224"],
)
def test_a_leaf_whose_own_key_verifies_nothing_is_not_valid(make_key, verdict, check):
    result = leaf_of(make_key())
    assert (result.verdict, result.check) == (verdict, check)


def test_an_sm2_leaf_needs_no_other_key():
    seal = ROOT.issue("国密章", key=sm2.generate_private_key())
    assert verify_chain(seal.certificate, [], ANCHORS, AT).verdict is Verdict.VALID


def test_long_names_are_their_own_bytes_and_are_not_kept():
    long = seq(rdn("2.5.4.3", "\ufdfa" * 1400))
    assert len(long) > names.MAX_NAME_BYTES
    assert names.name_key(long) == long
    assert names.name_text(long) == names.MALFORMED_NAME
    authority = ROOT.issue_ca(long)
    assert verify_chain(authority.issue("章").certificate, [authority.certificate], ANCHORS, AT).check is None


def test_large_certificates_are_read_and_not_kept():
    large = CA.issue("章", x.SEAL, x.alternative_names(*[x.dns("a")] * 4000)).certificate
    assert len(large) > signing_certificates.MAX_KEPT_BYTES
    before = signing_certificates._kept.cache_info().currsize
    assert verify_chain(large, [], [CA.certificate], AT).verdict is Verdict.VALID
    assert signing_certificates.load_signing_certificate(large) is not signing_certificates.load_signing_certificate(
        large
    )
    assert signing_certificates._kept.cache_info().currsize <= before + 1
