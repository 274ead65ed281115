"""Finding paths: whose name and key fit which certificate, in which order, and within how much work. RFC 4158.

Names are compared by RFC 5280 §7.1, signatures proved at once. Key identifiers and dates only order the candidates.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from gateway.certificates.x509.links import Links, WorkExhausted
from gateway.certificates.x509.names import NameKey, name_key
from gateway.certificates.x509.signing_certificates import SigningCertificate

MAX_PATH: Final = 10
"""Certificates in a path, leaf and anchor included."""
MAX_STEPS: Final = 512
"""Certificates looked at on all the ways of one search; loops and forests cost no more than this."""

Path = tuple[SigningCertificate, ...]


class PathFinder:
    """Walks from a certificate up to the anchors, through whatever certificates are at hand."""

    def __init__(
        self,
        anchors: Iterable[SigningCertificate],
        intermediates: Iterable[SigningCertificate],
        at: datetime,
        links: Links,
    ) -> None:
        self._anchors = _by_subject(anchors)
        self._others = _by_subject(intermediates)
        self._at = at
        self.links = links
        self._steps = MAX_STEPS

    def paths(self, leaf: SigningCertificate) -> Iterator[Path]:
        """Every path from ``leaf`` to an anchor whose signatures hold, likely ones first. Raises `WorkExhausted`."""
        yield from self._climb((leaf,))

    def named(self, subject: bytes) -> list[SigningCertificate]:
        """Everything at hand with this name, anchors first."""
        key = name_key(subject)
        return [*self._anchors.get(key, ()), *self._others.get(key, ())]

    def signed(self, child: SigningCertificate, parent: SigningCertificate) -> bool:
        """Whether ``parent``'s key signed ``child``. Raises `WorkExhausted`."""
        return self.links.signed_by(
            child.digest, child.signed, child.signature_algorithm, child.signature, parent.public_key_info
        )

    def _climb(self, path: Path) -> Iterator[Path]:
        child = path[-1]
        for anchor in self._ordered(self._anchors, child):
            if self.signed(child, anchor):
                yield (*path, anchor)
        if len(path) + 1 >= MAX_PATH:
            return
        # A name with the same key a second time leads nowhere that the first did not (RFC 4158 §5.2).
        passed = {(name_key(certificate.subject), certificate.public_key_info) for certificate in path}
        for parent in self._ordered(self._others, child):
            if (name_key(parent.subject), parent.public_key_info) not in passed and self.signed(child, parent):
                yield from self._climb((*path, parent))

    def _ordered(
        self, among: dict[NameKey, list[SigningCertificate]], child: SigningCertificate
    ) -> list[SigningCertificate]:
        found = among.get(name_key(child.issuer), [])
        self._steps -= len(found)
        if self._steps < 0:
            raise WorkExhausted
        return found if len(found) < 2 else sorted(found, key=lambda parent: self._unlikely(child, parent))

    def _unlikely(self, child: SigningCertificate, parent: SigningCertificate) -> tuple[bool, bool, bool]:
        wanted, has = child.authority_key_id, parent.subject_key_id
        return wanted is not None and has is not None and wanted != has, not parent.is_ca, not parent.valid_at(self._at)


def _by_subject(certificates: Iterable[SigningCertificate]) -> dict[NameKey, list[SigningCertificate]]:
    found: dict[NameKey, list[SigningCertificate]] = {}
    for certificate in {each.digest: each for each in certificates}.values():
        found.setdefault(name_key(certificate.subject), []).append(certificate)
    return found
