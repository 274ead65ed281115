"""What an applicant does with an application of their own: withdraw it, or renew the authorisation.

Withdrawn, the application is closed and its authorisation ends with it, in one commit; one event tells the utility.
A renewal lets a standing or expired authorisation last longer, for the same kinds and purpose. One that the applicant
withdrew is not renewed: the utility has purged what it held and stopped, so whoever changes their mind applies anew.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.applications.errors import ApplicationClosed, ApplicationUnknown, AuthorisationPeriodUnsound
from gateway.applications.lifecycle import StageAction, StageEvent, apply
from gateway.applications.model import GridConnectionApplication
from gateway.applications.ports import HolderTransaction
from gateway.applications.submission import AUTHORISED_AT_MOST, renewal_statement
from gateway.authorisations.errors import AlreadyWithdrawn, AuthorisationUnknown
from gateway.authorisations.model import Authorisation
from gateway.authorisations.service import WITHDRAWN as AUTHORISATION_WITHDRAWN
from gateway.clock import Clock
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.events import ApplicationWithdrawn, EventType

WITHDRAWN = "application.withdrawn"
RENEWED = "authorisation.renewed"
CLAUSE = "第（三）条"
MOST_LOOKED_AT = 1000
"""Of a holder's applications, newest first: more than anyone has open."""


@dataclass(frozen=True)
class WithdrawnApplication:
    """A withdrawal that is durable."""

    application: GridConnectionApplication
    withdrawn_at: datetime
    record_id: str


@dataclass(frozen=True)
class Renewed:
    """An authorisation that lasts longer now, durably."""

    authorisation: Authorisation
    record_id: str


class OwnApplicationService:
    """申请人对自己申请的处理."""

    def __init__(
        self, transactions: Transactions[HolderTransaction], clock: Clock, make_id: MakeId, gateway_name: str
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._make_id = make_id
        self._gateway_name = gateway_name

    async def withdraw(self, application_id: str, holder_digest: str) -> WithdrawnApplication:
        """Withdraw the application. Raises ``ApplicationUnknown``, for another's too, and ``ApplicationClosed``."""
        now = self._clock()
        event_id = self._make_id("evt")
        async with refusals_recorded(self._transactions, WITHDRAWN, self._clock, "applicant", application_id, {}):
            return await self._transactions.write(
                lambda tx: _withdraw(tx, application_id, holder_digest, event_id, now)
            )

    async def renew(self, application_id: str, holder_digest: str, until: datetime) -> Renewed:
        """Let the authorisation last until ``until`` (aware), later than it did, and at most a year from now.

        Raises ``ApplicationUnknown``, ``ApplicationClosed``, ``AuthorisationUnknown``, ``AlreadyWithdrawn``,
        ``AuthorisationPeriodUnsound``.
        """
        now = self._clock()
        async with refusals_recorded(self._transactions, RENEWED, self._clock, "applicant", application_id, {}):
            return await self._transactions.write(lambda tx: self._renew(tx, application_id, holder_digest, until, now))

    async def forget_copies(self, holder_digest: str, holder_code: str) -> bool:
        """Remove the holder's certificate copies, unless an open application still rests on them; False if one does.

        Called after a withdrawal. A process that dies in between leaves them to the housekeeping, by their age.
        """

        def forget(tx: HolderTransaction) -> bool:
            for application in tx.applications.of_holder(holder_digest, MOST_LOOKED_AT):
                authorisation = tx.authorisations.of_application(application.application_id)
                withdrawn = authorisation is None or authorisation.withdrawn_at is not None
                if application.lifecycle.closed_at is None and not withdrawn:
                    return False
            tx.certificate_copies.forget(holder_code)
            return True

        return await self._transactions.write(forget)

    def _renew(
        self, tx: HolderTransaction, application_id: str, holder_digest: str, until: datetime, now: datetime
    ) -> Renewed:
        application = _own(tx, application_id, holder_digest)
        _require_open(application)
        authorisation = tx.authorisations.of_application(application_id)
        if authorisation is None:
            raise AuthorisationUnknown(check="authorisation.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
        if until.tzinfo is None or not max(now, authorisation.until) < until <= now + AUTHORISED_AT_MOST:
            raise AuthorisationPeriodUnsound(
                check="authorisation.until",
                owner=Owner.APPLICANT,
                remedy="续期须晚于现有期限和当前时间，自今日起不超过一年，并注明时区",
            )
        statement = renewal_statement(
            self._gateway_name, application_id, authorisation.utility, authorisation.kinds, until
        )
        renewed = replace(authorisation, until=until, statement_digest=digest(statement))
        if not tx.authorisations.renew(renewed.authorisation_id, until, renewed.statement_digest):
            raise AlreadyWithdrawn(
                check="authorisation.already_withdrawn",
                owner=Owner.APPLICANT,
                remedy="授权已撤回，不能续期；如仍需办电，请撤回本申请后重新申请",
            )
        entry = RecordEntry(
            RENEWED,
            now,
            "applicant",
            application_id,
            facts={
                "authorisation": renewed.authorisation_id,
                "utility": renewed.utility,
                "until": until.isoformat(),
                "before": authorisation.until.isoformat(),
                "statement_sha256": renewed.statement_digest,
            },
        )
        return Renewed(renewed, tx.records.append(entry))


def _withdraw(
    tx: HolderTransaction, application_id: str, holder_digest: str, event_id: str, now: datetime
) -> WithdrawnApplication:
    application = _own(tx, application_id, holder_digest)
    _require_open(application)
    lifecycle = apply(application.lifecycle, StageEvent(StageAction.WITHDRAWN, now), now)
    tx.applications.put_lifecycle(application_id, lifecycle)
    authorisation = tx.authorisations.of_application(application_id)
    authorisation_id = authorisation.authorisation_id if authorisation else None
    data = ApplicationWithdrawn(application_id=application_id, authorisation_id=authorisation_id, withdrawn_at=now)
    tx.outbox.append(
        EventDraft(
            event_id,
            application.utility,
            ChannelKind.WEBHOOK,
            EventType.APPLICATION_WITHDRAWN,
            application_id,
            now,
            data.model_dump(mode="json"),
        )
    )
    if authorisation_id is not None and tx.authorisations.withdraw(authorisation_id, now):
        facts: dict[str, Fact] = {"authorisation": authorisation_id, "utility": application.utility}
        tx.records.append(RecordEntry(AUTHORISATION_WITHDRAWN, now, "applicant", application_id, facts=facts))
    record_id = tx.records.append(
        RecordEntry(WITHDRAWN, now, "applicant", application_id, facts={"utility": application.utility})
    )
    return WithdrawnApplication(replace(application, lifecycle=lifecycle), now, record_id)


def _own(tx: HolderTransaction, application_id: str, holder_digest: str) -> GridConnectionApplication:
    application = tx.applications.find_for_change(application_id)
    if application is None or application.holder_digest != holder_digest:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
    return application


def _require_open(application: GridConnectionApplication) -> None:
    if application.lifecycle.closed_at is not None:
        raise ApplicationClosed(
            check="application.closed",
            owner=Owner.APPLICANT,
            remedy="申请已办结、撤回或终止，无需再次操作；如需办电请重新申请",
            clause=CLAUSE,
        )
