"""How a 电子证照标识 (GB/T 36904) is spoken of without being told.

An identifier may contain its holder's own number, and has few other unknown characters, so a plain digest of it could
be tried out. Ours are keyed: whoever has two can see that they are the same, and nothing else.
"""

from dataclasses import dataclass

import orjson

from gateway.certificates.claims import ECertificateClaims
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.records.entries import digest
from schemas.identifiers import ECertificateIdentifier


@dataclass(frozen=True, slots=True)
class IdentifierDigests:
    """Digests of identifiers and of the series they belong to; 64 hexadecimal characters."""

    keyed: KeyedDigest

    def of(self, identifier: ECertificateIdentifier) -> str:
        """Of one version of one certificate."""
        return self.keyed.of(Use.CERTIFICATE, digest(str(identifier)))

    def series(self, identifier: ECertificateIdentifier) -> str:
        """Of the certificate whatever its version."""
        return self.keyed.of(Use.CERTIFICATE_SERIES, digest(identifier.series))

    def facts(self, claims: ECertificateClaims) -> str:
        """Of what a certificate says: the same for the same words, sealed again."""
        said = orjson.dumps(claims.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return self.keyed.of(Use.CERTIFICATE_FACTS, digest(said))
