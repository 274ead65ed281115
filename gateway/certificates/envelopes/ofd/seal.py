"""SignedValue.dat of an electronic seal (电子签章): GB/T 38540 (V4, V5) and GM/T 0031 (V1), kept as original bytes.

Which structure it is follows from its shape, as the standards give no other mark at the outer level; a seal of one
generation inside a value of another is read as what it is. Nothing is encoded anew except the one SEQUENCE that V1
makers sign re-assembled.
"""

from dataclasses import dataclass
from typing import Final

from gateway.certificates.envelopes.ofd.seal_times import SealTime, seal_time, wrapped
from gateway.certificates.x509.signing_certificates import algorithm_oid
from gateway.crypto.der import Element, Tag, encode, parse
from gateway.crypto.errors import DerMalformed

MAX_SIGNED_VALUE_BYTES: Final = 4 << 20
CERTIFICATES_WHOLE: Final = 1
CERTIFICATES_BY_DIGEST: Final = 2
_VERSIONS: Final = range(1, 10)


@dataclass(frozen=True, slots=True)
class Seal:
    """SESeal 电子印章. ``maker_tbs`` is what the maker (制章者) signed.

    ``certificates`` are whole DER certificates of those who may use it, or ``(type, digest)`` pairs stand in
    ``digests``. ``picture`` is the type of its picture as written (PNG, ofd …), which is never opened. ``timestamp`` is
    the maker's time stamp token as it came, None when there is none.
    """

    raw: bytes
    version: int
    vendor: str
    seal_id: str
    name: str
    certificates: tuple[bytes, ...]
    digests: tuple[tuple[str, bytes], ...]
    created: SealTime
    valid_from: SealTime
    valid_until: SealTime
    picture: str
    maker_certificate: bytes
    maker_oid: str
    maker_signature: bytes
    maker_tbs: bytes
    timestamp: Element | None


@dataclass(frozen=True, slots=True)
class SealedValue:
    """SES_Signature 电子签章数据. ``tbs`` is what the signer (签章者) signed, as original bytes.

    ``signed`` is None when the time is a time stamp or is written in no known way; ``inner_timestamp`` is then what
    stands in its place (V1). ``timestamp`` is the token over the signature that may follow it. ``property_info``
    usually names the Signature.xml.
    """

    form: str
    seal: Seal
    tbs: bytes
    signed: SealTime | None
    data_hash: bytes
    property_info: str
    certificate: bytes
    oid: str
    signature: bytes
    timestamp: Element | None
    inner_timestamp: bytes | None = None


def parse_sealed_value(data: bytes) -> SealedValue:
    """Read SignedValue.dat of Type=Seal. Raises `DerMalformed`."""
    if len(data) > MAX_SIGNED_VALUE_BYTES:
        raise DerMalformed(remedy="签名值文件超过大小上限")
    parts = parse(data).expect(Tag.SEQUENCE).children()
    if len(parts) in (4, 5):
        return _modern(parts)
    if len(parts) == 2:
        return _legacy(parts)
    raise DerMalformed(remedy="签章结构不属于任何已知版本")


def parse_seal(element: Element) -> Seal:
    """An electronic seal, as it stands in a signed value or is all of a Seal.esl. Raises `DerMalformed`.

    V4/V5: SEQ {SealInfo, cert, OID, signature, [0] time stamp}, where the maker signs SealInfo alone.
    V1: SEQ {SealInfo, SEQ {cert, OID, signature}}, where the maker signs SEQ {SealInfo, cert, OID}.
    """
    parts = element.expect(Tag.SEQUENCE).children()
    if len(parts) in (4, 5):
        stamp = _timestamp(parts)
        return _seal(element, parts[0], parts[1], parts[2], parts[3], parts[0].raw, stamp)
    signed = parts[1].expect(Tag.SEQUENCE).children() if len(parts) == 2 else ()
    if len(signed) != 3:
        raise DerMalformed(remedy="印章结构不符合 GB/T 38540 或 GM/T 0031")
    tbs = encode(Tag.SEQUENCE, parts[0].raw, signed[0].raw, signed[1].raw)
    return _seal(element, parts[0], *signed, tbs, None)


def _modern(parts: tuple[Element, ...]) -> SealedValue:
    """V4/V5: SEQ {TBS {version, eseal, time, dataHash, property, [0] ext}, cert, OID, signature, [0] time stamp}."""
    tbs = parts[0].expect(Tag.SEQUENCE)
    fields = tbs.children()
    if len(fields) not in (5, 6):
        raise DerMalformed(remedy="签章结构不符合 GB/T 38540")
    return SealedValue(
        form=f"V{_version(fields[0])}",
        seal=parse_seal(fields[1]),
        tbs=tbs.raw,
        signed=_time_or_none(fields[2]),
        data_hash=wrapped(fields[3]),
        property_info=fields[4].text(),
        certificate=_certificate(parts[1]),
        oid=_oid(parts[2]),
        signature=wrapped(parts[3]),
        timestamp=_timestamp(parts),
    )


