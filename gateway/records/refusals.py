"""Refusals are recorded too, in a unit of work of their own: the one that was refused is rolled back."""

from collections.abc import Mapping

from gateway.clock import Clock
from gateway.errors import GatewayError, Overloaded, SubjectUnknown
from gateway.records.entries import Fact, RecordEntry
from gateway.records.ports import RecordingTransaction
from gateway.transaction import Transactions


class refusals_recorded:
    """Record whatever the body refuses, and raise it with its ``record_id``.

    ``clock`` tells when the refusal was recorded, which may be long after the request came. A subject that the caller
    does not know (``SubjectUnknown``) is not named in the entry: what somebody made up does not belong into the record.
    ``facts`` are digests, codes and references, never free text of the caller's.
    Raises ``Overloaded`` in its place where the refusal cannot be recorded: then nothing was answered.
    """

    __slots__ = ("_said", "_transactions")

    def __init__(
        self,
        transactions: Transactions[RecordingTransaction],
        action: str,
        clock: Clock,
        actor: str,
        subject: str | None,
        facts: Mapping[str, Fact],
    ) -> None:
        self._transactions, self._said = transactions, (action, clock, actor, subject, facts)

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if not isinstance(error, GatewayError) or isinstance(error, Overloaded):
            return
        action, clock, actor, subject, facts = self._said
        why: dict[str, Fact] = {"refusal": error.kind, "check": error.check, "clause": error.clause}
        found = None if isinstance(error, SubjectUnknown) else subject
        error.record_id = await self._transactions.write(
            lambda tx: tx.records.append(RecordEntry(action, clock(), actor, found, "refused", {**facts, **why}))
        )
