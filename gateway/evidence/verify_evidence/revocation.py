"""What CRLs (RFC 5280), OCSP answers (RFC 6960) and status lists said at a moment."""

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from .certificates import Certificate, Signed
from .der import Der, der_whole
from .errors import NotProved, Refused
from .reading import SKEW, text_of, unbase64url
from .work import once, spend

MAX_CRL_BYTES: Final = 4 << 20
MAX_OCSP_BYTES: Final = 64 << 10
MAX_STATUS_BYTES: Final = 4 << 20
_CRL_SIGN = 6


@dataclass(frozen=True)
class RevocationList:
    """A complete CRL (RFC 5280 §5): what it says, whoever signed it. ``revoked`` has serials and since when."""

    signed: Signed
    issuer: bytes
    this_update: datetime
    next_update: datetime
    revoked: Mapping[bytes, datetime]

    @classmethod
    def read(cls, der: bytes) -> "RevocationList":
        """Raises ``Refused``; ``NotProved`` for a delta list, one of another scope, or one with something unknown."""
        if len(der) > MAX_CRL_BYTES:
            raise NotProved("a list that is larger than is looked at")
        try:
            signed = Signed.read(der_whole(der).expect(0x30).children())
            parts = signed.body.expect(0x30).children()
            if parts and parts[0].tag == 0x02:
                parts = parts[1:]
            _, name, this_update, next_update, *rest = parts
            if any(
                _critical(each) for holder in rest if holder.tag == 0xA0 for each in holder.children()[0].children()
            ):
                raise NotProved("a list of another scope")
            entries = rest[0].stream() if rest and rest[0].tag == 0x30 else ()
            return cls(signed, name.raw, this_update.time(), next_update.time(), _revoked(entries))
        except (ValueError, IndexError):
            raise Refused("not a list") from None

    def signed_by(self, issuer: Certificate) -> bool:
        """Whether ``issuer`` may sign lists, and signed this one."""
        try:
            if issuer.subject.raw != self.issuer or not issuer.may_sign(_CRL_SIGN):
                return False
            self.signed.verify(issuer.spki)
        except (Refused, NotProved):
            return False
        return True


def _revoked(entries: Iterable[Der]) -> Mapping[bytes, datetime]:
    found: dict[bytes, datetime] = {}
    for entry in entries:
        serial, since, *more = entry.children()
        if more and any(_critical(each) for each in more[0].children()):
            raise NotProved("a list with something unknown")
        at = since.time()
        found[serial.content] = min(at, found.get(serial.content, at))
    return found


def _critical(extension: Der) -> bool:
    return any(part.content != b"\0" for part in extension.children()[1:-1])


def crl_says(der: bytes, one: Certificate, issuer: Certificate, at: datetime) -> bool | None:
    """Whether a complete CRL of ``issuer`` that stood at ``at`` clears ``one`` (True), lists it (False), or is none."""
    try:
        listed = once(("list", der), lambda: RevocationList.read(der))
    except (Refused, NotProved):
        return None
    if listed.issuer != one.issuer or not listed.this_update - SKEW <= at <= listed.next_update:
        return None
    if not listed.signed_by(issuer):
        return None
    since = listed.revoked.get(one.serial)
    return since is None or since > at


def ocsp_says(der: bytes, one: Certificate, issuer: Certificate, at: datetime) -> bool | None:
    """The same for an OCSP response (RFC 6960) by ``issuer``, or by a responder that it certified for that."""
    try:
        if len(der) > MAX_OCSP_BYTES:
            return None
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
        unpacked = stream.decompress(packed, MAX_STATUS_BYTES)
        spend("bytes", len(unpacked))
    except zlib.error:
        raise Refused("a status list that cannot be unpacked") from None
    per_byte = 8 // bits
    if not stream.eof or stream.unused_data or index >= len(unpacked) * per_byte:
        raise Refused("the certificate has no place in the status list")
    return int(unpacked[index // per_byte] >> (index % per_byte * bits) & ((1 << bits) - 1))
