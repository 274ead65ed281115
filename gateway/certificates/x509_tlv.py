"""An X.509 certificate read by walking its TLVs (RFC 5280 §4.1), tolerant where real Chinese certificates are odd.

Names may be malformed and extensions unknown: signatures, keys and dates are still judged, over the original bytes.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from gateway.crypto.der import Element, Tag, parse
from gateway.crypto.errors import DerMalformed

MAX_CERTIFICATE_BYTES: Final = 64 << 10

_ATTRIBUTES: Final = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.97": "organizationIdentifier",
}
_SUBJECT_KEY_ID: Final = "2.5.29.14"
_KEY_USAGE: Final = "2.5.29.15"
_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_AUTHORITY_KEY_ID: Final = "2.5.29.35"
_UNDERSTOOD: Final = frozenset({_SUBJECT_KEY_ID, _KEY_USAGE, _BASIC_CONSTRAINTS, _AUTHORITY_KEY_ID, "2.5.29.37"})

DIGITAL_SIGNATURE: Final = 0
NON_REPUDIATION: Final = 1
KEY_CERT_SIGN: Final = 5


@dataclass(frozen=True, slots=True)
class TlvCertificate:
    """A signing certificate as its bytes say. ``issuer`` and ``subject`` are raw DER names; times are aware UTC.

    ``key_usage`` is the set of asserted bit numbers (RFC 5280 §4.2.1.3), None when the extension is absent.
    ``unknown_critical`` are critical extensions that are not understood here.
    """

    der: bytes
    tbs: bytes
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    signature_oid: str
    signature: bytes
    is_ca: bool
    path_length: int | None
    key_usage: frozenset[int] | None
    subject_key_id: bytes | None
    authority_key_id: bytes | None
    unknown_critical: tuple[str, ...]

    @property
    def subject_text(self) -> str:
        """The subject for people to read, attributes in their order."""
        return name_text(self.subject)

    @property
    def issuer_text(self) -> str:
        """The issuer for people to read."""
        return name_text(self.issuer)

    def valid_at(self, at: datetime) -> bool:
        """Whether ``at`` lies within notBefore…notAfter, both included."""
        return self.not_before <= at <= self.not_after


@lru_cache(maxsize=512)
def parse_certificate(der: bytes) -> TlvCertificate:
    """Read one certificate. Raises `DerMalformed`."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise DerMalformed(remedy="证书超过大小上限")
    parts = parse(der).expect(Tag.SEQUENCE).children()
    if len(parts) != 3:
        raise DerMalformed(remedy="证书结构不符")
    tbs, algorithm, signature = parts
    fields = list(tbs.expect(Tag.SEQUENCE).children())
    if fields and fields[0].tag == Tag.CONTEXT_0:
        fields.pop(0)
    if len(fields) < 6 or fields[1].raw != algorithm.raw:
        raise DerMalformed(remedy="证书结构不符")
    serial, _, issuer, validity, subject, spki = fields[:6]
    dates = validity.expect(Tag.SEQUENCE).children()
    if len(dates) != 2:
        raise DerMalformed(remedy="证书有效期结构不符")
    extensions = _extensions(fields[6:])
    is_ca, path_length = _basic_constraints(extensions.get(_BASIC_CONSTRAINTS))
    return TlvCertificate(
        der=der,
        tbs=tbs.raw,
        serial=serial.integer(),
        issuer=issuer.expect(Tag.SEQUENCE).raw,
        subject=subject.expect(Tag.SEQUENCE).raw,
        not_before=dates[0].time(),
        not_after=dates[1].time(),
        spki=spki.expect(Tag.SEQUENCE).raw,
        signature_oid=algorithm_oid(algorithm),
        signature=signature.bits(),
        is_ca=is_ca,
        path_length=path_length,
        key_usage=_key_usage(extensions.get(_KEY_USAGE)),
        subject_key_id=_subject_key_id(extensions.get(_SUBJECT_KEY_ID)),
        authority_key_id=_authority_key_id(extensions.get(_AUTHORITY_KEY_ID)),
        unknown_critical=tuple(oid for oid, (critical, _) in extensions.items() if critical and oid not in _UNDERSTOOD),
    )


def algorithm_oid(algorithm: Element) -> str:
    """The identifier in an AlgorithmIdentifier, whose parameters SM2 writers leave out or fill with NULL."""
    parts = algorithm.expect(Tag.SEQUENCE).children()
    if not parts:
        raise DerMalformed(remedy="算法标识结构不符")
    return parts[0].oid()


def name_text(name: bytes) -> str:
    """A raw DER name as ``CN=…, O=…`` for people to read; a malformed one is shown as such, never refused."""
    try:
        found = []
        for group in parse(name).children():
            for attribute in group.children():
                oid, value = attribute.children()[:2]
                found.append(f"{_ATTRIBUTES.get(oid.oid(), oid.oid())}={value.text()}")
        return ", ".join(found)
    except (DerMalformed, ValueError):
        return "（名称编码异常）"


def _extensions(fields: list[Element]) -> dict[str, tuple[bool, bytes]]:
    found: dict[str, tuple[bool, bytes]] = {}
    holder = next((field for field in fields if field.tag == Tag.CONTEXT_3), None)
    if holder is None:
        return found
    (listing,) = _exactly(holder.children(), 1)
    for extension in listing.expect(Tag.SEQUENCE).children():
        parts = extension.expect(Tag.SEQUENCE).children()
        if not 2 <= len(parts) <= 3:
            raise DerMalformed(remedy="证书扩展结构不符")
        oid = parts[0].oid()
        if oid in found:
            raise DerMalformed(remedy="证书扩展重复")
        critical = len(parts) == 3 and parts[1].expect(Tag.BOOLEAN).content != b"\x00"
        found[oid] = (critical, parts[-1].octets())
    return found


def _basic_constraints(extension: tuple[bool, bytes] | None) -> tuple[bool, int | None]:
    if extension is None:
        return False, None
    fields = parse(extension[1]).expect(Tag.SEQUENCE).children()
    if not fields or fields[0].expect(Tag.BOOLEAN, Tag.INTEGER).tag == Tag.INTEGER:
        return False, None
    is_ca = fields[0].content != b"\x00"
    return is_ca, fields[1].integer() if is_ca and len(fields) > 1 else None


def _key_usage(extension: tuple[bool, bytes] | None) -> frozenset[int] | None:
    if extension is None:
        return None
    content = parse(extension[1]).expect(Tag.BIT_STRING).content
    if not 1 < len(content) <= 3:
        raise DerMalformed(remedy="密钥用途扩展结构不符")
    octets = content[1:]
    return frozenset(bit for bit in range(8 * len(octets)) if octets[bit // 8] & (0x80 >> bit % 8))


def _subject_key_id(extension: tuple[bool, bytes] | None) -> bytes | None:
    return parse(extension[1]).octets() if extension else None


def _authority_key_id(extension: tuple[bool, bytes] | None) -> bytes | None:
    if extension is None:
        return None
    fields = parse(extension[1]).expect(Tag.SEQUENCE).children()
    return next((field.content for field in fields if field.tag == 0x80), None)


def _exactly(elements: tuple[Element, ...], count: int) -> tuple[Element, ...]:
    if len(elements) != count:
        raise DerMalformed(remedy="证书结构不符")
    return elements
