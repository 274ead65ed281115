"""Status lists and CRLs at hand: fetched once for all who wait, kept bounded, renewed by age.

The cache renews; it does not judge. Whether what it gives is fresh enough is the verifier's question, so an address
that is down leaves the older bytes in place, and their own dates tell how old they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.certificates.bounded import BoundedCache
from gateway.certificates.ports import StatusSource
from gateway.certificates.revocation import StatusEvidence
from gateway.certificates.verifier import References, Verifier
from gateway.errors import PartnerUnavailable

MAX_ENTRIES = 256
RENEW_AFTER = timedelta(minutes=5)
RETRY_AFTER = timedelta(seconds=15)


@dataclass(slots=True)
class _Entry:
    data: bytes | None
    tried_at: datetime
    failed: bool


class FetchCache:
    """Bytes by address. One fetch per address is under way at a time; others wait for it."""

    def __init__(self, fetch: Callable[[str], Awaitable[bytes]], size: int = MAX_ENTRIES) -> None:
        self._fetch = fetch
        self._entries: BoundedCache[str, _Entry] = BoundedCache(size)
        self._flights: dict[str, asyncio.Task[bytes | None]] = {}

    async def get(self, uri: str, at: datetime) -> bytes | None:
        """What stands at ``uri``, not older than the renewal time unless the address is down; None when never had."""
        entry = self._entries.get(uri)
        if entry is not None and timedelta() <= at - entry.tried_at < (RETRY_AFTER if entry.failed else RENEW_AFTER):
            return entry.data
        flight = self._flights.get(uri)
        if flight is None:
            flight = asyncio.create_task(self._renew(uri, at))
            self._flights[uri] = flight
            flight.add_done_callback(lambda _: self._flights.pop(uri, None))
        return await asyncio.shield(flight)

    async def _renew(self, uri: str, at: datetime) -> bytes | None:
        kept = self._entries.get(uri)
        try:
            entry = _Entry(await self._fetch(uri), at, failed=False)
        except PartnerUnavailable:
            entry = _Entry(kept.data if kept else None, at, failed=True)
        self._entries.put(uri, entry)
        return entry.data


class EvidenceGatherer:
    """Gathers revocation evidence for envelopes. No transaction may be open while it works: it waits for networks."""

    def __init__(self, verifier: Verifier, status: StatusSource) -> None:
        self._verifier = verifier
        self._lists = FetchCache(status.fetch_status_list)
        self._crls = FetchCache(status.fetch_crl)

    async def gather(self, references: Iterable[References], at: datetime) -> StatusEvidence:
        """Every status list and CRL that ``references`` and the lists' own signers name, as far as they can be had."""
        wanted = tuple(references)
        uris = {item.status_list for item in wanted if item.status_list is not None}
        lists = await self._all(self._lists, uris, at)
        crl_uris = {uri for item in wanted for uri in item.crls}
        for token in lists.values():
            crl_uris.update(self._verifier.status_list_crls(token, at))
        crls = await self._all(self._crls, crl_uris, at)
        return StatusEvidence(lists, tuple(crls[uri] for uri in sorted(crls)))

    async def _all(self, cache: FetchCache, uris: Iterable[str], at: datetime) -> dict[str, bytes]:
        ordered = sorted(uris)
        found = await asyncio.gather(*(cache.get(uri, at) for uri in ordered))
        return {uri: data for uri, data in zip(ordered, found, strict=True) if data is not None}
