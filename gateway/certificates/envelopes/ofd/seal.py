"""SignedValue.dat of an electronic seal (电子签章): GB/T 38540 (V4, V5) and GM/T 0031 (V1), kept as original bytes.

Which structure it is follows from its shape, as the standards give no other mark at the outer level. Nothing is
encoded anew except the one SEQUENCE that V1 makers sign re-assembled.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.crypto.der import Element, Tag, encode, parse, parse_time
from gateway.crypto.errors import DerMalformed

MAX_SIGNED_VALUE_BYTES: Final = 8 << 20
CERTIFICATES_WHOLE: Final = 1
CERTIFICATES_BY_DIGEST: Final = 2


@dataclass(frozen=True, slots=True)
class Seal:
    """SESeal 电子印章. ``maker_tbs`` is what the maker (制章者) signed.

    ``certificates`` are whole DER certificates of those who may use it, or ``(type, digest)`` pairs stand in
    ``digests``. Times are aware UTC.
    """

    raw: bytes
    version: int
    vendor: str
    seal_id: str
    name: str
    certificates: tuple[bytes, ...]
    digests: tuple[tuple[str, bytes], ...]
    created_at: datetime
    valid_from: datetime
    valid_until: datetime
    maker_certificate: bytes
    maker_oid: str
    maker_signature: bytes
    maker_tbs: bytes
    timestamped: bool


@dataclass(frozen=True, slots=True)
class SealedValue:
    """SES_Signature 电子签章数据. ``tbs`` is what the signer (签章者) signed, as original bytes.

    ``signed_at`` is None when the time is a time stamp or is written in no known way. ``property_info`` usually names
    the Signature.xml.
    """

    form: str
    seal: Seal
    tbs: bytes
    signed_at: datetime | None
    data_hash: bytes
    property_info: str
    certificate: bytes
    oid: str
    signature: bytes
    timestamped: bool


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


def _modern(parts: tuple[Element, ...]) -> SealedValue:
    """V4/V5: SEQ {TBS {version, eseal, time, dataHash, property, [0] ext}, cert, OID, signature, [0] time stamp}."""
    tbs = parts[0].expect(Tag.SEQUENCE)
    fields = tbs.children()
    if len(fields) not in (5, 6) or (len(parts) == 5 and parts[4].tag != Tag.CONTEXT_0):
        raise DerMalformed(remedy="签章结构不符合 GB/T 38540")
    version = fields[0].integer()
    return SealedValue(
        form=f"V{version}",
        seal=_modern_seal(fields[1]),
        tbs=tbs.raw,
        signed_at=_time_or_none(fields[2]),
        data_hash=_bits_or_octets(fields[3]),
        property_info=fields[4].text(),
        certificate=_certificate(parts[1]),
        oid=parts[2].oid(),
        signature=parts[3].bits(),
        timestamped=len(parts) == 5,
    )


def _legacy(parts: tuple[Element, ...]) -> SealedValue:
    """V1: SEQ {TBS {version, eseal, time, dataHash, propertyInfo, cert, OID}, signature}."""
    tbs = parts[0].expect(Tag.SEQUENCE)
    fields = tbs.children()
    if len(fields) != 7:
        raise DerMalformed(remedy="签章结构不符合 GM/T 0031")
    signed_at = _legacy_time(fields[2])
    return SealedValue(
        form="V1",
        seal=_legacy_seal(fields[1]),
        tbs=tbs.raw,
        signed_at=signed_at,
        data_hash=_bits_or_octets(fields[3]),
        property_info=fields[4].text(),
        certificate=_certificate(fields[5]),
        oid=fields[6].oid(),
        signature=parts[1].bits(),
        timestamped=signed_at is None,
    )


def _modern_seal(element: Element) -> Seal:
    """V4/V5 seal: SEQ {SealInfo, cert, OID, signature, [0] time stamp}; the maker signs SealInfo alone."""
    parts = element.expect(Tag.SEQUENCE).children()
    if len(parts) not in (4, 5):
        raise DerMalformed(remedy="印章结构不符合 GB/T 38540")
    return _seal(element, parts[0], parts[1], parts[2], parts[3], parts[0].raw, timestamped=len(parts) == 5)


def _legacy_seal(element: Element) -> Seal:
    """V1 seal: SEQ {SealInfo, SEQ {cert, OID, signature}}; the maker signs SEQ {SealInfo, cert, OID}."""
    parts = element.expect(Tag.SEQUENCE).children()
    signed = parts[1].expect(Tag.SEQUENCE).children() if len(parts) == 2 else ()
    if len(signed) != 3:
        raise DerMalformed(remedy="印章结构不符合 GM/T 0031")
    tbs = encode(Tag.SEQUENCE, parts[0].raw, signed[0].raw, signed[1].raw)
    return _seal(element, parts[0], *signed, tbs, timestamped=False)


def _seal(
    element: Element,
    info: Element,
    certificate: Element,
    oid: Element,
    signature: Element,
    maker_tbs: bytes,
    *,
    timestamped: bool,
) -> Seal:
    fields = info.expect(Tag.SEQUENCE).children()
    if len(fields) not in (4, 5):
        raise DerMalformed(remedy="印章信息结构不符")
    header = fields[0].expect(Tag.SEQUENCE).children()
    properties = fields[2].expect(Tag.SEQUENCE).children()
    if len(header) != 3 or header[0].text() != "ES" or len(properties) not in (6, 7):
        raise DerMalformed(remedy="印章信息结构不符")
    digests: tuple[tuple[str, bytes], ...] = ()
    certificates: tuple[bytes, ...] = ()
    listing = properties[-4].expect(Tag.SEQUENCE).children()
    if len(properties) == 7 and properties[2].integer() == CERTIFICATES_BY_DIGEST:
        digests = tuple(_digest_entry(item) for item in listing)
    elif len(properties) == 7 and properties[2].integer() != CERTIFICATES_WHOLE:
        raise DerMalformed(remedy="印章中的证书列表类型未知")
    else:
        certificates = tuple(_certificate(item) for item in listing)
    return Seal(
        raw=element.raw,
        version=header[1].integer(),
        vendor=header[2].text(),
        seal_id=fields[1].text(),
        name=properties[1].text(),
        certificates=certificates,
        digests=digests,
        created_at=properties[-3].time(),
        valid_from=properties[-2].time(),
        valid_until=properties[-1].time(),
        maker_certificate=_certificate(certificate),
        maker_oid=oid.oid(),
        maker_signature=signature.bits(),
        maker_tbs=maker_tbs,
        timestamped=timestamped,
    )


def _digest_entry(element: Element) -> tuple[str, bytes]:
    parts = element.expect(Tag.SEQUENCE).children()
    if len(parts) != 2:
        raise DerMalformed(remedy="印章中的证书摘要结构不符")
    return parts[0].text(), parts[1].octets()


def _certificate(element: Element) -> bytes:
    """A certificate in an OCTET STRING as the standards say, or bare as some writers put it."""
    return element.octets() if element.tag == Tag.OCTET_STRING else element.expect(Tag.SEQUENCE).raw


def _bits_or_octets(element: Element) -> bytes:
    return element.octets() if element.tag == Tag.OCTET_STRING else element.bits()


def _time_or_none(element: Element) -> datetime | None:
    try:
        return element.time()
    except DerMalformed:
        return None


def _legacy_time(element: Element) -> datetime | None:
    """V1 puts a UTCTime, its bare text, or a time stamp token into a BIT STRING; a token is not judged here."""
    if element.tag in (Tag.UTC_TIME, Tag.GENERALIZED_TIME):
        return _time_or_none(element)
    content = _bits_or_octets(element)
    try:
        return parse(content).time()
    except DerMalformed:
        pass
    try:
        return parse_time(content, century=len(content) >= 15)
    except DerMalformed:
        return None