def _legacy(parts: tuple[Element, ...]) -> SealedValue:
    """V1: SEQ {TBS {version, eseal, time, dataHash, propertyInfo, cert, OID}, signature}."""
    tbs = parts[0].expect(Tag.SEQUENCE)
    fields = tbs.children()
    if len(fields) != 7:
        raise DerMalformed(remedy="签章结构不符合 GM/T 0031")
    signed = _time_or_none(fields[2])
    return SealedValue(
        form=f"V{_version(fields[0])}",
        seal=parse_seal(fields[1]),
        tbs=tbs.raw,
        signed=signed,
        data_hash=wrapped(fields[3]),
        property_info=fields[4].text(),
        certificate=_certificate(fields[5]),
        oid=_oid(fields[6]),
        signature=wrapped(parts[1]),
        timestamp=None,
        inner_timestamp=wrapped(fields[2]) if signed is None else None,
    )


def _seal(
    element: Element,
    info: Element,
    certificate: Element,
    oid: Element,
    signature: Element,
    maker_tbs: bytes,
    stamp: Element | None,
) -> Seal:
    fields = info.expect(Tag.SEQUENCE).children()
    if len(fields) not in (4, 5):
        raise DerMalformed(remedy="印章信息结构不符")
    header = fields[0].expect(Tag.SEQUENCE).children()
    properties = fields[2].expect(Tag.SEQUENCE).children()
    if len(header) != 3 or header[0].text() != "ES" or len(properties) not in (6, 7):
        raise DerMalformed(remedy="印章信息结构不符")
    certificates, digests = _listing(properties)
    return Seal(
        raw=element.raw,
        version=_version(header[1]),
        vendor=header[2].text(),
        seal_id=fields[1].text(),
        name=properties[1].text(),
        certificates=certificates,
        digests=digests,
        created=seal_time(properties[-3]),
        valid_from=seal_time(properties[-2]),
        valid_until=seal_time(properties[-1]),
        picture=_picture_type(fields[3]),
        maker_certificate=_certificate(certificate),
        maker_oid=_oid(oid),
        maker_signature=wrapped(signature),
        maker_tbs=maker_tbs,
        timestamp=stamp,
    )


def _listing(properties: tuple[Element, ...]) -> tuple[tuple[bytes, ...], tuple[tuple[str, bytes], ...]]:
    """Who may use the seal: whole certificates, or their digests; V1 has no mark and always lists whole ones."""
    listing = properties[-4].expect(Tag.SEQUENCE).children()
    if len(properties) == 7:
        kind = properties[2].integer()
        if kind == CERTIFICATES_BY_DIGEST:
            return (), tuple(_digest_entry(item) for item in listing)
        if kind != CERTIFICATES_WHOLE:
            raise DerMalformed(remedy="印章中的证书列表类型未知")
    return tuple(_certificate(item) for item in listing), ()


def _digest_entry(element: Element) -> tuple[str, bytes]:
    parts = element.expect(Tag.SEQUENCE).children()
    if len(parts) != 2:
        raise DerMalformed(remedy="印章中的证书摘要结构不符")
    return parts[0].text(), wrapped(parts[1])


def _picture_type(element: Element) -> str:
    """The type that the picture is said to be of. Only readers open it, so that no form of it is wrong here."""
    try:
        parts = element.children()
        return parts[0].text()[:16] if parts and not parts[0].tag & 0x20 else ""
    except DerMalformed:
        return ""


def _timestamp(parts: tuple[Element, ...]) -> Element | None:
    """What stands in the trailing [0]: a BIT STRING with a token by the standard, or the token itself."""
    if len(parts) < 5:
        return None
    inner = parts[4].expect(Tag.CONTEXT_0).children()
    if len(inner) != 1:
        raise DerMalformed(remedy="时间戳字段结构不符合 GB/T 38540")
    return inner[0]


def _version(element: Element) -> int:
    version = element.integer()
    if version not in _VERSIONS:
        raise DerMalformed(remedy="签章或印章的版本号未知")
    return version


def _certificate(element: Element) -> bytes:
    """A certificate in an OCTET STRING as the standards say, or bare as some writers put it."""
    return element.octets() if element.tag == Tag.OCTET_STRING else element.expect(Tag.SEQUENCE).raw


def _oid(element: Element) -> str:
    """An identifier, or a whole AlgorithmIdentifier as some writers put in its place."""
    return algorithm_oid(element) if element.tag == Tag.SEQUENCE else element.oid()


def _time_or_none(element: Element) -> SealTime | None:
    try:
        return seal_time(element)
    except DerMalformed:
        return None
