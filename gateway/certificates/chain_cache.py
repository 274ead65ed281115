"""Chains judged once are kept until the answer could change: by an expiry, a list's age, new lists or anchors."""

import hashlib
from datetime import datetime

from gateway.certificates.bounded import BoundedCache
from gateway.certificates.chain import ChainResult, verify_chain
from gateway.certificates.crls import crl_digest
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.trust import TrustStore
from gateway.certificates.verdicts import Verdict

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
    ) -> ChainResult:
        """As `verify_chain` for the trust store's anchors; ``crls`` None leaves revocation out here too."""
        key = self._key(leaf, intermediates, crls, limit)
        kept = self._kept.get(key)
        if kept is not None:
            since, result = kept
            if result.valid_until is not None and since <= at < result.valid_until:
                return result
        result = verify_chain(leaf, intermediates, self.trust.anchors, at, crls=crls, crl_limit=limit)
        if result.verdict is Verdict.VALID:
            self._kept.put(key, (at, result))
        return result

    def _key(
        self,
        leaf: bytes,
        intermediates: tuple[bytes, ...],
        crls: tuple[bytes, ...] | None,
        limit: FreshnessLimit | None,
    ) -> bytes:
        digest = hashlib.sha256(self.trust.digest)
        parts = [hashlib.sha256(leaf).digest(), *(hashlib.sha256(item).digest() for item in intermediates)]
        lists = [crl_digest(item) for item in crls or ()]
        digest.update(len(parts).to_bytes(4) + b"".join(parts) + b"".join(lists))
        digest.update(repr((crls is None, limit)).encode())
        return digest.digest()
