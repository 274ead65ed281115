"""Real documents are odd. Each oddity of standards.md is taken, or reported by its name; none makes a forgery pass."""

import base64
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from gateway.certificates.envelopes.ofd import OfdVerification, Outcome, verify_ofd
from gateway.certificates.errors import OfdRefused
from gateway.certificates.verdicts import Verdict
from gateway.crypto.der import Tag, encode
from tests.support import ofd_writer as writer
from tests.support.ofd_cms import attribute, content_info, signed_data, signer_info
from tests.support.ofd_pki import bit_string, generalized, issue, utc
from tests.support.ofd_writer import NOW, PAGE, SEAL, SIGNATURE_XML, SIGNATURES_XML, SIGNED_AT, VALUE, Pki, Recipe

BEIJING = timedelta(hours=8)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


def verify(data: bytes, pki: Pki, at: datetime = NOW) -> OfdVerification:
    return verify_ofd(data, [pki.root.certificate], at, intermediates=[pki.ca.certificate])


def checks(report: OfdVerification, code: str) -> list[tuple[Outcome, str]]:
    return [(check.outcome, check.reason) for each in report.signatures for check in each.checks if check.code == code]


# GB/T 35275


@pytest.mark.parametrize(
    "form",
    [
        "content",
        "base64",
        "file",
        "attributes",
        "unsorted",
        "enclosed",
        "detached",
        "detached-file",
        "bare",
        "cosigned",
        "sealed",
    ],
)
def test_every_form_of_signed_message_is_read(pki: Pki, form: str) -> None:
    recipe = Recipe(cms=form)
    report = verify(writer.build(pki, recipe), pki)
    assert (report.verdict, report.reason) == (Verdict.VALID, ""), form
    assert report.signatures[0].form == "GB/T 35275"
    assert report.uncovered == ()

    files = writer.build_files(pki, recipe)
    xml = files[SIGNATURE_XML].replace(b'ProviderName="test"', b'ProviderName="tost"')
    forged = verify(writer.pack(files | {SIGNATURE_XML: xml}), pki)
    assert forged.verdict is Verdict.INVALID, form


def test_a_signer_named_by_key_identifier_is_found() -> None:
    own = Pki()
    key_id = writer.extension(
        "551d0e", encode(Tag.OCTET_STRING, writer.digest(own.signer.key.public_key.spki)[:20]), critical=False
    )
    own.signer = issue("签章者", own.ca, issuer_name="测试签发机构", key=own.signer.key, extra_extension=key_id)
    assert verify(writer.build(own, Recipe(cms="key-id")), own).verdict is Verdict.VALID


def test_each_of_several_signers_must_be_good(pki: Pki) -> None:
    report = verify(writer.build(pki, Recipe(cms="cosigned")), pki)
    assert [signer.subject for signer in report.signatures[0].signers] == ["CN=测试签章者", "CN=测试制章者"]

    stranger = Pki()
    stranger.ca, stranger.signer = pki.ca, pki.signer
    half = verify(writer.build(stranger, Recipe(cms="cosigned")), pki)
    assert (half.verdict, half.intact) == (Verdict.INVALID, True)


@pytest.mark.parametrize(
    ("form", "reason", "verdict"),
    [
        ("signature", "signer certificate not enclosed", Verdict.INDETERMINATE),
        ("raw", "signer certificate not enclosed", Verdict.INDETERMINATE),
        ("anonymous", "signed value malformed", Verdict.INVALID),
        ("key-id", "signed value malformed", Verdict.INVALID),
        ("sealed-open", "seal bound to nothing", Verdict.INDETERMINATE),
    ],
)
def test_what_cannot_be_judged_is_reported_by_name(pki: Pki, form: str, reason: str, verdict: Verdict) -> None:
    """A bare signature, one whose signer's certificate is missing, and a seal that no signature protects."""
    covered = ("OFD.xml", "Doc_0/Document.xml", PAGE)
    report = verify(writer.build(pki, Recipe(cms=form, covered=covered)), pki)
    assert (report.verdict, report.reason) == (verdict, reason)


