"""The relay: claim a lease and write an open attempt down, commit, send, settle – never a transaction across a send.

What its own process commits comes with both, handed over as it is committed; the rest it looks for: what other
processes committed, what is due again, what came behind another event or found no room.
Many sends are in flight at once; a receiver that does not answer holds at most its own share of them, and after some
failures a probe's. Events of one receiver and application go one after the other, oldest first; the queue sees to
that. What has been sent is settled in groups. A relay that dies leaves its leases to lapse, and another takes the
events over: a receiver may then see an event twice and knows it by its id.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from gateway.clock import Clock
from gateway.delivery.attempts import Attempts, ReceiverHealth
from gateway.delivery.backoff import Backoff
from gateway.delivery.breaker import Breaker, BreakerPolicy, BreakerState
from gateway.delivery.hand_over import HandOver, Left
from gateway.delivery.in_hand import InHand
from gateway.delivery.ports import (
    Channel,
    ChannelKind,
    ClaimedDelivery,
    ClaimRoom,
    DeliveryState,
    RelayTransaction,
    Settlement,
)
from gateway.delivery.settling import Finished, Settling
from gateway.errors import Overloaded
from gateway.transaction import Transactions

log = structlog.get_logger()

LOOK_FOR_JUMPS_S: Final = 15.0
"""Seconds between two looks at what a clock that was ahead has put off; at once where the clock goes back."""


@dataclass(frozen=True)
class RelayLimits:
    """How much a relay does at once. ``lease`` must outlast the time-outs of asking and sending.

    A receiver of which nothing but failures were seen for ``disable_after`` is not sent to until somebody enables it.
    """

    in_flight: int = 64
    per_destination: int = 16
    lease: timedelta = timedelta(seconds=30)
    idle: timedelta = timedelta(milliseconds=200)
    disable_after: timedelta = timedelta(days=2)


class RelayWatch(Protocol):
    """Who counts what a relay does."""

    def attempted(self, destination: str, state: DeliveryState) -> None:
        """One attempt ended, and left its delivery so."""
        ...

    def taken_over(self, destination: str, count: int) -> None:
        """So many events were taken over from relays whose leases lapsed."""
        ...

    def breaker_moved(self, destination: str, state: BreakerState) -> None:
        """The breaker of a destination was opened, or closed again."""
        ...


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
        watch: RelayWatch | None = None,
        breakers: BreakerPolicy | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """``progress`` is told the time after each pass that the database answered, with or without work; ``elapsed``
        answers seconds of a clock that is never set.
        """
        self._owner = owner
        self._transactions = transactions
        self._clock = clock
        self._limits = limits or RelayLimits()
        self._attempts = Attempts(channels, clock, backoff, chance or random.SystemRandom())
        self._settling = Settling(owner, transactions, self._limits.disable_after)
        self._progress = progress
        self._watch = watch
        self._policy = breakers or BreakerPolicy()
        self._elapsed = elapsed
        self.hand_over = HandOver(owner, clock, self._limits.lease)
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand = InHand(self._limits.in_flight, self._limits.per_destination)
        self._breakers: dict[str, Breaker] = {}
        self._passed_at: datetime | None = None
        self._looked_for_jumps_at: float | None = None
        self._wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until ``stop`` is set; then finish what is in flight. A failing database is waited out."""
        self.hand_over.open(asyncio.get_running_loop(), self)
        try:
            await self._pass_until(stop)
        finally:
            self.hand_over.close()
        await self.drain()

    async def _pass_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._wake.clear()
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

    async def pass_once(self) -> int:
        """Claim what is due and there is room for, and start sending it; answers how many were claimed."""
        total = self._in_hand.free - len(self.hand_over.promised)
        if total <= 0:
            return 0
        at, now = self._clock(), self._elapsed()
        room, look = self._room(total, now), self._jump_is_possible(at, now)
        half_open = {code for code, breaker in self._breakers.items() if breaker.state(now) is BreakerState.HALF_OPEN}
        claims, moved = await self._transactions.write(lambda tx: self._claim(tx, at, room, look))
        self._passed_at = at
        if look:
            self._looked_for_jumps_at = now
        if moved:
            log.warning("relay.clock_jumped", events=moved)
        for claim in claims:
            probe = claim.event.destination in half_open
            if probe:
                self._move_breaker(claim.event.destination, self._breaker(claim.event.destination).probe_began())
            self._begin(claim, probe=probe, handed=False)
        self._in_hand.looked(claims, room)
        self._tell_takeovers(claims)
        return len(claims)

    async def drain(self) -> None:
        """Wait for every send in flight to be settled, and for what is being committed for this relay."""
        while self._tasks or self.hand_over.promised:
            if self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)
            else:
                await asyncio.sleep(0.01)

    def has_room(self, destination: str, promised: int, promised_in_all: int) -> bool:
        """See ``Taker``. To a receiver that failed last, nothing goes before a look at its breaker."""
        if destination in self._breakers:
            return False
        return self._in_hand.free > promised_in_all and self._in_hand.free_for(destination) > promised

    def take(self, claims: Sequence[ClaimedDelivery], left: Left) -> None:
        """See ``Taker``."""
        for claim in claims:
            self._begin(claim, probe=False, handed=True)
        if self._in_hand.leave(left):
            self._wake.set()

    def _begin(self, claim: ClaimedDelivery, *, probe: bool, handed: bool) -> None:
        self._in_hand.begun(claim)
        task = asyncio.create_task(self._deliver(claim, probe, handed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _claim(
        self, tx: RelayTransaction, at: datetime, room: ClaimRoom, look: bool
    ) -> tuple[list[ClaimedDelivery], int]:
        lease_until = at + self._limits.lease
        moved = tx.deliveries.undo_clock_jump(at, lease_until) if look else 0
        return list(tx.deliveries.claim(self._owner, at, lease_until, room)), moved

    def _jump_is_possible(self, at: datetime, now: float) -> bool:
        if self._looked_for_jumps_at is None or now - self._looked_for_jumps_at >= LOOK_FOR_JUMPS_S:
            return True
        return self._passed_at is not None and at < self._passed_at

    def _room(self, total: int, now: float) -> ClaimRoom:
        each = self._limits.per_destination
        left = self._in_hand.free_by_receiver()
        for code, breaker in self._breakers.items():
            left[code] = breaker.room(now, left.get(code, each))
        return ClaimRoom(total, each, left, (*self._in_hand.ids, *self.hand_over.promised))

    def _tell_takeovers(self, claims: list[ClaimedDelivery]) -> None:
        for code, count in Counter(claim.event.destination for claim in claims if claim.taken_over).items():
            log.warning("delivery.lease_takeover", destination=code, events=count)
            if self._watch is not None:
                self._watch.taken_over(code, count)

    async def _wait(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._wake.wait())]
        await asyncio.wait(waits, timeout=self._limits.idle.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await wait

    async def _deliver(self, claim: ClaimedDelivery, probe: bool, handed: bool) -> None:
        event = claim.event
        try:
            settlement, health = await self._send(claim, probe)
            kept = await self._settling.settle(Finished(claim, settlement, health))
            self._tell(claim, settlement, kept)
        except Overloaded as error:
            log.warning("delivery.unsettled", event_id=event.event_id, check=error.check)
        except Exception as error:  # a fault of ours: when the lease has lapsed, the event is taken over
            log.error("delivery.unsettled", event_id=event.event_id, fault=type(error).__name__)
        finally:
            if self._in_hand.settled(claim, handed=handed):
                self._wake.set()

    async def _send(self, claim: ClaimedDelivery, probe: bool) -> tuple[Settlement, ReceiverHealth]:
        health = ReceiverHealth.UNTOLD
        try:
            settlement, health = await self._attempts.make(claim)
            return settlement, health
        finally:
            self._ended(claim.event.destination, health, probe)
            if self._in_hand.sent(claim):
                self._wake.set()

    def _tell(self, claim: ClaimedDelivery, settlement: Settlement, kept: bool) -> None:
        if self._watch is not None:
            self._watch.attempted(claim.event.destination, settlement.state)
        log.info(
            "delivery.attempt",
            event_id=claim.event.event_id,
            destination=claim.event.destination,
            type=claim.event.type,
            subject=claim.event.subject,
            sequence=claim.event.sequence,
            attempt=claim.attempt,
            outcome=settlement.outcome.value,
            state=settlement.state.value,
            reason=settlement.reason,
            status=settlement.status,
            milliseconds=round((settlement.finished_at - settlement.started_at).total_seconds() * 1000),
            lease_kept=kept,
        )

    def _ended(self, destination: str, health: ReceiverHealth, probe: bool) -> None:
        before, now = self._breaker(destination), self._elapsed()
        match health:
            case ReceiverHealth.WORKS:
                after = before.succeeded(probe=probe)
            case ReceiverHealth.FAILS:
                after = before.failed_once(now, probe=probe)
            case ReceiverHealth.UNTOLD:
                after = before.said_nothing(probe=probe)
        self._move_breaker(destination, after)
        if bool(before.openings) != bool(after.openings):
            state = after.state(now)
            log.warning("delivery.breaker", destination=destination, state=state.value)
            if self._watch is not None:
                self._watch.breaker_moved(destination, state)

    def _breaker(self, destination: str) -> Breaker:
        return self._breakers.get(destination, Breaker(self._policy))

    def _move_breaker(self, destination: str, breaker: Breaker) -> None:
        """One of which nothing bad is known is not kept."""
        if breaker == Breaker(self._policy):
            self._breakers.pop(destination, None)
        else:
            self._breakers[destination] = breaker
