"""The test PKI keeps to the profile, and can be made to break it."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from mock_services.authorities import AUTHORITIES, AUTHORITY_OF_KIND, DEPARTMENTS
from mock_services.pki import ProvincialPki, generate_key, spki_digest
from schemas.ecertificates import TYPE_CODES
from schemas.identifiers import validate_unified_social_credit_code

T = TypeVar("T", bound=x509.ExtensionType)
BASE = "http://platform.test"
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def pki() -> ProvincialPki:
    return ProvincialPki.build(BASE)


def extension(certificate: x509.Certificate, kind: type[T]) -> T:
    return certificate.extensions.get_extension_for_class(kind).value


def test_every_kind_has_one_authority() -> None:
    assert TYPE_CODES.keys() <= AUTHORITY_OF_KIND.keys()
    for authority in AUTHORITIES:
        validate_unified_social_credit_code(authority.code)


@pytest.mark.parametrize("authority", AUTHORITIES, ids=lambda found: found.slug)
def test_seal_certificates_keep_to_the_profile(pki: ProvincialPki, authority) -> None:
    seal = pki.seals[authority.slug]
    leaf, department = seal.chain
    assert leaf.version is x509.Version.v3
    assert leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == authority.name
    assert leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)[0].value == authority.code
    usage = extension(leaf, x509.KeyUsage)
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert not extension(leaf, x509.BasicConstraints).ca
    point = extension(leaf, x509.CRLDistributionPoints)[0].full_name[0].value
    assert point == f"{BASE}/pki/crl/{authority.department}.crl"
    leaf.verify_directly_issued_by(department)
    assert seal.certificate is leaf


@pytest.mark.parametrize("department", DEPARTMENTS, ids=lambda found: found.slug)
def test_department_cas(pki: ProvincialPki, department) -> None:
    certificate = pki.departments[department.slug].certificate
    constraints = extension(certificate, x509.BasicConstraints)
    assert (constraints.ca, constraints.path_length) == (True, 0)
    usage = extension(certificate, x509.KeyUsage)
    assert usage.key_cert_sign
    assert usage.crl_sign
    expected = ec.EllipticCurvePublicKey if department.algorithm == "ES256" else ed25519.Ed25519PublicKey
    assert isinstance(certificate.public_key(), expected)
    certificate.verify_directly_issued_by(pki.root.certificate)


def test_the_root_is_self_signed_and_names_no_crl(pki: ProvincialPki) -> None:
    root = pki.root.certificate
    root.verify_directly_issued_by(root)
    assert extension(root, x509.BasicConstraints).ca
    with pytest.raises(x509.ExtensionNotFound):
        extension(root, x509.CRLDistributionPoints)


def test_the_rogue_seal_looks_right_and_leads_nowhere(pki: ProvincialPki) -> None:
    good = pki.seals["market-supervision"]
    leaf, department = pki.rogue.chain
    assert leaf.subject == good.certificate.subject
    leaf.verify_directly_issued_by(department)
    assert department.issuer != pki.root.certificate.subject
    with pytest.raises((InvalidSignature, ValueError)):
        department.verify_directly_issued_by(pki.root.certificate)


def test_crls(pki: ProvincialPki) -> None:
    department = pki.issuer_of("housing")
    seal = pki.seals["housing"].certificate
    assert len(x509.load_der_x509_crl(department.crl(NOW))) == 0
    department.revoke(seal, NOW)
    crl = x509.load_der_x509_crl(department.crl(NOW))
    assert crl.get_revoked_certificate_by_serial_number(seal.serial_number) is not None
    assert crl.is_signature_valid(department.certificate.public_key())
    assert crl.next_update_utc == NOW + timedelta(hours=24)
    forged = x509.load_der_x509_crl(department.crl(NOW, key=generate_key("EdDSA")))
    assert not forged.is_signature_valid(department.certificate.public_key())


def test_wrong_certificates_can_be_made(pki: ProvincialPki) -> None:
    department = pki.departments["natural-resources"]
    wrong = department.issue_seal(
        "某局", "X", crl_uri=BASE, digital_signature=False, ca=True, valid_until=datetime(2021, 1, 1, tzinfo=UTC)
    ).certificate
    assert extension(wrong, x509.BasicConstraints).ca
    assert not extension(wrong, x509.KeyUsage).digital_signature
    assert wrong.not_valid_after_utc.year == 2021


def test_keys_and_root_stay_with_their_directory(tmp_path: Path) -> None:
    first = ProvincialPki.build(BASE, tmp_path / "keys")
    second = ProvincialPki.build("http://elsewhere.test", tmp_path / "keys")
    assert first.root.certificate == second.root.certificate
    for slug, seal in first.seals.items():
        assert seal.certificate.public_key() == second.seals[slug].certificate.public_key()
        assert seal.certificate != second.seals[slug].certificate
    assert ProvincialPki.build(BASE, tmp_path / "others").root.certificate != first.root.certificate
    for path in (tmp_path / "keys").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_of_the_wrong_sort_is_refused(tmp_path: Path) -> None:
    ProvincialPki.build(BASE, tmp_path)
    (tmp_path / "root.key").write_bytes((tmp_path / "ca-public-security.key").read_bytes())
    with pytest.raises(ValueError, match=r"root\.key"):
        ProvincialPki.build(BASE, tmp_path)


def test_what_the_gateway_is_to_trust(pki: ProvincialPki, tmp_path: Path) -> None:
    pki.write_trust(tmp_path)
    anchors = {path.name: path.read_bytes() for path in (tmp_path / "anchors").glob("*.pem")}
    assert anchors.keys() == {"root.pem", "sm2-root.pem"}
    assert x509.load_pem_x509_certificate(anchors["root.pem"]) == pki.root.certificate
    intermediates = {path.stem for path in (tmp_path / "intermediates").glob("*.pem")}
    assert intermediates == {f"sm2-{department.slug}" for department in DEPARTMENTS}
    issuers = json.loads((tmp_path / "issuers.json").read_text(encoding="utf-8"))
    assert {kind for issuer in issuers for kind in issuer["kinds"]} == {*TYPE_CODES, "status_list"}
    members = {"authority_code", "name", "kinds", "regions", "from", "to", "issuing_ca"}
    assert all(issuer.keys() == members for issuer in issuers)
    for issuer, authority in zip(issuers, AUTHORITIES, strict=True):
        sm2 = pki.sm2_department(authority).holder.key_digest
        assert issuer["issuing_ca"] == [spki_digest(pki.seals[authority.slug].chain[1]), sm2]
