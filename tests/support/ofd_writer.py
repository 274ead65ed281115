"""Writes small OFD documents sealed with SM2, honest by default and wrong on request. Test keys only, made on the fly.

`Pki` is a root → CA → signer/maker chain; `build` returns the bytes of an archive; `rewrite` changes one afterwards.
"""

import base64
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes

from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode, encode_integer

SIGNED_AT = datetime(2026, 6, 1, 1, 2, 3, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SM2_SM3 = encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex("2a811ccf55018375"))
NAMESPACE = 'xmlns:ofd="http://www.ofdspec.org/2016"'
SIGNATURE_XML = "Doc_0/Signs/Sign_0/Signature.xml"
SIGNATURES_XML = "Doc_0/Signs/Signatures.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
PAGE = "Doc_0/Pages/Page_0/Content.xml"


def digest(data: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    context = hashes.Hash(algorithm or hashes.SM3())
    context.update(data)
    return context.finalize()


@dataclass
class Identity:
    key: sm2.Sm2PrivateKey
    certificate: bytes


def issue(
    common_name: str,
    issuer: "Identity | None" = None,
    *,
    issuer_name: str = "",
    ca: bool = False,
    path_length: int | None = None,
    not_before: datetime = datetime(2025, 1, 1, tzinfo=UTC),
    not_after: datetime = datetime(2035, 1, 1, tzinfo=UTC),
    usage: int = 0xC0,
    extra_extension: bytes = b"",
    key: sm2.Sm2PrivateKey | None = None,
) -> Identity:
    """A certificate with an SM2 key; ``usage`` is the first octet of keyUsage."""
    key = key or sm2.generate_private_key()
    algorithm = encode(Tag.SEQUENCE, SM2_SM3)
    constraints = b""
    if ca:
        usage = 0x06
        length = b"" if path_length is None else encode_integer(path_length)
        constraints = extension("551d13", encode(Tag.SEQUENCE, encode(Tag.BOOLEAN, b"\xff"), length))
    bits = encode(Tag.BIT_STRING, b"\x00", bytes([usage]))
    extensions = encode(Tag.SEQUENCE, extension("551d0f", bits), constraints, extra_extension)
    tbs = encode(
        Tag.SEQUENCE,
        encode(Tag.CONTEXT_0, encode_integer(2)),
        encode_integer(int.from_bytes(digest(key.public_key.spki)[:8], "big") >> 1),
        algorithm,
        name(issuer_name or common_name),
        encode(Tag.SEQUENCE, generalized(not_before), generalized(not_after)),
        name(common_name),
        key.public_key.spki,
        encode(Tag.CONTEXT_3, extensions),
    )
    signature = (issuer.key if issuer else key).sign(tbs)
    return Identity(key, encode(Tag.SEQUENCE, tbs, algorithm, encode(Tag.BIT_STRING, b"\x00", signature)))


def extension(oid: str, value: bytes, *, critical: bool = True) -> bytes:
    flag = encode(Tag.BOOLEAN, b"\xff") if critical else b""
    return encode(
        Tag.SEQUENCE, encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex(oid)), flag, encode(Tag.OCTET_STRING, value)
    )


def name(common_name: str) -> bytes:
    value = encode(Tag.UTF8_STRING, common_name.encode())
    return encode(Tag.SEQUENCE, encode(Tag.SET, encode(Tag.SEQUENCE, encode(6, bytes.fromhex("550403")), value)))


