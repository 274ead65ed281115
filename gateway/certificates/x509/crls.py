"""Certificate revocation lists as bytes: read, bounded, and looked up without an object for every entry. RFC 5280 §5.

Nothing in a list is proved here: `crl_judgement` finds its issuer's key, its scope and its age.
"""

import hashlib
import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from gateway.certificates.x509 import extensions as ext
from gateway.certificates.x509.extensions import DistributionPoint, Extension
from gateway.crypto.der import Element, Tag, parse
from gateway.crypto.errors import DerMalformed
from gateway.wording.phrases import Phrase

MAX_CRL_BYTES: Final = 4 * 1024 * 1024
MAX_CRITICAL_MARKS: Final = 8192
"""Places in a list that may hold a critical entry extension; with more of them it is not used."""

CRL_NUMBER: Final = "2.5.29.20"
REASON_CODE: Final = "2.5.29.21"
DELTA_INDICATOR: Final = "2.5.29.27"
ISSUING_POINT: Final = "2.5.29.28"
_MARKED_CRITICAL: Final = re.compile(rb"\x01\x01[^\x00]\x04", re.DOTALL)
"""A BOOLEAN that is true with an OCTET STRING behind it: how a critical extension is written."""
_CERTIFICATE_ISSUER_DER: Final = bytes.fromhex("0603551d1d")

ALL_REASONS: Final = frozenset(range(1, 9))
"""The bits of ReasonFlags (§4.2.1.13) that a complete answer must cover; bit 0 is unused."""
REMOVE_FROM_CRL: Final = 8
"""A code of CRLReason (§5.3.1) that delta lists alone use."""


@dataclass(frozen=True, slots=True)
class IssuingPoint:
    """What a list covers (§5.2.5). ``point`` None: no distribution point is named; ``reasons`` None: all."""

    point: DistributionPoint | None = None
    users: bool = False
    authorities: bool = False
    attributes: bool = False
    indirect: bool = False
    reasons: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One revoked certificate. ``reason`` None is unspecified."""

    revoked_at: datetime
    reason: int | None


@dataclass(frozen=True, slots=True, eq=False)
class RevocationList:
    """A parsed list. ``number`` and ``base`` are cRLNumber and the base of a delta list; ``scope`` is its IDP.

    ``usable`` is false where it is indirect or holds something critical that is not understood.
    """

    encoded: bytes
    digest: bytes
    body: slice
    algorithm: bytes
    signature: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    number: int | None
    base: int | None
    scope: IssuingPoint
    scope_key: bytes
    authority_key_id: bytes | None
    usable: bool
    entries: "Entries"

    @property
    def signed(self) -> bytes:
        """The tbsCertList as it was signed: cut out when asked for, lists being large."""
        return self.encoded[self.body]


class Entries:
    """The entries of a list, left in the bytes they came in, with four bytes of index for each."""

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        """Raises `DerMalformed` when ``data[begin:end]`` is no sequence of entries."""
        self._data, self._begin, self._limit = data, begin, end
        self._starts = _starts(data, begin, end)

    def __len__(self) -> int:
        return len(self._starts)

    def find(self, serial: bytes) -> list[Entry]:
        """Every entry for ``serial`` (an INTEGER in DER). Raises `DerMalformed` when one of them is broken."""
        found, at = [], self._data.find(serial, self._begin, self._limit)
        while at >= 0:
            position = bisect_right(self._starts, at) - 1
            if self._serial_at(position) == at:
                found.append(_entry(self._element(position)))
            at = self._data.find(serial, at + 1, self._limit)
        return found

    def names_issuers(self) -> bool:
        """Whether some entry may speak of another issuer's certificate (§5.3.3), as in indirect lists."""
        return self._data.find(_CERTIFICATE_ISSUER_DER, self._begin, self._limit) >= 0

    def understood(self) -> bool:
        """Whether no entry holds a critical extension that is not understood (§5.3), whomever it is about."""
        seen = -1
        for count, mark in enumerate(_MARKED_CRITICAL.finditer(self._data, self._begin, self._limit)):
            position = bisect_right(self._starts, mark.start()) - 1
            if position == seen:
                continue
            if count >= MAX_CRITICAL_MARKS:
                return False
            seen = position
            found = _entry_extensions(self._element(position))
            if any(each.critical for each in found.values()):
                return False
        return True

    def _serial_at(self, position: int) -> int:
        start = self._starts[position]
        size = self._data[start + 1]
        return start + 2 + (size & 0x7F if size & 0x80 else 0)

    def _end(self, position: int) -> int:
        return self._starts[position + 1] if position + 1 < len(self._starts) else self._limit

    def _element(self, position: int) -> Element:
        return parse(self._data[self._starts[position] : self._end(position)])


