"""Table and repository of supply contracts. What they say, and the digest of it, rest sealed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Integer, Table, Text, UniqueConstraint, bindparam, insert, select, update

from adapters.storage.constant import Constant
from adapters.storage.sealed import SealedBytes, SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.contracts.model import Contract, ContractState

supply_contracts = Table(
    "supply_contracts",
    metadata,
    Column("contract_id", Text, primary_key=True),
    Column("application_id", Text, nullable=False),
    Column("utility", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", SealedText, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("document", SealedBytes),
    Column("sha256", SealedText, nullable=False),
    Column("offered_at", UtcInstant, nullable=False),
    Column("valid_until", UtcInstant, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("settled_at", UtcInstant),
    Column("statement", SealedText),
    Column("assertion", SealedText),
    Column("reason", SealedText),
    UniqueConstraint("application_id", "version"),
    UniqueConstraint("application_id", "event_id"),
)
PERSONAL = ("document", "assertion", "reason")
"""What goes with the applicant's data when their time is over."""


# Progress is asked for every few seconds: documents stay where they are.
_OF_APPLICATION = Constant(
    select(
        *(column for column in supply_contracts.c if column.name != "document"),
        supply_contracts.c.document.is_not(None).label("document_kept"),
    )
    .where(supply_contracts.c.application_id == bindparam("own"))
    .order_by(supply_contracts.c.version)
)


class SqlContracts:
    """``gateway.contracts.ports.ContractRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, contract: Contract, document: bytes) -> None:
        values = {**contract.__dict__, "state": contract.state.value, "document": document}
        values.pop("document_kept")
        self._statements.execute(insert(supply_contracts).values(**self._statements.sealed(supply_contracts, values)))

    def put(self, contract: Contract) -> None:
        settled = {
            "state": contract.state.value,
            "settled_at": contract.settled_at,
            "statement": contract.statement,
            "assertion": contract.assertion,
            "reason": contract.reason,
        }
        sealed = self._statements.sealed(supply_contracts, settled, contract_id=contract.contract_id)
        own = supply_contracts.c.contract_id == contract.contract_id
        self._statements.execute(update(supply_contracts).where(own).values(**sealed))

    def of_application(self, application_id: str) -> Sequence[Contract]:
        rows = self._statements.ask(_OF_APPLICATION, own=application_id)
        return [_contract(self._statements.opened(supply_contracts, row)) for row in rows]

    def document(self, contract_id: str) -> bytes | None:
        own = supply_contracts.c.contract_id == contract_id
        query = select(supply_contracts.c.contract_id, supply_contracts.c.document).where(own)
        row = self._statements.execute(query).one_or_none()
        if row is None:
            return None
        content: bytes | None = self._statements.opened(supply_contracts, row)["document"]
        return content


def forget_contracts(statements: Statements, applications: Sequence[str]) -> None:
    """What contracts of ``applications`` say, and who signed them, goes; that they were signed stays."""
    of_them = supply_contracts.c.application_id.in_(applications)
    statements.execute(update(supply_contracts).where(of_them).values(dict.fromkeys(PERSONAL)))


def _contract(row: dict[str, Any]) -> Contract:
    return Contract(**{**row, "state": ContractState(row["state"]), "document_kept": bool(row["document_kept"])})
