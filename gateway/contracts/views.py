"""A contract for the wire."""

from datetime import datetime

from gateway.contracts.model import Contract
from schemas.contracts import ContractStanding


def standing_of(contract: Contract, now: datetime) -> ContractStanding:
    """The contract as its parties see it."""
    return ContractStanding(
        contract_id=contract.contract_id,
        application_id=contract.application_id,
        version=contract.version,
        state=contract.state_at(now).value,
        title=contract.title,
        media_type=contract.media_type,
        sha256=contract.sha256,
        offered_at=contract.offered_at,
        valid_until=contract.valid_until,
        settled_at=contract.settled_at,
        statement=contract.statement,
        reason=contract.reason,
        document_kept=contract.document_kept,
        record_id=contract.record_id,
    )
