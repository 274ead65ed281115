"""The relay: claim a lease, commit, send, settle – never a transaction across a send.

Many sends are in flight at once; a receiver that does not answer holds at most its own share of them. Events of one
receiver and application go one after the other, oldest first; the queue sees to that. A relay that dies leaves its
leases to lapse, and another takes the events over: a receiver may then see an event twice and knows it by its id.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gateway.clock import Clock
from gateway.delivery.backoff import Backoff
from gateway.delivery.errors import DeliveryRefused
from gateway.delivery.ports import (
    Channel,
    ChannelKind,
    ClaimedDelivery,
    DeliveryState,
    RelayTransaction,
    Settlement,
)
from gateway.errors import GatewayError, Overloaded, PartnerUnavailable
from gateway.records.entries import RecordEntry, digest
from gateway.transaction import Transactions

log = structlog.get_logger()


@dataclass(frozen=True)
class RelayLimits:
    """How much a relay does at once. ``lease`` must outlast a send's time-out."""

    in_flight: int = 64
    per_destination: int = 16
    lease: timedelta = timedelta(seconds=30)
    idle: timedelta = timedelta(milliseconds=200)


class Relay:
    """Works off the queue until told to stop."""

    def __init__(
        self,
        owner: str,
        transactions: Transactions[RelayTransaction],
        channels: Mapping[ChannelKind, Channel],
        clock: Clock,
        backoff: Backoff,
        limits: RelayLimits | None = None,
        chance: random.Random | None = None,
        progress: Callable[[datetime], None] | None = None,
        attempted: Callable[[str, DeliveryState], None] | None = None,
    ) -> None:
        """``progress`` is told the time after each pass that the database answered, with or without work;
        ``attempted`` destination and outcome of each attempt.
        """
        self._owner = owner
        self._transactions = transactions
        self._channels = channels
        self._clock = clock
        self._backoff = backoff
        self._limits = limits or RelayLimits()
        self._chance = chance or random.SystemRandom()
        self._progress = progress
        self._attempted = attempted
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight: Counter[str] = Counter()
        self._freed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until ``stop`` is set; then finish what is in flight. A failing database is waited out."""
        while not stop.is_set():
            try:
                claimed = await self.pass_once()
                if self._progress is not None:
                    self._progress(self._clock())
            except Overloaded as error:
                log.warning("relay.waiting", check=error.check)
                claimed = 0
            except Exception as error:  # such as a schema that is still to be migrated: waiting may help, ending won't
                log.error("relay.fault", fault=type(error).__name__)
                claimed = 0
            if not claimed:
                await self._wait(stop)
        await self.drain()

    async def pass_once(self) -> int:
        """Claim what is due and there is room for, and start sending it; answers how many were claimed."""
        room = self._limits.in_flight - len(self._tasks)
        if room <= 0:
            return 0
        now = self._clock()
        full = [code for code, count in self._in_flight.items() if count >= self._limits.per_destination]
        claims = await self._transactions.write(
            lambda tx: tx.deliveries.claim(
                self._owner, now, now + self._limits.lease, min(room, self._limits.per_destination), full
            )
        )
        for claim in claims:
            self._in_flight[claim.event.destination] += 1
            task = asyncio.create_task(self._deliver(claim))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(claims)

    async def drain(self) -> None:
        """Wait for every send in flight to be settled."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self, stop: asyncio.Event) -> None:
        self._freed.clear()
        waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._freed.wait())]
        await asyncio.wait(waits, timeout=self._limits.idle.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await wait

    async def _deliver(self, claim: ClaimedDelivery) -> None:
        event = claim.event
        try:
            settlement = await self._attempt(claim)
            settled = await self._transactions.write(lambda tx: self._settle(tx, claim, settlement))
            if self._attempted is not None:
                self._attempted(event.destination, settlement.state)
            log.info(
                "delivery.attempt",
                event_id=event.event_id,
                destination=event.destination,
                type=event.type,
                subject=event.subject,
                sequence=event.sequence,
                attempt=claim.attempt,
                state=settlement.state.value,
                reason=settlement.reason,
                status=settlement.status,
                milliseconds=round((settlement.finished_at - settlement.started_at).total_seconds() * 1000),
                lease_kept=settled,
            )
        except Overloaded as error:
            log.warning("delivery.unsettled", event_id=event.event_id, check=error.check)
        finally:
            self._in_flight[event.destination] -= 1
            if not self._in_flight[event.destination]:
                del self._in_flight[event.destination]
            self._freed.set()

    async def _attempt(self, claim: ClaimedDelivery) -> Settlement:
        started_at = self._clock()
        event, status, retry_after = claim.event, None, None
        try:
            receipt = await self._channels[event.channel].send(event, started_at)
        except DeliveryRefused as error:
            reason, state, status = error.check, DeliveryState.DEAD, error.status
        except PartnerUnavailable as error:
            reason, state, retry_after = error.check, DeliveryState.PENDING, error.retry_after
        except GatewayError as error:
            reason, state = error.check, DeliveryState.PENDING
        except Exception as error:  # a fault of ours must not lose the event or stop the relay
            log.exception("delivery.fault", event_id=event.event_id)
            reason, state = f"gateway.{type(error).__name__}", DeliveryState.PENDING
        else:
            reason = "duplicate" if receipt.duplicate else "accepted"
            return Settlement(
                event.event_id,
                claim.attempt,
                started_at,
                self._clock(),
                DeliveryState.DELIVERED,
                reason,
                200,
                receipt,
            )
        now = self._clock()
        next_attempt_at = None
        if state is DeliveryState.PENDING:
            next_attempt_at = self._backoff.next_attempt_at(
                claim.attempt, claim.first_attempt_at, now, self._chance.random(), retry_after
            )
        if next_attempt_at is None:
            state = DeliveryState.DEAD
        return Settlement(event.event_id, claim.attempt, started_at, now, state, reason, status, None, next_attempt_at)

    def _settle(self, tx: RelayTransaction, claim: ClaimedDelivery, settlement: Settlement) -> bool:
        if not tx.deliveries.settle(self._owner, settlement):
            return False
        if settlement.state is not DeliveryState.PENDING:
            delivered = settlement.state is DeliveryState.DELIVERED
            tx.records.append(
                RecordEntry(
                    action="delivery.receipted" if delivered else "delivery.dead",
                    at=settlement.finished_at,
                    actor=claim.event.destination if delivered else "gateway",
                    subject=claim.event.subject,
                    result="done" if delivered else "refused",
                    facts={
                        "event": claim.event.event_id,
                        "destination": claim.event.destination,
                        "attempt": settlement.attempt,
                        "reason": settlement.reason,
                        "receipt_sha256": digest(settlement.receipt.document) if settlement.receipt else None,
                    },
                )
            )
        return True
