"""Removes what its time is over for: batch by batch, and each batch is one commit with its record entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.clock import Clock
from gateway.records.entries import Fact, RecordEntry
from gateway.retention.policies import Kept, RetentionPolicy
from gateway.retention.ports import RetentionTransaction
from gateway.transaction import Transactions

PURGED = "retention.purged"
BATCH = 200
MOST_BATCHES = 50
"""Of one policy in one run: what is left waits for the next, so that nothing else has to wait for this."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a policy would remove now: ``count`` things whose event was at ``before`` or earlier."""

    policy: RetentionPolicy
    before: datetime
    count: int


class RetentionService:
    """留存期限的执行."""

    def __init__(
        self, transactions: Transactions[RetentionTransaction], policies: Sequence[RetentionPolicy], clock: Clock
    ) -> None:
        self._transactions = transactions
        self._policies = tuple(policies)
        self._clock = clock

    async def due(self) -> list[Due]:
        """What every policy would remove now; nothing is changed."""
        now = self._clock()

        def read(tx: RetentionTransaction) -> list[Due]:
            return [
                Due(policy, now - policy.kept, tx.removal.due(policy, now - policy.kept)) for policy in self._policies
            ]

        return await self._transactions.read(read)

    async def run(self, actor: str = "gateway") -> dict[str, int]:
        """Remove what is due; answers how many by policy code, where there were any.

        Intakes are left to ``IntakeService.purge_expired``, which also ends what hangs on them, and records each.
        """
        own = [policy for policy in self._policies if policy.what is not Kept.INTAKES]
        removed = {policy.code: await self._run(policy, actor) for policy in own}
        return {code: count for code, count in removed.items() if count}

    async def _run(self, policy: RetentionPolicy, actor: str) -> int:
        total = 0
        for _ in range(MOST_BATCHES):
            count = await self._transactions.write(lambda tx: self._remove(tx, policy, actor))
            total += count
            if count < BATCH:
                break
        return total

    def _remove(self, tx: RetentionTransaction, policy: RetentionPolicy, actor: str) -> int:
        now = self._clock()
        before = now - policy.kept
        count = tx.removal.remove(policy, before, now, BATCH)
        if count:
            facts: dict[str, Fact] = {
                "policy": policy.code,
                "count": count,
                "before": before.isoformat(),
                "kept_seconds": int(policy.kept.total_seconds()),
                "basis": policy.basis,
            }
            tx.records.append(RecordEntry(PURGED, now, actor, facts=facts))
        return count
