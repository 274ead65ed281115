"""Writes certificates, revocation lists and OCSP responses byte by byte: honest by default, wrong on request.

`cryptography` refuses to build most of what a hostile CA may send; this writer does not know better. Keys are P-256, or
SM2 where asked. Names are common names, or whole DER names. Test keys only, made on the fly.
"""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding as KeyEncoding
from cryptography.hazmat.primitives.serialization import PublicFormat

from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode, parse
from gateway.crypto.signatures import Encoding, sign

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | sm2.Sm2PrivateKey
_serials = itertools.count(1000)


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | (arc & 0x7F))
        content += bytes(reversed(groups))
    return encode(Tag.OBJECT_IDENTIFIER, content)


def seq(*items: bytes) -> bytes:
    return encode(Tag.SEQUENCE, *items)


def integer(value: int) -> bytes:
    length = (value + (value < 0)).bit_length() // 8 + 1
    return encode(Tag.INTEGER, value.to_bytes(length, "big", signed=True))


def octets(value: bytes) -> bytes:
    return encode(Tag.OCTET_STRING, value)


def bits(*numbers: int) -> bytes:
    """Named bits as DER has them: no trailing zeros."""
    if not numbers:
        return b"\x03\x01\x00"
    value = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        value[number // 8] |= 0x80 >> number % 8
    return encode(Tag.BIT_STRING, bytes([7 - max(numbers) % 8]), bytes(value))


def rdn(attribute: str, value: str, tag: int = Tag.UTF8_STRING) -> bytes:
    return encode(Tag.SET, seq(oid(attribute), encode(tag, value.encode())))


def name(text: str | bytes, **more: str) -> bytes:
    """CN=``text``, or DER as it is. ``o``, ``email`` and ``code`` add an RDN each before it."""
    if isinstance(text, bytes):
        return text
    known = {"o": "2.5.4.10", "email": "1.2.840.113549.1.9.1", "code": "2.5.4.97"}
    return seq(*(rdn(known[key], value) for key, value in more.items()), rdn("2.5.4.3", text))


def utc(at: datetime) -> bytes:
    return encode(Tag.UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())


def generalized(at: datetime) -> bytes:
    return encode(Tag.GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_info(key: Key) -> bytes:
    if isinstance(key, sm2.Sm2PrivateKey):
        return key.public_key.spki
    return key.public_key().public_bytes(KeyEncoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Key) -> bytes:
    return hashlib.sha256(key_info(key)).digest()[:20]


def signature(key: Key, message: bytes) -> tuple[bytes, bytes]:
    """(AlgorithmIdentifier, signature as a BIT STRING) over ``message``."""
    scheme, name_of = ("SM2-SM3", "1.2.156.10197.1.501") if isinstance(key, sm2.Sm2PrivateKey) else ("ES256", _ECDSA)
    return seq(oid(name_of)), encode(Tag.BIT_STRING, b"\x00", sign(scheme, key, message, encoding=Encoding.DER))


_ECDSA = "1.2.840.10045.4.3.2"


def algorithm(key: Key) -> bytes:
    return signature(key, b"")[0]


def signed(body: bytes, key: Key) -> bytes:
    identifier, value = signature(key, body)
    return seq(body, identifier, value)


# Extensions


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    return seq(oid(dotted), b"\x01\x01\xff" if critical else b"", octets(value))


def ca(path_length: int | None = None, *, critical: bool = True) -> bytes:
    length = b"" if path_length is None else integer(path_length)
    return extension("2.5.29.19", seq(b"\x01\x01\xff", length), critical=critical)


def usage(*numbers: int) -> bytes:
    return extension("2.5.29.15", bits(*numbers), critical=True)


def purposes(*dotted: str) -> bytes:
    return extension("2.5.29.37", seq(*map(oid, dotted)))


def policies(*dotted: str) -> bytes:
    return extension("2.5.29.32", seq(*(seq(oid(each)) for each in dotted)))


def mappings(*pairs: tuple[str, str]) -> bytes:
    return extension("2.5.29.33", seq(*(seq(oid(one), oid(other)) for one, other in pairs)), critical=True)


def policy_constraints(explicit: int | None = None, mapping: int | None = None) -> bytes:
    fields = [(0x80, explicit), (0x81, mapping)]
    return extension("2.5.29.36", seq(*(encode(tag, bytes([n])) for tag, n in fields if n is not None)), critical=True)


def inhibit_any(skip: int) -> bytes:
    return extension("2.5.29.54", integer(skip), critical=True)


def dns(text: str) -> bytes:
    return encode(0x82, text.encode())


def mail(text: str) -> bytes:
    return encode(0x81, text.encode())


def uri(text: str) -> bytes:
    return encode(0x86, text.encode())


def ip(value: bytes) -> bytes:
    return encode(0x87, value)


def directory(value: bytes) -> bytes:
    return encode(0xA4, value)


def name_constraints(
    permitted: Sequence[bytes] = (), excluded: Sequence[bytes] = (), *, critical: bool = True
) -> bytes:
    trees = [(0xA0, permitted), (0xA1, excluded)]
    value = seq(*(encode(tag, *(seq(base) for base in bases)) for tag, bases in trees if bases))
    return extension("2.5.29.30", value, critical=critical)


def alternative_names(*names: bytes, critical: bool = False) -> bytes:
    return extension("2.5.29.17", seq(*names), critical=critical)


def point(
    full: Sequence[bytes] = (), relative: bytes = b"", reasons: bytes = b"", issuer: Sequence[bytes] = ()
) -> bytes:
    """A DistributionPoint. ``relative`` is an RDN's content, ``reasons`` a BIT STRING as `bits` writes it."""
    parts = b""
    if full or relative:
        parts += encode(0xA0, encode(0xA0, *full) if full else encode(0xA1, relative))
    if reasons:
        parts += encode(0x81, parse(reasons).content)
    if issuer:
        parts += encode(0xA2, *issuer)
    return seq(parts)


def crl_points(*points: bytes) -> bytes:
    return extension("2.5.29.31", seq(*points))


def ocsp_at(*addresses: str) -> bytes:
    method = oid("1.3.6.1.5.5.7.48.1")
    return extension("1.3.6.1.5.5.7.1.1", seq(*(seq(method, uri(each)) for each in addresses)))


SEAL = usage(0)
CA_USAGE = usage(5, 6)
NO_CHECK = extension("1.3.6.1.5.5.7.48.1.5", b"\x05\x00")


# Certificates


@dataclass
class Entity:
    """A key and its certificate. `issue` certifies another under it."""

    subject: bytes
    key: Key
    certificate: bytes
    serial: int

    def issue(self, subject: str | bytes, *extensions: bytes, **more: object) -> "Entity":
        """A certificate below this one: a seal's unless ``extensions`` say otherwise. See `make`."""
        return make(subject, *extensions, issuer=self, **more)  # type: ignore[arg-type]

    def issue_ca(self, subject: str | bytes, *extensions: bytes, **more: object) -> "Entity":
        """A CA below this one; ``path_length`` as in `ca`."""
        length = more.pop("path_length", None)
        return make(subject, ca(length), CA_USAGE, *extensions, issuer=self, **more)  # type: ignore[arg-type]


def root(subject: str | bytes = "根", *extensions: bytes, **more: object) -> Entity:
    """A self-signed CA."""
    return make(subject, ca(), CA_USAGE, *extensions, **more)  # type: ignore[arg-type]


def make(
    subject: str | bytes,
    *extensions: bytes,
    issuer: Entity | None = None,
    key: Key | None = None,
    key_of: Entity | None = None,
    serial: int | None = None,
    not_before: datetime = AT - 30 * DAY,
    not_after: datetime = AT + 365 * DAY,
    validity: bytes | None = None,
    issuer_name: bytes | None = None,
    version: int | None = 3,
    identifiers: bool = True,
    inner_algorithm: bytes | None = None,
    extra_fields: bytes = b"",
) -> Entity:
    """One certificate. ``identifiers`` adds both key identifiers; ``extra_fields`` stand before the extensions."""
    key = key or (key_of.key if key_of else p256())
    signer = issuer.key if issuer else key
    number = next(_serials) if serial is None else serial
    subject = name(subject)
    found = list(extensions or (SEAL,))
    if identifiers and version == 3:
        found.append(extension("2.5.29.14", octets(key_id(key))))
        found.append(extension("2.5.29.35", seq(encode(0x80, key_id(signer)))))
    body = seq(
        encode(Tag.CONTEXT_0, integer(version - 1)) if version and version > 1 else b"",
        integer(number),
        inner_algorithm or algorithm(signer),
        issuer_name or (issuer.subject if issuer else subject),
        validity or seq(utc(not_before), utc(not_after)),
        subject,
        key_info(key),
        extra_fields,
        encode(Tag.CONTEXT_3, seq(*found)) if version == 3 and found else b"",
    )
    return Entity(subject, key, signed(body, signer), number)


# Revocation lists


@dataclass(frozen=True)
class Revoked:
    """An entry of a list. ``reason`` is a CRLReason code; ``issuer`` writes certificateIssuer."""

    serial: int
    at: datetime = AT - DAY
    reason: int | None = None
    issuer: bytes | None = None
    extensions: tuple[bytes, ...] = field(default=())

    def encoded(self) -> bytes:
        found = list(self.extensions)
        if self.reason is not None:
            found.append(extension("2.5.29.21", encode(0x0A, bytes([self.reason]))))
        if self.issuer is not None:
            found.append(extension("2.5.29.29", seq(directory(self.issuer)), critical=True))
        return seq(integer(self.serial), utc(self.at), seq(*found) if found else b"")


def scope(
    full: Sequence[bytes] = (),
    relative: bytes = b"",
    *,
    users: bool = False,
    authorities: bool = False,
    reasons: bytes = b"",
    indirect: bool = False,
    attributes: bool = False,
) -> bytes:
    """issuingDistributionPoint."""
    parts = b""
    if full or relative:
        parts += encode(0xA0, encode(0xA0, *full) if full else encode(0xA1, relative))
    parts += b"".join(bytes([tag, 1, 0xFF]) for tag, asked in ((0x81, users), (0x82, authorities)) if asked)
    if reasons:
        parts += encode(0x83, parse(reasons).content)
    parts += b"".join(bytes([tag, 1, 0xFF]) for tag, asked in ((0x84, indirect), (0x85, attributes)) if asked)
    return extension("2.5.29.28", seq(parts), critical=True)


def crl(
    issuer: Entity,
    *revoked: Revoked,
    this_update: datetime = AT - HOUR,
    next_update: datetime | None = AT + DAY,
    number: int | None = 1,
    base: int | None = None,
    extensions: Iterable[bytes] = (),
    key: Key | None = None,
    issuer_name: bytes | None = None,
    version: int | None = 2,
) -> bytes:
    """A list. ``base`` makes it a delta list, ``number`` None leaves cRLNumber out."""
    signer = key or issuer.key
    found = list(extensions)
    if number is not None:
        found.append(extension("2.5.29.20", integer(number)))
    if base is not None:
        found.append(extension("2.5.29.27", integer(base), critical=True))
    found.append(extension("2.5.29.35", seq(encode(0x80, key_id(signer)))))
    body = seq(
        integer(version - 1) if version is not None and version != 1 else b"",
        algorithm(signer),
        issuer_name or issuer.subject,
        utc(this_update),
        utc(next_update) if next_update else b"",
        seq(*(each.encoded() for each in revoked)) if revoked else b"",
        encode(Tag.CONTEXT_0, seq(*found)) if version != 1 else b"",
    )
    return signed(body, signer)


# OCSP


def certificate_id(subject: Entity, issuer: Entity, *, serial: int | None = None) -> bytes:
    """CertID with SHA-256."""

    def digest(data: bytes) -> bytes:
        return octets(hashlib.sha256(data).digest())

    key = parse(key_info(issuer.key)).children()[-1].bits()
    number = subject.serial if serial is None else serial
    return seq(seq(oid("2.16.840.1.101.3.4.2.1")), digest(issuer.subject), digest(key), integer(number))


GOOD, UNKNOWN = b"\x80\x00", b"\x82\x00"


def revoked_since(at: datetime = AT - DAY, reason: int | None = None) -> bytes:
    return encode(0xA1, generalized(at), b"" if reason is None else encode(0xA0, encode(0x0A, bytes([reason]))))


def single(
    about: bytes,
    status: bytes = GOOD,
    *,
    this_update: datetime = AT - HOUR,
    next_update: datetime | None = AT + DAY,
    extensions: Sequence[bytes] = (),
) -> bytes:
    """A SingleResponse."""
    until = encode(0xA0, generalized(next_update)) if next_update else b""
    more = encode(0xA1, seq(*extensions)) if extensions else b""
    return seq(about, status, generalized(this_update), until, more)


def ocsp(
    responder: Entity,
    *answers: bytes,
    by_key: bool = False,
    produced_at: datetime = AT - HOUR,
    certificates: Sequence[Entity] = (),
    extensions: Sequence[bytes] = (),
    key: Key | None = None,
) -> bytes:
    """A successful OCSPResponse of ``responder`` with its SingleResponses."""
    identity = encode(0xA1, responder.subject)
    if by_key:
        bits_of_key = parse(key_info(responder.key)).children()[-1].bits()
        identity = encode(0xA2, octets(hashlib.sha1(bits_of_key).digest()))
    more = encode(0xA1, seq(*extensions)) if extensions else b""
    body = seq(identity, generalized(produced_at), seq(*answers), more)
    method, value = signature(key or responder.key, body)
    enclosed = encode(0xA0, seq(*(each.certificate for each in certificates))) if certificates else b""
    basic = seq(body, method, value, enclosed)
    return seq(encode(0x0A, b"\x00"), encode(0xA0, seq(oid("1.3.6.1.5.5.7.48.1.1"), octets(basic))))
