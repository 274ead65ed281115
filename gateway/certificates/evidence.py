"""Status lists, CRLs and OCSP responses at hand: fetched once for all who wait, kept bounded, renewed by age.

The cache renews; it does not judge. Whether what it gives is fresh enough is the verifier's question, so an address
that is down leaves the older bytes in place, and their own dates tell how old they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.certificates.bounded import BoundedCache
from gateway.certificates.ports import StatusSource
from gateway.certificates.references import References
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verifier import Verifier
from gateway.certificates.x509.ocsp import OcspQuestion
from gateway.clock import END_OF_TIME
from gateway.errors import PartnerUnavailable

MAX_BYTES = 64 << 20
"""Of each sort of evidence, all addresses together; the sources' largest lists have 4 MiB."""
ENTRY_BYTES = 1 << 10
"""What an address costs beside its bytes."""
RENEW_AFTER = timedelta(minutes=5)
RETRY_AFTER = timedelta(seconds=15)


@dataclass(slots=True)
class _Entry:
    data: bytes | None
    tried_at: datetime
    failed: bool


AddressT = TypeVar("AddressT")


class Fetches:
    """How often something was fetched: as long as it is the same, so is all that is at hand."""

    count = 0


class FetchCache(Generic[AddressT]):
    """Bytes by address, or by question. One fetch for each is under way at a time; others wait for it."""

    def __init__(
        self,
        fetch: Callable[[AddressT], Awaitable[bytes]],
        size: int = MAX_BYTES,
        fetches: "Fetches | None" = None,
    ) -> None:
        """``size`` bytes are kept at most. Each fetch is counted in ``fetches``."""
        self._fetch = fetch
        self._fetches = fetches or Fetches()
        self._entries: BoundedCache[AddressT, _Entry] = BoundedCache(size, _weight)
        self._flights: dict[AddressT, asyncio.Task[bytes | None]] = {}

    def at_hand(self, uri: AddressT, at: datetime, since: datetime | None = None) -> tuple[bytes | None, bool] | None:
        """What ``get`` would answer without asking, and whether ``uri`` failed when asked; None where it would ask."""
        entry = self._entries.get(uri)
        return (entry.data, entry.failed) if entry is not None and _stands(entry, at, since) else None

    def young(self, uri: AddressT) -> tuple[datetime, datetime]:
        """From when until when ``at_hand`` answers for ``uri``, which is at hand."""
        entry = self._entries.get(uri)
        if entry is None:
            raise LookupError("not at hand")
        return entry.tried_at, entry.tried_at + (RETRY_AFTER if entry.failed else RENEW_AFTER)

    async def get(self, uri: AddressT, at: datetime, since: datetime | None = None) -> bytes | None:
        """What stands at ``uri``, not older than the renewal time unless the address is down; None when never had.

        With ``since`` it was also fetched at that instant or later.
        """
        while True:
            entry = self._entries.get(uri)
            if entry is not None and _stands(entry, at, since):
                return entry.data
            flight = self._flights.get(uri)
            if flight is None:
                flight = self._flights[uri] = asyncio.create_task(self._renew(uri, at))
                return await asyncio.shield(flight)
            data = await asyncio.shield(flight)
            if since is None:  # else the flight may have begun before
                return data

    def failed(self, uri: AddressT) -> bool:
        """Whether ``uri`` did not answer when it was last asked."""
        entry = self._entries.get(uri)
        return entry is not None and entry.failed

    async def _renew(self, uri: AddressT, at: datetime) -> bytes | None:
        kept = self._entries.get(uri)
        try:
            entry = _Entry(await self._fetch(uri), at, failed=False)
        except PartnerUnavailable:
            entry = _Entry(kept.data if kept else None, at, failed=True)
        finally:  # here, not when the task's end is told: whoever waits is woken before that
            del self._flights[uri]
        self._entries.put(uri, entry)
        self._fetches.count += 1
        return entry.data


@dataclass(frozen=True, slots=True)
class _Asked:
    """One address that was asked for evidence, and what it gave."""

    cache: FetchCache[Any]
    uri: Any
    data: bytes | None
    failed: bool

    def gives_the_same(self, at: datetime, since: datetime | None) -> bool:
        """The very same bytes, still young enough, and without asking."""
        now = self.cache.at_hand(self.uri, at, since)
        return now is not None and now[0] is self.data and now[1] == self.failed

    def young(self) -> tuple[datetime, datetime]:
        """From when until when what it gives need not be asked for again."""
        return self.cache.young(self.uri)


