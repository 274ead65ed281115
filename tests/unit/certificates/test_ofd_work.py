"""No byte of what a seal covers may change, and nothing that is put into a document may cost more than is stated."""

import hashlib
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.certificates.envelopes.ofd import Limits, verify_ofd
from gateway.certificates.envelopes.ofd.cms import parse_cms
from gateway.certificates.envelopes.ofd.manifest import MAX_SIGNATURES
from gateway.certificates.envelopes.ofd.safe_xml import XmlRefused, parse_xml
from gateway.certificates.envelopes.ofd.seal import parse_sealed_value
from gateway.certificates.envelopes.ofd.timestamp import read_token
from gateway.certificates.kinds.business_licence import KIND as LICENCE
from gateway.certificates.verdicts import Verdict
from gateway.crypto.der import Tag, encode, encode_integer, parse
from gateway.crypto.errors import DerMalformed
from gateway.errors import GatewayError
from tests.support import ofd_writer as writer
from tests.support.ecertificates import AT
from tests.support.ofd_cms import time_stamp
from tests.support.ofd_licence import OfdProvince
from tests.support.ofd_pki import issue
from tests.support.ofd_writer import NOW, PAGE, SIGNATURE_XML, SIGNATURES_XML, VALUE, Pki, Recipe

MIB = 1 << 20
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture(scope="module")
def province() -> OfdProvince:
    return OfdProvince()


# Every byte


@pytest.mark.parametrize("path", ["OFD.xml", "Doc_0/Document.xml", PAGE, SIGNATURE_XML, VALUE])
def test_any_flipped_bit_is_invalid_and_named(pki: Pki, path: str) -> None:
    """One bit in each byte of each covered file, without any anchor: mathematics alone finds it."""
    files = writer.build_files(pki, Recipe(with_seal_file=False))
    content = files[path]
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        report = verify_ofd(writer.pack(files | {path: bytes(changed)}), [], NOW)
        assert report.verdict is Verdict.INVALID, position
        assert path in report.failed_files, position


@FUZZ
@given(position=st.integers(0, 1 << 20), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_licence_is_never_valid(province: OfdProvince, position: int, value: int, cut: bool) -> None:
    """One byte of the archive becomes another, or everything behind it is gone."""
    data = KEPT.setdefault("licence", province.licence())
    position %= len(data)
    changed = data[:position] if cut else data[:position] + bytes([value]) + data[position + 1 :]
    result = province.verifier().verify(changed, LICENCE, AT, None, province.evidence())
    assert result.verdict is not Verdict.VALID or writer.unpack(changed) == writer.unpack(data)


def test_an_archive_that_needs_a_later_zip_than_any_is_refused(province: OfdProvince) -> None:
    data = province.licence()
    needed = data.index(b"PK\x01\x02") + 6
    changed = data[:needed] + bytes([64]) + data[needed + 1 :]
    result = province.verifier().verify(changed, LICENCE, AT, None, province.evidence())
    assert (result.verdict, result.failed_check and result.failed_check.check) == (
        Verdict.INVALID,
        "ofd.archive.method",
    )


@FUZZ
@given(data=st.data())
def test_a_licence_with_any_file_replaced_is_never_valid(province: OfdProvince, data: st.DataObject) -> None:
    files = FILES.setdefault("licence", writer.unpack(province.licence()))
    path = data.draw(st.sampled_from([each for each in sorted(files) if each != SIGNATURES_XML]))
    other = data.draw(st.binary(max_size=80) | st.sampled_from([files[each] for each in sorted(files)]))
    result = province.verifier().verify(writer.pack(files | {path: other}), LICENCE, AT, None, province.evidence())
    assert (result.verdict is Verdict.VALID) is (other == files[path])


# Truncated and monstrous DER


@pytest.mark.parametrize("version", [1, 4, 5])
def test_a_signed_value_cut_anywhere_is_malformed(pki: Pki, version: int) -> None:
    data = writer.build_files(pki, Recipe(version=version))[VALUE]
    for length in range(len(data)):
        with pytest.raises(DerMalformed):
            parse_sealed_value(data[:length])


@pytest.mark.parametrize("form", ["content", "attributes", "bare", "cosigned"])
def test_a_signed_message_cut_anywhere_is_malformed(pki: Pki, form: str) -> None:
    data = writer.build_files(pki, Recipe(cms=form))[VALUE]
    for length in range(len(data)):
        with pytest.raises(DerMalformed):
            parse_cms(data[:length])


def test_a_time_stamp_cut_anywhere_is_malformed(pki: Pki) -> None:
    data = time_stamp(pki.maker, b"x")
    read_token(data)
    for length in range(len(data)):
        with pytest.raises(DerMalformed):
            read_token(data[:length])


def nested(depth: int) -> bytes:
    """A SEQUENCE in a SEQUENCE in a SEQUENCE …"""
    data = b""
    for _ in range(depth):
        data = encode(Tag.SEQUENCE, data)
    return data


MONSTERS = {
    "a version without end": lambda pki: encode(
        Tag.SEQUENCE, encode(Tag.INTEGER, b"\x7f" + bytes(MIB)), *[b"\x05\x00"] * 4
    ),
    "a version inside without end": lambda pki: _with_version(pki, encode(Tag.INTEGER, b"\x7f" + bytes(MIB))),
    "a negative version": lambda pki: _with_version(pki, b"\x02\x01\xff"),
    "depth without end": lambda pki: nested(5000),
    "a length without content": lambda pki: b"\x30\x84\xff\xff\xff\xff",
    "an indefinite length": lambda pki: b"\x30\x80\x00\x00",
    "a long tag": lambda pki: b"\x3f\x81\x01\x00",
    "elements without end": lambda pki: encode(Tag.SEQUENCE, b"\x05\x00" * 100_000),
    "signers without end": lambda pki: encode(
        Tag.SEQUENCE, encode_integer(1), b"\x31\x00", b"\x30\x02\x06\x00", encode(Tag.SET, b"\x30\x00" * 3000)
    ),
    "four megabytes of it": lambda pki: encode(Tag.SEQUENCE, bytes(5 * MIB)),
}


def _with_version(pki: Pki, version: bytes) -> bytes:
    value = parse(writer.build_files(pki)[VALUE])
    tbs, *rest = value.children()
    fields = tbs.children()
    changed = encode(Tag.SEQUENCE, version, *(field.raw for field in fields[1:]))
    return encode(Tag.SEQUENCE, changed, *(each.raw for each in rest))


@pytest.mark.parametrize("name", MONSTERS)
def test_monstrous_values_are_malformed_at_once(pki: Pki, name: str) -> None:
    data = MONSTERS[name](pki)
    begun = time.process_time()
    with pytest.raises(GatewayError):
        parse_sealed_value(data)
    with pytest.raises(GatewayError):
        parse_cms(data)
    assert time.process_time() - begun < 1
    limits = Limits(ratio=1 << 20)
    report = verify_ofd(writer.rewrite(writer.build(pki), VALUE, data), [], NOW, limits=limits)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "signed value malformed")


