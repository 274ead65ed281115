"""OFD e-licences through the same eleven steps as JWS ones: who is believed, from which bytes, as of when."""

from dataclasses import replace

import pytest

from gateway.certificates.kinds.business_licence import KIND as LICENCE
from gateway.certificates.verdicts import Verdict
from gateway.crypto import sm2
from mock_services.authorities import AUTHORITIES
from tests.support import ofd_writer as writer
from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI
from tests.support.ofd_licence import POINT, SEALED_AT, OfdProvince, failed
from tests.support.ofd_pki import issue
from tests.support.ofd_writer import PAGE, SEAL, SIGNATURE_XML, SIGNATURES_XML, VALUE, Recipe

STEPS = [
    "envelope",
    "header",
    "algorithm",
    "chain",
    "validity",
    "issuer",
    "status",
    "identifier",
    "holder",
    "claims",
    "freshness",
]


@pytest.fixture(scope="module")
def province() -> OfdProvince:
    return OfdProvince()


def test_a_good_licence_passes_every_step(province: OfdProvince) -> None:
    result = province.judge(province.licence())
    assert result.verdict is Verdict.VALID, result.failed_check
    assert [check.name for check in result.checks] == STEPS
    assert (result.form, result.findings) == ("ofd", ())
    assert result.claims is not None
    assert result.claims.legal_representative == "测试甲"  # type: ignore[attr-defined]
    assert result.claims.holder_code == ENTERPRISE
    assert {basis.name for basis in result.basis} >= {"certificate", "crl", "status_list"}
    assert not result.stale


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"version": 5},
        {"raw_signatures": True},
        {"with_seal_file": False},
        {"digest_listed": True},
        {"cms": "attributes"},
        {"cms": "bare"},
        {"cms": "sealed"},
        {"relative_paths": True},
        {"check_method": "1.2.156.10197.1.401"},
    ],
)
def test_every_form_of_signature_carries_a_licence(province: OfdProvince, changes: dict[str, object]) -> None:
    result = province.judge(province.licence(province.recipe(**changes)))
    assert result.verdict is Verdict.VALID, result.failed_check


def test_the_same_facts_in_both_envelopes_give_the_same_claims(province: OfdProvince) -> None:
    ofd, jws = province.judge(province.licence()), province.judge(province.jws.envelope())
    assert ofd.claims == jws.claims is not None
    assert (ofd.identifier, ofd.expires_on) == (jws.identifier, jws.expires_on)


# What the seal covers


@pytest.mark.parametrize(
    ("path", "old", "new", "check"),
    [
        ("OFD.xml", 'Version="1.0"', 'Version="1.1"', "ofd.references"),
        (PAGE, "营业执照", "营业执昭", "ofd.references"),
        (SEAL, "seal-1", "seal-2", "ofd.references"),
        (SIGNATURE_XML, 'ProviderName="test"', 'ProviderName="tost"', "ofd.content"),
    ],
)
def test_a_change_is_told_where_it_is(province: OfdProvince, path: str, old: str, new: str, check: str) -> None:
    data = province.licence()
    content = writer.unpack(data)[path]
    changed = content.replace(old.encode(), new.encode())
    assert changed != content
    assert failed(province.judge(writer.rewrite(data, path, changed))) == (Verdict.INVALID, check)


def test_claims_come_from_the_very_bytes_that_were_sealed(province: OfdProvince) -> None:
    """The holder's name is replaced and nothing else."""
    data = province.licence()
    files = writer.unpack(data)
    forged = files["OFD.xml"].replace("示例有限公司".encode(), "冒名有限公司".encode())
    assert failed(province.judge(writer.rewrite(data, "OFD.xml", forged))) == (Verdict.INVALID, "ofd.references")


def test_metadata_that_no_seal_covers_is_no_licence(province: OfdProvince) -> None:
    """Every page is covered, OFD.xml is not, as real documents exist."""
    recipe = province.recipe(covered=("Doc_0/Document.xml", PAGE), with_seal_file=False)
    assert failed(province.judge(province.licence(recipe))) == (Verdict.INVALID, "ofd.metadata.uncovered")


def test_a_page_that_the_seal_does_not_cover_leaves_it_open(province: OfdProvince) -> None:
    """A person could be shown another page beside the sealed words."""
    recipe = province.recipe(covered=("OFD.xml", "Doc_0/Document.xml", SEAL))
    result = province.judge(province.licence(recipe))
    assert failed(result) == (Verdict.INDETERMINATE, "ofd.coverage")
    added = writer.unpack(province.licence()) | {"Doc_0/Pages/Page_9/Content.xml": b"<Page/>"}
    assert failed(province.judge(writer.pack(added))) == (Verdict.INDETERMINATE, "ofd.coverage")


