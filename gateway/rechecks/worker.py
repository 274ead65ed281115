"""Works the queue: claim a lease, commit, look, conclude – never a transaction across a look.

A worker that dies leaves its leases to lapse, and another looks again; what it had concluded is committed together with
the end of its lease, so nothing is told twice.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.clock import Clock
from gateway.errors import Overloaded
from gateway.ids import MakeId
from gateway.rechecks.model import DueRecheck, Undecided
from gateway.rechecks.pacing import after_undecided, after_unseen
from gateway.rechecks.ports import RechecksTransaction
from gateway.rechecks.service import Concluded, Look, RecheckService
from gateway.transaction import Transactions

log = structlog.get_logger()


@dataclass(frozen=True)
class WorkerLimits:
    """How many are looked at at once: sources are asked politely. ``lease`` must outlast a look."""

    in_flight: int = 8
    lease: timedelta = timedelta(minutes=2)
    idle: timedelta = timedelta(milliseconds=500)


class RecheckWorker:
    """Looks at what is due until told to stop."""

    def __init__(
        self,
        owner: str,
        transactions: Transactions[RechecksTransaction],
        rechecks: RecheckService,
        clock: Clock,
        make_id: MakeId,
        limits: WorkerLimits | None = None,
        chance: random.Random | None = None,
        concluded: Callable[[str, str], None] | None = None,
    ) -> None:
        """``concluded`` is told kind and result of each look: a change, ``unchanged``, ``undecided``, ``ended``, or
        ``lease_lost`` where another worker had taken it over.
        """
        self._owner = owner
        self._transactions = transactions
        self._rechecks = rechecks
        self._clock = clock
        self._make_id = make_id
        self._limits = limits or WorkerLimits()
        self._chance = chance or random.SystemRandom()
        self._concluded = concluded
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; then finish what is being looked at. A failing database is waited out."""
        while not stop.is_set():
            try:
                claimed = await self.pass_once()
            except Overloaded as error:
                log.warning("rechecks.waiting", check=error.check)
                claimed = 0
            except Exception as error:  # such as a schema that is still to be migrated: waiting may help
                log.error("rechecks.fault", fault=type(error).__name__)
                claimed = 0
            if not claimed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._limits.idle.total_seconds())
        await self.drain()

    async def pass_once(self) -> int:
        """Claim what is due and there is room for, and start looking at it; answers how many."""
        room, now = self._limits.in_flight - len(self._tasks), self._clock()
        if room <= 0 or not await self._transactions.read(lambda tx: tx.recheck_queue.any_due(now)):
            return 0
        claims = await self._transactions.write(
            lambda tx: tx.recheck_queue.claim(self._owner, now, self._limits.lease, room)
        )
        for claim in claims:
            task = asyncio.create_task(self._work(claim))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(claims)

    async def drain(self) -> None:
        """Wait for every look under way to be concluded."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, claim: DueRecheck) -> None:
        try:
            look = await self._look(claim)
            event_id = self._make_id("evt")
            concluded = await self._transactions.write(lambda tx: self._settle(tx, claim, look, event_id))
        except Overloaded as error:  # the lease lapses, and it is looked at again
            log.warning("recheck.unsettled", application=claim.application_id, kind=claim.kind, check=error.check)
            return
        result = "lease_lost" if concluded is None else _result(concluded)
        if self._concluded is not None:
            self._concluded(claim.kind, result)
        log.info(
            "recheck.concluded",
            application=claim.application_id,
            kind=claim.kind,
            reason=claim.reason.value,
            attempt=claim.attempt,
            result=result,
            check=concluded.undecided.check if concluded and concluded.undecided else None,
        )

    async def _look(self, claim: DueRecheck) -> Look:
        since = claim.asked_at if claim.attempt == 1 else self._clock()
        try:
            return await self._rechecks.look(claim.application_id, claim.kind, since)
        except Overloaded:
            raise
        except Exception as error:  # a fault of ours must not stop the worker, nor be taken for a change
            log.exception("recheck.fault", application=claim.application_id, kind=claim.kind)
            return Undecided(f"gateway.{type(error).__name__}")

    def _settle(self, tx: RechecksTransaction, claim: DueRecheck, look: Look, event_id: str) -> Concluded | None:
        """One commit ends the look and tells the change. None where another has the lease: nothing is done."""
        tx.applications.find_for_change(claim.application_id)  # the application is locked before the line, as elsewhere
        if not tx.recheck_queue.holds(self._owner, claim):
            return None
        concluded = self._rechecks.conclude(tx, claim.application_id, claim.kind, look, claim.reason, event_id)
        now, again_at = self._clock(), None
        if concluded.undecided is not None:
            retry_after = concluded.undecided.retry_after
            again_at = after_undecided(claim.attempt, now, self._chance.random(), retry_after)
        elif not _hint_seen(claim, concluded):
            again_at = after_unseen(claim.attempt, now)
        tx.recheck_queue.settle(self._owner, claim, again_at)
        return concluded


def _hint_seen(claim: DueRecheck, concluded: Concluded) -> bool:
    """Whether what a feed hinted at has been seen: now, or by a look after it happened."""
    if claim.hinted_at is None or concluded.change is not None or concluded.document is None:
        return True
    as_of = concluded.document.as_of
    return as_of is not None and as_of >= claim.hinted_at


def _result(concluded: Concluded) -> str:
    if concluded.document is None:
        return "ended"
    if concluded.undecided is not None:
        return "undecided"
    return concluded.change.kind.value if concluded.change else "unchanged"
