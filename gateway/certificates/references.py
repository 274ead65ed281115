"""Where evidence about an envelope is to be had: addresses of status lists, of revocation lists, and of responders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.envelope import EnvelopeFormat, dates_at
from gateway.certificates.errors import EnvelopeRefused
from gateway.certificates.kind import CertificateKind
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.ocsp import OcspQuestion, questions
from gateway.certificates.x509.signing_certificates import SigningCertificate
from gateway.crypto.errors import AlgorithmUnavailable, SignatureInvalid


@dataclass(frozen=True, slots=True)
class References:
    """Addresses of a status list and of CRLs that a sealed envelope names, and what to ask which OCSP responder."""

    status_list: str | None = None
    crls: tuple[str, ...] = ()
    ocsp: tuple[OcspQuestion, ...] = ()

    @classmethod
    def of(cls, path: tuple[SigningCertificate, ...], status_list: str | None = None) -> "References":
        """What the certificates of an anchored ``path`` (leaf first) name, besides a ``status_list``."""
        crls = tuple(uri for item in path[:-1] for uri in item.crl_addresses())
        return cls(status_list, crls, questions(path))

    def with_path(self, path: tuple[SigningCertificate, ...]) -> "References":
        """These and what one path more names, each once."""
        more = References.of(path)
        crls, ocsp = dict.fromkeys((*self.crls, *more.crls)), dict.fromkeys((*self.ocsp, *more.ocsp))
        return References(self.status_list, tuple(crls), tuple(ocsp))


def find_references(
    chains: ChainVerifier, formats: Sequence[EnvelopeFormat], envelope: bytes, kind: CertificateKind, at: datetime
) -> References:
    """What ``envelope`` and the certificates behind it name, whatever its form.

    Addresses come only out of bytes that an anchored key signed, so that nobody can send the gateway to an address of
    his own: an envelope without such a chain names nothing.
    """
    found = next((item for item in formats if item.recognises(envelope)), None)
    if found is None:
        return References()
    try:
        opened = found.open(envelope, kind.policy)
        chain = chains.verify(opened.leaf, opened.intermediates, at, None, valid_at=dates_at(opened.sealed_at, at))
        if chain.verdict is not Verdict.VALID:
            return References()
        content = opened.content(chain.path[0].public_key_info, at)
    except (EnvelopeRefused, SignatureInvalid, AlgorithmUnavailable):
        return References()
    references = References.of(chain.path, None if content.status is None else content.status.uri)
    for each in opened.vouchers:
        dated_at = dates_at(each.valid_at, at)
        vouched = chains.verify(each.certificate, opened.intermediates, at, None, valid_at=dated_at)
        if vouched.verdict is Verdict.VALID:
            references = references.with_path(vouched.path)
    return references
