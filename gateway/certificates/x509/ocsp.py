"""OCSP: the question about one certificate, and the responses to it as bytes. RFC 6960 §4.

Read by walking the TLVs, so that responses signed with SM2 go the same way as all others.
"""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives import hashes

from gateway.certificates.x509 import extensions as ext
from gateway.certificates.x509.names import same_name
from gateway.certificates.x509.signing_certificates import SigningCertificate
from gateway.crypto.der import Element, Tag, encode, parse
from gateway.crypto.errors import DerMalformed
from gateway.wording.phrases import Phrase

MAX_RESPONSE_BYTES: Final = 64 * 1024
MAX_RESPONDER_CERTIFICATES: Final = 4
_BASIC: Final = "1.3.6.1.5.5.7.48.1.1"
_SUCCESSFUL: Final = b"\x0a\x01\x00"
_SHA1_DER: Final = bytes.fromhex("300906052b0e03021a0500")


def _sm3(data: bytes) -> bytes:
    context = hashes.Hash(hashes.SM3())
    context.update(data)
    return context.finalize()


def _sha1(data: bytes) -> bytes:
    """Names a certificate here and protects nothing: RFC 5019 §2.1.1 makes every responder speak it."""
    return hashlib.sha1(data, usedforsecurity=False).digest()


_DIGESTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "1.3.14.3.2.26": _sha1,
    "2.16.840.1.101.3.4.2.1": lambda data: hashlib.sha256(data).digest(),
    "2.16.840.1.101.3.4.2.2": lambda data: hashlib.sha384(data).digest(),
    "2.16.840.1.101.3.4.2.3": lambda data: hashlib.sha512(data).digest(),
    "1.2.156.10197.1.401": _sm3,
}


class CertStatus(IntEnum):
    """CertStatus by its tag."""

    GOOD = 0
    REVOKED = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class OcspQuestion:
    """What to ask where about one certificate: ``request`` is the OCSPRequest in DER."""

    uri: str
    request: bytes


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate an answer is about (§4.1.1)."""

    algorithm: str
    name_hash: bytes
    key_hash: bytes
    serial: int

    def names(self, certificate: SigningCertificate, issuer: SigningCertificate) -> bool:
        """Whether it is ``certificate``, issued by ``issuer``'s key."""
        digest = _DIGESTS.get(self.algorithm)
        return self.may_name(certificate) and digest is not None and self.key_hash == digest(key_bits(issuer))

    def may_name(self, certificate: SigningCertificate) -> bool:
        """Whether number and issuer's name are ``certificate``'s, whichever key of that name issued it."""
        if self.serial != certificate.serial_number:
            return False
        digest = _DIGESTS.get(self.algorithm)
        return digest is not None and self.name_hash == digest(certificate.issuer)


@dataclass(frozen=True, slots=True)
class SingleAnswer:
    """One SingleResponse. ``understood`` is false when it holds a critical extension."""

    about: CertId
    status: CertStatus
    revoked_at: datetime | None
    reason: int | None
    this_update: datetime
    next_update: datetime | None
    understood: bool


@dataclass(frozen=True, slots=True, eq=False)
class OcspResponse:
    """A parsed BasicOCSPResponse; nothing in it is proved. ``responder`` is a Name, or a key hash when ``by_key``."""

    digest: bytes
    signed: bytes
    algorithm: bytes
    signature: bytes
    by_key: bool
    responder: bytes
    produced_at: datetime
    answers: tuple[SingleAnswer, ...]
    certificates: tuple[bytes, ...]

    def is_responder(self, certificate: SigningCertificate) -> bool:
        """Whether the response says that ``certificate``'s holder made it (§4.2.2.3)."""
        if self.by_key:
            return self.responder == _sha1(key_bits(certificate))
        return same_name(self.responder, certificate.subject)


def questions(path: tuple[SigningCertificate, ...]) -> tuple[OcspQuestion, ...]:
    """What to ask about each certificate of ``path`` (leaf first) that names a responder."""
    return tuple(
        OcspQuestion(uri, make_request(certificate, issuer))
        for certificate, issuer in itertools.pairwise(path)
        for uri in certificate.ocsp_addresses()
    )


def make_request(certificate: SigningCertificate, issuer: SigningCertificate) -> bytes:
    """An unsigned OCSPRequest about ``certificate``, without a nonce so that responders may answer from store."""
    about = encode(
        Tag.SEQUENCE,
        _SHA1_DER,
        encode(Tag.OCTET_STRING, _sha1(certificate.issuer)),
        encode(Tag.OCTET_STRING, _sha1(key_bits(issuer))),
        certificate.serial_der,
    )
    return encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, about))))


def key_bits(certificate: SigningCertificate) -> bytes:
    """The subjectPublicKey without tag, length and unused bits: what key hashes are made over."""
    return parse(certificate.public_key_info).children()[-1].bits()