def generalized(at: datetime) -> bytes:
    return encode(Tag.GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


@dataclass
class Pki:
    """A root, a CA below it, a signer (签章者) and a maker (制章者) below that."""

    signer_options: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = issue("测试根", ca=True)
        self.ca = issue("测试签发机构", self.root, issuer_name="测试根", ca=True, path_length=0)
        options = {"issuer_name": "测试签发机构", **self.signer_options}
        self.signer = issue("测试签章者", self.ca, **options)  # type: ignore[arg-type]
        self.maker = issue("测试制章者", self.ca, issuer_name="测试签发机构")


@dataclass
class Recipe:
    """How to write one document. Defaults make an honest V4 seal that covers every content file."""

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


def content_files() -> dict[str, bytes]:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return {
        "OFD.xml": (
            f'{head}<ofd:OFD {NAMESPACE} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>0</ofd:DocID>'
            "</ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>"
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
    files = content_files() | recipe.extra_files
    base = "Sign_0/Signature.xml" if recipe.relative_paths else f"/{SIGNATURE_XML}"
    kind = "Sign" if recipe.cms else "Seal"
    files[SIGNATURES_XML] = (
        f'<ofd:Signatures {NAMESPACE}><ofd:Signature ID="1" Type="{kind}" BaseLoc="{base}"/></ofd:Signatures>'
    ).encode()
    seal = make_seal(pki, recipe)
    if recipe.with_seal_file and not recipe.cms:
        files["Doc_0/Signs/Sign_0/Seal.esl"] = seal
    covered = recipe.covered if recipe.covered is not None else tuple(path for path in files if path != SIGNATURES_XML)
    files[SIGNATURE_XML] = signature_xml(recipe, {path: files[path] for path in covered})
    value = make_cms(pki, recipe, files[SIGNATURE_XML]) if recipe.cms else None
    files[VALUE] = recipe.change_value(value or make_signed_value(pki, recipe, seal, files[SIGNATURE_XML]))
    return files


def signature_xml(recipe: Recipe, covered: dict[str, bytes]) -> bytes:
    algorithm = hashes.SHA256() if "256" in recipe.check_method else hashes.SM3()

    def location(path: str) -> str:
        if not recipe.relative_paths:
            return f"/{path}"
        return path.removeprefix("Doc_0/Signs/Sign_0/") if "Sign_0/" in path else f"../../../{path}"

    references = "".join(
        f'<ofd:Reference FileRef="{location(path)}"><ofd:CheckValue>'
        f"{base64.b64encode(digest(data, algorithm)).decode()}</ofd:CheckValue></ofd:Reference>"
        for path, data in covered.items()
    )
    seal = ""
    if recipe.with_seal_file and not recipe.cms:
        seal = f"<ofd:Seal><ofd:BaseLoc>{location('Doc_0/Signs/Sign_0/Seal.esl')}</ofd:BaseLoc></ofd:Seal>"
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
    entry = encode(Tag.OCTET_STRING, signer)
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
        *((utc(at) if legacy else generalized(at)) for at in times),
    )
    header = encode(
        Tag.SEQUENCE, encode(0x16, b"ES"), encode_integer(1 if legacy else recipe.version), encode(0x16, b"test")
    )
    picture = encode(
        Tag.SEQUENCE, encode(0x16, b"PNG"), encode(Tag.OCTET_STRING, b"png"), encode_integer(40), encode_integer(40)
    )
    info = encode(Tag.SEQUENCE, header, encode(0x16, b"seal-1"), property_info, picture)
    certificate = encode(Tag.OCTET_STRING, pki.maker.certificate)
    signed = encode(Tag.SEQUENCE, info, certificate, SM2_SM3) if legacy else info
    signature = bit_string(sign(pki.maker, signed, recipe))
    if legacy:
        return encode(Tag.SEQUENCE, info, encode(Tag.SEQUENCE, certificate, SM2_SM3, signature))
    return encode(Tag.SEQUENCE, info, certificate, SM2_SM3, signature)


def make_signed_value(pki: Pki, recipe: Recipe, seal: bytes, xml: bytes) -> bytes:
    certificate = encode(Tag.OCTET_STRING, pki.signer.certificate)
    common = (bit_string(digest(xml)), encode(0x16, f"/{SIGNATURE_XML}".encode()))
    if recipe.version == 1:
        time = bit_string(utc(recipe.signed_at))
        tbs = encode(Tag.SEQUENCE, encode_integer(1), seal, time, *common, certificate, SM2_SM3)
        return encode(Tag.SEQUENCE, recipe.change_tbs(tbs), bit_string(sign(pki.signer, tbs, recipe)))
    tbs = encode(Tag.SEQUENCE, encode_integer(recipe.version), seal, generalized(recipe.signed_at), *common)
    stamp = encode(Tag.CONTEXT_0, bit_string(b"token")) if recipe.timestamped else b""
    signature = bit_string(sign(pki.signer, tbs, recipe))
    return encode(Tag.SEQUENCE, recipe.change_tbs(tbs), certificate, SM2_SM3, signature, stamp)


def make_cms(pki: Pki, recipe: Recipe, xml: bytes) -> bytes:
    """GB/T 35275 SignedData; ``recipe.cms`` is ``content`` (digest enclosed and signed) or ``attributes``."""
    messages = "2a811ccf5506010402"
    sm3 = encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2a811ccf55018311")))
    data = encode(6, bytes.fromhex(messages + "01"))
    content = digest(xml)
    attributes = b""
    enclosed = encode(Tag.SEQUENCE, data, encode(Tag.CONTEXT_0, encode(Tag.OCTET_STRING, content)))
    signed = content
    if recipe.cms == "attributes":
        value = encode(Tag.SET, encode(Tag.OCTET_STRING, digest(xml)))
        attribute = encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2a864886f70d010904")), value)
        time = encode(Tag.SET, utc(recipe.signed_at))
        attribute += encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2a864886f70d010905")), time)
        signed = encode(Tag.SET, attribute)
        attributes = encode(Tag.CONTEXT_0, attribute)
        enclosed = encode(Tag.SEQUENCE, data)
    serial = encode_integer(int.from_bytes(digest(pki.signer.key.public_key.spki)[:8], "big") >> 1)
    signer = encode(
        Tag.SEQUENCE,
        encode_integer(1),
        encode(Tag.SEQUENCE, name("测试签发机构"), serial),
        sm3,
        attributes,
        encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2a811ccf5501822d01"))),
        encode(Tag.OCTET_STRING, sign(pki.signer, signed, recipe)),
    )
    body = encode(
        Tag.SEQUENCE,
        encode_integer(1),
        encode(Tag.SET, sm3),
        enclosed,
        encode(Tag.CONTEXT_0, pki.signer.certificate),
        encode(Tag.SET, signer),
    )
    return encode(Tag.SEQUENCE, encode(6, bytes.fromhex(messages + "02")), encode(Tag.CONTEXT_0, body))


def sign(identity: Identity, message: bytes, recipe: Recipe) -> bytes:
    signature = identity.key.sign(message)
    return sm2.signature_to_raw(signature) if recipe.raw_signatures else signature


def bit_string(data: bytes) -> bytes:
    return encode(Tag.BIT_STRING, b"\x00", data)


def utc(at: datetime) -> bytes:
    return encode(Tag.UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())


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
