"""DER (X.690), as far as certificates, lists, answers and seals need it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from .errors import Refused
from .work import spend

_MAX_IDENTIFIER: Final = 64
MAX_CHILDREN: Final = 4096


@dataclass(frozen=True, slots=True)
class Der:
    """One element: its tag, its content, and all its bytes."""

    tag: int
    content: bytes
    raw: bytes

    def children(self) -> list["Der"]:
        """The elements in a constructed one, at most ``MAX_CHILDREN``. Raises ``Refused``."""
        found: list[Der] = []
        for each in self.stream():
            if len(found) == MAX_CHILDREN:
                raise Refused("DER: more elements than are read")
            found.append(each)
        return found

    def stream(self) -> Iterator["Der"]:
        """Them one by one, however many. Raises ``Refused``."""
        if not self.tag & 0x20:
            raise Refused("DER: not constructed")
        at = 0
        while at < len(self.content):
            element = der_first(self.content, at)
            at += len(element.raw)
            yield element

    def expect(self, tag: int) -> "Der":
        """Itself, where it has that tag. Raises ``Refused``."""
        if self.tag != tag:
            raise Refused("DER: another element was expected")
        return self

    def number(self) -> int:
        """An INTEGER or ENUMERATED."""
        return int.from_bytes(self.content, signed=True)

    def oid(self) -> str:
        """An OBJECT IDENTIFIER in dotted form. Raises ``Refused``."""
        content = self.expect(0x06).content
        if len(content) > _MAX_IDENTIFIER:
            raise Refused("DER: an identifier of an unreasonable length")
        numbers, value = [], 0
        for octet in content:
            value = value << 7 | octet & 0x7F
            if not octet & 0x80:
                numbers.append(value)
                value = 0
        if not numbers or content[-1] & 0x80:
            raise Refused("DER: not an identifier")
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))

    def time(self) -> datetime:
        """UTCTime or GeneralizedTime in UTC. Raises ``Refused``."""
        try:
            text = self.content.decode("ascii")
            if self.tag == 0x17:
                text = ("20" if int(text[:2]) < 50 else "19") + text
            elif self.tag != 0x18:
                raise ValueError
            if len(text) != 15 or not text[:14].isdigit() or text[14] != "Z":
                raise ValueError
            month, day, hour, minute, second = (int(text[i : i + 2]) for i in range(4, 14, 2))
            return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            raise Refused("DER: not a time") from None

    def bits(self) -> frozenset[int]:
        """The set bits of a BIT STRING."""
        content = self.expect(0x03).content[1:]
        return frozenset(8 * i + b for i, octet in enumerate(content) for b in range(8) if octet << b & 0x80)


def der_first(data: bytes, at: int = 0) -> Der:
    """The element that begins at ``at``. Raises ``Refused``."""
    spend("elements")
    if len(data) < at + 2 or data[at] & 0x1F == 0x1F:
        raise Refused("DER: cut off")
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or len(data) < start + count:
            raise Refused("DER: a length that is not allowed")
        length = int.from_bytes(data[start : start + count])
        if length < 0x80 or (count > 1 and not data[start]):
            raise Refused("DER: a length that is not the shortest")
        start += count
    if len(data) < start + length:
        raise Refused("DER: cut off")
    return Der(data[at], data[start : start + length], data[at : start + length])


def der_whole(data: bytes) -> Der:
    """The one element that ``data`` is. Raises ``Refused``."""
    element = der_first(data)
    if len(element.raw) != len(data):
        raise Refused("DER: followed by other bytes")
    return element
