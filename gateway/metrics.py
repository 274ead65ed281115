"""What a person on call looks at: what waits, what is dead, what was judged. One of it per process.

Labels are partner codes, certificate kinds and our own words: no application, no address, no person.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from gateway.certificates.verdicts import Verdict
from gateway.clock import Clock
from gateway.delivery.breaker import BreakerState
from gateway.delivery.destinations import Destination
from gateway.delivery.ports import Backlog, DeliveryState, RelayTransaction
from gateway.errors import Overloaded
from gateway.notices.ports import NoticeSends
from gateway.notices.preferences import SendBacklog
from gateway.rechecks.ports import FeedPositions, FeedState, QueueState, RecheckQueue
from gateway.records.ports import SuperLogTransaction
from gateway.transaction import Transactions

LOOKED_AT: Final = timedelta(seconds=10)
"""The database is not asked again sooner, however often somebody scrapes."""
PATIENCE: Final = 3.0
"""Seconds; a scraper does not wait longer for the database."""


class WatchedTransaction(RelayTransaction, SuperLogTransaction, Protocol):
    """The slice that is looked at."""

    @property
    def recheck_queue(self) -> RecheckQueue: ...
    @property
    def feed_positions(self) -> FeedPositions: ...
    @property
    def notice_sends(self) -> NoticeSends: ...


class Watched(Transactions[WatchedTransaction], Protocol):
    """The database as the metrics see it."""

    @property
    def waiting(self) -> int:
        """Units of work that wait for the next commit."""
        ...


class _DeliveryMetrics:
    """What waits to be delivered, what was tried, who is not sent to."""

    def __init__(self, own: CollectorRegistry) -> None:
        to = ("destination",)
        self.pending = Gauge("bandian_outbox_pending", "Events not delivered yet", to, registry=own)
        self.age = Gauge(
            "bandian_outbox_oldest_pending_seconds",
            "Age of the oldest event that is not delivered; 0: none",
            registry=own,
        )
        self.unknown = Gauge("bandian_outbox_unknown", "Of those, events that may have arrived", to, registry=own)
        self.dead = Gauge("bandian_dead_letters", "Events given up", to, registry=own)
        self.disabled = Gauge("bandian_destinations_disabled", "1: nothing is sent there", to, registry=own)
        self.attempts = Counter(
            "bandian_delivery_attempts", "Attempts of this process", ("destination", "state"), registry=own
        )
        self.takeovers = Counter(
            "bandian_lease_takeovers", "Events that this process took over after a lease lapsed", to, registry=own
        )
        self.breakers = Gauge("bandian_breaker_open", "1: this process waits before it tries again", to, registry=own)

    def show(self, backlog: Backlog, destinations: Sequence[Destination], now: datetime) -> None:
        """What the database says of all processes."""
        _show(self.pending, backlog.pending)
        _show(self.unknown, backlog.unknown)
        _show(self.dead, backlog.dead)
        _show(self.disabled, {each.code: 1 for each in destinations if each.disabled_at is not None})
        self.age.set(_seconds_since(backlog.oldest_pending_at, now))


class _CertificateMetrics:
    """What was judged, and what is to be looked at again."""

    def __init__(self, own: CollectorRegistry) -> None:
        self.verdicts = Counter("bandian_verdicts", "E-certificates judged", ("kind", "verdict"), registry=own)
        self.rechecks = Counter(
            "bandian_rechecks",
            "Looks of this process at certificates that open applications rest on",
            ("kind", "result"),
            registry=own,
        )
        self.due = Gauge("bandian_rechecks_waiting", "Certificates to be looked at again", registry=own)
        self.age = Gauge(
            "bandian_rechecks_oldest_due_seconds", "How long the oldest of them is due; 0: none is", registry=own
        )
        self.undecided = Gauge(
            "bandian_rechecks_undecided", "Of those, what could not be decided at several attempts", registry=own
        )
        self.feed_lag = Gauge(
            "bandian_feed_lag_seconds", "How long ago the end of a change feed was reached", ("source",), registry=own
        )

    def show(self, queue: QueueState, feeds: Sequence[FeedState], now: datetime) -> None:
        """What the database says of all processes."""
        self.due.set(queue.waiting)
        self.age.set(_seconds_since(queue.oldest_due_at, now))
        self.undecided.set(queue.undecided)
        _show(self.feed_lag, {each.source: each.lag_s(now) for each in feeds})


class _NoticeMetrics:
    """Messages to applicants."""

    def __init__(self, own: CollectorRegistry) -> None:
        self.waiting = Gauge("bandian_notices_waiting", "Messages to applicants that are not sent yet", registry=own)
        self.dead = Gauge("bandian_notices_dead", "Messages to applicants that were given up", registry=own)

    def show(self, backlog: SendBacklog) -> None:
        """What the database says of all processes."""
        self.waiting.set(backlog.waiting)
        self.dead.set(backlog.dead)


class _RecordMetrics:
    """How far the record is signed, and seen by witnesses."""

    def __init__(self, own: CollectorRegistry) -> None:
        self.lag = Gauge(
            "bandian_checkpoint_lag_seconds",
            "Age of the oldest record entry without a checkpoint; 0: none",
            registry=own,
        )
        self.size = Gauge("bandian_checkpoint_size", "Leaves under the latest checkpoint", registry=own)
        self.behind = Gauge(
            "bandian_witness_behind",
            "Leaves that a witness has not seen, told by who anchors",
            ("witness",),
            registry=own,
        )
        self.contradicted = Gauge(
            "bandian_witness_contradicted",
            "1: a witness saw what no checkpoint follows from",
            ("witness",),
            registry=own,
        )
        self.refused = Gauge(
            "bandian_checkpoint_refused",
            "1: this process signs no checkpoint, because the record does not follow from the last one kept",
            registry=own,
        )

    def show(self, unanchored_since: datetime | None, anchored: int, now: datetime) -> None:
        """What the database says of all processes; ``anchored`` leaves are under a checkpoint."""
        self.lag.set(_seconds_since(unanchored_since, now))
        self.size.set(anchored)


class GatewayMetrics:
    """Counts what it is told of, and asks the database about the outbox when it is scraped."""

    def __init__(self, transactions: Watched, clock: Clock, registry: CollectorRegistry | None = None) -> None:
        self._transactions = transactions
        self._clock = clock
        self._looked_at: datetime | None = None
        own = self.registry = registry or CollectorRegistry()
        self._up = Gauge("bandian_database_up", "1 when the database answered the last look at it", registry=own)
        self._deliveries = _DeliveryMetrics(own)
        self._certificates = _CertificateMetrics(own)
        self._judged = cache(self._certificates.verdicts.labels)
        self._notices = _NoticeMetrics(own)
        self._record = _RecordMetrics(own)
        queue = Gauge("bandian_writer_queue", "Units of work that wait for the next commit", registry=own)
        queue.set_function(lambda: transactions.waiting)

    def attempted(self, destination: str, state: DeliveryState) -> None:
        """One attempt at a delivery ended so."""
        self._deliveries.attempts.labels(destination, state.value).inc()

    def taken_over(self, destination: str, count: int) -> None:
        """So many events were taken over from relays whose leases lapsed."""
        self._deliveries.takeovers.labels(destination).inc(count)

    def breaker_moved(self, destination: str, state: BreakerState) -> None:
        """The breaker of a destination was opened, or closed again."""
        self._deliveries.breakers.labels(destination).set(0 if state is BreakerState.CLOSED else 1)

    def judged(self, kind: str, verdict: Verdict) -> None:
        """One e-certificate of ``kind`` was judged so."""
        self._judged(kind, verdict.value).inc()

    def rechecked(self, kind: str, result: str) -> None:
        """One look at a certificate of ``kind`` ended so, in the words of ``RecheckWorker``'s ``concluded``."""
        self._certificates.rechecks.labels(kind, result).inc()

    def witnessed(self, witness: str, behind: int, contradicted: bool) -> None:
        """How one witness of the record stands, as ``gateway.records.witnessing`` tells it."""
        self._record.behind.labels(witness).set(behind)
        self._record.contradicted.labels(witness).set(contradicted)

    def record_contradicted(self, contradicted: bool) -> None:
        """Whether the record follows from the checkpoints that were kept, as ``Anchoring`` found at its last round."""
        self._record.refused.set(contradicted)

    async def exposition(self) -> bytes:
        """Everything in the Prometheus text format. A database that does not answer is told, not waited for."""
        now = self._clock()
        if self._looked_at is None or not timedelta() <= now - self._looked_at < LOOKED_AT:
            self._looked_at = now
            await self._look(now)
        return generate_latest(self.registry)

    async def _look(self, now: datetime) -> None:
        try:
            seen = await asyncio.wait_for(self._transactions.read(_looked), PATIENCE)
        except (Overloaded, TimeoutError):
            self._up.set(0)
            return
        self._up.set(1)
        backlog, destinations, rechecks, feeds, unanchored_since, anchored, notices = seen
        self._notices.show(notices)
        self._record.show(unanchored_since, anchored, now)
        self._deliveries.show(backlog, destinations, now)
        self._certificates.show(rechecks, feeds, now)


def _looked(
    tx: WatchedTransaction,
) -> tuple[Backlog, Sequence[Destination], QueueState, Sequence[FeedState], datetime | None, int, SendBacklog]:
    record = tx.super_log
    return (
        tx.deliveries.backlog(),
        tx.destinations.list(),
        tx.recheck_queue.state(),
        tx.feed_positions.states(),
        record.unanchored_since(),
        record.head().frontier.size,
        tx.notice_sends.backlog(),
    )


def _seconds_since(at: datetime | None, now: datetime) -> float:
    return 0 if at is None else max(0.0, (now - at).total_seconds())


def _show(gauge: Gauge, counts: Mapping[str, float]) -> None:
    gauge.clear()
    for destination, count in counts.items():
        gauge.labels(destination).set(count)