def test_a_stranger_cannot_cover_the_page_for_the_issuer(province: OfdProvince) -> None:
    """The issuer left the page out; a second, perfectly whole signature of somebody else covers it."""
    recipe = province.recipe(covered=("OFD.xml", "Doc_0/Document.xml"), with_seal_file=False)
    stranger = OfdProvince()
    data = add_signature(writer.unpack(province.licence(recipe)), stranger, (PAGE,))
    assert failed(province.judge(data)) == (Verdict.INDETERMINATE, "ofd.coverage")


def test_an_uncovered_page_that_is_also_wrong_is_invalid(province: OfdProvince) -> None:
    """What can be proved wrong decides, although something else is open."""
    recipe = province.recipe(covered=("OFD.xml", "Doc_0/Document.xml", SEAL))
    result = province.judge(province.licence(recipe, CZZTDM="914403001922038216"))
    assert (result.verdict, result.claims) == (Verdict.INVALID, None)
    assert [check.check for check in result.checks if check.check] == ["ofd.coverage", "holder.mismatch"]


# Several signatures


def add_signature(files: dict[str, bytes], by: OfdProvince, covered: tuple[str, ...], **changes: object) -> bytes:
    """A second signature, listed behind the first."""
    recipe = replace(Recipe(signed_at=SEALED_AT, with_seal_file=False), **changes)  # type: ignore[arg-type]
    line = b'<ofd:Signature ID="2" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_1/Signature.xml"/></ofd:Signatures>'
    files[SIGNATURES_XML] = files[SIGNATURES_XML].replace(b"</ofd:Signatures>", line)
    xml = writer.signature_xml(recipe, {path: files[path] for path in covered})
    xml = xml.replace(b"/Sign_0/SignedValue.dat", b"/Sign_1/SignedValue.dat")
    value = writer.make_signed_value(by.pki, recipe, writer.make_seal(by.pki, recipe), xml)
    new = {"Doc_0/Signs/Sign_1/Signature.xml": xml, "Doc_0/Signs/Sign_1/SignedValue.dat": value}
    return writer.pack(files | new)


def test_a_further_signature_is_told(province: OfdProvince) -> None:
    """A stranger signs the whole after the issuer: that changes nothing about the issuer's words."""
    files = writer.unpack(province.licence())
    data = add_signature(files, OfdProvince(), ("OFD.xml", PAGE))
    result = province.judge(data)
    assert result.verdict is Verdict.VALID, result.failed_check
    assert result.findings == ("ofd.further_signatures",)


def test_a_further_signature_that_is_broken_spoils_the_document(province: OfdProvince) -> None:
    files = writer.unpack(add_signature(writer.unpack(province.licence()), OfdProvince(), ("OFD.xml", PAGE)))
    files["Doc_0/Signs/Sign_1/Signature.xml"] += b" "
    assert failed(province.judge(writer.pack(files))) == (Verdict.INVALID, "ofd.other_signature")


def test_a_further_signature_that_cannot_be_judged_leaves_it_open(province: OfdProvince) -> None:
    """Its digests are by a method that is not spoken here, or so it says."""
    data = add_signature(writer.unpack(province.licence()), OfdProvince(), (PAGE,), check_method="1.2.3.4")
    assert failed(province.judge(data)) == (Verdict.INDETERMINATE, "ofd.other_signature")


def test_more_signatures_than_a_licence_may_have(province: OfdProvince) -> None:
    files = writer.unpack(province.licence())
    for number in range(2, 10):
        files[f"S{number}.xml"] = files[SIGNATURE_XML]
        line = f'<ofd:Signature BaseLoc="/S{number}.xml"/></ofd:Signatures>'
        files[SIGNATURES_XML] = files[SIGNATURES_XML].replace(b"</ofd:Signatures>", line.encode())
        if number == 8:
            assert province.judge(writer.pack(files)).verdict is Verdict.VALID
    assert failed(province.judge(writer.pack(files))) == (Verdict.INVALID, "ofd.signatures")


def whole_document(province: OfdProvince) -> dict[str, bytes]:
    """A licence whose seal covers the list of signatures too, so that adding one changes what it covers."""
    recipe = province.recipe(with_seal_file=False)
    files = writer.build_files(province.pki, recipe)
    covered = {path: files[path] for path in ("OFD.xml", "Doc_0/Document.xml", PAGE, SIGNATURES_XML)}
    files[SIGNATURE_XML] = writer.signature_xml(recipe, covered)
    seal = writer.make_seal(province.pki, recipe)
    files[VALUE] = writer.make_signed_value(province.pki, recipe, seal, files[SIGNATURE_XML])
    return files


def test_a_later_signature_may_change_the_list_when_it_is_believed(province: OfdProvince) -> None:
    assert province.judge(writer.pack(whole_document(province))).verdict is Verdict.VALID
    own = add_signature(whole_document(province), province, ("OFD.xml", SIGNATURES_XML))
    result = province.judge(own)
    assert result.verdict is Verdict.VALID, result.failed_check
    foreign = issue("别处签章者", issue("别处根", ca=True), issuer_name="别处根")
    stranger = OfdProvince()
    stranger.pki.signer = foreign
    data = add_signature(whole_document(province), stranger, ("OFD.xml", SIGNATURES_XML))
    assert failed(province.judge(data)) == (Verdict.INDETERMINATE, "seal.later.no_anchor")


