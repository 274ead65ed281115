"""OFD documents of our own making: each form that seals have, each way they go wrong, and hostile archives."""

import io
import struct
import zipfile
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.certificates.envelopes.ofd import Limits, OfdVerification, Outcome, verify_ofd
from gateway.certificates.errors import OfdRefused
from gateway.certificates.verdicts import Verdict
from gateway.crypto import sm2
from gateway.errors import GatewayError
from tests.support import ofd_writer as writer
from tests.support.ofd_writer import NOW, PAGE, SIGNATURE_XML, SIGNATURES_XML, SIGNED_AT, VALUE, Pki, Recipe


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


def verify(data: bytes, pki: Pki, at: datetime = NOW) -> OfdVerification:
    return verify_ofd(data, [pki.root.certificate], at, intermediates=[pki.ca.certificate])


def outcome(report: OfdVerification, code: str) -> Outcome:
    return next(check.outcome for check in report.signatures[0].checks if check.code == code)


@pytest.mark.parametrize(
    ("recipe", "form"),
    [
        (Recipe(version=4), "V4"),
        (Recipe(version=5, timestamped=True), "V5"),
        (Recipe(version=1), "V1"),
        (Recipe(version=1, raw_signatures=True), "V1"),
        (Recipe(raw_signatures=True), "V4"),
        (Recipe(relative_paths=True), "V4"),
        (Recipe(check_method="1.2.156.10197.1.401"), "V4"),
        (Recipe(check_method="SHA256"), "V4"),
        (Recipe(digest_listed=True), "V4"),
        (Recipe(with_seal_file=False), "V4"),
        (Recipe(cms="content"), "GB/T 35275"),
        (Recipe(cms="attributes"), "GB/T 35275"),
    ],
)
def test_honest_documents_are_valid_under_their_anchor(pki: Pki, recipe: Recipe, form: str) -> None:
    report = verify(writer.build(pki, recipe), pki)
    assert (report.verdict, report.reason) == (Verdict.VALID, "")
    # Nothing in a CMS value without attributes tells the signing time: it is judged now.
    assert report.signatures[0].signed_at == (None if recipe.cms == "content" else SIGNED_AT)
    assert report.trusted >= {"OFD.xml", PAGE}
    assert report.signatures[0].form == form
    assert report.uncovered == ()


def test_without_anchor_an_intact_document_is_indeterminate(pki: Pki) -> None:
    report = verify_ofd(writer.build(pki), [], NOW)
    assert (report.verdict, report.reason, report.intact) == (Verdict.INDETERMINATE, "no trust anchor", True)
    assert report.trusted == frozenset()


def test_another_provinces_anchor_is_no_anchor(pki: Pki) -> None:
    stranger = writer.issue("外省根", ca=True)
    report = verify_ofd(writer.build(pki), [stranger.certificate], NOW)
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "no trust anchor")


def test_an_impostor_with_the_anchors_name_does_not_pass() -> None:
    """The chain ends in a self-made root that carries the trusted root's name but not its key."""
    impostor, honest = Pki(), Pki()
    report = verify_ofd(writer.build(impostor), [honest.root.certificate], NOW, intermediates=[impostor.ca.certificate])
    assert (report.verdict, report.reason) == (Verdict.INVALID, "certificate signature does not verify")


def test_a_signer_may_not_issue_certificates(pki: Pki) -> None:
    """The seal's signer was certified by another end entity, which chains to the anchor but is no authority."""
    mallory = Pki()
    mallory.signer = writer.issue("冒名签章者", pki.signer, issuer_name="测试签章者")
    mallory.maker = pki.maker
    pool = [pki.ca.certificate, pki.signer.certificate]
    report = verify_ofd(writer.build(mallory), [pki.root.certificate], NOW, intermediates=pool)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "issuer is not a certificate authority")


@pytest.mark.parametrize(
    ("signer", "recipe", "at", "reason"),
    [
        ({"not_after": datetime(2026, 1, 1, tzinfo=UTC)}, Recipe(), NOW, "certificate not valid at that time"),
        ({"usage": 0x20}, Recipe(), NOW, "key may not be used so"),
        (
            {},
            Recipe(seal_valid=(SIGNED_AT - timedelta(days=9), SIGNED_AT - timedelta(days=1))),
            NOW,
            "seal not valid at signing time",
        ),
        ({}, Recipe(), SIGNED_AT - timedelta(minutes=6), "signed in the future"),
    ],
)
def test_trust_checks_decide_only_under_an_anchor(
    signer: dict[str, object], recipe: Recipe, at: datetime, reason: str
) -> None:
    own = Pki(signer_options=signer)
    data = writer.build(own, recipe)
    anchored = verify(data, own, at)
    assert (anchored.verdict, anchored.reason, anchored.intact) == (Verdict.INVALID, reason, True)
    floating = verify_ofd(data, [], at)
    assert (floating.verdict, floating.reason) == (Verdict.INDETERMINATE, "no trust anchor")