class Forger:
    """A key that answers every question with the same signature."""

    def __init__(self, signature: bytes, honest: object) -> None:
        self._signature, self.public_key = signature, honest.public_key  # type: ignore[attr-defined]

    def sign(self, message: bytes) -> bytes:
        return self._signature


def der(r: int, s: int) -> bytes:
    return encode(Tag.SEQUENCE, encode_integer(r), encode_integer(s))


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


EDGES = [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (ORDER, ORDER), (1, ORDER - 1), (ORDER - 1, 1), (1, 1)]


@pytest.mark.parametrize("signature", [form(*edge) for edge in EDGES for form in (der, raw)] + [b"", b"\0", bytes(65)])
@pytest.mark.parametrize("who", ["signer", "maker"])
def test_signatures_on_the_edge_of_their_range_prove_nothing(signature: bytes, who: str) -> None:
    """r or s is 0 or n, r + s is n, or it is no signature at all."""
    own = Pki()
    identity = getattr(own, who)
    setattr(own, who, writer.Identity(Forger(signature, identity.key), identity.certificate))  # type: ignore[arg-type]
    report = verify_ofd(writer.build(own), [own.root.certificate], NOW, intermediates=[own.ca.certificate])
    assert (report.verdict, report.reason) == (Verdict.INVALID, f"{who} signature does not verify")


# XML


@pytest.mark.parametrize(
    "data",
    [
        b"<a>" * 100 + b"</a>" * 100,
        b"<a>" + b"<b/>" * 60_000 + b"</a>",
        b"<a " + b" ".join(b'a%d=""' % number for number in range(60_000)) + b"/>",
        b"<a/>" + b" " * (2 * MIB),
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        b"<!DOCTYPE a><a/>",
        b'<a x:b="1" y:b="2"/>',
        b'<?xml version="1.0" encoding="GBK"?><a>\xff\xff</a>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="GBK"?><a/>',
        b'<?xml version="1.0" encoding="UTF-7"?><a>+ADw-b/+AD4-</a>',
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
        '<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"),
        "<a>证照</a>".encode("gbk"),
        b"<a>\0</a>",
        b"<a>&#0;</a>",
        b"<a></b>",
        b"<a/><b/>",
        b"",
    ],
)
def test_xml_that_is_too_much_or_could_be_read_in_two_ways(data: bytes) -> None:
    with pytest.raises(XmlRefused):
        parse_xml(data)


