"""The relay: claim a lease and write an open attempt down, commit, send, settle – never a transaction across a send.

What its own process commits comes with both, handed over as it is committed; the rest it looks for: what other
processes committed, what is due again, what found no room.
Many sends are in flight at once; a receiver that does not answer holds at most its own share of them, and after some
failures a probe's. Events of one receiver and application go one after the other, oldest first: the queue sees to
that where they are claimed, and in hand each waits until the one before it is settled as delivered. What has been sent
is settled in groups. A relay that dies leaves its leases to lapse, and another takes the
events over: a receiver may then see an event twice and knows it by its id.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from gateway.clock import Clock
from gateway.delivery.attempts import Attempts, ReceiverHealth
from gateway.delivery.backoff import Backoff
from gateway.delivery.breaker import BreakerPolicy
from gateway.delivery.breakers import Breakers, BreakerWatch
from gateway.delivery.hand_over import HandOver, Left
from gateway.delivery.in_hand import InHand, Key
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
from gateway.delivery.turns import Turn, Turns
from gateway.errors import Overloaded
from gateway.logging import info_in_own_words
from gateway.transaction import Transactions

log = structlog.get_logger()

LOOK_FOR_JUMPS_S: Final = 15.0
"""Seconds between two looks at what a clock that was ahead has put off; at once where the clock goes back."""


@dataclass(frozen=True)
class RelayLimits:
    """How much a relay does at once. ``lease`` must outlast the time-outs of asking and sending.

    ``wait`` is how long an event in hand may wait for its turn: with both time-outs it fits into the lease.
    A receiver of which nothing but failures were seen for ``disable_after`` is not sent to until somebody enables it.
    """

    in_flight: int = 64
    per_destination: int = 16
    lease: timedelta = timedelta(seconds=30)
    wait: timedelta = timedelta(seconds=5)
    idle: timedelta = timedelta(milliseconds=200)
    disable_after: timedelta = timedelta(days=2)


class RelayWatch(BreakerWatch, Protocol):
    """Who counts what a relay does."""

    def attempted(self, destination: str, state: DeliveryState) -> None:
        """One attempt ended, and left its delivery so."""
        ...

    def taken_over(self, destination: str, count: int) -> None:
        """So many events were taken over from relays whose leases lapsed."""
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
        self._elapsed = elapsed
        self.hand_over = HandOver(owner, clock, self._limits.lease)
        self._tasks: set[asyncio.Task[None]] = set()
        wait_s = self._limits.wait.total_seconds()
        self._in_hand = InHand(self._limits.in_flight, self._limits.per_destination, wait_s)
        self._turns = Turns()
        self._breakers = Breakers(breakers or BreakerPolicy(), elapsed, watch)
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
        self._start()
        total = self._in_hand.free - len(self.hand_over.promised)
        if total <= 0:
            return 0
        at, now = self._clock(), self._elapsed()
        room, look, half_open = self._room(total, now), self._jump_is_possible(at, now), self._breakers.half_open(now)
        claims, moved = await self._transactions.write(lambda tx: self._claim(tx, at, room, look))
        self._passed_at = at
        if look:
            self._looked_for_jumps_at = now
        if moved:
            log.warning("relay.clock_jumped", events=moved)
        for claim in claims:
            probe = claim.event.destination in half_open
            if probe:
                self._breakers.probe_began(claim.event.destination)
            self._take(Turn(claim, now, handed=False, probe=probe))
        self._in_hand.looked(claims, room)
        self._start()
        self._tell_takeovers(claims)
        return len(claims)

    async def drain(self) -> None:
        """Wait until all that is in hand is settled, and for what is being committed for this relay."""
        while self._tasks or self.hand_over.promised:
            if self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)
            else:
                await asyncio.sleep(0.01)

    def has_room(self, destination: str, promised: int, promised_in_all: int) -> bool:
        """See ``Taker``. Nothing goes before a look at the breaker of a receiver that failed last, and before what is
        due to one in the database.
        """
        if destination in self._breakers or self._in_hand.is_behind(destination):
            return False
        return self._in_hand.free > promised_in_all and self._in_hand.free_for(destination) > promised

    def may_follow(self, key: Key, sequence: int) -> bool:
        """See ``Taker``."""
        return self._turns.may_follow(key, sequence)

    @property
    def looks(self) -> int:
        """See ``Taker``."""
        return self._in_hand.looks

    def take(self, claims: Sequence[ClaimedDelivery], left: Left, looks: int) -> None:
        """See ``Taker``."""
        now = self._elapsed()
        for claim in claims:
            self._take(Turn(claim, now, handed=True))
        self._start()
        if self._in_hand.leave(left, looks):
            self._wake.set()

    def _take(self, turn: Turn) -> None:
        self._in_hand.taken(turn.claim)
        if not self._turns.add(turn):
            self._put_back(turn)

    def _start(self) -> None:
        """Begin whatever sends may begin; what has waited too long to be sent under its lease is put back."""
        for late in self._turns.late(self._elapsed() - self._limits.wait.total_seconds()):
            self._put_back(late)
        while (turn := self._turns.next(self._in_hand.may_begin)) is not None:
            self._in_hand.begun(turn.claim)
            self._spawn(self._deliver(turn, self._send(turn)))

    def _put_back(self, turn: Turn, until: datetime | None = None) -> None:
        self._in_hand.withdrawn(turn.claim)
        if turn.probe:
            self._breakers.ended(turn.destination, ReceiverHealth.UNTOLD, probe=True)
        put_back = replace(turn, handed=False)  # somebody looks for it again
        self._spawn(self._deliver(put_back, self._not_sent(turn, until)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _claim(
        self, tx: RelayTransaction, at: datetime, room: ClaimRoom, look: bool
    ) -> tuple[list[ClaimedDelivery], int]:
        self._in_hand.looking()
        lease_until = at + self._limits.lease
        moved = tx.deliveries.undo_clock_jump(at, lease_until) if look else 0
        return list(tx.deliveries.claim(self._owner, at, lease_until, room)), moved

    def _jump_is_possible(self, at: datetime, now: float) -> bool:
        if self._looked_for_jumps_at is None or now - self._looked_for_jumps_at >= LOOK_FOR_JUMPS_S:
            return True
        return self._passed_at is not None and at < self._passed_at

    def _room(self, total: int, now: float) -> ClaimRoom:
        free = {**self._in_hand.free_by_receiver(), **self._breakers.rooms(now, self._in_hand.sends_for)}
        left = {code: most - self.hand_over.promised_to(code) for code, most in free.items()}
        return ClaimRoom(total, self._limits.per_destination, left, (*self._in_hand.ids, *self.hand_over.promised))

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

    async def _deliver(self, turn: Turn, ended: Coroutine[Any, Any, tuple[Settlement, ReceiverHealth]]) -> None:
        claim, event_id, for_good = turn.claim, turn.claim.event.event_id, False
        try:
            settlement, health = await ended
            if settlement.state.under_way:  # what is behind it is settled in the same group
                for behind in self._turns.failed(claim):
                    self._put_back(behind, settlement.next_attempt_at)
            kept = await self._settling.settle(Finished(claim, settlement, health))
            for_good = kept and not settlement.state.under_way
            self._tell(claim, settlement, kept)
        except Overloaded as error:
            log.warning("delivery.unsettled", event_id=event_id, check=error.check)
        except Exception as error:  # a fault of ours: when the lease has lapsed, the event is taken over
            log.error("delivery.unsettled", event_id=event_id, fault=type(error).__name__)
        finally:  # also where it was cancelled: a turn that never ends would keep all of its subject from going
            if self._in_hand.settled(claim, handed=turn.handed):
                self._wake.set()
            for behind in self._turns.settled(claim, for_good=for_good):
                self._put_back(behind)
        self._start()

    async def _send(self, turn: Turn) -> tuple[Settlement, ReceiverHealth]:
        began, health = self._elapsed(), ReceiverHealth.UNTOLD
        try:
            settlement, health = await self._attempts.make(turn.claim)
            return settlement, health
        finally:
            only_probes = self._breakers.ended(turn.destination, health, probe=turn.probe)
            if self._in_hand.sent(turn.claim, self._elapsed() - began):
                self._wake.set()
            for other in self._turns.withdrawn(turn.destination) if only_probes else ():
                self._put_back(other)
            self._start()

    async def _not_sent(self, turn: Turn, until: datetime | None) -> tuple[Settlement, ReceiverHealth]:
        return self._attempts.put_back(turn.claim, until), ReceiverHealth.UNTOLD

    def _tell(self, claim: ClaimedDelivery, settlement: Settlement, kept: bool) -> None:
        if self._watch is not None:
            self._watch.attempted(claim.event.destination, settlement.state)
        info_in_own_words(
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
