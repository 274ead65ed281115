"""X.500 names as bytes: compared by RFC 5280 §7.1, shown to people, and read attribute by attribute.

Real certificates carry names that stricter parsers refuse. A name that cannot be read is still equal to itself byte for
byte, and to nothing else.
"""

import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from gateway.crypto.der import Element, Tag, encode, parse
from gateway.crypto.errors import DerMalformed
from gateway.wording.phrases import Phrase

ORGANIZATION_IDENTIFIER: Final = "2.5.4.97"
ORGANIZATION_NAME: Final = "2.5.4.10"
EMAIL_ADDRESS: Final = "1.2.840.113549.1.9.1"
MALFORMED_NAME: Final = "（名称编码异常）"
EMPTY_NAME: Final = b"\x30\x00"
MAX_NAME_BYTES: Final = 4096
"""A longer name counts as one that cannot be read: folding may make text eighteen times as long, and keys are kept."""

_SHORT: Final = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    ORGANIZATION_NAME: "O",
    "2.5.4.11": "OU",
    ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    EMAIL_ADDRESS: "emailAddress",
    "0.9.2342.19200300.100.1.25": "DC",
}
_CODECS: Final = {
    Tag.UTF8_STRING: "utf-8",
    0x12: "ascii",
    Tag.PRINTABLE_STRING: "ascii",
    0x14: "latin-1",
    Tag.IA5_STRING: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""How strings are written (X.520): besides those of `Tag`, Numeric, Teletex, Visible, Universal and BMP strings."""
_DROPPED: Final = frozenset("\u00ad\u1806\u034f\u200b\ufffc\ufeff")
"""Characters that RFC 4518 §2.2 maps to nothing, besides the control and variation ones."""

Attribute = tuple[str, str | bytes]
NameKey = tuple[frozenset[Attribute], ...] | bytes


class GeneralNameKind(IntEnum):
    """The identifier octets of GeneralName (RFC 5280 §4.2.1.6)."""

    OTHER = 0xA0
    RFC822 = 0x81
    DNS = 0x82
    X400 = 0xA3
    DIRECTORY = 0xA4
    EDI_PARTY = 0xA5
    URI = 0x86
    IP = 0x87
    REGISTERED_ID = 0x88


@dataclass(frozen=True, slots=True)
class GeneralName:
    """One GeneralName. ``value`` is its content; for a directory name the Name in DER."""

    kind: GeneralNameKind
    value: bytes

    def text(self) -> str | None:
        """The ASCII text of a mailbox, DNS name or URI, None for another form or other characters."""
        if self.kind not in (GeneralNameKind.RFC822, GeneralNameKind.DNS, GeneralNameKind.URI):
            return None
        return self.value.decode("ascii") if self.value.isascii() else None


def same_name(one: bytes, other: bytes) -> bool:
    """Whether two DER names are the same by RFC 5280 §7.1: regardless of case, spacing and string type."""
    return one == other or name_key(one) == name_key(other)


def name_key(name: bytes) -> NameKey:
    """What equal names have in common: the folded attributes by RDN, or the bytes of a name that cannot be read."""
    return name if len(name) > MAX_NAME_BYTES else _kept_key(name)


@lru_cache(maxsize=2048)
def _kept_key(name: bytes) -> NameKey:
    try:
        return tuple(frozenset(_folded(each) for each in group) for group in _groups(name))
    except DerMalformed:
        return name


def within(name: bytes, base: bytes) -> bool:
    """Whether ``name`` is ``base`` or lies in the subtree below it. Raises `DerMalformed` when either is unreadable."""
    inner, outer = name_key(name), name_key(base)
    if isinstance(inner, bytes) or isinstance(outer, bytes):
        raise DerMalformed(remedy="名称编码异常，无法判断名称约束")
    return inner[: len(outer)] == outer


def relative_to(base: bytes, relative: bytes) -> bytes:
    """The name ``base`` with one RDN appended: ``relative`` is the SET's content (RFC 5280 §4.2.1.13).

    Raises `DerMalformed`.
    """
    content = parse(base).expect(Tag.SEQUENCE).content + encode(Tag.SET, relative)
    return encode(Tag.SEQUENCE, content)


def attribute(name: bytes, oid: str) -> str | None:
    """The value of ``oid`` in a DER name, None unless it stands there exactly once and the name can be read."""
    try:
        values = [value.text() for group in _groups(name) for found, value in group if found == oid]
    except DerMalformed:
        return None
    return values[0] if len(values) == 1 else None


def mailboxes(name: bytes) -> tuple[GeneralName, ...]:
    """The emailAddress attributes of a DER name: mail constraints bind them too. Raises `DerMalformed`."""
    found = [value for group in _groups(name) for oid, value in group if oid == EMAIL_ADDRESS]
    return tuple(GeneralName(GeneralNameKind.RFC822, value.content) for value in found)


def name_text(name: bytes) -> str:
    """A DER name as ``CN=…, O=…`` for people to read; a malformed one is shown as such, never refused."""
    try:
        return ", ".join(f"{_SHORT.get(oid, oid)}={value.text()}" for group in _groups(name) for oid, value in group)
    except DerMalformed:
        return MALFORMED_NAME


def general_names(content: bytes) -> tuple[GeneralName, ...]:
    """The GeneralNames whose SEQUENCE (or implicit tag) has ``content``. Raises `DerMalformed`, also when empty."""
    found = tuple(general_name(each) for each in Element(Tag.SEQUENCE, content, b"").children())
    if not found:
        raise DerMalformed(remedy="名称列表为空")
    return found


def general_name(element: Element) -> GeneralName:
    """One GeneralName. Raises `DerMalformed`."""
    try:
        kind = GeneralNameKind(element.tag)
    except ValueError:
        raise DerMalformed(remedy="名称类型不符合标准") from None
    if kind is GeneralNameKind.DIRECTORY:
        return GeneralName(kind, parse(element.content).expect(Tag.SEQUENCE).raw)
    return GeneralName(kind, element.content)


def _groups(name: bytes) -> tuple[tuple[tuple[str, Element], ...], ...]:
    """The attributes by RDN. Raises `DerMalformed`."""
    if len(name) > MAX_NAME_BYTES:
        raise DerMalformed(remedy=Phrase("名称不得超过 {most} 字节", most=MAX_NAME_BYTES))
    return _kept_groups(name)


@lru_cache(maxsize=1024)
def _kept_groups(name: bytes) -> tuple[tuple[tuple[str, Element], ...], ...]:
    groups = []
    for relative in parse(name).expect(Tag.SEQUENCE).children():
        group = []
        for each in relative.expect(Tag.SET).children():
            parts = each.expect(Tag.SEQUENCE).children()
            if len(parts) != 2:
                raise DerMalformed(remedy="名称属性结构不符")
            group.append((parts[0].oid(), parts[1]))
        if not group:
            raise DerMalformed(remedy="名称属性为空")
        groups.append(tuple(group))
    return tuple(groups)


def _folded(attribute: tuple[str, Element]) -> Attribute:
    oid, value = attribute
    codec = _CODECS.get(value.tag)
    if codec is None:
        return oid, value.raw
    try:
        return oid, fold(value.content.decode(codec))
    except UnicodeDecodeError:
        return oid, value.raw


def fold(text: str) -> str:
    """``text`` prepared for comparison as RFC 4518 §2 has it: NFKC, lower case, spaces trimmed and single."""
    if not text.isascii():
        kept = (each for each in text if each not in _DROPPED and unicodedata.category(each) != "Cf")
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", "".join(kept)).casefold())
    return " ".join(text.lower().split())
