"""A super log for tests: who signs it, who watches it, and how it is anchored."""

from collections.abc import Sequence
from datetime import timedelta

from adapters.storage.transactions import SqlTransactions
from gateway.records.anchoring import Anchoring
from gateway.records.checkpoints import NoteSigner
from gateway.records.entries import RecordEntry
from gateway.records.notes import ED25519_TYPE, VerifierKey
from tests.support.storage import NOON, SEAL_SIGNER, SetClock

ORIGIN = "gateway.example/record"
LOG_KEY = VerifierKey(ORIGIN, ED25519_TYPE, SEAL_SIGNER.private_key.public_key().public_bytes_raw())
LOG_SIGNER = NoteSigner(LOG_KEY, SEAL_SIGNER.sign)


def anchoring(
    transactions: SqlTransactions,
    clock: SetClock,
    holder: str = "one",
    signers: Sequence[NoteSigner] = (LOG_SIGNER,),
) -> Anchoring:
    return Anchoring(transactions, clock, ORIGIN, signers, holder, timedelta(seconds=10))


def entry(number: int, subject: str | None = "app_1", actor: str = "csg-guangzhou") -> RecordEntry:
    return RecordEntry("test.done", NOON, actor, subject=subject, facts={"n": number})


async def recorded(transactions: SqlTransactions, *entries: RecordEntry) -> list[str]:
    """The entries in one unit of work; answers their record ids."""
    return await transactions.write(lambda tx: [tx.records.append(each) for each in entries])
