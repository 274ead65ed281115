"""SignedValue.dat of Type=Sign: the SM2 signed message of GB/T 35275 §8 (a CMS SignedData with its own identifiers)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.certificates.envelopes.ofd.seal import MAX_SIGNED_VALUE_BYTES
from gateway.certificates.x509_tlv import algorithm_oid, parse_certificate
from gateway.crypto.der import Element, Tag, encode, parse
from gateway.crypto.errors import DerMalformed

_SIGNED_DATA: Final = frozenset({"1.2.156.10197.6.1.4.2.2", "1.2.840.113549.1.7.2"})
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"


@dataclass(frozen=True, slots=True)
class CmsValue:
    """One signer's signature. ``tbs`` is what was signed: the signed attributes when there are any, else ``content``.

    ``content`` is the enclosed content and ``message_digest`` the signed attribute; each is None when absent.
    """

    tbs: bytes
    content: bytes | None
    message_digest: bytes | None
    signed_at: datetime | None
    certificate: bytes
    oid: str
    signature: bytes


def is_cms(data: bytes) -> bool:
    """Whether the outer structure is a ContentInfo, told by the identifier it begins with."""
    try:
        parts = parse(data).expect(Tag.SEQUENCE).children()
    except DerMalformed:
        return False
    return len(parts) == 2 and parts[0].tag == Tag.OBJECT_IDENTIFIER


def parse_cms(data: bytes) -> CmsValue:
    """Read a SignedData with exactly one signer whose certificate is enclosed. Raises `DerMalformed`."""
    if len(data) > MAX_SIGNED_VALUE_BYTES:
        raise DerMalformed(remedy="签名值文件超过大小上限")
    outer = parse(data).expect(Tag.SEQUENCE).children()
    if len(outer) != 2 or outer[0].oid() not in _SIGNED_DATA:
        raise DerMalformed(remedy="签名值不是 GB/T 35275 签名数据")
    (signed,) = _count(outer[1].expect(Tag.CONTEXT_0).children(), 1)
    fields = list(signed.expect(Tag.SEQUENCE).children())
    if len(fields) < 4:
        raise DerMalformed(remedy="签名数据结构不符合 GB/T 35275")
    signers = fields[-1].expect(Tag.SET).children()
    certificates = next((field.children() for field in fields[3:-1] if field.tag == Tag.CONTEXT_0), ())
    (signer,) = _count(signers, 1)
    return _signer(list(signer.expect(Tag.SEQUENCE).children()), _content(fields[2]), certificates)


def _content(element: Element) -> bytes | None:
    parts = element.expect(Tag.SEQUENCE).children()
    if len(parts) < 2:
        return None
    (content,) = _count(parts[1].expect(Tag.CONTEXT_0).children(), 1)
    return content.octets()


def _signer(fields: list[Element], content: bytes | None, certificates: tuple[Element, ...]) -> CmsValue:
    attributes = fields.pop(3) if len(fields) > 3 and fields[3].tag == Tag.CONTEXT_0 else None
    if len(fields) not in (5, 6):
        raise DerMalformed(remedy="签名者信息结构不符合 GB/T 35275")
    found = _attributes(attributes) if attributes else {}
    digest, signing_time = found.get(_MESSAGE_DIGEST), found.get(_SIGNING_TIME)
    # CMS §5.4: attributes are signed as a SET OF, not under the [0] they travel in.
    tbs = encode(Tag.SET, attributes.content) if attributes else content
    if tbs is None or (attributes and digest is None):
        raise DerMalformed(remedy="签名数据中没有被签名的内容")
    return CmsValue(
        tbs=tbs,
        content=content,
        message_digest=digest.octets() if digest else None,
        signed_at=signing_time.time() if signing_time else None,
        certificate=_signer_certificate(fields[1], certificates),
        oid=algorithm_oid(fields[3]),
        signature=fields[4].octets(),
    )


def _attributes(element: Element) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for attribute in element.children():
        oid, values = _count(attribute.expect(Tag.SEQUENCE).children(), 2)
        (value,) = _count(values.expect(Tag.SET).children(), 1)
        if oid.oid() in found:
            raise DerMalformed(remedy="签名属性重复")
        found[oid.oid()] = value
    return found


def _signer_certificate(issuer_and_serial: Element, certificates: tuple[Element, ...]) -> bytes:
    issuer, serial = _count(issuer_and_serial.expect(Tag.SEQUENCE).children(), 2)
    for element in certificates:
        candidate = parse_certificate(element.raw)
        if candidate.issuer == issuer.raw and candidate.serial == serial.integer():
            return element.raw
    raise DerMalformed(remedy="签名数据中没有签名者的证书")


def _count(elements: tuple[Element, ...], count: int) -> tuple[Element, ...]:
    if len(elements) != count:
        raise DerMalformed(remedy="签名数据结构不受支持")
    return elements
