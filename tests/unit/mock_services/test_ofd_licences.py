"""The platform's OFD licences: documents a reader can open, sealed so that the gateway believes them, and its PKI."""

import base64
import io
import xml.etree.ElementTree as ET
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from gateway.certificates.envelopes.ofd import verify_ofd
from gateway.certificates.verdicts import Verdict
from mock_services.authorities import AUTHORITY_OF_KIND
from mock_services.pki import ProvincialPki
from mock_services.population import build_population
from mock_services.provincial_platform.certificates import Record
from mock_services.provincial_platform.registry import Order, Registry, break_signature
from mock_services.sm2 import sm3
from schemas.share_interface import VerifyResult

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
BASE = "http://platform.test"
OFD = {"ofd": "http://www.ofdspec.org/2016"}
LICENCE = AUTHORITY_OF_KIND["business_licence"]


@pytest.fixture(scope="module")
def pki() -> ProvincialPki:
    return ProvincialPki.build(BASE)


@pytest.fixture(scope="module")
def registry(pki: ProvincialPki) -> Registry:
    return Registry(build_population(40, 20, seed=7), pki, BASE)


def record_of(registry: Registry, slug: str, kind: str = "business_licence") -> Record:
    code = registry.population.personas[slug].holder_code
    return next(each for each in registry.all() if each.kind == kind and code in each.found_under)


def unpacked(document: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def verdict_on(document: bytes, pki: ProvincialPki) -> Verdict:
    authorities = [pki.sm2.root, *(pki.authority(f"sm2-{slug}") for slug in pki.departments)]
    return verify_ofd(
        document,
        [pki.sm2.root.holder.certificate],
        NOW,
        intermediates=[each.holder.certificate for each in authorities],
        crls=[each.crl(NOW) for each in authorities],
    ).verdict


class TestDocument:
    def test_a_reader_finds_what_it_needs(self, registry: Registry) -> None:
        record = record_of(registry, "enterprise-agent")
        files = unpacked(registry.envelope(record))
        root = ET.fromstring(files["OFD.xml"])
        fields = {each.get("Name"): each.text for each in root.iterfind(".//ofd:CustomData", OFD)}
        metadata = record.metadata.model_dump(mode="json", by_alias=True, exclude_none=True)
        status = {"x_ZTLB_URI": f"{BASE}/status-lists/1", "x_ZTLB_IDX": str(record.status_index)}
        assert fields == metadata | status
        document = root.findtext(".//ofd:DocRoot", namespaces=OFD)
        page = ET.fromstring(files[document]).find(".//ofd:Page", OFD).get("BaseLoc")
        content = ET.fromstring(files[f"Doc_0/{page}"])
        texts = [each.text for each in content.iterfind(".//ofd:TextCode", OFD)]
        assert {record.metadata.name, record.metadata.holder, record.authority.name} <= set(texts)
        assert content.find(".//ofd:PathObject", OFD) is not None
        for code in content.iterfind(".//ofd:TextCode", OFD):
            assert len((code.get("DeltaX") or "").split()) == len(code.text) - 1
        identifiers = [each.get("ID") for each in content.iter() if each.get("ID")]
        assert len(identifiers) == len(set(identifiers))

    def test_the_seal_covers_every_file_but_its_own(self, registry: Registry) -> None:
        files = unpacked(registry.envelope(record_of(registry, "enterprise-agent")))
        signature = ET.fromstring(files["Doc_0/Signs/Sign_0/Signature.xml"])
        covered = {
            each.get("FileRef").lstrip("/"): base64.b64decode(each.findtext("ofd:CheckValue", namespaces=OFD))
            for each in signature.iterfind(".//ofd:Reference", OFD)
        }
        folder = "Doc_0/Signs/"
        own = {f"{folder}Signatures.xml", f"{folder}Sign_0/Signature.xml", f"{folder}Sign_0/SignedValue.dat"}
        assert covered == {path: sm3(data) for path, data in files.items() if path not in own}
        assert signature.findtext(".//ofd:SignatureMethod", namespaces=OFD) == "1.2.156.10197.1.501"
        assert signature.find(".//ofd:References", OFD).get("CheckMethod") == "1.2.156.10197.1.401"
        assert signature.find(".//ofd:StampAnnot", OFD).get("PageRef") == "1"
        assert files[f"{folder}Sign_0/Seal.esl"] in files[f"{folder}Sign_0/SignedValue.dat"]


class TestGateway:
    def test_it_believes_the_seal(self, registry: Registry, pki: ProvincialPki) -> None:
        assert verdict_on(registry.envelope(record_of(registry, "enterprise-agent")), pki) is Verdict.VALID

    @pytest.mark.parametrize("slug", ["page-changed", "uncovered", "seal-expired"])
    def test_it_believes_no_wrong_one(self, registry: Registry, pki: ProvincialPki, slug: str) -> None:
        document = registry.envelope(record_of(registry, f"enterprise-ofd-{slug}"))
        assert verdict_on(document, pki) is not Verdict.VALID

    def test_it_sees_a_broken_signature_and_a_stranger(self, registry: Registry, pki: ProvincialPki) -> None:
        document = registry.envelope(record_of(registry, "enterprise-agent"))
        assert verdict_on(break_signature(document), pki) is Verdict.INVALID
        assert verdict_on(document, ProvincialPki.build(BASE)) is not Verdict.VALID

    @pytest.mark.parametrize("seal", [f"sm2-{LICENCE.slug}", "sm2-maker"])
    def test_a_revoked_signer_or_maker_seals_nothing(self, seal: str) -> None:
        own = ProvincialPki.build(BASE)
        registry = Registry(build_population(40, 20, seed=7), own, BASE)
        document = registry.envelope(record_of(registry, "enterprise-agent"))
        assert verdict_on(document, own) is Verdict.VALID
        own.revoke_seal(seal, NOW)
        assert verdict_on(document, own) is Verdict.INVALID
        own.forgive()
        assert verdict_on(document, own) is Verdict.VALID


def test_the_registry_knows_its_own_files_and_reissues(registry: Registry, pki: ProvincialPki) -> None:
    record = record_of(registry, "resident-two-owners", "property_certificate")
    first = registry.envelope(record)
    assert registry.envelope(record) == first
    assert registry.issued_as(first) is record
    registry.order(record, Order.EXPIRE, "试验", NOW)
    second = registry.envelope(record)
    assert registry.issued_as(first) is None
    assert b"2025-06-30" in unpacked(second)["OFD.xml"]
    assert record.state is VerifyResult.INVALID
    registry.order(record, Order.REINSTATE, "试验", NOW)
    assert verdict_on(registry.envelope(record), pki) is Verdict.VALID


def test_the_sm2_root_and_keys_stay_with_their_directory(tmp_path: Path) -> None:
    first, second = (ProvincialPki.build(BASE, tmp_path / "keys") for _ in range(2))
    assert first.sm2.root.holder.certificate == second.sm2.root.holder.certificate
    signers = [each.sm2_sealers(LICENCE)[0].key for each in (first, second)]
    assert signers[0] == signers[1]
    parsed = x509.load_der_x509_certificate(first.sm2_sealers(LICENCE)[0].certificate)
    assert parsed.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_IDENTIFIER)[0].value == LICENCE.code
