"""Writes small OFD documents sealed with SM2, honest by default and wrong on request. Test keys only, made on the fly.

`Pki` is a root → CA → signer/maker chain; `build` returns the bytes of an archive; `rewrite` changes one afterwards.
"""

import base64
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import hashes

from gateway.crypto.der import Tag, encode, encode_integer
from tests.support.ofd_cms import make_cms
from tests.support.ofd_pki import (
    NOW,
    SIGNED_AT,
    SM2_SM3,
    Identity,
    Pki,
    bit_string,
    digest,
    extension,
    generalized,
    issue,
    name,
    sign,
    utc,
)

__all__ = [
    "NOW",
    "PAGE",
    "SEAL",
    "SIGNATURES_XML",
    "SIGNATURE_XML",
    "SIGNED_AT",
    "VALUE",
    "Identity",
    "Pki",
    "Recipe",
    "build",
    "build_files",
    "digest",
    "extension",
    "issue",
    "name",
    "pack",
    "rewrite",
    "unpack",
]

NAMESPACE = 'xmlns:ofd="http://www.ofdspec.org/2016"'
SIGNATURE_XML = "Doc_0/Signs/Sign_0/Signature.xml"
SIGNATURES_XML = "Doc_0/Signs/Signatures.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
SEAL = "Doc_0/Signs/Sign_0/Seal.esl"
PAGE = "Doc_0/Pages/Page_0/Content.xml"


@dataclass
class Recipe:
    """How to write one document. Defaults make an honest V4 seal that covers every content file.

    ``cms`` is the form of a Type=Sign value (`ofd_cms.make_cms`); ``custom`` is the metadata, ``write_…`` how a part is
    encoded; ``change_xml`` alters Signature.xml before it is signed; ``token`` makes a time stamp over the signature.
    """

    version: int = 4
    raw_signatures: bool = False
    relative_paths: bool = False
    check_method: str = "SM3"
    digest_listed: bool = False
    cms: str = ""
    with_seal_file: bool = True
    covered: tuple[str, ...] | None = None
    signed_at: datetime = SIGNED_AT
    seal_valid: tuple[datetime, datetime] = (SIGNED_AT - timedelta(days=90), SIGNED_AT + timedelta(days=900))
    listed_certificate: bytes | None = None
    change_tbs: Callable[[bytes], bytes] = bytes
    change_value: Callable[[bytes], bytes] = bytes
    timestamped: bool = False
    extra_files: dict[str, bytes] = field(default_factory=dict)
    custom: Sequence[tuple[str, str]] = ()
    extra_listed: tuple[bytes, ...] = ()
    picture: bytes | None = None
    token: Callable[[bytes], bytes] | None = None
    seal_token: Callable[[bytes], bytes] | None = None
    write_time: Callable[[datetime], bytes] | None = None
    write_seal_time: Callable[[datetime], bytes] | None = None
    write_hash: Callable[[bytes], bytes] | None = None
    write_location: Callable[[str], str] | None = None
    change_xml: Callable[[bytes], bytes] = bytes


def content_files(custom: Sequence[tuple[str, str]] = ()) -> dict[str, bytes]:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    entries = "".join(f'<ofd:CustomData Name="{key}">{escape(value)}</ofd:CustomData>' for key, value in custom)
    metadata = f"<ofd:CustomDatas>{entries}</ofd:CustomDatas>" if custom else ""
    return {
        "OFD.xml": (
            f'{head}<ofd:OFD {NAMESPACE} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>0</ofd:DocID>'
            f"{metadata}</ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>"
            f"<ofd:Signatures>/{SIGNATURES_XML}</ofd:Signatures></ofd:DocBody></ofd:OFD>"
        ).encode(),
        "Doc_0/Document.xml": f"{head}<ofd:Document {NAMESPACE}/>".encode(),
        PAGE: f"{head}<ofd:Page {NAMESPACE}>营业执照</ofd:Page>".encode(),
    }


def build(pki: Pki, recipe: Recipe | None = None) -> bytes:
    """The bytes of an OFD document with one signature."""
    return pack(build_files(pki, recipe))


def build_files(pki: Pki, recipe: Recipe | None = None) -> dict[str, bytes]:
    """The files of an OFD document with one signature, by path."""
    recipe = recipe or Recipe()
    files = content_files(recipe.custom) | recipe.extra_files
    base = "Sign_0/Signature.xml" if recipe.relative_paths else f"/{SIGNATURE_XML}"
    kind = "Sign" if recipe.cms else "Seal"
    files[SIGNATURES_XML] = (
        f'<ofd:Signatures {NAMESPACE}><ofd:Signature ID="1" Type="{kind}" BaseLoc="{base}"/></ofd:Signatures>'
    ).encode()
    seal = make_seal(pki, recipe)
    if has_seal_file(recipe):
        files[SEAL] = seal
    covered = recipe.covered if recipe.covered is not None else tuple(path for path in files if path != SIGNATURES_XML)
    files[SIGNATURE_XML] = recipe.change_xml(signature_xml(recipe, {path: files[path] for path in covered}))
    value = (
        make_cms(pki, recipe.cms, files[SIGNATURE_XML], recipe.signed_at, raw=recipe.raw_signatures)
        if recipe.cms
        else None
    )
    files[VALUE] = recipe.change_value(value or make_signed_value(pki, recipe, seal, files[SIGNATURE_XML]))
    return files


