"""How the sources do: how far their change feeds are read, what is at hand of each, and which re-checks wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from gateway.certificates.ports import HeldCopies
from gateway.certificates.registry import KindRegistry
from gateway.clock import Clock
from gateway.rechecks.ports import FeedPositions, FeedState, QueueState, RecheckQueue
from gateway.transaction import Transactions

LATE_AFTER: Final = timedelta(minutes=15)
"""A feed whose end was last reached longer ago is late, however often it is asked."""


class CopiesHeld(Protocol):
    """The shelf of copies, as far as it is counted."""

    def held(self) -> Sequence[HeldCopies]: ...


class SourceTransaction(Protocol):
    """The slice that is looked at."""

    @property
    def feed_positions(self) -> FeedPositions: ...
    @property
    def recheck_queue(self) -> RecheckQueue: ...
    @property
    def certificate_copies(self) -> CopiesHeld: ...


@dataclass(frozen=True)
class SourceFacts:
    """A configured source: its code, the region it answers for, whether it has a change feed."""

    code: str
    region: str
    has_feed: bool


@dataclass(frozen=True)
class HeldKind:
    """Copies of one kind. Those fetched before ``fresh_for`` ago are fetched anew when they are next needed."""

    copies: HeldCopies
    title: str
    fresh_for: timedelta
    permitted_for: timedelta


@dataclass(frozen=True)
class SourceHealth:
    """One source. ``feed`` None: it has none, or it was never read. ``late``: nobody knows what changed since."""

    source: SourceFacts
    feed: FeedState | None
    late: bool
    held: Sequence[HeldKind]


@dataclass(frozen=True)
class SourcesState:
    """All sources as they stand at ``at``, and the re-checks that wait."""

    at: datetime
    sources: Sequence[SourceHealth]
    rechecks: QueueState


class SourceWatch:
    """来源健康与新鲜度."""

    def __init__(
        self,
        transactions: Transactions[SourceTransaction],
        sources: Sequence[SourceFacts],
        kinds: KindRegistry,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._sources = sources
        self._kinds = kinds
        self._clock = clock

    async def state(self) -> SourcesState:
        """As of now, from what the gateway noted; no source is asked."""
        now = self._clock()

        def read(tx: SourceTransaction) -> SourcesState:
            feeds = {feed.source: feed for feed in tx.feed_positions.states()}
            held = tx.certificate_copies.held()
            health = [self._health(each, feeds, held, now) for each in self._sources]
            return SourcesState(now, health, tx.recheck_queue.state())

        return await self._transactions.read(read)

    def _health(
        self, source: SourceFacts, feeds: dict[str, FeedState], held: Sequence[HeldCopies], now: datetime
    ) -> SourceHealth:
        feed = feeds.get(source.code) if source.has_feed else None
        late = source.has_feed and (feed is None or feed.lag_s(now) > LATE_AFTER.total_seconds())
        own = [self._kind(each) for each in held if each.source == source.code and each.kind in self._kinds.by_code]
        return SourceHealth(source, feed, late, own)

    def _kind(self, copies: HeldCopies) -> HeldKind:
        kind = self._kinds.by_code[copies.kind]
        limit = kind.policy.source
        return HeldKind(copies, kind.title, limit.fresh, limit.permitted)
