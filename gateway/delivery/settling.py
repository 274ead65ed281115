"""Settles finished attempts, what is ready together in one unit of work, and keeps count of receivers that fail."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from gateway.delivery.attempts import ReceiverHealth
from gateway.delivery.destinations import Destination, untried
from gateway.delivery.ports import ClaimedDelivery, DeliveryState, RelayTransaction, Settlement
from gateway.records.entries import RecordEntry, digest
from gateway.transaction import Transactions

log = structlog.get_logger()

MOST_AT_ONCE = 256


@dataclass(frozen=True)
class Finished:
    """An attempt that has ended and is to be settled."""

    claim: ClaimedDelivery
    settlement: Settlement
    health: ReceiverHealth


class Settling:
    """One at a time: what ends while a group is being settled is the next group."""

    def __init__(self, owner: str, transactions: Transactions[RelayTransaction], disable_after: timedelta) -> None:
        self._owner = owner
        self._transactions = transactions
        self._disable_after = disable_after
        self._ready: list[tuple[Finished, asyncio.Future[bool]]] = []
        self._busy: asyncio.Task[None] | None = None

    async def settle(self, finished: Finished) -> bool:
        """Settle ``finished``; False where its lease was lost and nothing was done. Raises ``Overloaded``."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._ready.append((finished, done))
        if self._busy is None or self._busy.done():
            self._busy = asyncio.create_task(self._settle_all())
        return await done

    async def _settle_all(self) -> None:
        while self._ready:
            await self._settle_ready()

    async def _settle_ready(self) -> None:
        group, self._ready = self._ready[:MOST_AT_ONCE], self._ready[MOST_AT_ONCE:]
        try:
            kept, disabled = await self._transactions.write(
                lambda tx: self._settle(tx, [finished for finished, _ in group])
            )
        except BaseException as error:
            for _, done in group:
                if isinstance(error, Exception) and not done.done():
                    done.set_exception(error)
                else:
                    done.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for finished, done in group:
            if not done.done():
                done.set_result(finished.claim.event.event_id in kept)
        for destination in disabled:
            # The alert: this line is what whoever is on call is paged for, and the metric beside it.
            log.error("delivery.destination_disabled", destination=destination.code, reason=destination.last_reason)

    def _settle(self, tx: RelayTransaction, group: Sequence[Finished]) -> tuple[set[str], list[Destination]]:
        kept = set(tx.deliveries.settle(self._owner, *(finished.settlement for finished in group)))
        for finished in group:
            if finished.claim.event.event_id in kept and not finished.settlement.state.under_way:
                tx.records.append(_entry(finished))
        return kept, self._count_failures(tx, group)

    def _count_failures(self, tx: RelayTransaction, group: Sequence[Finished]) -> list[Destination]:
        """Answers the receivers that were disabled for it."""
        well = {each.claim.event.destination for each in group if each.health is ReceiverHealth.WORKS}
        failures = {
            each.claim.event.destination: each.settlement
            for each in group
            if each.health is ReceiverHealth.FAILS and each.claim.event.destination not in well
        }
        if well:
            tx.destinations.succeeded(sorted(well))
        disabled: list[Destination] = []
        if not failures:
            return disabled
        known = tx.destinations.failing(sorted(failures))
        for code, settlement in sorted(failures.items()):
            before = known.get(code, untried(code))
            after = before.failed(settlement.finished_at, settlement.reason)
            if before.disabled_at is None and after.failing_for >= self._disable_after:
                after = replace(after, disabled_at=settlement.finished_at)
                disabled.append(after)
                tx.records.append(_disabled(after, settlement.finished_at))
            tx.destinations.put(after)
        return disabled


def _entry(finished: Finished) -> RecordEntry:
    claim, settlement = finished.claim, finished.settlement
    delivered = settlement.state is DeliveryState.DELIVERED
    return RecordEntry(
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


def _disabled(destination: Destination, at: datetime) -> RecordEntry:
    since = destination.failing_since
    return RecordEntry(
        action="delivery.destination_disabled",
        at=at,
        actor="gateway",
        subject=destination.code,
        facts={
            "destination": destination.code,
            "failing_since": since.isoformat() if since else None,
            "reason": destination.last_reason,
        },
    )