def has_seal_file(recipe: Recipe) -> bool:
    """A Type=Sign value has a Seal.esl only in the form where the seal stands nowhere else."""
    return recipe.with_seal_file and recipe.cms in ("", "sealed", "sealed-open")


def signature_xml(recipe: Recipe, covered: dict[str, bytes]) -> bytes:
    algorithm = hashes.SHA256() if "256" in recipe.check_method else hashes.SM3()

    def location(path: str) -> str:
        if recipe.write_location is not None:
            return recipe.write_location(path)
        if not recipe.relative_paths:
            return f"/{path}"
        return path.removeprefix("Doc_0/Signs/Sign_0/") if "Sign_0/" in path else f"../../../{path}"

    references = "".join(
        f'<ofd:Reference FileRef="{location(path)}"><ofd:CheckValue>'
        f"{base64.b64encode(digest(data, algorithm)).decode()}</ofd:CheckValue></ofd:Reference>"
        for path, data in covered.items()
    )
    seal = ""
    if has_seal_file(recipe):
        seal = f"<ofd:Seal><ofd:BaseLoc>{location(SEAL)}</ofd:BaseLoc></ofd:Seal>"
    return (
        f"<ofd:Signature {NAMESPACE}><ofd:SignedInfo>"
        '<ofd:Provider ProviderName="test"/><ofd:SignatureMethod>1.2.156.10197.1.501</ofd:SignatureMethod>'
        f"<ofd:SignatureDateTime>20260601090203</ofd:SignatureDateTime>{seal}"
        f'<ofd:References CheckMethod="{recipe.check_method}">{references}</ofd:References></ofd:SignedInfo>'
        f"<ofd:SignedValue>{location(VALUE)}</ofd:SignedValue></ofd:Signature>"
    ).encode()


def make_seal(pki: Pki, recipe: Recipe) -> bytes:
    legacy = recipe.version == 1
    signer = recipe.listed_certificate or pki.signer.certificate
    entry = b"".join(encode(Tag.OCTET_STRING, each) for each in (*recipe.extra_listed, signer))
    kind = b"" if legacy else encode_integer(1)
    if recipe.digest_listed:
        kind = encode_integer(2)
        value = encode(Tag.OCTET_STRING, digest(signer))
        entry = encode(Tag.SEQUENCE, encode(Tag.PRINTABLE_STRING, b"SM3"), value)
    times = (SIGNED_AT - timedelta(days=100), *recipe.seal_valid)
    property_info = encode(
        Tag.SEQUENCE,
        encode_integer(1),
        encode(Tag.UTF8_STRING, "测试专用章".encode()),
        kind,
        encode(Tag.SEQUENCE, entry),
        *((recipe.write_seal_time or (utc if legacy else generalized))(at) for at in times),
    )
    header = encode(
        Tag.SEQUENCE, encode(0x16, b"ES"), encode_integer(1 if legacy else recipe.version), encode(0x16, b"test")
    )
    picture = recipe.picture or encode(
        Tag.SEQUENCE, encode(0x16, b"PNG"), encode(Tag.OCTET_STRING, b"png"), encode_integer(40), encode_integer(40)
    )
    info = encode(Tag.SEQUENCE, header, encode(0x16, b"seal-1"), property_info, picture)
    certificate = encode(Tag.OCTET_STRING, pki.maker.certificate)
    signed = encode(Tag.SEQUENCE, info, certificate, SM2_SM3) if legacy else info
    made = sign(pki.maker, signed, raw=recipe.raw_signatures)
    signature = bit_string(made)
    if legacy:
        return encode(Tag.SEQUENCE, info, encode(Tag.SEQUENCE, certificate, SM2_SM3, signature))
    stamp = encode(Tag.CONTEXT_0, recipe.seal_token(made)) if recipe.seal_token else b""
    return encode(Tag.SEQUENCE, info, certificate, SM2_SM3, signature, stamp)


def make_signed_value(pki: Pki, recipe: Recipe, seal: bytes, xml: bytes) -> bytes:
    certificate = encode(Tag.OCTET_STRING, pki.signer.certificate)
    common = ((recipe.write_hash or bit_string)(digest(xml)), encode(0x16, f"/{SIGNATURE_XML}".encode()))
    if recipe.version == 1:
        time = (recipe.write_time or (lambda at: bit_string(utc(at))))(recipe.signed_at)
        tbs = encode(Tag.SEQUENCE, encode_integer(1), seal, time, *common, certificate, SM2_SM3)
        return encode(
            Tag.SEQUENCE, recipe.change_tbs(tbs), bit_string(sign(pki.signer, tbs, raw=recipe.raw_signatures))
        )
    time = (recipe.write_time or generalized)(recipe.signed_at)
    tbs = encode(Tag.SEQUENCE, encode_integer(recipe.version), seal, time, *common)
    stamp = encode(Tag.CONTEXT_0, bit_string(b"token")) if recipe.timestamped else b""
    signature = sign(pki.signer, tbs, raw=recipe.raw_signatures)
    if recipe.token is not None:
        stamp = encode(Tag.CONTEXT_0, recipe.token(signature))
    return encode(Tag.SEQUENCE, recipe.change_tbs(tbs), certificate, SM2_SM3, bit_string(signature), stamp)


def pack(files: dict[str, bytes]) -> bytes:
    """A plain ZIP of ``files``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a ZIP, folders left out."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def rewrite(data: bytes, path: str, changed: bytes) -> bytes:
    """The same archive with one file replaced."""
    files = unpack(data)
    assert path in files
    return pack(files | {path: changed})