def test_a_page_that_a_signature_calls_its_seal_is_not_accounted_for(pki: Pki) -> None:
    """A second signer, himself trusted, leaves a page uncovered and names it as the Seal.esl of a CMS value."""
    files = writer.build_files(pki, Recipe(cms="attributes"))
    page = "Doc_0/Pages/Page_9/Content.xml"

    def names_page(xml: bytes) -> bytes:
        seal = f"<ofd:Seal><ofd:BaseLoc>/{page}</ofd:BaseLoc></ofd:Seal><ofd:References".encode()
        return xml.replace(b"<ofd:References", seal, 1)

    forged = writer.build_files(pki, Recipe(cms="attributes", change_xml=names_page))
    report = verify(writer.pack(files | forged | {page: b"<Page/>"}), pki)
    assert report.verdict is not Verdict.VALID


# Seals


@pytest.mark.parametrize(
    "picture",
    [
        encode(
            Tag.SEQUENCE, encode(0x16, b"ofd"), encode(Tag.OCTET_STRING, b"PK\x03\x04"), b"\x02\x01\x22\x02\x01\x1a"
        ),
        encode(Tag.SEQUENCE, encode(Tag.UTF8_STRING, b"SVG"), encode(Tag.OCTET_STRING, b"<svg/>")),
        encode(Tag.SEQUENCE, encode(Tag.PRINTABLE_STRING, b"CFX"), bit_string(b"x"), b"\x05\x00"),
        encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, b"")),
        b"\x05\x00",
    ],
)
@pytest.mark.parametrize("version", [1, 4])
def test_the_seals_picture_is_never_opened(pki: Pki, picture: bytes, version: int) -> None:
    report = verify(writer.build(pki, Recipe(picture=picture, version=version)), pki)
    assert report.verdict is Verdict.VALID
    assert report.signatures[0].seal is not None


def test_a_seal_may_list_several_signers(pki: Pki) -> None:
    """By whole certificate, in any order, and only those."""
    others = (pki.maker.certificate, pki.ca.certificate)
    assert verify(writer.build(pki, Recipe(extra_listed=others)), pki).verdict is Verdict.VALID
    recipe = Recipe(extra_listed=others, listed_certificate=pki.root.certificate)
    assert verify(writer.build(pki, recipe), pki).reason == "signer not listed in the seal"


def test_a_seal_of_one_generation_in_a_value_of_another(pki: Pki) -> None:
    old_seal = writer.make_seal(pki, Recipe(version=1))
    recipe = Recipe(with_seal_file=False)
    files = writer.build_files(pki, recipe)
    files[VALUE] = writer.make_signed_value(pki, recipe, old_seal, files[SIGNATURE_XML])
    report = verify(writer.pack(files), pki)
    assert (report.verdict, report.signatures[0].form) == (Verdict.VALID, "V4")


@pytest.mark.parametrize(
    "write_hash",
    [
        lambda value: encode(Tag.OCTET_STRING, value),
        lambda value: bit_string(encode(Tag.OCTET_STRING, value)),
        lambda value: bit_string(base64.b64encode(value)),
        lambda value: bit_string(value.hex().upper().encode()),
    ],
)
@pytest.mark.parametrize("version", [1, 4])
def test_the_digest_of_signature_xml_in_other_wrappings(pki: Pki, write_hash: object, version: int) -> None:
    recipe = Recipe(write_hash=write_hash, version=version)  # type: ignore[arg-type]
    assert verify(writer.build(pki, recipe), pki).verdict is Verdict.VALID
    files = writer.build_files(pki, recipe)
    files[SIGNATURE_XML] += b" "
    assert verify(writer.pack(files), pki).reason == "signature description changed"


def local(at: datetime) -> bytes:
    return (at + BEIJING).strftime("%Y%m%d%H%M%S").encode()


