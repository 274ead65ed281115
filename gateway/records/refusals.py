"""Refusals are recorded too, in a unit of work of their own: the one that was refused is rolled back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from gateway.errors import GatewayError, NotFound, Overloaded
from gateway.records.entries import Fact, RecordEntry
from gateway.records.ports import RecordingTransaction
from gateway.transaction import Transactions


@asynccontextmanager
async def refusals_recorded(
    transactions: Transactions[RecordingTransaction],
    action: str,
    at: datetime,
    actor: str,
    subject: str | None,
    facts: Mapping[str, Fact],
) -> AsyncIterator[None]:
    """Record whatever the body refuses, and raise it with its ``record_id``.

    A subject that was not found is not named in the entry: what a caller made up does not belong into the record.
    Raises ``Overloaded`` in its place where the refusal cannot be recorded: then nothing was answered.
    """
    try:
        yield
    except Overloaded:
        raise
    except GatewayError as error:
        why: dict[str, Fact] = {"refusal": error.kind, "check": error.check, "clause": error.clause}
        found = None if isinstance(error, NotFound) else subject
        entry = RecordEntry(action, at, actor, found, "refused", {**facts, **why})
        error.record_id = await transactions.write(lambda tx: tx.records.append(entry))
        raise
