"""What the room of rule rows asks of the unit of work."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from gateway.records.ports import RecordAppender
from gateway.rule_rows.model import OperatorRow


class RuleRows(Protocol):
    """The rows. Each change of what is approved advances ``version``, which holds others up until it is committed."""

    def version(self) -> int:
        """0 before the first change."""
        ...

    def advance_version(self) -> int:
        """The next version; whoever else changes rows waits until this unit has ended."""
        ...

    def add(self, row: OperatorRow) -> None: ...

    def replace(self, row: OperatorRow) -> None:
        """Put ``row`` in the place of the one of its id."""
        ...

    def find(self, row_id: str) -> OperatorRow | None: ...

    def listed(self) -> Sequence[OperatorRow]:
        """All, the one that begins last first."""
        ...

    def open_applications(
        self, region: str, classes: Collection[str], begins_at: datetime | None, ends_at: datetime | None
    ) -> int:
        """How many open applications of ``classes`` within the prefix ``region`` were received in the span."""
        ...


class RuleRowsTransaction(Protocol):
    """The slice of this room."""

    @property
    def rule_rows(self) -> RuleRows: ...
    @property
    def records(self) -> RecordAppender: ...
