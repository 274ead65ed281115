"""用电地址: where power is asked for, as the applicant wrote it – for the utility that they authorised, and recorded.

It is the applicant's own statement and no certificate, so no sharing agreement is asked for; their authorisation is.
It is told under the same action as a licence, so that the applicant sees who read it.
"""

from datetime import datetime

from gateway.applications.stage_events import require_application
from gateway.applications.submission import PURPOSE, SITE_ADDRESS
from gateway.authorisations.model import require_covers
from gateway.caller import Caller
from gateway.clock import Clock
from gateway.errors import Owner
from gateway.licences.errors import NoOpenStage, SiteNotGiven
from gateway.licences.ports import LicencesTransaction
from gateway.licences.service import DISCLOSED
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.partner_api import SiteView

FACTS: dict[str, Fact] = {"kind": SITE_ADDRESS, "purpose": PURPOSE}


class SiteService:
    """Tells the address of an application."""

    def __init__(self, transactions: Transactions[LicencesTransaction], clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def tell(self, caller: Caller, application_id: str) -> SiteView:
        """The address. Raises ``ApplicationUnknown``, ``NoOpenStage``, ``SiteNotGiven``, ``AuthorisationMissing``."""
        code = caller.partner_code
        async with refusals_recorded(self._transactions, DISCLOSED, self._clock, code, application_id, FACTS):
            return await self._transactions.write(lambda tx: _tell(tx, code, application_id, self._clock()))


def _tell(tx: LicencesTransaction, utility: str, application_id: str, at: datetime) -> SiteView:
    application = require_application(tx.applications.find(application_id), utility)
    party = tx.applications.party(application_id)
    if application.lifecycle.closed_at is not None or party is None:
        raise NoOpenStage(check="site.closed", owner=Owner.UTILITY, remedy="申请已办结或终止，不得再索取")
    if party.address is None:
        raise SiteNotGiven(
            check="site.not_given", owner=Owner.APPLICANT, remedy="申请人未填写用电地址，请以不动产权证书的坐落为准"
        )
    authorisation = tx.authorisations.of_application_for_use(application_id)
    require_covers(authorisation, utility, SITE_ADDRESS, PURPOSE, at)
    facts: dict[str, Fact] = {**FACTS, "fields": ["address"]}
    record_id = tx.records.append(RecordEntry(DISCLOSED, at, utility, application_id, facts=facts))
    return SiteView(
        application_id=application_id, region=application.region, address=party.address, record_id=record_id
    )
