"""An electronic seal and what was signed with it (GB/T 38540, V4 and V5), as original bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature

from ..certificates import Certificate, key_of_spki
from ..der import Der, der_whole
from ..errors import NotProved, Refused
from ..sm2 import Sm2Key, sm3

MAX_BYTES: Final = 4 << 20
_SM2_SM3: Final = frozenset({"1.2.156.10197.1.501", "1.2.156.10197.1.301", "1.2.156.10197.1.301.1"})
"""SM2 with SM3, and the curve's identifiers that makers write in its place."""


@dataclass(frozen=True)
class Signature:
    """Who signed which bytes. ``verify`` proves that they did."""

    signed: bytes
    certificate: Certificate
    algorithm: Der
    value: bytes

    def verify(self, whose: str) -> None:
        """Raises ``Refused``, ``NotProved``."""
        named = self.algorithm.children() if self.algorithm.tag == 0x30 else [self.algorithm]
        name = named[0].oid() if named else ""
        key = key_of_spki(self.certificate.spki)
        if name not in _SM2_SM3 or not isinstance(key, Sm2Key):
            raise NotProved(f"{whose} signed by an algorithm that is not spoken here")
        try:
            key.verify(_raw(self.value), self.signed)
        except InvalidSignature:
            raise Refused(f"{whose}'s signature is wrong") from None


@dataclass(frozen=True)
class Seal:
    """``made`` is the maker's signature; ``listed`` whole certificates, ``digests`` SM3 or SHA-256 of them."""

    raw: bytes
    made: Signature
    made_at: datetime
    valid_from: datetime
    valid_until: datetime
    listed: tuple[bytes, ...]
    digests: tuple[bytes, ...]

    @classmethod
    def read(cls, element: Der) -> "Seal":
        """SEQ {SealInfo, certificate, algorithm, signature}. Raises ``Refused``, ``NotProved``."""
        parts = _modern(element, "the seal")
        fields = parts[0].expect(0x30).children()
        if len(fields) not in (4, 5):
            raise Refused("the seal is malformed")
        header, properties = fields[0].expect(0x30).children(), fields[2].expect(0x30).children()
        if len(header) != 3 or header[0].content != b"ES":
            raise Refused("the seal is malformed")
        if len(properties) != 7:
            raise NotProved("a seal of a form that is not judged here")
        listed, digests = _listing(properties[2], properties[3].expect(0x30).children())
        made_at, valid_from, valid_until = (_time(each) for each in properties[4:])
        return cls(element.raw, _signature(parts), made_at, valid_from, valid_until, listed, digests)

    def require_lists(self, signer: Certificate) -> None:
        """Raises ``Refused`` where the seal is not for ``signer``."""
        if signer.der in self.listed or {sm3(signer.der), sha256(signer.der).digest()} & {*self.digests}:
            return
        if any(len(each) != 32 for each in self.digests):
            raise NotProved("the seal lists by digests in a form that is not judged here")
        raise Refused("the seal does not list its signer")


@dataclass(frozen=True)
class SealedValue:
    """SES_Signature. ``data_hash`` is what its signer says is the digest of Signature.xml."""

    seal: Seal
    signature: Signature
    signed_at: datetime
    data_hash: bytes

    @classmethod
    def read(cls, data: bytes) -> "SealedValue":
        """SEQ {TBS {version, seal, time, dataHash, property}, certificate, algorithm, signature}.

        Raises ``Refused``, ``NotProved``.
        """
        if len(data) > MAX_BYTES:
            raise NotProved("a signed value that is larger than is looked at")
        parts = _modern(der_whole(data), "the signed value")
        fields = parts[0].expect(0x30).children()
        if len(fields) not in (5, 6):
            raise Refused("the signed value is malformed")
        return cls(Seal.read(fields[1]), _signature(parts), _time(fields[2]), _octets(fields[3]))

    def verify(self, description: bytes) -> None:
        """That signer and maker signed, for ``description`` (Signature.xml). Raises ``Refused``, ``NotProved``."""
        if len(self.data_hash) != 32:
            raise NotProved("a digest in a form that is not judged here")
        if self.data_hash != sm3(description):
            raise Refused("Signature.xml is not the one that was signed")
        self.signature.verify("the signer")
        self.seal.made.verify("the seal's maker")
        self.seal.require_lists(self.signature.certificate)
        if not self.seal.valid_from <= self.signed_at <= self.seal.valid_until:
            raise Refused("the seal was not in force when it was used")


def _modern(element: Der, what: str) -> list[Der]:
    parts = element.expect(0x30).children()
    if len(parts) == 2:
        raise NotProved(f"{what} is of the first version (GM/T 0031) or a CMS, which is not judged here")
    if len(parts) == 5:
        raise NotProved(f"{what} carries a time stamp, which is not judged here")
    if len(parts) != 4:
        raise Refused(f"{what} is malformed")
    return parts


def _signature(parts: Sequence[Der]) -> Signature:
    certificate = parts[1].content if parts[1].tag == 0x04 else parts[1].expect(0x30).raw
    return Signature(parts[0].raw, Certificate.read(certificate), parts[2], _octets(parts[3]))


def _listing(kind: Der, listing: Sequence[Der]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    if kind.expect(0x02).content == b"\1":
        return tuple(each.content if each.tag == 0x04 else each.expect(0x30).raw for each in listing), ()
    if kind.content != b"\2":
        raise Refused("the seal lists in a way that is not known")
    found = [each.expect(0x30).children() for each in listing]
    if any(len(each) != 2 for each in found):
        raise Refused("the seal is malformed")
    return (), tuple(_octets(each[1]) for each in found)


def _octets(element: Der) -> bytes:
    """A BIT STRING of whole octets, or an OCTET STRING as some writers put in its place."""
    if element.tag == 0x04:
        return element.content
    if element.expect(0x03).content[:1] != b"\0":
        raise Refused("the signed value is malformed")
    return element.content[1:]


def _time(element: Der) -> datetime:
    try:
        return element.time()
    except Refused:
        raise NotProved("a time in a form that is not read here") from None


def _raw(value: bytes) -> bytes:
    """r‖s, also where it stands as SEQ {r, s}."""
    if len(value) == 64:
        return value
    parts = der_whole(value).expect(0x30).children()
    numbers = [each.expect(0x02).number() for each in parts]
    if len(numbers) != 2 or not all(0 < n < 1 << 256 for n in numbers):
        raise Refused("a signature is malformed")
    if any(each.content != n.to_bytes(n.bit_length() // 8 + 1) for each, n in zip(parts, numbers, strict=True)):
        raise Refused("a signature is malformed")
    return b"".join(n.to_bytes(32) for n in numbers)
