"""DER, written only: what the mock's SM2 certificates and seals are encoded with (X.690 §8 to §11).

It shares no line with the gateway's encoder, so that neither can hide a mistake of the other.
"""

import base64
from datetime import UTC, datetime

SEQUENCE, SET = 0x30, 0x31
CONTEXT_0, CONTEXT_3 = 0xA0, 0xA3


def tlv(tag: int, *contents: bytes) -> bytes:
    """One value: ``tag``, length, the contents one after another."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def sequence(*contents: bytes) -> bytes:
    """SEQUENCE (OF) of encoded values."""
    return tlv(SEQUENCE, *contents)


def integer(value: int) -> bytes:
    """INTEGER, not negative."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def true() -> bytes:
    """BOOLEAN, TRUE: what is false is left out."""
    return tlv(0x01, b"\xff")


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(0x06, *(_base128(arc) for arc in (40 * first + second, *rest)))


def bits(data: bytes) -> bytes:
    """BIT STRING of whole octets."""
    return tlv(0x03, b"\x00", data)


def octets(data: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(0x04, data)


def utf8(text: str) -> bytes:
    """UTF8String."""
    return tlv(0x0C, text.encode())


def ia5(text: str) -> bytes:
    """IA5String. Raises ``UnicodeEncodeError`` for what is not ASCII."""
    return tlv(0x16, text.encode("ascii"))


def generalized_time(at: datetime) -> bytes:
    """GeneralizedTime in UTC, whole seconds; ``at`` is aware."""
    return tlv(0x18, at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())


def x509_time(at: datetime) -> bytes:
    """Time as X.509 has it (RFC 5280 §4.1.2.5): UTCTime until 2049, GeneralizedTime from then on."""
    if at.astimezone(UTC).year >= 2050:
        return generalized_time(at)
    return tlv(0x17, at.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def pem(label: str, encoded: bytes) -> bytes:
    """PEM text (RFC 7468)."""
    text = base64.b64encode(encoded).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def _base128(arc: int) -> bytes:
    septets = [arc & 0x7F]
    while arc := arc >> 7:
        septets.append(0x80 | arc & 0x7F)
    return bytes(reversed(septets))