@pytest.mark.parametrize(
    ("version", "write_time", "zoned"),
    [
        (4, utc, True),
        (4, lambda at: encode(Tag.GENERALIZED_TIME, local(at) + b"+0800"), True),
        (4, lambda at: encode(Tag.GENERALIZED_TIME, local(at)), False),
        (4, lambda at: encode(Tag.GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%S.250Z").encode()), True),
        (4, lambda at: encode(Tag.UTC_TIME, at.strftime("%Y%m%d%H%M%SZ").encode()), True),
        (4, lambda at: bit_string(generalized(at)), True),
        (1, generalized, True),
        (1, lambda at: encode(Tag.OCTET_STRING, utc(at)), True),
        (1, lambda at: bit_string(at.strftime("%y%m%d%H%M%SZ").encode()), True),
        (1, lambda at: bit_string(local(at)[2:]), False),
        (1, lambda at: bit_string(local(at)), False),
        (1, lambda at: bit_string((at + BEIJING).strftime("%Y-%m-%d %H:%M:%S").encode()), False),
        (1, lambda at: bit_string(at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()), True),
    ],
)
def test_times_in_every_writing(pki: Pki, version: int, write_time: object, zoned: bool) -> None:
    """A time without a zone is Beijing's, and the report says so."""
    report = verify(writer.build(pki, Recipe(version=version, write_time=write_time)), pki)  # type: ignore[arg-type]
    assert report.verdict is Verdict.VALID
    signature = report.signatures[0]
    assert signature.signed_at is not None
    assert signature.signed_at.replace(microsecond=0) == SIGNED_AT
    (check,) = [check for check in signature.checks if check.code == "time"]
    assert ("北京时间" in check.detail) is not zoned


@pytest.mark.parametrize(
    "write_time",
    [
        lambda at: encode(Tag.GENERALIZED_TIME, b"20261301000000Z"),
        lambda at: encode(Tag.GENERALIZED_TIME, b"202606010102Z"),
        lambda at: encode(Tag.GENERALIZED_TIME, "二〇二六".encode()),
        lambda at: bit_string(b"soon"),
        lambda at: encode(Tag.SEQUENCE, generalized(at)),
    ],
)
def test_a_seal_without_a_readable_time_stays_open(pki: Pki, write_time: object) -> None:
    report = verify(writer.build(pki, Recipe(write_time=write_time)), pki)  # type: ignore[arg-type]
    assert (report.verdict, report.reason) == (Verdict.INDETERMINATE, "signing time unknown")


def test_seals_without_end_are_shown(pki: Pki) -> None:
    """99991231235959Z is how makers write 长期; in China that is already the year 10000."""
    endless = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    report = verify(writer.build(pki, Recipe(seal_valid=(SIGNED_AT, endless))), pki)
    assert report.verdict is Verdict.VALID
    assert report.signatures[0].seal is not None
    assert report.signatures[0].seal.valid_until == endless


def test_local_times_decide_by_beijing(pki: Pki) -> None:
    """The seal ends at 09:00 without a zone and was used at 09:02 in Beijing, which is 01:02 in UTC."""

    def write(at: datetime) -> bytes:
        return encode(Tag.GENERALIZED_TIME, local(at))

    ends = SIGNED_AT - timedelta(minutes=2)
    recipe = Recipe(write_seal_time=write, seal_valid=(SIGNED_AT - timedelta(days=9), ends))
    assert verify(writer.build(pki, recipe), pki).reason == "seal not valid at signing time"
    recipe = Recipe(write_seal_time=write, seal_valid=(SIGNED_AT - timedelta(days=9), SIGNED_AT))
    assert verify(writer.build(pki, recipe), pki).verdict is Verdict.VALID


# Certificates


@pytest.mark.parametrize(
    "subject",
    [
        encode(
            Tag.SEQUENCE, encode(Tag.SET, encode(Tag.SEQUENCE, encode(6, b"\x55\x04\x03"), encode(0x13, b"\xff\xfe")))
        ),
        encode(Tag.SEQUENCE, encode(Tag.SET, encode(Tag.SEQUENCE, encode(6, b"\x55\x04\x03")))),
        encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, b"\x05\x00")),
        encode(Tag.SEQUENCE, b"\x31\x05"),
    ],
)
def test_names_that_cannot_be_read_do_not_spoil_a_certificate(subject: bytes) -> None:
    own = Pki(signer_options={"subject": subject})
    assert verify(writer.build(own), own).verdict is Verdict.VALID


