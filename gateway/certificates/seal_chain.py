"""Walking a seal's certificate path link by link, SM2 links included (RFC 5280 §6 as far as a seal needs it).

The work is bounded: at most `MAX_DEPTH` links and `MAX_LINKS_TRIED` signature verifications, then it is indeterminate.
Revocation is not judged here; whoever asks learns that from the report.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509_tlv import KEY_CERT_SIGN, TlvCertificate, parse_certificate
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid
from gateway.crypto.signatures import SCHEME_BY_OID, Encoding, verify_signature

MAX_DEPTH: Final = 6
MAX_LINKS_TRIED: Final = 32

NO_TRUST_ANCHOR: Final = "no trust anchor"


@dataclass(frozen=True, slots=True)
class PathResult:
    """Verdict on one path; ``reason`` is empty when valid. ``path`` runs from the leaf to the anchor that was found."""

    verdict: Verdict
    reason: str
    path: tuple[TlvCertificate, ...] = ()


def walk_path(
    leaf: TlvCertificate,
    anchors: Sequence[TlvCertificate],
    at: datetime,
    intermediates: Iterable[TlvCertificate] = (),
) -> PathResult:
    """Search a path from ``leaf`` to one of ``anchors``, all of it valid at the aware instant ``at``.

    Without anchors, or when no issuer of that name is known, the answer is indeterminate (`NO_TRUST_ANCHOR`). When
    issuers of that name are known and every path through them fails, it is invalid, with the last failure's reason.
    """
    if not anchors:
        return PathResult(Verdict.INDETERMINATE, NO_TRUST_ANCHOR)
    search = _Search({anchor.der for anchor in anchors}, (*anchors, *intermediates), at)
    if leaf.der in search.anchors:
        return PathResult(Verdict.VALID, "", (leaf,))
    return search.climb((leaf,))


def parse_anchors(anchors: Sequence[bytes]) -> tuple[TlvCertificate, ...]:
    """Anchors given in DER. Raises `DerMalformed`: a wrong anchor is an operator's mistake, never overlooked."""
    return tuple(parse_certificate(bytes(anchor)) for anchor in anchors)


class _Search:
    def __init__(self, anchors: set[bytes], pool: tuple[TlvCertificate, ...], at: datetime) -> None:
        self.anchors = anchors
        self._pool = pool
        self._at = at
        self._tried = 0

    def climb(self, path: tuple[TlvCertificate, ...]) -> PathResult:
        child = path[-1]
        worst = PathResult(Verdict.INDETERMINATE, NO_TRUST_ANCHOR, path)
        for issuer in self._pool:
            if issuer in path or not _names(issuer, child):
                continue
            if len(path) >= MAX_DEPTH or self._tried >= MAX_LINKS_TRIED:
                return PathResult(Verdict.INDETERMINATE, "path too long or too many candidates", path)
            self._tried += 1
            result = self._link(child, issuer, len(path) - 1)
            if result is None:
                if issuer.der in self.anchors:
                    return PathResult(Verdict.VALID, "", (*path, issuer))
                result = self.climb((*path, issuer))
            if result.verdict is Verdict.VALID:
                return result
            if result.verdict is Verdict.INVALID or worst.reason == NO_TRUST_ANCHOR:
                worst = result
        return worst

    def _link(self, child: TlvCertificate, issuer: TlvCertificate, below: int) -> PathResult | None:
        """None when ``issuer`` may vouch for ``child``; ``below`` is how many CAs already stand below the issuer."""
        path = (child, issuer)
        if not issuer.is_ca or (issuer.key_usage is not None and KEY_CERT_SIGN not in issuer.key_usage):
            return PathResult(Verdict.INVALID, "issuer is not a certificate authority", path)
        if issuer.path_length is not None and below > issuer.path_length:
            return PathResult(Verdict.INVALID, "path length exceeded", path)
        if issuer.unknown_critical:
            return PathResult(Verdict.INDETERMINATE, "issuer has an unknown critical extension", path)
        if not issuer.valid_at(self._at):
            return PathResult(Verdict.INVALID, "issuer certificate not valid at that time", path)
        scheme = SCHEME_BY_OID.get(child.signature_oid)
        if scheme is None:
            return PathResult(Verdict.INDETERMINATE, "certificate signature algorithm not supported", path)
        try:
            verify_signature(scheme, issuer.spki, child.tbs, child.signature, encoding=Encoding.DER)
        except AlgorithmUnavailable:
            return PathResult(Verdict.INDETERMINATE, "algorithm unavailable", path)
        except (SignatureInvalid, KeyUnfit, DerMalformed):
            return PathResult(Verdict.INVALID, "certificate signature does not verify", path)
        return None


def _names(issuer: TlvCertificate, child: TlvCertificate) -> bool:
    if issuer.subject != child.issuer:
        return False
    wanted, has = child.authority_key_id, issuer.subject_key_id
    return wanted is None or has is None or wanted == has