@pytest.mark.parametrize("who", ["signer_options", "maker_options"])
def test_certificates_that_ran_out_since_do_not_undo_a_seal(who: str) -> None:
    """Dates count when the seal was used and made, and not a moment later."""
    since = Pki(**{who: {"not_after": SIGNED_AT + timedelta(hours=1)}})  # type: ignore[arg-type]
    assert verify(writer.build(since), since).verdict is Verdict.VALID
    late = writer.build(since, Recipe(signed_at=SIGNED_AT + timedelta(hours=2)))
    assert (verify(late, since).verdict is Verdict.INVALID) is (who == "signer_options")


def test_an_unknown_critical_extension_is_refused() -> None:
    extra = writer.extension("2a0304", b"\x05\x00")
    own = Pki(signer_options={"extra_extension": extra})
    report = verify(writer.build(own), own)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "unknown critical extension")


def test_a_signer_outside_the_seals_list_is_refused(pki: Pki) -> None:
    report = verify(writer.build(pki, Recipe(listed_certificate=pki.maker.certificate)), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "signer not listed in the seal")


def test_a_seal_of_an_unknown_maker_is_refused(pki: Pki) -> None:
    """SealInfo was signed by a key other than the one in the maker's certificate."""
    forged = Pki()
    forged.signer, forged.maker = pki.signer, writer.Identity(forged.maker.key, pki.maker.certificate)
    report = verify(writer.build(forged), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "maker signature does not verify")


def test_signed_bytes_are_judged_as_they_came(pki: Pki) -> None:
    """The propertyInfo inside the signed part differs by one letter from what was signed."""
    recipe = Recipe(change_tbs=lambda tbs: tbs.replace(b"/Doc_0/Signs", b"/Doc_1/Signs"))
    report = verify(writer.build(pki, recipe), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "signer signature does not verify")
    assert report.failed_files == (VALUE,)


def test_a_swapped_seal_file_is_noticed(pki: Pki) -> None:
    recipe = Recipe(covered=("OFD.xml", "Doc_0/Document.xml", PAGE))
    report = verify(writer.rewrite(writer.build(pki, recipe), "Doc_0/Signs/Sign_0/Seal.esl", b"other"), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "seal file differs from the seal used")


def test_partial_coverage_is_never_valid_as_a_whole(pki: Pki) -> None:
    """OFD.xml, with the licence's metadata, is covered by no signature; the page is."""
    report = verify(writer.build(pki, Recipe(covered=("Doc_0/Document.xml", PAGE), with_seal_file=False)), pki)
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "files not covered by a signature")
    assert report.uncovered == ("OFD.xml",)
    assert report.trusted == {"Doc_0/Document.xml", PAGE}


def test_a_page_slipped_in_later_is_uncovered(pki: Pki) -> None:
    files = writer.build_files(pki) | {"Doc_0/Pages/Page_9/Content.xml": b"<Page/>"}
    report = verify(writer.pack(files), pki)
    assert report.verdict is Verdict.INDETERMINATE
    assert report.uncovered == ("Doc_0/Pages/Page_9/Content.xml",)


def test_a_path_that_names_two_files_is_refused(pki: Pki) -> None:
    """A copy of the honest page stands where a slashless path could also be read to point."""
    files = writer.build_files(pki, Recipe(relative_paths=True))
    xml = files[SIGNATURE_XML].replace(b"../../../Doc_0/Pages", b"Doc_0/Pages")
    files |= {SIGNATURE_XML: xml, f"Doc_0/Signs/Sign_0/{PAGE}": files[PAGE]}
    report = verify(writer.pack(files), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "path names two files")


@pytest.mark.parametrize("method", ["MD5", "SHA1", "sha-1"])
def test_broken_digests_protect_nothing(pki: Pki, method: str) -> None:
    report = verify(writer.build(pki, Recipe(check_method=method)), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "digest method broken")


def test_an_unknown_digest_is_not_a_forgery(pki: Pki) -> None:
    report = verify(writer.build(pki, Recipe(check_method="1.2.3.4")), pki)
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "digest method not supported")


def test_nothing_covered_is_nothing_signed(pki: Pki) -> None:
    report = verify(writer.build(pki, Recipe(covered=())), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "nothing is referenced")


def test_unsigned_documents_say_so(pki: Pki) -> None:
    files = writer.content_files()
    files["OFD.xml"] = files["OFD.xml"].replace(f"<ofd:Signatures>/{SIGNATURES_XML}</ofd:Signatures>".encode(), b"")
    report = verify(writer.pack(files), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "not signed")