def test_a_ca_with_an_unreadable_name_certifies_all_the_same() -> None:
    """Issuer and subject are the same bytes, although no parser makes a name of them."""
    own = Pki()
    broken = encode(Tag.SEQUENCE, encode(Tag.SET, encode(Tag.SEQUENCE, encode(6, b"\x55\x04\x03"), b"\x13\x02\xff")))
    own.ca = issue("", own.root, issuer_name="测试根", ca=True, subject=broken)
    own.signer, own.maker = issue("签章者", own.ca, issuer_der=broken), issue("制章者", own.ca, issuer_der=broken)
    assert verify(writer.build(own), own).verdict is Verdict.VALID
    other = Pki()
    assert verify(writer.build(own), other).reason == "no trust anchor"


def test_the_list_may_hold_digests(pki: Pki) -> None:
    assert verify(writer.build(pki, Recipe(digest_listed=True)), pki).verdict is Verdict.VALID
    recipe = Recipe(digest_listed=True, listed_certificate=pki.maker.certificate)
    assert verify(writer.build(pki, recipe), pki).reason == "signer not listed in the seal"


# Signature.xml, Signatures.xml, OFD.xml


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml + b"\r\n  \n",
        lambda xml: xml.replace(b"><", b">\r\n\t<"),
        lambda xml: b"\xef\xbb\xbf" + xml,
        lambda xml: (
            b'<?xml version="1.0" encoding="UTF-16"?>'.decode().encode("utf-16") + xml.decode().encode("utf-16-le")
        ),
        lambda xml: b'<?xml version="1.0" encoding="GBK"?><!-- \xb5\xe7\xd7\xd3 -->' + xml,
        lambda xml: b'<?xml version="1.0" encoding="gb2312" standalone="yes"?>' + xml,
        lambda xml: xml.replace(writer.NAMESPACE.encode(), b'xmlns:ofd="http://www.ofdspec.org"'),
        lambda xml: xml.replace(writer.NAMESPACE.encode(), b""),
        lambda xml: xml.replace(b"ofd:", b"").replace(b"xmlns:ofd=", b"xmlns="),
        lambda xml: xml.replace(b"ofd:", b"x-1:"),
        lambda xml: xml.replace(b"</ofd:CheckValue>", b"\r\n</ofd:CheckValue>").replace(b"=</", b"\n=</"),
        lambda xml: xml.replace(b"1.2.156.10197.1.501", b"SM3WithSM2"),
        lambda xml: xml.replace(b' CheckMethod="SM3"', b""),
        lambda xml: xml.replace(b"20260601090203", b"2026-06-01 09:02:03"),
    ],
)
def test_signature_xml_as_writers_leave_it(pki: Pki, change: object) -> None:
    """White space, line ends, marks, encodings, namespaces: the digest is over the bytes as they are."""
    data = writer.build(pki, Recipe(change_xml=change))  # type: ignore[arg-type]
    report = verify(data, pki)
    assert (report.verdict, report.reason) == (Verdict.VALID, "")
    assert PAGE in report.trusted


