"""消息: the notices of one application, for its owner."""

from collections.abc import Sequence
from typing import Final

from gateway.applications.errors import ApplicationClosed, ApplicationUnknown
from gateway.applications.model import GridConnectionApplication
from gateway.clock import Clock
from gateway.errors import Owner
from gateway.notices.addresses import require_address
from gateway.notices.errors import AddressUnfit
from gateway.notices.model import Notice
from gateway.notices.ports import NoticesTransaction
from gateway.notices.preferences import Preference, Way
from gateway.notices.words import Tongue
from gateway.records.entries import RecordEntry
from gateway.transaction import Transactions

MOST_SHOWN: Final = 200
CHOSEN: Final = "notice.way_chosen"


class NoticeService:
    """What the applicant reads, whatever way they were told."""

    def __init__(
        self, transactions: Transactions[NoticesTransaction], clock: Clock, ways: frozenset[Way] = frozenset()
    ) -> None:
        """``ways`` are those that this gateway can tell by."""
        self._transactions = transactions
        self._clock = clock
        self.ways = ways

    async def of_application(self, application_id: str, holder_digest: str) -> Sequence[Notice]:
        """The newest first, at most two hundred. Raises ``ApplicationUnknown``, for another's too."""

        def read(tx: NoticesTransaction) -> Sequence[Notice]:
            _own(tx.applications.find(application_id), holder_digest)
            return tx.notices.of_application(application_id, MOST_SHOWN)

        return await self._transactions.read(read)

    async def chosen(self, application_id: str, holder_digest: str) -> Preference | None:
        """How the owner is told beside their pages; None: not at all. Raises ``ApplicationUnknown``."""

        def read(tx: NoticesTransaction) -> Preference | None:
            _own(tx.applications.find(application_id), holder_digest)
            return tx.notice_sends.chosen(application_id)

        return await self._transactions.read(read)

    async def choose(self, application_id: str, holder_digest: str, way: Way, address: str, tongue: Tongue) -> None:
        """Be told by ``way`` from now on, with the applicant's consent; ``Way.NONE`` takes it back.

        Recorded without the address. Raises ``ApplicationUnknown``, ``ApplicationClosed``, ``AddressUnfit``.
        """
        if way is not Way.NONE:
            if way not in self.ways:
                raise AddressUnfit(check="notices.way", owner=Owner.APPLICANT, remedy="请选择所列的方式")
            address = require_address(way, address)
        now = self._clock()

        def write(tx: NoticesTransaction) -> None:
            application = _own(tx.applications.find_for_change(application_id), holder_digest)
            if way is Way.NONE:
                if not tx.notice_sends.forget(application_id):
                    return
            elif application.lifecycle.closed_at is not None:
                raise ApplicationClosed(
                    check="notices.closed", owner=Owner.APPLICANT, remedy="申请已终结，不再发送消息"
                )
            else:
                tx.notice_sends.choose(Preference(application_id, way, address, tongue, now))
            tx.records.append(
                RecordEntry(
                    CHOSEN, now, "applicant", application_id, facts={"way": way.value, "consent": way != "none"}
                )
            )

        await self._transactions.write(write)


def _own(application: GridConnectionApplication | None, holder_digest: str) -> GridConnectionApplication:
    if application is None or application.holder_digest != holder_digest:
        raise ApplicationUnknown(check="application.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
    return application
