"""Times in seals: GeneralizedTime by GB/T 38540, UTCTime by GM/T 0031, and what writers make of both.

A time without a zone is read as Beijing time, the one legal time of China, and said to be so; fractions of a second are
dropped. What cannot be read is no time, never a guessed one.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.clock import CHINA_TIME
from gateway.crypto.der import Element, Tag, parse, parse_time
from gateway.crypto.errors import DerMalformed

_FRACTION: Final = re.compile(rb"(\d{12,14})[.,]\d{1,9}(Z|[+-]\d{4})?")
_SPELT: Final = re.compile(rb"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(Z?)")
_LOCAL: Final = re.compile(rb"\d{12}(?:\d{2})?")
_TIMES: Final = (Tag.UTC_TIME, Tag.GENERALIZED_TIME)


@dataclass(frozen=True, slots=True)
class SealTime:
    """``at`` is aware UTC; ``zoned`` is False where the writer named no zone."""

    at: datetime
    zoned: bool = True


def seal_time(element: Element) -> SealTime:
    """A UTCTime or GeneralizedTime, alone or as bare text in a BIT STRING or OCTET STRING. Raises `DerMalformed`."""
    if element.tag in _TIMES:
        return _read(element.content, century=element.tag == Tag.GENERALIZED_TIME)
    content = wrapped(element)
    try:
        inner = parse(content)
    except DerMalformed:
        return _read(content, century=False)
    return _read(inner.expect(*_TIMES).content, century=inner.tag == Tag.GENERALIZED_TIME)


def wrapped(element: Element) -> bytes:
    """The octets of a BIT STRING, or of an OCTET STRING as some writers put in its place. Raises `DerMalformed`."""
    return element.octets() if element.tag == Tag.OCTET_STRING else element.bits()


def _read(content: bytes, *, century: bool) -> SealTime:
    """Fourteen digits show a whole year wherever they stand; fewer do only in a GeneralizedTime."""
    spelt = _SPELT.fullmatch(content)
    if spelt:
        content = b"".join(spelt.groups())
    century = century or (len(content) >= 14 and content[:14].isdigit())
    fraction = _FRACTION.fullmatch(content)
    if fraction:
        content = fraction.group(1) + (fraction.group(2) or b"")
    if _LOCAL.fullmatch(content):
        local = parse_time(content + b"Z", century=century).replace(tzinfo=CHINA_TIME)
        try:
            return SealTime(local.astimezone(UTC), zoned=False)
        except OverflowError:
            raise DerMalformed(remedy="时间不存在") from None
    return SealTime(parse_time(content, century=century))
