"""Chains judged once are kept until the answer could change: by an expiry, a list's age, new evidence or anchors."""

import hashlib
from datetime import datetime

from gateway.certificates.bounded import BoundedCache
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.trust import TrustStore
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import ChainResult, verify_chain
from gateway.certificates.x509.crls import crl_digest

MAX_CHAINS = 1024


class ChainVerifier:
    """`verify_chain` behind a bounded cache. Only *valid* is kept, under a digest of every byte it rests on."""

    def __init__(self, trust: TrustStore, size: int = MAX_CHAINS) -> None:
        self.trust = trust
        self._kept: BoundedCache[bytes, tuple[datetime, ChainResult]] = BoundedCache(size)

    def verify(
        self,
        leaf: bytes,
        intermediates: tuple[bytes, ...],
        at: datetime,
        crls: tuple[bytes, ...] | None,
        limit: FreshnessLimit | None = None,
        *,
        status: tuple[bytes, ...] | None = None,
        valid_at: datetime | None = None,
    ) -> ChainResult:
        """As `verify_chain` for the trust store's anchors, with its intermediates added to those carried.

        ``crls`` and ``status`` both None leave revocation out here too.
        """
        key = self._key(leaf, intermediates, crls, status, (crls is None, status is None, limit, valid_at))
        kept = self._kept.get(key)
        if kept is not None:
            since, result = kept
            if since <= at and (result.valid_until is None or at < result.valid_until):
                return result
        result = verify_chain(
            leaf,
            (*intermediates, *self.trust.intermediates),
            self.trust.anchors,
            at,
            crls=crls,
            status=status,
            crl_limit=limit,
            valid_at=valid_at,
        )
        if result.verdict is Verdict.VALID:
            self._kept.put(key, (at, result))
        return result

    def _key(
        self,
        leaf: bytes,
        intermediates: tuple[bytes, ...],
        crls: tuple[bytes, ...] | None,
        status: tuple[bytes, ...] | None,
        terms: tuple[bool, bool, FreshnessLimit | None, datetime | None],
    ) -> bytes:
        digest = hashlib.sha256(self.trust.digest)
        for group in ((leaf,), intermediates, status or ()):
            digest.update(len(group).to_bytes(4) + b"".join(hashlib.sha256(item).digest() for item in group))
        digest.update(b"".join(crl_digest(item) for item in crls or ()))
        digest.update(repr(terms).encode())
        return digest.digest()
