"""Small OFD documents under SM2 seals, one case a file: what a verifier must see, and what it must not open."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.support import ofd_writer as w
from tests.support.ofd_writer import NOW, PAGE, SIGNATURE_XML, SIGNATURES_XML, SIGNED_AT, VALUE, Pki, Recipe

VALID, INVALID, UNKNOWN, REFUSED = "valid", "invalid", "indeterminate", "refused"
SEAL = "Doc_0/Signs/Sign_0/Seal.esl"
Case = tuple[str, bytes, str, str]


def about() -> tuple[dict[str, Any], dict[str, bytes], list[Case]]:
    """What all cases share, the certificates by file name, and the cases: name, document, verdict, what is wrong."""
    pki = Pki()
    certificates = {"root.der": pki.root.certificate, "ca.der": pki.ca.certificate}
    return {"at": NOW.isoformat()}, certificates, [*_seals(pki), *_documents(pki), *_archives(pki)]


def _seals(pki: Pki) -> Iterator[Case]:
    good = Recipe()

    def sealed(name: str, verdict: str, why: str, by: Pki = pki, **changes: Any) -> Case:
        return name, w.build(by, replace(good, **changes)), verdict, why

    fine = "Nothing is wrong with it"
    yield sealed("v4", VALID, f"{fine}: a V4 seal.")
    yield sealed("v1", VALID, f"{fine}: a V1 seal.", version=1)
    yield sealed("v5", VALID, f"{fine}: a V5 seal.", version=5)
    yield sealed("raw", VALID, f"{fine}: signatures as r‖s.", raw_signatures=True)
    yield sealed("oid", VALID, f"{fine}: SM3 named by its OID.", check_method="1.2.156.10197.1.401")
    yield sealed("relative", VALID, f"{fine}: relative paths.", relative_paths=True)
    yield sealed("digest-list", VALID, f"{fine}: the signer is listed by digest.", digest_listed=True)
    yield sealed("no-seal-file", VALID, f"{fine}: the seal stands in the value alone.", with_seal_file=False)
    yield sealed("cms", VALID, f"{fine}: GB/T 35275 with signed attributes.", cms="attributes")
    yield sealed("md5", INVALID, "Digests by MD5.", check_method="MD5")
    yield sealed("not-listed", INVALID, "The seal lists another signer.", listed_certificate=pki.maker.certificate)
    over = (SIGNED_AT - timedelta(days=90), SIGNED_AT - timedelta(days=1))
    yield sealed("seal-over", INVALID, "The seal had ended when it was used.", seal_valid=over)
    late = NOW + timedelta(days=1)
    yield sealed("signed-tomorrow", INVALID, "The time of signing lies ahead.", signed_at=late)
    yield sealed("tbs-changed", INVALID, "A byte of the signed value was changed.", change_tbs=_flip)
    yield sealed("value-cut", INVALID, "The signed value lacks its last byte.", change_value=lambda data: data[:-1])
    yield sealed("value-empty", INVALID, "The signed value is empty.", change_value=lambda _: b"")
    yield sealed("value-padded", INVALID, "A byte follows the signed value.", change_value=lambda data: data + b"\0")
    expired = copy(pki)
    expired.signer = w.issue("测试签章者", pki.ca, issuer_name="测试签发机构", not_after=SIGNED_AT - timedelta(days=1))
    yield sealed("signer-expired", INVALID, "The signer's certificate had expired when it signed.", by=expired)
    yield sealed("stranger", UNKNOWN, "Its root is no anchor.", by=_renamed())


def _renamed() -> Pki:
    """Another PKI, under names of its own."""
    stranger = Pki()
    stranger.root = w.issue("别的根", ca=True)
    stranger.ca = w.issue("别的签发机构", stranger.root, issuer_name="别的根", ca=True)
    stranger.signer = w.issue("别的签章者", stranger.ca, issuer_name="别的签发机构")
    stranger.maker = w.issue("别的制章者", stranger.ca, issuer_name="别的签发机构")
    return stranger


def _flip(data: bytes) -> bytes:
    return data[:40] + bytes([data[40] ^ 1]) + data[41:]


def _documents(pki: Pki) -> Iterator[Case]:
    good = w.build(pki)
    files = w.unpack(good)
    page = files[PAGE].replace("营业执照".encode(), "营业执昭".encode())
    yield "page-changed", w.rewrite(good, PAGE, page), INVALID, "A character of the page was changed."
    yield (
        "page-missing",
        w.pack({path: data for path, data in files.items() if path != PAGE}),
        INVALID,
        "A covered file is missing.",
    )
    other = files[SIGNATURE_XML].replace(b'ProviderName="test"', b'ProviderName="tost"')
    yield "description-changed", w.rewrite(good, SIGNATURE_XML, other), INVALID, "A byte of Signature.xml was changed."
    yield (
        "seal-file-changed",
        w.rewrite(good, SEAL, _flip(files[SEAL])),
        INVALID,
        "Seal.esl is not the seal that was used.",
    )
    added = w.pack(files | {"Doc_0/Pages/Page_1/Content.xml": b"<Page/>"})
    yield "page-added", added, UNKNOWN, "A page stands there that no signature covers."
    partly = w.build(pki, Recipe(covered=(PAGE,)))
    yield "partly-covered", partly, UNKNOWN, "The signature covers one page alone, and not OFD.xml."
    unsigned = {path: data for path, data in files.items() if "Signs" not in path}
    plain = unsigned["OFD.xml"].replace(f"<ofd:Signatures>/{SIGNATURES_XML}</ofd:Signatures>".encode(), b"")
    yield "unsigned", w.pack(unsigned | {"OFD.xml": plain}), INVALID, "It bears no signature."
    unlisted = files[SIGNATURES_XML].replace(f'BaseLoc="/{SIGNATURE_XML}"'.encode(), b'BaseLoc="/Doc_0/Signs/none.xml"')
    yield (
        "not-there",
        w.rewrite(good, SIGNATURES_XML, unlisted),
        INVALID,
        "Signatures.xml lists a signature that is not there.",
    )
    entity = b'<!DOCTYPE a [<!ENTITY a "b">]>' + files[SIGNATURE_XML]
    yield "entity", w.rewrite(good, SIGNATURE_XML, entity), INVALID, "Signature.xml declares an entity."
    yield (
        "value-swapped",
        w.rewrite(good, VALUE, w.unpack(w.build(pki, Recipe(signed_at=SIGNED_AT + timedelta(hours=1))))[VALUE]),
        INVALID,
        "The value is of another signature by the same seal.",
    )


def _archives(pki: Pki) -> Iterator[Case]:
    good = w.build(pki)
    files = w.unpack(good)
    yield "cut", good[: len(good) // 2], REFUSED, "Half of the archive is missing."
    yield "leading", b"\0" * 7 + good, REFUSED, "Bytes stand before the archive."
    yield "trailing", good + b"\0", REFUSED, "A byte follows the archive."
    yield "not-an-archive", b"PK\x03\x04" + bytes(60), REFUSED, "It only begins like an archive."
    yield "traversal", w.pack(files | {"../../etc/cron.d/x": b"x"}), REFUSED, "A path leaves the archive."
    yield (
        "absolute",
        _archive([*files.items(), ("/OFD.xml", b"x")]),
        REFUSED,
        "OFD.xml twice, once with a slash before it.",
    )
    yield "twice", _archive([*files.items(), ("OFD.xml", b"x")]), REFUSED, "OFD.xml stands there twice."
    yield "twice-by-case", _archive([*files.items(), ("ofd.XML", b"x")]), REFUSED, "OFD.xml twice, but for its case."
    yield (
        "bomb",
        w.pack(files | {"Doc_0/Res/a.xml": b"\0" * (8 << 20)}),
        REFUSED,
        "Eight megabytes of zeros in eight kilobytes.",
    )
    yield "encrypted", _encrypted(good), REFUSED, "An entry is marked as encrypted."
    wrong = bytearray(good)
    at = wrong.index(struct.pack("<L", zlib.crc32(files[PAGE])))
    wrong[at] ^= 1
    second = wrong.index(struct.pack("<L", zlib.crc32(files[PAGE])))
    wrong[second] ^= 1
    yield "checksum", bytes(wrong), INVALID, "The page's checksum is wrong."


def _archive(files: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files:
            archive.NameToInfo.pop(path, None)
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _encrypted(data: bytes) -> bytes:
    """The general purpose bit 0 set, in the first entry and in the directory."""
    changed = bytearray(data)
    changed[6] |= 1
    changed[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)
