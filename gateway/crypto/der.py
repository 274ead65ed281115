"""A small strict DER reader: it walks tag-length-value triples and keeps the original bytes of each.

Signatures are made over bytes, so nothing here is decoded and encoded again. X.690 §10 as far as seals and certificates
need it: one-byte tags, definite lengths in their shortest form, nothing left over. Depth is the caller's: each call
opens one level, so that no input can make it recurse.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

from gateway.crypto.errors import DerMalformed

MAX_ELEMENTS = 4096
"""Children read from one constructed element; a seal has a handful."""


class Tag(IntEnum):
    """The identifier octets that seals and certificates use (X.680 §8)."""

    BOOLEAN = 0x01
    INTEGER = 0x02
    BIT_STRING = 0x03
    OCTET_STRING = 0x04
    NULL = 0x05
    OBJECT_IDENTIFIER = 0x06
    UTF8_STRING = 0x0C
    PRINTABLE_STRING = 0x13
    IA5_STRING = 0x16
    UTC_TIME = 0x17
    GENERALIZED_TIME = 0x18
    SEQUENCE = 0x30
    SET = 0x31
    CONTEXT_0 = 0xA0
    CONTEXT_1 = 0xA1
    CONTEXT_3 = 0xA3


@dataclass(frozen=True, slots=True)
class Element:
    """One TLV: its identifier octet, its content, and ``raw``, the very bytes it was read from."""

    tag: int
    content: bytes
    raw: bytes

    def children(self) -> tuple["Element", ...]:
        """The elements inside a constructed one, in order. Raises `DerMalformed`."""
        if not self.tag & 0x20:
            raise DerMalformed(remedy="DER 结构不符：此处应为构造类型")
        found: list[Element] = []
        offset = 0
        while offset < len(self.content):
            if len(found) == MAX_ELEMENTS:
                raise DerMalformed(remedy="DER 元素数量超过上限")
            child, offset = _read(self.content, offset)
            found.append(child)
        return tuple(found)

    def expect(self, *tags: int) -> "Element":
        """Itself when its tag is one of ``tags``. Raises `DerMalformed`."""
        if self.tag not in tags:
            raise DerMalformed(remedy="DER 结构不符：元素类型与标准不一致")
        return self

    def integer(self) -> int:
        """The value of an INTEGER in its shortest form. Raises `DerMalformed`."""
        self.expect(Tag.INTEGER)
        content = self.content
        if not content:
            raise DerMalformed(remedy="DER 整数为空")
        redundant = len(content) > 1 and (
            (content[0] == 0x00 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80)
        )
        if redundant:
            raise DerMalformed(remedy="DER 整数不是最短编码")
        return int.from_bytes(content, "big", signed=True)

    def bits(self) -> bytes:
        """The octets of a BIT STRING without unused bits. Raises `DerMalformed`."""
        self.expect(Tag.BIT_STRING)
        if not self.content or self.content[0] != 0:
            raise DerMalformed(remedy="DER 比特串不是整字节")
        return self.content[1:]

    def octets(self) -> bytes:
        """The content of an OCTET STRING. Raises `DerMalformed`."""
        return self.expect(Tag.OCTET_STRING).content

    def oid(self) -> str:
        """An OBJECT IDENTIFIER in dotted form. Raises `DerMalformed`."""
        content = self.expect(Tag.OBJECT_IDENTIFIER).content
        if not content or len(content) > 64 or content[-1] & 0x80:
            raise DerMalformed(remedy="DER 对象标识符不完整")
        arcs: list[int] = []
        value = 0
        for position, octet in enumerate(content):
            if octet == 0x80 and value == 0 and (position == 0 or not content[position - 1] & 0x80):
                raise DerMalformed(remedy="DER 对象标识符不是最短编码")
            value = (value << 7) | (octet & 0x7F)
            if not octet & 0x80:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))

    def text(self) -> str:
        """A character string for people to read; what cannot be decoded is shown as U+FFFD, never refused."""
        return self.content.decode("utf-16-be" if self.tag == 0x1E else "utf-8", errors="replace")

    def time(self) -> datetime:
        """A UTCTime or GeneralizedTime as aware UTC (RFC 5280 §4.1.2.5). Raises `DerMalformed`."""
        self.expect(Tag.UTC_TIME, Tag.GENERALIZED_TIME)
        return parse_time(self.content, century=self.tag == Tag.GENERALIZED_TIME)


def parse(data: bytes) -> Element:
    """The one element that ``data`` holds. Raises `DerMalformed` when it is cut short or bytes are left over."""
    element, end = _read(data, 0)
    if end != len(data):
        raise DerMalformed(remedy="DER 数据后有多余字节")
    return element


def parse_time(content: bytes, *, century: bool) -> datetime:
    """``[YY]YYMMDDhhmmss`` followed by ``Z`` or ``±hhmm`` (seen in seals), as aware UTC.

    Raises `DerMalformed`; a time that names no zone is refused, not guessed.
    """
    digits = 14 if century else 12
    head, zone = content[:digits], content[digits:]
    if len(head) != digits or not head.isdigit():
        raise DerMalformed(remedy="时间格式不符合标准")
    try:
        if century:
            local = datetime.strptime(head.decode(), "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows below
        else:
            year = int(head[:2])
            full = f"{1900 + year if year >= 50 else 2000 + year}{head[2:].decode()}"
            local = datetime.strptime(full, "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows below
        if zone == b"Z":
            return local.replace(tzinfo=UTC)
        if len(zone) == 5 and zone[:1] in (b"+", b"-") and zone[1:].isdigit():
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
            return local.replace(tzinfo=timezone(offset if zone[:1] == b"+" else -offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise DerMalformed(remedy="时间不存在") from None
    raise DerMalformed(remedy="时间没有标明时区")


def parse_integer_pair(data: bytes) -> tuple[int, int]:
    """``SEQUENCE { r INTEGER, s INTEGER }``, both positive: an ECDSA or SM2 signature. Raises `DerMalformed`.

    Read by offsets, without an `Element` for each part: this stands on the path of every certificate.
    """
    try:
        start = 2 if data[1] < 0x80 else 3
        size, r_size = data[start - 1], data[start + 1]
        middle = start + 2 + r_size
        s_size = data[middle + 1]
        shortest = start == 2 or (data[1] == 0x81 and size >= 0x80)
        framed = start + size == len(data) == middle + 2 + s_size and r_size < 0x80 and s_size < 0x80
        tagged = data[0] == Tag.SEQUENCE and data[start] == data[middle] == Tag.INTEGER
    except IndexError:
        raise DerMalformed(remedy="DER 数据不完整") from None
    if not (shortest and framed and tagged):
        raise DerMalformed(remedy="签名值结构不符")
    return _positive(data[start + 2 : middle]), _positive(data[middle + 2 :])


def _positive(content: bytes) -> int:
    """The content of a positive INTEGER in its shortest form."""
    if not content or content[0] >= 0x80 or (content[0] == 0 and (len(content) == 1 or content[1] < 0x80)):
        raise DerMalformed(remedy="签名值超出范围，或不是最短编码")
    return int.from_bytes(content, "big")


def encode(tag: int, *contents: bytes) -> bytes:
    """One TLV around the joined ``contents``: the writer's side, for structures that are signed re-assembled."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def encode_integer(value: int) -> bytes:
    """A non-negative INTEGER in its shortest form."""
    return encode(Tag.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _read(data: bytes, offset: int) -> tuple[Element, int]:
    if offset + 2 > len(data):
        raise DerMalformed(remedy="DER 数据不完整")
    tag, size = data[offset], data[offset + 1]
    if tag & 0x1F == 0x1F:
        raise DerMalformed(remedy="DER 元素类型不受支持")
    start = offset + 2
    if size == 0x80 or size > 0x84:
        raise DerMalformed(remedy="DER 长度不是确定形式")
    if size > 0x80:
        width = size & 0x7F
        encoded = data[start : start + width]
        size = int.from_bytes(encoded, "big")
        start += width
        if len(encoded) != width or encoded[0] == 0 or size < 0x80:
            raise DerMalformed(remedy="DER 长度不是最短编码")
    end = start + size
    if end > len(data):
        raise DerMalformed(remedy="DER 数据不完整")
    return Element(tag, data[start:end], data[offset:end]), end
