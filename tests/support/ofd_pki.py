"""SM2 identities for seals: a small PKI and the DER that certificates and seals are made of. Test keys only."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes

from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode, encode_integer

SIGNED_AT = datetime(2026, 6, 1, 1, 2, 3, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SM2_SM3 = encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex("2a811ccf55018375"))


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
    code: str = "",
    subject: bytes = b"",
    issuer_der: bytes = b"",
) -> Identity:
    """A certificate with an SM2 key; ``usage`` is the first octet of keyUsage, ``code`` an organizationIdentifier."""
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
        issuer_der or name(issuer_name or common_name),
        encode(Tag.SEQUENCE, generalized(not_before), generalized(not_after)),
        subject or name(common_name, code),
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


def name(common_name: str, code: str = "") -> bytes:
    parts = [("550461", code)] if code else []
    found = b""
    for attribute, text in [*parts, ("550403", common_name)]:
        value = encode(Tag.UTF8_STRING, text.encode())
        found += encode(Tag.SET, encode(Tag.SEQUENCE, encode(6, bytes.fromhex(attribute)), value))
    return encode(Tag.SEQUENCE, found)


def serial_of(identity: Identity) -> int:
    """The serial number that `issue` gave it."""
    return int.from_bytes(digest(identity.key.public_key.spki)[:8], "big") >> 1


def generalized(at: datetime) -> bytes:
    return encode(Tag.GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


@dataclass
class Pki:
    """A root, a CA below it, a signer (签章者) and a maker (制章者) below that."""

    signer_options: dict[str, object] = field(default_factory=dict)
    maker_options: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = issue("测试根", ca=True)
        self.ca = issue("测试签发机构", self.root, issuer_name="测试根", ca=True, path_length=0)
        options = {"issuer_name": "测试签发机构", **self.signer_options}
        self.signer = issue("测试签章者", self.ca, **options)  # type: ignore[arg-type]
        made = {"issuer_name": "测试签发机构", **self.maker_options}
        self.maker = issue("测试制章者", self.ca, **made)  # type: ignore[arg-type]


def sign(identity: Identity, message: bytes, *, raw: bool = False) -> bytes:
    """DER, or r‖s."""
    signature = identity.key.sign(message)
    return sm2.signature_to_raw(signature) if raw else signature


def bit_string(data: bytes) -> bytes:
    return encode(Tag.BIT_STRING, b"\x00", data)


def utc(at: datetime) -> bytes:
    return encode(Tag.UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())
