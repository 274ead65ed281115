"""Withdrawal: at once, recorded, and the utility is told to purge what it fetched."""

from dataclasses import dataclass
from datetime import datetime

from gateway.authorisations.errors import AlreadyWithdrawn, AuthorisationUnknown
from gateway.authorisations.model import Authorisation
from gateway.authorisations.ports import AuthorisationsTransaction
from gateway.clock import Clock
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.records.entries import RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.events import AuthorisationWithdrawn, EventType

WITHDRAWN = "authorisation.withdrawn"


@dataclass(frozen=True)
class Withdrawn:
    """A withdrawal that is durable."""

    authorisation: Authorisation
    withdrawn_at: datetime
    record_id: str


class AuthorisationService:
    """用户授权, as its holder handles it."""

    def __init__(self, transactions: Transactions[AuthorisationsTransaction], clock: Clock, make_id: MakeId) -> None:
        self._transactions = transactions
        self._clock = clock
        self._make_id = make_id

    async def withdraw(self, application_id: str, holder_digest: str) -> Withdrawn:
        """Withdraw the application's authorisation. What is refused is recorded.

        Raises ``AuthorisationUnknown`` for another's or none, ``AlreadyWithdrawn``.
        """
        now = self._clock()
        event_id = self._make_id("evt")

        def withdraw(tx: AuthorisationsTransaction) -> Withdrawn:
            authorisation = tx.authorisations.of_application(application_id)
            if authorisation is None or authorisation.holder_digest != holder_digest:
                raise AuthorisationUnknown(
                    check="authorisation.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号"
                )
            if not tx.authorisations.withdraw(authorisation.authorisation_id, now):
                raise AlreadyWithdrawn(
                    check="authorisation.already_withdrawn", owner=Owner.APPLICANT, remedy="授权已撤回，无需再次操作"
                )
            data = AuthorisationWithdrawn(
                application_id=application_id, authorisation_id=authorisation.authorisation_id, withdrawn_at=now
            )
            tx.outbox.append(
                EventDraft(
                    event_id,
                    authorisation.utility,
                    ChannelKind.WEBHOOK,
                    EventType.AUTHORISATION_WITHDRAWN,
                    application_id,
                    now,
                    data.model_dump(mode="json"),
                )
            )
            record_id = tx.records.append(
                RecordEntry(
                    WITHDRAWN,
                    now,
                    "applicant",
                    application_id,
                    facts={"authorisation": authorisation.authorisation_id, "utility": authorisation.utility},
                )
            )
            return Withdrawn(authorisation, now, record_id)

        async with refusals_recorded(self._transactions, WITHDRAWN, self._clock, "applicant", application_id, {}):
            return await self._transactions.write(withdraw)