class _Span(NamedTuple):
    """When several pieces of evidence are all young; the first of them was fetched at ``oldest``."""

    oldest: datetime
    begins: datetime
    until: datetime

    @classmethod
    def within(cls, young: Sequence[tuple[datetime, datetime]]) -> "_Span":
        fetched = [begins for begins, _ in young]
        return cls(min(fetched), max(fetched), min(until for _, until in young))

    def holds(self, at: datetime, since: datetime | None) -> bool:
        return self.begins <= at < self.until and (since is None or since <= self.oldest)


class Gathered:
    """Evidence, and where each piece of it came from."""

    def __init__(self, evidence: StatusEvidence, asked: tuple[_Asked, ...], fetches: Fetches) -> None:
        self.evidence = evidence
        self._asked, self._fetches = asked, fetches
        self._seen: tuple[int, _Span] | None = None

    def stands(self, at: datetime, since: datetime | None = None) -> bool:
        """Whether gathering again would give the very same evidence, without anybody being asked."""
        if self._seen is not None:
            fetches, span = self._seen
            if fetches == self._fetches.count and span.holds(at, since):
                return True
        if not all(each.gives_the_same(at, since) for each in self._asked):
            return False
        if self._asked:
            self._seen = self._fetches.count, _Span.within([each.young() for each in self._asked])
        return True

    @property
    def until(self) -> datetime:
        """Before when what ``stands`` now goes on to, while ``EvidenceGatherer.fetched`` stays the same."""
        return END_OF_TIME if self._seen is None else self._seen[1].until


class EvidenceGatherer:
    """Gathers revocation evidence for envelopes. No transaction may be open while it works: it waits for networks."""

    def __init__(self, verifier: Verifier, status: StatusSource) -> None:
        self._verifier = verifier
        self._fetches = Fetches()
        self._lists = FetchCache(status.fetch_status_list, fetches=self._fetches)
        self._crls = FetchCache(status.fetch_crl, fetches=self._fetches)
        self._answers: FetchCache[OcspQuestion] = FetchCache(
            lambda asked: status.fetch_ocsp(asked.uri, asked.request), fetches=self._fetches
        )

    @property
    def fetched(self) -> int:
        """How often something was fetched."""
        return self._fetches.count

    async def gather(
        self, references: Iterable[References], at: datetime, since: datetime | None = None
    ) -> StatusEvidence:
        """Everything that ``references`` and the status lists' own signers name, as far as it can be had.

        With ``since`` it was fetched at that instant or later.
        """
        return (await self.collect(references, at, since)).evidence

    async def collect(self, references: Iterable[References], at: datetime, since: datetime | None = None) -> Gathered:
        """As ``gather``, with what shows whether it would come out the same another time."""
        wanted = list(references)
        uris = {item.status_list for item in wanted if item.status_list is not None}
        lists = await _all(self._lists, sorted(uris), at, since)
        wanted += [self._verifier.status_list_references(token, at) for token in lists.values()]
        crl_uris = {uri for item in wanted for uri in item.crls}
        asked = {question for item in wanted for question in item.ocsp}
        crls, answers = await asyncio.gather(
            _all(self._crls, sorted(crl_uris), at, since),
            _all(self._answers, sorted(asked, key=lambda each: (each.uri, each.request)), at, since),
        )
        down = {uri for uri in uris if self._lists.failed(uri)} | {uri for uri in crl_uris if self._crls.failed(uri)}
        down |= {question.uri for question in asked if self._answers.failed(question)}
        evidence = StatusEvidence(lists, tuple(crls.values()), tuple(answers.values()), frozenset(down))
        trail = [_Asked(self._lists, uri, lists.get(uri), uri in down) for uri in uris]
        trail += [_Asked(self._crls, uri, crls.get(uri), uri in down) for uri in crl_uris]
        trail += [_Asked(self._answers, each, answers.get(each), self._answers.failed(each)) for each in asked]
        return Gathered(evidence, tuple(trail), self._fetches)


def _weight(entry: _Entry) -> int:
    return ENTRY_BYTES + len(entry.data or b"")


def _stands(entry: _Entry, at: datetime, since: datetime | None) -> bool:
    young = timedelta() <= at - entry.tried_at < (RETRY_AFTER if entry.failed else RENEW_AFTER)
    return young and (since is None or entry.tried_at >= since)


async def _all(
    cache: FetchCache[AddressT], ordered: list[AddressT], at: datetime, since: datetime | None = None
) -> dict[AddressT, bytes]:
    found = await asyncio.gather(*(cache.get(each, at, since) for each in ordered))
    return {each: data for each, data in zip(ordered, found, strict=True) if data is not None}
