"""What the contracts room asks of the unit of work."""

from collections.abc import Sequence
from typing import Protocol

from gateway.applications.ports import ApplicationRepository
from gateway.contracts.model import Contract
from gateway.delivery.ports import Outbox
from gateway.records.ports import RecordAppender


class ContractRepository(Protocol):
    """Contracts of applications, each version a row."""

    def add(self, contract: Contract, document: bytes) -> None: ...

    def put(self, contract: Contract) -> None:
        """Write state, settlement, statement, assertion and reason; nothing else of a contract changes."""
        ...

    def of_application(self, application_id: str) -> Sequence[Contract]:
        """Every version, the oldest first."""
        ...

    def document(self, contract_id: str) -> bytes | None:
        """What was sent, byte for byte; None once it was erased."""
        ...


class ContractsTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def contracts(self) -> ContractRepository: ...
    @property
    def applications(self) -> ApplicationRepository: ...
    @property
    def records(self) -> RecordAppender: ...
    @property
    def outbox(self) -> Outbox: ...