@FUZZ
@given(st.binary(max_size=300) | st.text(alphabet="<>/&;\"'=![]ab ?xml-\0", max_size=60).map(str.encode))
def test_no_xml_meets_anything_but_its_own_refusal(data: bytes) -> None:
    try:
        parse_xml(data)
    except XmlRefused:
        return


# What a whole document may cost


def signed_many_times(pki: Pki, signatures: int, files: int) -> bytes:
    """Each of ``signatures`` refers to each of ``files``."""
    recipe = Recipe(with_seal_file=False)
    found = writer.build_files(pki, recipe)
    extra = {f"Doc_0/R/{number}.x": hashlib.sha256(b"%d" % number).digest() for number in range(files)}
    covered = {path: found[path] for path in ("OFD.xml", "Doc_0/Document.xml", PAGE)} | extra
    found |= extra
    seal, lines = writer.make_seal(pki, recipe), ""
    template = writer.signature_xml(recipe, covered)
    for number in range(signatures):
        xml = template.replace(b"/Sign_0/", b"/Sign_%d/" % number)
        folder = f"Doc_0/Signs/Sign_{number}"
        found[f"{folder}/Signature.xml"] = xml
        found[f"{folder}/SignedValue.dat"] = writer.make_signed_value(pki, recipe, seal, xml)
        lines += f'<ofd:Signature ID="{number}" BaseLoc="/{folder}/Signature.xml"/>'
    found[SIGNATURES_XML] = f"<ofd:Signatures {writer.NAMESPACE}>{lines}</ofd:Signatures>".encode()
    return writer.pack(found)


def nodes_everywhere(pki: Pki) -> bytes:
    """Every listed Signature.xml is as large as one may be, and about nothing."""
    files = writer.build_files(pki)
    lines = "".join(f'<ofd:Signature BaseLoc="/S/{number}.xml"/>' for number in range(MAX_SIGNATURES))
    files[SIGNATURES_XML] = f"<ofd:Signatures {writer.NAMESPACE}>{lines}</ofd:Signatures>".encode()
    body = b"<Signature>" + b"<a/>" * 49_000 + b"</Signature>"
    return writer.pack(files | {f"S/{number}.xml": body for number in range(MAX_SIGNATURES)})


def pages_without_end(pki: Pki) -> bytes:
    dense = hashlib.shake_128(b"").digest(MIB)
    return writer.build(pki, Recipe(extra_files={f"Doc_0/R/{number}": dense for number in range(24)}))


def paths_of_combining_marks(pki: Pki) -> bytes:
    """A path whose marks would have to be put into their order, which takes the square of their number."""
    files = writer.build_files(pki)
    xml = files[SIGNATURE_XML].decode()
    path = "a" + "\u0315\u0300\u05ae" * 50_000
    files[SIGNATURE_XML] = xml.replace('FileRef="/OFD.xml"', f'FileRef="{path}"').encode()
    return writer.pack(files)


COSTLY = {
    "a path of combining marks": paths_of_combining_marks,
    "as many signatures as are read": lambda pki: signed_many_times(pki, MAX_SIGNATURES, 0),
    "signatures times files": lambda pki: signed_many_times(pki, 8, 800),
    "elements everywhere": nodes_everywhere,
    "twenty-four megabytes of content": pages_without_end,
    "a picture of a megabyte": lambda pki: writer.build(
        pki, Recipe(picture=encode(Tag.SEQUENCE, encode(0x16, b"PNG"), encode(4, hashlib.shake_128(b"").digest(MIB))))
    ),
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_document_takes_no_longer_than_stated(pki: Pki, name: str) -> None:
    """Five seconds of one core; measured, it is half that."""
    data = COSTLY[name](pki)
    # A forest of CAs that bear the right name and are not the right one.
    forest = [issue("测试签发机构", ca=True, issuer_name="测试根").certificate for _ in range(40)]
    forest.append(pki.ca.certificate)
    begun = time.process_time()
    verify_ofd(data, [pki.root.certificate], NOW, intermediates=forest, limits=Limits(ratio=1 << 20))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("name", ["twenty-four megabytes of content", "a picture of a megabyte"])
def test_a_large_document_takes_no_more_memory_than_stated(pki: Pki, name: str) -> None:
    """Content is read in pieces; a seal, its picture within, is held several times over while it is read."""
    data = COSTLY[name](pki)
    tracemalloc.start()
    try:
        verify_ofd(data, [], NOW)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (MIB if "content" in name else 16 * MIB)


def test_more_signatures_than_are_read_are_refused(pki: Pki) -> None:
    report = verify_ofd(signed_many_times(pki, MAX_SIGNATURES + 1, 0), [], NOW)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "signature files missing or unreadable")


KEPT: dict[str, bytes] = {}
FILES: dict[str, dict[str, bytes]] = {}
