"""An X.509 certificate that signs e-certificates, as the chain walker needs to see it.

Names, key and signed bytes are taken as raw DER: real certificates carry names that stricter parsers refuse, and
signatures are made over bytes. RFC 5280 §4.1.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

from gateway.crypto import der
from gateway.crypto.errors import DerMalformed

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

UNREADABLE_X509 = (
    ValueError,
    TypeError,
    OverflowError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
)
"""What the parser raises for certificates and lists that are not whole; it has no family of its own."""
MAX_CERTIFICATE_BYTES = 16 * 1024
ORGANIZATION_IDENTIFIER = "2.5.4.97"
_ORGANIZATION_NAME = "2.5.4.10"


@contextmanager
def tolerant_parsing() -> Iterator[None]:
    """Hush the parser's warnings on what RFC 5280 forbids and real issuers do (a serial of zero, NULL parameters)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


@dataclass(frozen=True, slots=True, eq=False)
class SigningCertificate:
    """A parsed signing certificate (签章证书 or a CA above it). Two are the same when their digests are.

    ``authority_code`` is organizationIdentifier (2.5.4.97), the code of the authority it signs for; ``organization`` is
    the organization name (2.5.4.10). Each is None unless it stands once in the subject.
    """

    encoded: bytes
    digest: bytes
    parsed: x509.Certificate
    extensions: x509.Extensions
    issuer: bytes
    subject: bytes
    public_key_info: bytes
    signature_oid: str
    signature: bytes
    authority_code: str | None
    organization: str | None

    @property
    def not_before(self) -> datetime:
        """Start of validity, aware UTC."""
        return self.parsed.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """End of validity, aware UTC."""
        return self.parsed.not_valid_after_utc

    def crl_addresses(self) -> tuple[str, ...]:
        """The http(s) URIs of its CRL distribution points, at most four."""
        found = _extension(self, x509.CRLDistributionPoints)
        if found is None:
            return ()
        names = [name for point in found for name in point.full_name or ()]
        uris = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
        return tuple(uri for uri in uris if uri.startswith(("http://", "https://")))[:4]

    def basic_constraints(self) -> x509.BasicConstraints | None:
        """RFC 5280 §4.2.1.9."""
        return _extension(self, x509.BasicConstraints)

    def key_usage(self) -> x509.KeyUsage | None:
        """RFC 5280 §4.2.1.3."""
        return _extension(self, x509.KeyUsage)

    def purposes(self) -> frozenset[str] | None:
        """The object identifiers of its extended key usage (RFC 5280 §4.2.1.12), None when it names none."""
        found = _extension(self, x509.ExtendedKeyUsage)
        return None if found is None else frozenset(usage.dotted_string for usage in found)

    def key_digest(self) -> str:
        """SHA-256 of its subjectPublicKeyInfo, hexadecimal: how ``issuers.json`` names a CA."""
        return hashlib.sha256(self.public_key_info).hexdigest()


@lru_cache(maxsize=1024)
def load_signing_certificate(encoded: bytes) -> SigningCertificate:
    """Parse one DER certificate. Raises ``DerMalformed`` when it is not one, or says one extension twice."""
    if len(encoded) > MAX_CERTIFICATE_BYTES:
        raise DerMalformed(remedy=f"证书不得超过 {MAX_CERTIFICATE_BYTES} 字节")
    fields = der.parse(encoded).expect(der.Tag.SEQUENCE).children()
    if len(fields) != 3:
        raise DerMalformed(remedy="证书结构不符合 X.509")
    body = list(fields[0].expect(der.Tag.SEQUENCE).children())
    if body and body[0].tag == der.Tag.CONTEXT_0:
        body.pop(0)
    if len(body) < 6 or body[1].raw != fields[1].raw:
        raise DerMalformed(remedy="证书结构不符合 X.509")
    try:
        with tolerant_parsing():
            parsed = x509.load_der_x509_certificate(encoded)
            extensions = parsed.extensions
        _ = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except UNREADABLE_X509:
        raise DerMalformed(remedy="证书或其扩展不符合 X.509") from None
    return SigningCertificate(
        encoded=encoded,
        digest=hashlib.sha256(encoded).digest(),
        parsed=parsed,
        extensions=extensions,
        issuer=body[2].raw,
        subject=body[4].raw,
        public_key_info=body[5].raw,
        signature_oid=_first_oid(fields[1]),
        signature=fields[2].bits(),
        authority_code=_attribute(body[4].raw, ORGANIZATION_IDENTIFIER),
        organization=_attribute(body[4].raw, _ORGANIZATION_NAME),
    )


def _first_oid(algorithm: der.Element) -> str:
    parts = algorithm.expect(der.Tag.SEQUENCE).children()
    if not parts:
        raise DerMalformed(remedy="签名算法标识为空")
    return parts[0].oid()


def _extension(certificate: SigningCertificate, kind: type[ExtensionT]) -> ExtensionT | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _attribute(name: bytes, oid: str) -> str | None:
    values = []
    try:
        for relative in der.parse(name).expect(der.Tag.SEQUENCE).children():
            for attribute in relative.expect(der.Tag.SET).children():
                parts = attribute.children()
                if len(parts) == 2 and parts[0].oid() == oid:
                    values.append(parts[1].text())
    except DerMalformed:
        return None
    return values[0] if len(values) == 1 else None