@pytest.mark.parametrize(
    "write_location",
    [
        lambda path: path,
        lambda path: f"//{path}",
        lambda path: f"/./{path}",
        lambda path: "\\" + path.replace("/", "\\"),
        lambda path: f"..\\..\\..\\{path}".replace("/", "\\"),
        lambda path: f" /{path}\n",
        lambda path: f"/Doc_0/../{path}",
        lambda path: f"/{path.swapcase()}",
        lambda path: path.removeprefix("Doc_0/") if path.startswith("Doc_0/") else f"/{path}",
    ],
)
def test_paths_in_every_writing(pki: Pki, write_location: object) -> None:
    """From the root, relative, doubled and dotted slashes, backslashes, another case, from the document's folder."""
    recipe = Recipe(write_location=write_location)  # type: ignore[arg-type]
    report = verify(writer.build(pki, recipe), pki)
    assert (report.verdict, report.reason) == (Verdict.VALID, "")
    assert report.trusted >= {"OFD.xml", PAGE}
    changed = verify(writer.rewrite(writer.build(pki, recipe), PAGE, b"<Page/>"), pki)
    assert (changed.verdict, changed.reason) == (Verdict.INVALID, "digest mismatch")


def test_entries_with_backslashes_and_another_case(pki: Pki) -> None:
    files = writer.build_files(pki)
    windows = {path.replace("/", "\\").replace("OFD.xml", "ofd.XML"): data for path, data in files.items()}
    report = verify(writer.pack(windows), pki)
    assert (report.verdict, report.uncovered) == (Verdict.VALID, ())


def test_a_path_out_of_the_archive_names_nothing(pki: Pki) -> None:
    recipe = Recipe(write_location=lambda path: f"/../../{path}" if path == PAGE else f"/{path}")
    report = verify(writer.build(pki, recipe), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "file missing")


def test_several_documents_in_one_archive(pki: Pki) -> None:
    """Two DocBody, each with its list of signatures; the second signature covers the second document alone."""
    files = writer.build_files(pki)
    body = (
        "<ofd:DocBody><ofd:DocInfo/><ofd:DocRoot>Doc_1/Document.xml</ofd:DocRoot>"
        "<ofd:Signatures>/Doc_1/Signs/Signatures.xml</ofd:Signatures></ofd:DocBody></ofd:OFD>"
    )
    root = files["OFD.xml"].replace(b"</ofd:OFD>", body.encode())
    content = {"OFD.xml": root, "Doc_0/Document.xml": files["Doc_0/Document.xml"], PAGE: files[PAGE]}
    first = Recipe(with_seal_file=False, change_xml=bytes)
    second = {"Doc_1/Document.xml": b"<ofd:Document/>"}
    found = {**content, **second, SIGNATURES_XML: files[SIGNATURES_XML]}
    found["Doc_1/Signs/Signatures.xml"] = files[SIGNATURES_XML].replace(b"/Doc_0/", b"/Doc_1/")
    for folder, covered in (("Doc_0", content), ("Doc_1", second)):
        xml = writer.signature_xml(first, covered).replace(b"/Doc_0/Signs/", f"/{folder}/Signs/".encode())
        found[f"{folder}/Signs/Sign_0/Signature.xml"] = xml
        value = writer.make_signed_value(pki, first, writer.make_seal(pki, first), xml)
        found[f"{folder}/Signs/Sign_0/SignedValue.dat"] = value
    report = verify(writer.pack(found), pki)
    assert (report.verdict, len(report.signatures), report.uncovered) == (Verdict.VALID, 2, ())
    del found["Doc_1/Signs/Signatures.xml"]
    spoilt = verify(writer.pack(found), pki)
    assert (spoilt.verdict, spoilt.reason) == (Verdict.INVALID, "signature files missing or unreadable")


def test_other_protection_is_told_and_not_relied_on(pki: Pki) -> None:
    """The integrity list and the encryption of GM/T 0099 stand outside every signature."""
    files = writer.build_files(pki) | {"OFDEntries.xml": b"<x/>", "Encryptions.xml": b"<x/>"}
    report = verify(writer.pack(files), pki)
    assert report.verdict is Verdict.INDETERMINATE
    assert sum("GM/T 0099" in note for note in report.notes) == 2


def test_attributes_of_one_name_in_two_namespaces_are_refused(pki: Pki) -> None:
    """Readers would differ about which FileRef counts."""
    recipe = Recipe(change_xml=lambda xml: xml.replace(b"FileRef=", b'x:FileRef="/OFD.xml" FileRef=', 1))
    report = verify(writer.build(pki, recipe), pki)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "signature files missing or unreadable")