@lru_cache(maxsize=256)
def load_response(encoded: bytes) -> OcspResponse:
    """Parse one DER OCSPResponse that was successful. Raises `DerMalformed`, also for a responder's error."""
    if len(encoded) > MAX_RESPONSE_BYTES:
        raise DerMalformed(remedy=Phrase("OCSP 应答不得超过 {most} 字节", most=MAX_RESPONSE_BYTES))
    outer = _exactly(parse(encoded).expect(Tag.SEQUENCE).children(), 2)
    if outer[0].raw != _SUCCESSFUL:
        raise DerMalformed(remedy="OCSP 响应方没有作答")
    (holder,) = _exactly(outer[1].expect(Tag.CONTEXT_0).children(), 1)
    kind, basic = _exactly(holder.expect(Tag.SEQUENCE).children(), 2)
    if kind.oid() != _BASIC:
        raise DerMalformed(remedy="OCSP 应答的类型不受支持")
    fields = parse(basic.octets()).expect(Tag.SEQUENCE).children()
    if len(fields) not in (3, 4):
        raise DerMalformed(remedy="OCSP 应答结构不符")
    body = _Body.read(fields[0].expect(Tag.SEQUENCE))
    return OcspResponse(
        digest=hashlib.sha256(encoded).digest(),
        signed=fields[0].raw,
        algorithm=fields[1].raw,
        signature=fields[2].bits(),
        by_key=body.responder.tag == 0xA2,
        responder=_responder(body.responder),
        produced_at=body.produced_at,
        answers=body.answers,
        certificates=_certificates(fields[3]) if len(fields) == 4 else (),
    )


@dataclass(frozen=True, slots=True)
class _Body:
    """ResponseData (§4.2.1)."""

    responder: Element
    produced_at: datetime
    answers: tuple[SingleAnswer, ...]

    @classmethod
    def read(cls, element: Element) -> "_Body":
        fields = list(element.children())
        if fields and fields[0].tag == Tag.CONTEXT_0:
            (version,) = _exactly(fields.pop(0).children(), 1)
            if version.integer() != 0:
                raise DerMalformed(remedy="OCSP 应答的版本不受支持")
        if len(fields) not in (3, 4):
            raise DerMalformed(remedy="OCSP 应答结构不符")
        if len(fields) == 4 and _has_critical(fields[3]):
            raise DerMalformed(remedy="OCSP 应答含有未能处理的关键扩展")
        answers = tuple(_single(each) for each in fields[2].expect(Tag.SEQUENCE).children())
        return cls(fields[0].expect(Tag.CONTEXT_1, 0xA2), _time(fields[1]), answers)


def _responder(element: Element) -> bytes:
    (inner,) = _exactly(element.children(), 1)
    return inner.octets() if element.tag == 0xA2 else inner.expect(Tag.SEQUENCE).raw


def _certificates(element: Element) -> tuple[bytes, ...]:
    (listing,) = _exactly(element.expect(Tag.CONTEXT_0).children(), 1)
    return tuple(each.raw for each in listing.expect(Tag.SEQUENCE).children())[:MAX_RESPONDER_CERTIFICATES]


def _single(element: Element) -> SingleAnswer:
    fields = element.expect(Tag.SEQUENCE).children()
    if len(fields) < 3:
        raise DerMalformed(remedy="OCSP 应答结构不符")
    about, state, this_update, *rest = fields
    tags = [each.tag for each in rest]
    if tags not in ([], [0xA0], [0xA1], [0xA0, 0xA1]):
        raise DerMalformed(remedy="OCSP 应答结构不符")
    found = dict(zip(tags, rest, strict=True))
    status, revoked_at, reason = _status(state)
    return SingleAnswer(
        about=_cert_id(about),
        status=status,
        revoked_at=revoked_at,
        reason=reason,
        this_update=_time(this_update),
        next_update=_time(_exactly(found[0xA0].children(), 1)[0]) if 0xA0 in found else None,
        understood=0xA1 not in found or not _has_critical(found[0xA1]),
    )


def _cert_id(element: Element) -> CertId:
    algorithm, name, key, serial = _exactly(element.expect(Tag.SEQUENCE).children(), 4)
    parts = algorithm.expect(Tag.SEQUENCE).children()
    if not 1 <= len(parts) <= 2:
        raise DerMalformed(remedy="OCSP 应答结构不符")
    return CertId(parts[0].oid(), name.octets(), key.octets(), serial.integer())


def _status(element: Element) -> tuple[CertStatus, datetime | None, int | None]:
    if element.tag == 0x80 and not element.content:
        return CertStatus.GOOD, None, None
    if element.tag == 0x82 and not element.content:
        return CertStatus.UNKNOWN, None, None
    if element.tag != Tag.CONTEXT_1:
        raise DerMalformed(remedy="OCSP 应答的状态不符合标准")
    fields = element.children()
    if not 1 <= len(fields) <= 2 or (len(fields) == 2 and fields[1].tag != Tag.CONTEXT_0):
        raise DerMalformed(remedy="OCSP 应答的状态不符合标准")
    reason = None
    if len(fields) == 2:
        (code,) = _exactly(fields[1].children(), 1)
        reason = int.from_bytes(code.expect(0x0A).content)
    return CertStatus.REVOKED, _time(fields[0]), reason


def _time(element: Element) -> datetime:
    return element.expect(Tag.GENERALIZED_TIME).time()


def _has_critical(element: Element) -> bool:
    (listing,) = _exactly(element.children(), 1)
    return any(each.critical for each in ext.read_extensions(listing).values())


def _exactly(elements: tuple[Element, ...], count: int) -> tuple[Element, ...]:
    if len(elements) != count:
        raise DerMalformed(remedy="OCSP 应答结构不符")
    return elements