def test_a_list_changed_by_nobody_is_a_changed_file(province: OfdProvince) -> None:
    files = whole_document(province)
    files[SIGNATURES_XML] = files[SIGNATURES_XML].replace(b'ID="1"', b'ID="7"')
    assert failed(province.judge(writer.pack(files))) == (Verdict.INVALID, "ofd.references")


def test_of_several_seals_over_the_metadata_the_issuers_speaks(province: OfdProvince) -> None:
    """Another authority's genuine seal stands first in the list."""
    other = OfdProvince(signer_options={"code": AUTHORITIES[1].code})
    other.pki.ca, other.pki.maker = province.pki.ca, province.pki.maker
    options = {"issuer_name": "测试签发机构", "code": AUTHORITIES[1].code}
    other.pki.signer = issue("别的机构", province.pki.ca, **options)  # type: ignore[arg-type]
    data = add_signature(writer.unpack(province.licence()), other, ("OFD.xml", PAGE))
    files = writer.unpack(data)
    first, second = files[SIGNATURES_XML].split(b"<ofd:Signature ")[1:]
    tail = b"</ofd:Signatures>"
    head = files[SIGNATURES_XML][: files[SIGNATURES_XML].index(b"<ofd:Signature ")]
    turned = head + b"<ofd:Signature " + second.replace(tail, b"") + b"<ofd:Signature " + first + tail
    result = province.judge(writer.pack(files | {SIGNATURES_XML: turned}))
    assert result.verdict is Verdict.VALID, result.failed_check
    assert result.issuing_authority == AUTHORITIES[0].name


# Outside


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda data: data[:-1], "ofd.archive"),
        (lambda data: data + b"\0", "ofd.archive.framing"),
        (lambda data: writer.rewrite(data, "OFD.xml", b"<OFD>"), "ofd.signatures"),
        (lambda data: writer.rewrite(data, SIGNATURES_XML, b"<!DOCTYPE a><Signatures/>"), "ofd.signatures"),
        (lambda data: writer.rewrite(data, SIGNATURE_XML, b"<Signature/>"), "ofd.signatures"),
        (lambda data: writer.rewrite(data, SIGNATURES_XML, b"<Signatures/>"), "ofd.unsigned"),
        (lambda data: writer.rewrite(data, VALUE, b"\x30\x00"), "ofd.signed_value"),
        (lambda data: b"PK\x03\x04" + bytes(5 << 20), "ofd.archive.size"),
    ],
)
def test_what_is_wrong_outside(province: OfdProvince, change: object, check: str) -> None:
    assert failed(province.judge(change(province.licence()))) == (Verdict.INVALID, check)  # type: ignore[operator]


def test_the_algorithm_must_stand_on_the_kinds_list(province: OfdProvince) -> None:
    kind = LICENCE.in_policy(replace(LICENCE.policy, algorithms=frozenset({"ES256"})))
    assert failed(province.judge(province.licence(), kind=kind)) == (Verdict.INVALID, "ofd.algorithm")


def test_the_size_is_the_kinds(province: OfdProvince) -> None:
    kind = LICENCE.in_policy(replace(LICENCE.policy, max_ofd_bytes=1000))
    assert failed(province.judge(province.licence(), kind=kind)) == (Verdict.INVALID, "ofd.archive.size")


def test_without_a_library_for_sm2_nothing_is_known(province: OfdProvince) -> None:
    data, evidence = province.licence(), province.evidence()
    sm2.use_library("no-such-libcrypto.so")
    try:
        result = province.judge(data, evidence=evidence)
    finally:
        sm2.use_library(None)
    assert failed(result) == (Verdict.INDETERMINATE, "chain.algorithm_unavailable")


# Where evidence is looked for


def test_addresses_come_only_from_proved_bytes(province: OfdProvince) -> None:
    found = province.verifier().references(province.licence(), LICENCE, AT)
    assert (found.status_list, found.crls) == (LIST_URI, (POINT,))
    for spoilt in (
        writer.rewrite(province.licence(), PAGE, b"<Page/>"),
        OfdProvince().licence(),
        province.licence(province.recipe(change_tbs=lambda tbs: tbs.replace(b"/Doc_0/Signs", b"/Doc_1/Signs"))),
    ):
        nothing = province.verifier().references(spoilt, LICENCE, AT)
        assert (nothing.status_list, nothing.crls, nothing.ocsp) == (None, (), ())


def test_the_makers_lists_are_looked_for_as_well() -> None:
    from tests.support import x509_writer as x

    elsewhere = x.crl_points(x.point([x.uri("http://crl.example/makers.crl")]))
    own = OfdProvince(maker_options={"extra_extension": elsewhere})
    assert own.verifier().references(own.licence(), LICENCE, AT).crls == (POINT, "http://crl.example/makers.crl")