def test_seal_files_only_count_when_they_are_the_very_seal(pki: Pki) -> None:
    report = verify(writer.build(pki), pki)
    assert SEAL in report.signatures[0].own


# Asked in another way


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (datetime.min.replace(tzinfo=UTC), Verdict.INVALID),
        (datetime.max.replace(tzinfo=UTC), Verdict.VALID),
    ],
)
def test_the_ends_of_time_are_instants_like_any_other(pki: Pki, at: datetime, verdict: Verdict) -> None:
    """Dates count at the signing time; before the first seal there was none."""
    assert verify(writer.build(pki), pki, at).verdict is verdict


def test_anchors_may_come_one_by_one(pki: Pki) -> None:
    """An iterator is read once, and not by the check that they are certificates alone."""
    report = verify_ofd(writer.build(pki), iter([pki.root.certificate]), NOW, intermediates=iter([pki.ca.certificate]))  # type: ignore[arg-type]
    assert report.verdict is Verdict.VALID


class Nowhere(tzinfo):
    """A zone that knows no offset: the time is as naive as without one."""

    def utcoffset(self, at: datetime | None) -> None:
        return None


@pytest.mark.parametrize("zone", [None, Nowhere()])
def test_an_instant_without_an_offset_is_refused(pki: Pki, zone: tzinfo | None) -> None:
    with pytest.raises(OfdRefused) as refused:
        verify_ofd(writer.build(pki), [pki.root.certificate], NOW.replace(tzinfo=zone))
    assert refused.value.check == "ofd.time"


# What a message was signed as

TYPE = "2a864886f70d010903"
GB_DATA, DATA, TST_INFO = "2a811ccf550601040201", "2a864886f70d010701", "2a864886f70d0109100104"


@pytest.mark.parametrize(
    ("signed_as", "verdict"), [(GB_DATA, Verdict.VALID), (DATA, Verdict.VALID), (TST_INFO, Verdict.INVALID)]
)
def test_a_message_is_of_the_type_it_was_signed_as(pki: Pki, signed_as: str, verdict: Verdict) -> None:
    """RFC 5652 §11.1; both names of plain data are one."""
    files = writer.build_files(pki, Recipe(cms="attributes"))
    digest = encode(Tag.OCTET_STRING, writer.digest(files[SIGNATURE_XML]))
    said = (
        attribute(TYPE, encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex(signed_as))),
        attribute("2a864886f70d010904", digest),
    )
    info = signer_info(pki.signer, encode(Tag.SET, *sorted(said)), b"".join(sorted(said)))
    data = encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex(GB_DATA))
    files[VALUE] = content_info(signed_data(data, None, [info], [pki.signer.certificate]))
    assert verify(writer.pack(files), pki).verdict is verdict


def test_a_message_signed_about_something_else_is_not_made_ours_by_what_it_encloses(pki: Pki) -> None:
    """What is enclosed beside signed attributes is not signed itself: only they say what the signature is about."""
    files = writer.build_files(pki, Recipe(cms="attributes"))
    ours, theirs = files[SIGNATURE_XML], b"<another/>"
    data = encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex(GB_DATA))
    for about, enclosed, verdict in (
        (ours, ours, Verdict.VALID),
        (theirs, ours, Verdict.INVALID),
        (theirs, writer.digest(ours), Verdict.INVALID),
        (ours, theirs, Verdict.INVALID),
        (theirs, theirs, Verdict.INVALID),
    ):
        said = attribute("2a864886f70d010904", encode(Tag.OCTET_STRING, writer.digest(about)))
        info = signer_info(pki.signer, encode(Tag.SET, said), said)
        files[VALUE] = content_info(signed_data(data, enclosed, [info], [pki.signer.certificate]))
        assert verify(writer.pack(files), pki).verdict is verdict