@lru_cache(maxsize=32)
def load_crl(encoded: bytes) -> RevocationList:
    """Parse one DER list, of version 1 or 2. Raises `DerMalformed`."""
    if len(encoded) > MAX_CRL_BYTES:
        raise DerMalformed(remedy=Phrase("吊销列表不得超过 {most} 字节", most=MAX_CRL_BYTES))
    outer = parse(encoded).expect(Tag.SEQUENCE)
    parts = outer.children()
    if len(parts) != 3:
        raise DerMalformed(remedy="吊销列表不符合 X.509")
    signed, algorithm, signature = parts
    begin = len(encoded) - len(outer.content)
    fields = list(signed.expect(Tag.SEQUENCE).children())
    version = 1
    if fields and fields[0].tag == Tag.INTEGER:
        version = fields.pop(0).integer() + 1
        if version != 2:
            raise DerMalformed(remedy="吊销列表版本不符合 X.509")
    if len(fields) < 3 or fields[0].raw != algorithm.raw:
        raise DerMalformed(remedy="吊销列表不符合 X.509")
    rest = fields[3:]
    next_update = rest.pop(0).time() if rest and rest[0].tag in (Tag.UTC_TIME, Tag.GENERALIZED_TIME) else None
    end = begin + len(signed.raw) - sum(len(field.raw) for field in rest[1:])
    revoked = rest.pop(0) if rest and rest[0].tag == Tag.SEQUENCE else None
    entries = Entries(encoded, end - len(revoked.content), end) if revoked else Entries(encoded, 0, 0)
    found = _extensions(version, rest)
    number, base = _number(found.get(CRL_NUMBER)), _number(found.get(DELTA_INDICATOR))
    scope_value = found[ISSUING_POINT].value if ISSUING_POINT in found else b""
    scope = _issuing_point(scope_value) if ISSUING_POINT in found else IssuingPoint()
    key_id = ext.authority_key_id(found[ext.AUTHORITY_KEY_ID].value) if ext.AUTHORITY_KEY_ID in found else None
    known = all(each.oid in _MAY_BE_CRITICAL for each in found.values() if each.critical)
    own = not scope.indirect and not entries.names_issuers()
    return RevocationList(
        encoded=encoded,
        digest=crl_digest(encoded),
        body=slice(begin, begin + len(signed.raw)),
        algorithm=algorithm.raw,
        signature=signature.bits(),
        issuer=fields[1].expect(Tag.SEQUENCE).raw,
        this_update=fields[2].time(),
        next_update=next_update,
        number=number,
        base=base,
        scope=scope,
        scope_key=scope_value,
        authority_key_id=key_id,
        usable=known and own and entries.understood(),
        entries=entries,
    )


@lru_cache(maxsize=64)
def crl_digest(encoded: bytes) -> bytes:
    """SHA-256 of a list's bytes. Lists are large and the same object comes again and again, so it is found once."""
    return hashlib.sha256(encoded).digest()


_MAY_BE_CRITICAL: Final = frozenset({ISSUING_POINT, DELTA_INDICATOR})
"""cRLNumber and the key identifier must not be (§5.2.1, §5.2.3)."""


def _extensions(version: int, fields: list[Element]) -> dict[str, Extension]:
    if not fields:
        return {}
    if version != 2 or len(fields) != 1 or fields[0].tag != Tag.CONTEXT_0:
        raise DerMalformed(remedy="吊销列表的字段与其版本不符")
    inner = fields[0].children()
    if len(inner) != 1:
        raise DerMalformed(remedy="吊销列表不符合 X.509")
    return ext.read_extensions(inner[0])


def _number(extension: Extension | None) -> int | None:
    if extension is None:
        return None
    number = parse(extension.value).integer()
    if number < 0:
        raise DerMalformed(remedy="吊销列表编号为负")
    return number


def _issuing_point(value: bytes) -> IssuingPoint:
    listed = parse(value).expect(Tag.SEQUENCE).children()
    fields = {each.tag: each for each in listed}
    if [each.tag for each in listed] != [tag for tag in (0xA0, 0x81, 0x82, 0x83, 0x84, 0x85) if tag in fields]:
        raise DerMalformed(remedy="吊销列表的签发分发点结构不符")

    def flag(tag: int) -> bool:
        return tag in fields and ext.boolean(Element(Tag.BOOLEAN, fields[tag].content, b""))

    return IssuingPoint(
        point=ext.point_name(fields[0xA0]) if 0xA0 in fields else None,
        users=flag(0x81),
        authorities=flag(0x82),
        attributes=flag(0x85),
        indirect=flag(0x84),
        reasons=ext.bit_numbers(fields[0x83]) if 0x83 in fields else None,
    )


def _starts(data: bytes, offset: int, end: int) -> "array[int]":
    """Where each entry begins. Entries are walked by their lengths alone; what is in one is read when it is wanted."""
    starts = array("I")
    try:
        while offset < end:
            length, begin = data[offset + 1], offset + 2
            if length & 0x80:
                width = length & 0x7F
                if not 1 <= width <= 3:
                    raise DerMalformed(remedy="吊销列表条目结构不符")
                length = int.from_bytes(data[begin : begin + width])
                begin += width
            if data[offset] != Tag.SEQUENCE or data[begin] != Tag.INTEGER or begin + length > end:
                raise DerMalformed(remedy="吊销列表条目结构不符")
            # A number that is not in its shortest form, or says its length in another, would be there and not be found.
            if data[begin + 1] & 0x80:
                raise DerMalformed(remedy="吊销列表中的序列号过长，或其长度不是最短编码")
            if data[begin + 2] in (0x00, 0xFF) and data[begin + 1] > 1 and (data[begin + 2] ^ data[begin + 3]) < 0x80:
                raise DerMalformed(remedy="吊销列表中的序列号不是最短编码")
            starts.append(offset)
            offset = begin + length
    except IndexError:
        raise DerMalformed(remedy="吊销列表条目不完整") from None
    return starts


def _entry(element: Element) -> Entry:
    parts = element.expect(Tag.SEQUENCE).children()
    if not 2 <= len(parts) <= 3:
        raise DerMalformed(remedy="吊销列表条目结构不符")
    found = ext.read_extensions(parts[2]) if len(parts) == 3 else {}
    reason = parse(found[REASON_CODE].value).expect(_ENUMERATED) if REASON_CODE in found else None
    return Entry(
        revoked_at=parts[1].time(),
        reason=None if reason is None else int.from_bytes(reason.content),
    )


def _entry_extensions(element: Element) -> dict[str, Extension]:
    parts = element.expect(Tag.SEQUENCE).children()
    return ext.read_extensions(parts[2]) if len(parts) == 3 else {}


_ENUMERATED: Final = 0x0A