def test_a_later_signature_may_change_the_list(pki: Pki) -> None:
    """The first signature covers Signatures.xml as it was; the second signature adds itself to that list."""
    files = writer.build_files(pki, Recipe(with_seal_file=False))
    first = Recipe(with_seal_file=False)
    covered = {path: files[path] for path in ("OFD.xml", "Doc_0/Document.xml", PAGE, SIGNATURES_XML)}
    files[SIGNATURE_XML] = writer.signature_xml(first, covered)
    seal = writer.make_seal(pki, first)
    files[VALUE] = writer.make_signed_value(pki, first, seal, files[SIGNATURE_XML])
    assert verify(writer.pack(files), pki).verdict is Verdict.VALID

    line = b'<ofd:Signature ID="2" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_1/Signature.xml"/></ofd:Signatures>'
    files[SIGNATURES_XML] = files[SIGNATURES_XML].replace(b"</ofd:Signatures>", line)
    covered = {path: files[path] for path in ("OFD.xml", "Doc_0/Document.xml", PAGE, SIGNATURES_XML, SIGNATURE_XML)}
    second = writer.signature_xml(first, covered).replace(b"/Sign_0/SignedValue.dat", b"/Sign_1/SignedValue.dat")
    files["Doc_0/Signs/Sign_1/Signature.xml"] = second
    files["Doc_0/Signs/Sign_1/SignedValue.dat"] = writer.make_signed_value(pki, first, seal, second)
    report = verify(writer.pack(files), pki)
    assert (report.verdict, len(report.signatures)) == (Verdict.VALID, 2)

    files["Doc_0/Signs/Sign_1/SignedValue.dat"] = b"\x30\x00"
    spoiled = verify(writer.pack(files), pki)
    assert SIGNATURES_XML in spoiled.failed_files


def test_a_signature_struck_from_the_list_is_found_beside_it(pki: Pki) -> None:
    """Signatures.xml, covered by nothing, was emptied, and a page was changed."""
    data = writer.rewrite(writer.build(pki), SIGNATURES_XML, f"<ofd:Signatures {writer.NAMESPACE}/>".encode())
    report = verify(writer.rewrite(data, PAGE, b"<Page/>"), pki)
    assert report.verdict is Verdict.INVALID
    assert set(report.failed_files) == {SIGNATURES_XML, PAGE}


def test_sm2_without_a_library_is_indeterminate(pki: Pki) -> None:
    data = writer.build(pki)
    sm2.use_library("no-such-libcrypto.so")
    try:
        report = verify(data, pki)
    finally:
        sm2.use_library(None)
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "algorithm unavailable")


XML_ATTACKS = {
    "doctype": b'<!DOCTYPE x><ofd:OFD xmlns:ofd="x"/>',
    "entity": b'<!DOCTYPE x [<!ENTITY a "b">]><OFD>&a;</OFD>',
    "laughs": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><OFD>&b;</OFD>',
    "external": b'<!DOCTYPE x SYSTEM "file:///etc/hostname"><OFD/>',
    "deep": b"<OFD>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</OFD>",
    "many": b"<OFD>" + b"<a/>" * 60000 + b"</OFD>",
    "cut": b"<OFD><DocBody>",
    "empty": b"",
    "encoding": b'<?xml version="1.0" encoding="no-such"?><OFD/>',
}


@pytest.mark.parametrize("attack", XML_ATTACKS)
def test_dangerous_xml_is_not_read(pki: Pki, attack: str) -> None:
    report = verify(writer.rewrite(writer.build(pki), "OFD.xml", XML_ATTACKS[attack]), pki)
    assert report.verdict is Verdict.INVALID
    assert "OFD.xml" in report.failed_files


def archive(*entries: tuple[str, bytes], compress: int = zipfile.ZIP_DEFLATED, attributes: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes
            target.writestr(info, data, compress)
    return buffer.getvalue()


def overlapping() -> bytes:
    """Two directory lines share one stored file's bytes."""
    data = archive(("a.xml", b"x" * 100), compress=zipfile.ZIP_STORED)
    start = data.index(b"PK\x01\x02")
    line = data[start : data.index(b"PK\x05\x06")]
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(line), start, 0)
    return data[:start] + line + line.replace(b"a.xml", b"b.xml") + end


