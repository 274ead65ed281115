"""Adopting a restored database (恢复后的启用).

A backup is older than what was lost: events had been numbered and sent after it, entries recorded, heads signed. Were
the database served as it is, the same positions, sequences and record ids would be given to other things. Adoption
makes that impossible without asking anybody what they hold: numbers move to the next *epoch*
(``schemas.events.EPOCH``), every log of before is ended, and the new one begins with the entry that says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.records.entries import Fact, RecordEntry
from gateway.records.log import Seal
from gateway.restorations.ports import AdoptingTransaction, Restoration
from gateway.transaction import Transactions
from schemas.wire import format_instant

MOST_HEADS_NAMED = 100


@dataclass(frozen=True)
class Adopted:
    """``lost`` are the heads that had left the building and are not in the database."""

    restoration: Restoration
    record_id: str
    lost: Sequence[Seal]


async def adopt(
    transactions: Transactions[AdoptingTransaction], clock: Clock, actor: str, kept: Sequence[Seal]
) -> Adopted | None:
    """Adopt what was restored; None, and nothing is done, where it was not, and is no older than ``kept``.

    Every log must have been ended before (``adapters.storage.restorations.end_logs``), so that the entry begins one.
    """

    def work(tx: AdoptingTransaction) -> Adopted | None:
        lost, waiting, now = tx.restorations.contradicted(kept), tx.restorations.waiting(), clock()
        if waiting is None and not lost:
            return None
        restoration = waiting or Restoration(tx.restorations.last_number() + 1, None, None, None)
        record_id = tx.records.append(RecordEntry("storage.restored", now, actor, facts=_facts(restoration, lost)))
        tx.restorations.adopt(restoration, now, record_id)
        return Adopted(restoration, record_id, lost)

    return await transactions.write(work)


def _facts(restoration: Restoration, lost: Sequence[Seal]) -> dict[str, Fact]:
    taken_at = restoration.backup_taken_at
    return {
        "restoration": restoration.number,
        "backup_sha256": restoration.backup_sha256,
        "backup_taken_at": format_instant(taken_at) if taken_at else None,
        "heads_lost": len(lost),
        "lost": [f"{seal.log_id}:{seal.number}:{seal.last_sequence}:{seal.hash().hex()}" for seal in lost][
            :MOST_HEADS_NAMED
        ],
    }
