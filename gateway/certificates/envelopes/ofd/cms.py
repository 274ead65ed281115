"""SM2 signed messages of GB/T 35275 §8: CMS SignedData (RFC 5652 §5) with identifiers of its own.

SignedValue.dat of Type=Sign holds one, as a ContentInfo or, as some writers leave it, the bare SignedData; time stamp
tokens are another. Read without judging anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.certificates.envelopes.ofd.seal import MAX_SIGNED_VALUE_BYTES
from gateway.certificates.envelopes.ofd.seal_times import SealTime, seal_time
from gateway.certificates.x509.names import name_key
from gateway.certificates.x509.signing_certificates import SigningCertificate, algorithm_oid, load_signing_certificate
from gateway.crypto.der import Element, Tag, encode, parse
from gateway.crypto.errors import DerMalformed

MAX_SIGNERS: Final = 4
MAX_CERTIFICATES: Final = 32
_SIGNED_DATA: Final = frozenset({"1.2.156.10197.6.1.4.2.2", "1.2.840.113549.1.7.2"})
_DATA: Final = frozenset({"1.2.156.10197.6.1.4.2.1", "1.2.840.113549.1.7.1"})
"""Both names of plain data, which writers mix."""
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
_TIME_STAMP: Final = "1.2.840.113549.1.9.16.2.14"
_KEY_ID: Final = 0x80


@dataclass(frozen=True, slots=True)
class CmsSigner:
    """One SignerInfo.

    ``attributes`` are the signed attributes as they may have been signed: as sent, and sorted as DER has them; empty
    when there are none, and then the content itself is signed. ``certificate`` None: it is not enclosed.
    ``timestamp`` is a token over the signature, among the unsigned attributes.
    """

    attributes: tuple[bytes, ...]
    message_digest: bytes | None
    signed: SealTime | None
    certificate: SigningCertificate | None
    digest_oid: str
    oid: str
    signature: bytes
    timestamp: Element | None


@dataclass(frozen=True, slots=True)
class CmsValue:
    """A SignedData. ``content`` is what it encloses, None when that is elsewhere; ``certificates`` are DER."""

    content_type: str
    content: bytes | None
    signers: tuple[CmsSigner, ...]
    certificates: tuple[bytes, ...]


def is_cms(data: bytes) -> bool:
    """Whether the outer structure is a ContentInfo or a SignedData, told by what it begins with."""
    try:
        parts = parse(data).expect(Tag.SEQUENCE).children()
    except DerMalformed:
        return False
    enveloped = len(parts) == 2 and parts[0].tag == Tag.OBJECT_IDENTIFIER
    return enveloped or (len(parts) >= 4 and parts[0].tag == Tag.INTEGER and parts[1].tag == Tag.SET)


def parse_cms(data: bytes) -> CmsValue:
    """Read a SignedData with at least one signer. Raises `DerMalformed`."""
    if len(data) > MAX_SIGNED_VALUE_BYTES:
        raise DerMalformed(remedy="签名值文件超过大小上限")
    outer = parse(data).expect(Tag.SEQUENCE).children()
    if outer and outer[0].tag == Tag.OBJECT_IDENTIFIER:
        if len(outer) != 2 or outer[0].oid() not in _SIGNED_DATA:
            raise DerMalformed(remedy="签名值不是 GB/T 35275 签名数据")
        (signed,) = _count(outer[1].expect(Tag.CONTEXT_0).children(), 1)
        outer = signed.expect(Tag.SEQUENCE).children()
    if len(outer) < 4:
        raise DerMalformed(remedy="签名数据结构不符合 GB/T 35275")
    content_type, content = _content(outer[2])
    carried = next((field.children() for field in outer[3:-1] if field.tag == Tag.CONTEXT_0), ())
    infos = outer[-1].expect(Tag.SET).children()
    if not 1 <= len(infos) <= MAX_SIGNERS or len(carried) > MAX_CERTIFICATES:
        raise DerMalformed(remedy="签名数据中没有签名者，或签名者与证书过多")
    certificates = _readable(each.raw for each in carried if each.tag == Tag.SEQUENCE)
    signers = tuple(_signer(list(info.expect(Tag.SEQUENCE).children()), certificates, content_type) for info in infos)
    return CmsValue(content_type, content, signers, tuple(each.encoded for each in certificates))


def _content(element: Element) -> tuple[str, bytes | None]:
    parts = element.expect(Tag.SEQUENCE).children()
    if not parts or len(parts) > 2:
        raise DerMalformed(remedy="签名数据的内容结构不受支持")
    if len(parts) == 1:
        return parts[0].oid(), None
    (content,) = _count(parts[1].expect(Tag.CONTEXT_0).children(), 1)
    return parts[0].oid(), content.octets()


def _readable(encoded: Iterable[bytes]) -> list[SigningCertificate]:
    """Those that can be read: nothing signs this list, so that anything may stand in it."""
    found = []
    for each in encoded:
        try:
            found.append(load_signing_certificate(each))
        except DerMalformed:
            continue
    return found


def _signer(fields: list[Element], certificates: list[SigningCertificate], content_type: str) -> CmsSigner:
    signed = fields.pop(3) if len(fields) > 3 and fields[3].tag == Tag.CONTEXT_0 else None
    unsigned = fields.pop() if len(fields) == 6 and fields[5].tag == Tag.CONTEXT_1 else None
    if len(fields) != 5:
        raise DerMalformed(remedy="签名者信息结构不符合 GB/T 35275")
    found = _attributes(signed)
    digest, signing_time = found.get(_MESSAGE_DIGEST), found.get(_SIGNING_TIME)
    if signed is not None and digest is None:
        raise DerMalformed(remedy="签名属性中没有被签名内容的摘要")
    if _CONTENT_TYPE in found and not _same_type(found[_CONTENT_TYPE].oid(), content_type):
        raise DerMalformed(remedy="签名属性所写的内容类型与所签内容不符")
    return CmsSigner(
        attributes=() if signed is None else _as_signed(signed),
        message_digest=digest.octets() if digest else None,
        signed=seal_time(signing_time) if signing_time else None,
        certificate=_certificate(fields[1], certificates),
        digest_oid=algorithm_oid(fields[2]),
        oid=algorithm_oid(fields[3]),
        signature=fields[4].octets(),
        timestamp=_attributes(unsigned).get(_TIME_STAMP),
    )


def _same_type(signed: str, stated: str) -> bool:
    """What was signed as one type is not taken for another (RFC 5652 §11.1)."""
    return signed == stated or {signed, stated} <= _DATA


def _as_signed(attributes: Element) -> tuple[bytes, ...]:
    """Attributes are signed as a SET OF, not under the [0] they travel in, and sorted (RFC 5652 §5.4)."""
    ordered = b"".join(sorted(each.raw for each in attributes.children()))
    forms = dict.fromkeys((attributes.content, ordered))
    return tuple(encode(Tag.SET, form) for form in forms)


def _attributes(element: Element | None) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for attribute in element.children() if element is not None else ():
        name, values = _count(attribute.expect(Tag.SEQUENCE).children(), 2)
        (value,) = _count(values.expect(Tag.SET).children(), 1)
        if name.oid() in found:
            raise DerMalformed(remedy="签名属性重复")
        found[name.oid()] = value
    return found


def _certificate(identifier: Element, certificates: list[SigningCertificate]) -> SigningCertificate | None:
    """The enclosed certificate that a SignerIdentifier means."""
    by_key = identifier.content if identifier.tag == _KEY_ID else None
    issuer, serial = (None, None) if by_key else _count(identifier.expect(Tag.SEQUENCE).children(), 2)
    for candidate in certificates:
        if by_key is not None:
            if candidate.subject_key_id == by_key:
                return candidate
        elif issuer and serial and candidate.serial_number == serial.integer() and _same_name(candidate, issuer):
            return candidate
    return None


def _same_name(candidate: SigningCertificate, issuer: Element) -> bool:
    return candidate.issuer == issuer.raw or name_key(candidate.issuer) == name_key(issuer.raw)


def _count(elements: tuple[Element, ...], count: int) -> tuple[Element, ...]:
    if len(elements) != count:
        raise DerMalformed(remedy="签名数据结构不受支持")
    return elements