HOSTILE = {
    "empty": (b"", "ofd.archive"),
    "not a zip": (b"%PDF-1.7 ...", "ofd.archive"),
    "bomb": (archive(("OFD.xml", b"\0" * (8 << 20))), "ofd.archive.ratio"),
    "too large when unpacked": (archive(("a", b"x" * 2001)), "ofd.archive.size"),
    "too many": (archive(*((f"f{number}", b"") for number in range(11))), "ofd.archive.entries"),
    "climbs out": (archive(("../OFD.xml", b"")), "ofd.archive.traversal"),
    "climbs out by backslash": (archive(("a\\..\\..\\OFD.xml", b"")), "ofd.archive.traversal"),
    "drive letter": (archive(("C:/OFD.xml", b"")), "ofd.archive.traversal"),
    "control character": (archive(("OFD\x1b.xml", b"")), "ofd.archive.traversal"),
    "duplicate by case": (archive(("OFD.xml", b"1"), ("ofd.XML", b"2")), "ofd.archive.duplicate"),
    "absolute": (archive(("OFD.xml", b"1"), ("/OFD.xml", b"2")), "ofd.archive.traversal"),
    "link": (archive(("OFD.xml", b"/etc"), attributes=0o120777 << 16), "ofd.archive.link"),
    "other compression": (archive(("OFD.xml", b"1"), compress=zipfile.ZIP_LZMA), "ofd.archive.method"),
    "bytes in front": (b"MZ" + archive(("OFD.xml", b"1")), "ofd.archive.framing"),
    "bytes behind": (archive(("OFD.xml", b"1")) + b"more", "ofd.archive.framing"),
    "overlap": (overlapping(), "ofd.archive.overlap"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused(name: str) -> None:
    data, check = HOSTILE[name]
    limits = Limits(entries=10, entry=2000 if name.startswith("too large") else 32 << 20)
    with pytest.raises(OfdRefused) as refusal:
        verify_ofd(data, [], NOW, limits=limits)
    assert refusal.value.check == check


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_file_names_without_the_utf8_flag(pki: Pki, encoding: str) -> None:
    """The archive's writer left file names as plain bytes; Signature.xml names the file in Chinese."""
    name = "Doc_0/Attachs/附图.xml"
    files = writer.build_files(pki, Recipe(extra_files={name: b"<a/>"}))
    data = writer.pack({path: content for path, content in files.items() if path != name})
    data = append_plain(data, name.encode(encoding), b"<a/>")
    assert verify(data, pki).verdict is Verdict.VALID


def append_plain(data: bytes, name: bytes, content: bytes) -> bytes:
    """The archive with one stored file more, whose name carries no UTF-8 flag."""
    buffer = io.BytesIO(data)
    placeholder = b"x" * len(name)
    with zipfile.ZipFile(buffer, "a") as target:
        target.writestr(placeholder.decode(), content)
    return buffer.getvalue().replace(placeholder, name)


def test_an_archive_over_the_limit_is_not_even_opened() -> None:
    with pytest.raises(OfdRefused) as refusal:
        verify_ofd(b"PK" * 600, [], NOW, limits=Limits(archive=1000))
    assert refusal.value.check == "ofd.archive.size"


def test_a_damaged_entry_is_named(pki: Pki) -> None:
    """One byte of the compressed stream of the page is flipped, so that its checksum fails."""
    data = writer.build(pki)
    packed = zlib.compressobj(wbits=-15)
    stream = packed.compress(writer.unpack(data)[PAGE]) + packed.flush()
    at = data.index(PAGE.encode()) + len(PAGE) + len(stream) // 2
    report = verify(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :], pki)
    assert report.verdict is Verdict.INVALID
    assert PAGE in report.failed_files


def test_a_wrong_anchor_is_not_overlooked(pki: Pki) -> None:
    with pytest.raises(GatewayError):
        verify_ofd(writer.build(pki), [b"not a certificate"], NOW)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(position=st.integers(0, 1 << 20), value=st.integers(0, 255), cut=st.booleans())
def test_damaged_archives_never_pass(pki: Pki, position: int, value: int, cut: bool) -> None:
    data = FUZZED.setdefault("archive", writer.build(pki))
    position %= len(data)
    changed = data[:position] if cut else data[:position] + bytes([value]) + data[position + 1 :]
    try:
        report = verify(changed, pki)
    except GatewayError:
        return
    assert report.verdict is not Verdict.VALID or writer.unpack(changed) == writer.unpack(data)


@FUZZ
@given(position=st.integers(0, 1 << 20), value=st.integers(0, 255), cut=st.booleans(), version=st.sampled_from([1, 4]))
def test_damaged_signed_values_never_pass(pki: Pki, position: int, value: int, cut: bool, version: int) -> None:
    files = FILES.setdefault(version, writer.build_files(pki, Recipe(version=version)))
    original = files[VALUE]
    position %= len(original)
    changed = original[:position] if cut else original[:position] + bytes([value]) + original[position + 1 :]
    report = verify(writer.pack(files | {VALUE: changed}), pki)
    assert changed == original or report.verdict is Verdict.INVALID


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_meet_only_our_own_errors(data: bytes) -> None:
    for candidate in (data, b"PK\x03\x04" + data, b"PK" + data + b"PK\x05\x06" + data[:18].ljust(18, b"\0")):
        with pytest.raises(GatewayError):
            verify_ofd(candidate, [], NOW)


FUZZED: dict[str, bytes] = {}
FILES: dict[int, dict[str, bytes]] = {}
