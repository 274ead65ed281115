"""One unit of work. Each room sees the slice that its ``ports.py`` declares; this class has them all."""

from functools import cached_property

from adapters.storage.deliveries import BatchOutbox, ReadOnlyOutbox, SqlDeliveryQueue
from adapters.storage.records import BatchRecords, ReadOnlyRecords, SqlRecordReader
from adapters.storage.statements import Statements
from gateway.delivery.ports import Outbox
from gateway.records.ports import RecordAppender


class SqlUnitOfWork:
    """Repositories over the statements of one unit; ``records`` and ``outbox`` belong to the batch it is part of."""

    def __init__(
        self,
        statements: Statements,
        records: BatchRecords | ReadOnlyRecords,
        outbox: BatchOutbox | ReadOnlyOutbox,
    ) -> None:
        self._statements = statements
        self._records = records
        self._outbox = outbox

    @property
    def records(self) -> RecordAppender:
        return self._records

    @property
    def outbox(self) -> Outbox:
        return self._outbox

    @cached_property
    def deliveries(self) -> SqlDeliveryQueue:
        return SqlDeliveryQueue(self._statements)

    @cached_property
    def record_reader(self) -> SqlRecordReader:
        return SqlRecordReader(self._statements)
