"""What CRLs (RFC 5280), OCSP answers (RFC 6960) and status lists said at a moment."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .certificates import Certificate, Signed
from .der import Der, der_whole
from .errors import NotProved, Refused
from .reading import SKEW, text_of, unbase64url

_CRL_SIGN = 6


def crl_says(der: bytes, one: Certificate, issuer: Certificate, at: datetime) -> bool | None:
    """Whether a complete CRL of ``issuer`` that stood at ``at`` clears ``one`` (True), lists it (False), or is none."""
    try:
        signed = Signed.read(der_whole(der).expect(0x30).children())
        parts = signed.body.expect(0x30).children()
        if parts and parts[0].tag == 0x02:
            parts = parts[1:]
        _, name, this_update, next_update, *rest = parts
        if name.raw != one.issuer or not issuer.may_sign(_CRL_SIGN):
            return None
        for extension in (each for holder in rest if holder.tag == 0xA0 for each in holder.children()[0].children()):
            critical = any(part.content != b"\0" for part in extension.children()[1:-1])
            if critical:  # a delta list, one of another scope, or something unknown
                return None
        if not this_update.time() - SKEW <= at <= next_update.time():
            return None
        signed.verify(issuer.spki)
        for entry in rest[0].children() if rest and rest[0].tag == 0x30 else ():
            serial, since, *more = entry.children()
            if any(part.content == b"\xff" for extension in _extensions(more) for part in extension.children()[1:-1]):
                return None
            if serial.content == one.serial and since.time() <= at:
                return False
    except (Refused, NotProved, ValueError, IndexError):
        return None
    return True


def _extensions(parts: Sequence[Der]) -> Sequence[Der]:
    return parts[0].children() if parts else ()


def ocsp_says(der: bytes, one: Certificate, issuer: Certificate, at: datetime) -> bool | None:
    """The same for an OCSP response (RFC 6960) by ``issuer``, or by a responder that it certified for that."""
    try:
        _, holder = der_whole(der).expect(0x30).children()
        _, octets = holder.children()[0].children()
        basic = der_whole(octets.expect(0x04).content).expect(0x30).children()
        signed = Signed.read(basic)
        responders = [each.raw for each in basic[3].children()[0].children()] if len(basic) > 3 else []
        _require_responder(signed, [Certificate.read(each) for each in responders], issuer, at)
        answers = next(each for each in signed.body.children() if each.tag == 0x30 and _is_answers(each))
        for answer in answers.children():
            name, status, this_update, *rest = answer.children()
            until = next(
                (each.children()[0].time() for each in rest if each.tag == 0xA0),
                this_update.time() + timedelta(hours=1),
            )
            if _is_about(name, one, issuer) and this_update.time() - SKEW <= at <= until:
                if status.tag == 0x80:
                    return True
                if status.tag == 0xA1 and status.children()[0].time() <= at:
                    return False
    except (Refused, NotProved, ValueError, IndexError, StopIteration):
        return None
    return None


def _is_answers(element: Der) -> bool:
    found = element.children()
    return bool(found) and found[0].tag == 0x30 and len(found[0].children()) >= 3


def _is_about(name: Der, one: Certificate, issuer: Certificate) -> bool:
    algorithm, name_hash, key_hash, serial = name.children()
    digest = {"1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256"}.get(algorithm.children()[0].oid())
    if digest is None or serial.content != one.serial:
        return False
    key = der_whole(issuer.spki).children()[1].content[1:]
    hashed = (hashlib.new(digest, data, usedforsecurity=False).digest() for data in (one.issuer, key))
    return tuple(hashed) == (name_hash.content, key_hash.content)


def _require_responder(signed: Signed, carried: Sequence[Certificate], issuer: Certificate, at: datetime) -> None:
    for each in carried:
        purposes = each.purposes()
        if purposes is not None and "1.3.6.1.5.5.7.3.9" in purposes and each.not_before <= at <= each.not_after:
            try:
                each.signed.verify(issuer.spki)
                return signed.verify(each.spki)
            except (Refused, NotProved):
                continue
    return signed.verify(issuer.spki)


def status_at(listed: Mapping[str, Any], index: int) -> int:
    """One status of a Token Status List. Raises ``Refused``."""
    bits, packed = listed.get("bits"), unbase64url(text_of(listed, "lst"))
    if bits not in (1, 2, 4, 8):
        raise Refused("a status list of another form")
    try:
        stream = zlib.decompressobj()
        unpacked = stream.decompress(packed, 1 << 22)
    except zlib.error:
        raise Refused("a status list that cannot be unpacked") from None
    per_byte = 8 // bits
    if not stream.eof or stream.unused_data or index >= len(unpacked) * per_byte:
        raise Refused("the certificate has no place in the status list")
    return int(unpacked[index // per_byte] >> (index % per_byte * bits) & ((1 << bits) - 1))
