"""An X.509 certificate that signs e-certificates, or a CA above it, read by walking its TLVs. RFC 5280 §4.1.

Names, key and signed bytes are taken as raw DER: real certificates carry names that stricter parsers refuse, and
signatures are made over bytes. What is tolerated and what is refused is told in docs/divergences.md.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from gateway.certificates.x509 import extensions as ext
from gateway.certificates.x509.extensions import (
    BasicConstraints,
    DistributionPoint,
    Extension,
    KeyUsage,
    PathExtensions,
)
from gateway.certificates.x509.names import (
    EMPTY_NAME,
    ORGANIZATION_IDENTIFIER,
    ORGANIZATION_NAME,
    GeneralNameKind,
    attribute,
    name_text,
)
from gateway.crypto.der import Element, Tag, parse
from gateway.crypto.errors import DerMalformed
from gateway.wording.phrases import Phrase

MAX_CERTIFICATE_BYTES: Final = 64 * 1024
MAX_KEPT_BYTES: Final = 8 * 1024
"""Larger ones are read anew each time: read, they may take twenty times their bytes."""
MAX_SERIAL_OCTETS: Final = 20
MAX_ADDRESSES: Final = 4
"""Addresses of one kind read out of one certificate; more would only multiply fetches."""


@dataclass(frozen=True, slots=True, eq=False)
class SigningCertificate:
    """A parsed signing certificate (签章证书 or a CA above it). Two are the same when their digests are.

    ``version`` is 1 to 3; ``serial_der`` is the INTEGER as lists and responders repeat it; ``issuer`` and ``subject``
    are raw DER names; times are aware UTC; ``signed`` is the tbsCertificate as it was signed, ``signature_algorithm``
    the AlgorithmIdentifier in DER. ``authority_code`` is organizationIdentifier (2.5.4.97), the code of the authority
    it signs for; ``organization`` is the organization name (2.5.4.10). Each is None unless it stands once in the
    subject.
    """

    encoded: bytes
    digest: bytes
    version: int
    serial_number: int
    serial_der: bytes
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    public_key_info: bytes
    signature_algorithm: bytes
    signature_oid: str
    signature: bytes
    signed: bytes
    extensions: Mapping[str, Extension]
    path: PathExtensions
    authority_code: str | None
    organization: str | None

    @property
    def subject_text(self) -> str:
        """The subject for people to read, attributes in their order."""
        return name_text(self.subject)

    @property
    def issuer_text(self) -> str:
        """The issuer for people to read."""
        return name_text(self.issuer)

    @property
    def subject_key_id(self) -> bytes | None:
        """RFC 5280 §4.2.1.2."""
        return self.path.subject_key_id

    @property
    def authority_key_id(self) -> bytes | None:
        """The key identifier of RFC 5280 §4.2.1.1."""
        return self.path.authority_key_id

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints makes it a CA; one of version 1 never is."""
        return self.path.basic_constraints is not None and self.path.basic_constraints.ca

    def valid_at(self, at: datetime) -> bool:
        """Whether ``at`` lies within notBefore…notAfter, both included."""
        return self.not_before <= at <= self.not_after

    def basic_constraints(self) -> BasicConstraints | None:
        """RFC 5280 §4.2.1.9."""
        return self.path.basic_constraints

    def key_usage(self) -> KeyUsage | None:
        """RFC 5280 §4.2.1.3."""
        return self.path.key_usage

    def purposes(self) -> frozenset[str] | None:
        """The object identifiers of its extended key usage (RFC 5280 §4.2.1.12), None when it names none."""
        return self.path.purposes

    def crl_points(self) -> tuple[DistributionPoint, ...]:
        """Its CRL distribution points (RFC 5280 §4.2.1.13); none when the extension cannot be read."""
        found = self.extensions.get(ext.CRL_POINTS)
        try:
            return ext.distribution_points(found.value) if found else ()
        except DerMalformed:
            return ()

    def crl_addresses(self) -> tuple[str, ...]:
        """The http(s) URIs of its CRL distribution points, at most four."""
        names = [name for point in self.crl_points() for name in point.full_name or ()]
        return _web([name.text() or "" for name in names if name.kind is GeneralNameKind.URI])

    def ocsp_addresses(self) -> tuple[str, ...]:
        """The http(s) URIs of its OCSP responders (RFC 5280 §4.2.2.1), at most four."""
        found = self.extensions.get(ext.AUTHORITY_ACCESS)
        try:
            return _web(ext.access_addresses(found.value, ext.OCSP_ACCESS)) if found else ()
        except DerMalformed:
            return ()

    def key_digest(self) -> str:
        """SHA-256 of its subjectPublicKeyInfo, hexadecimal: how ``issuers.json`` names a CA."""
        return hashlib.sha256(self.public_key_info).hexdigest()


def load_signing_certificate(encoded: bytes) -> SigningCertificate:
    """Parse one DER certificate. Raises ``DerMalformed`` when it is not one, or says one extension twice.

    Those of usual size are kept.
    """
    if len(encoded) > MAX_CERTIFICATE_BYTES:
        raise DerMalformed(remedy=Phrase("证书不得超过 {most} 字节", most=MAX_CERTIFICATE_BYTES))
    return _kept(encoded) if len(encoded) <= MAX_KEPT_BYTES else _read(encoded)


@lru_cache(maxsize=1024)
def _kept(encoded: bytes) -> SigningCertificate:
    return _read(encoded)


def _read(encoded: bytes) -> SigningCertificate:
    signed, algorithm, signature = _exactly(parse(encoded).expect(Tag.SEQUENCE).children(), 3)
    body = list(signed.expect(Tag.SEQUENCE).children())
    version = _version(body.pop(0)) if body and body[0].tag == Tag.CONTEXT_0 else 1
    if len(body) < 6 or body[1].raw != algorithm.raw:
        raise DerMalformed(remedy="证书结构不符合 X.509")
    serial, _, issuer, validity, subject, key = body[:6]
    dates = _exactly(validity.expect(Tag.SEQUENCE).children(), 2)
    extensions = _extensions(version, body[6:])
    if issuer.expect(Tag.SEQUENCE).raw == EMPTY_NAME:
        raise DerMalformed(remedy="证书没有签发者名称")
    return SigningCertificate(
        encoded=encoded,
        digest=hashlib.sha256(encoded).digest(),
        version=version,
        serial_number=_serial(serial),
        serial_der=serial.raw,
        issuer=issuer.raw,
        subject=subject.expect(Tag.SEQUENCE).raw,
        not_before=_date(dates[0]),
        not_after=_date(dates[1]),
        public_key_info=key.expect(Tag.SEQUENCE).raw,
        signature_algorithm=algorithm.raw,
        signature_oid=algorithm_oid(algorithm),
        signature=signature.bits(),
        signed=signed.raw,
        extensions=extensions,
        path=PathExtensions.read(extensions),
        authority_code=attribute(subject.raw, ORGANIZATION_IDENTIFIER),
        organization=attribute(subject.raw, ORGANIZATION_NAME),
    )


def algorithm_oid(algorithm: Element) -> str:
    """The identifier in an AlgorithmIdentifier, whose parameters SM2 writers leave out or fill with NULL.

    Raises ``DerMalformed``.
    """
    parts = algorithm.expect(Tag.SEQUENCE).children()
    if not 1 <= len(parts) <= 2:
        raise DerMalformed(remedy="算法标识结构不符合 X.509")
    return parts[0].oid()


def _version(element: Element) -> int:
    (number,) = _exactly(element.children(), 1)
    if number.integer() not in (1, 2):
        raise DerMalformed(remedy="证书版本不符合 X.509")
    return number.integer() + 1


def _serial(element: Element) -> int:
    """Zero and negative numbers are seen and taken (RFC 5280 §4.1.2.2); more than twenty octets are not."""
    value = element.integer()
    if (value.bit_length() + 7) // 8 > MAX_SERIAL_OCTETS:
        raise DerMalformed(remedy=Phrase("证书序列号不得超过 {most} 字节", most=MAX_SERIAL_OCTETS))
    return value


def _date(element: Element) -> datetime:
    """UTCTime or GeneralizedTime in its one form, ending in Z (RFC 5280 §4.1.2.5); either before 2050."""
    if not element.content.endswith(b"Z"):
        raise DerMalformed(remedy="证书有效期的时间须以 Z 结尾")
    return element.time()


def _extensions(version: int, fields: list[Element]) -> dict[str, Extension]:
    """Unique identifiers from version 2 on, extensions in version 3 only, in this order (RFC 5280 §4.1.2.8 and 9)."""
    permitted = {1: (), 2: (0x81, 0x82), 3: (0x81, 0x82, Tag.CONTEXT_3)}[version]
    tags = [field.tag for field in fields]
    if tags != [tag for tag in permitted if tag in tags]:
        raise DerMalformed(remedy="证书的字段与其版本不符")
    if not fields or fields[-1].tag != Tag.CONTEXT_3:
        return {}
    (listing,) = _exactly(fields[-1].children(), 1)
    return ext.read_extensions(listing)


def _web(addresses: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    found = dict.fromkeys(each for each in addresses if each.lower().startswith(("http://", "https://")))
    return tuple(found)[:MAX_ADDRESSES]


def _exactly(elements: tuple[Element, ...], count: int) -> tuple[Element, ...]:
    if len(elements) != count:
        raise DerMalformed(remedy="证书结构不符合 X.509")
    return elements
