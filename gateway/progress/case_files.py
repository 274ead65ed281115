"""卷宗: applications as officers see them – found by what is no personal data, told whole, and opened with a reason.

A story holds what was decided, sent and recorded, and no free text that somebody wrote: names and numbers may be in it.
Whoever opens a story is on record. The parties themselves are shown to a reviewer alone, for a named reason, and the
applicant sees that (谁看过我的信息).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import orjson

from gateway.applications.errors import ApplicationUnknown
from gateway.applications.model import ApplicationHeading, GridConnectionApplication, HeadingFilter, Party
from gateway.clock import Clock
from gateway.delivery.ports import DeliveryView
from gateway.errors import Conflict, Owner
from gateway.evidence.ports import ApplicationTraces
from gateway.progress.ports import ProgressTransaction
from gateway.progress.service import PARTIES, PARTIES_SHOWN, ProgressService
from gateway.records.entries import Fact, RecordEntry
from gateway.records.log import record_id
from gateway.records.ports import RecordAppender, StoredEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.applicant_api import ProgressView

STORY_OPENED: Final = "application.story_opened"
SHOWN_FIELDS: Final = ("名称", "证件号码", "办理人", "办理人证件号码", "用电地址")


class RevealReason(StrEnum):
    """Why a reviewer looks at an applicant's data. A code and no free text: it stands in the record in clear."""

    COMPLAINT = "complaint"
    CORRECTION = "correction"
    INCIDENT = "incident"
    LEGAL_REQUEST = "legal_request"

    @property
    def chinese_title(self) -> str:
        """The reason as people read it."""
        return _REASONS[self]


_REASONS = {
    RevealReason.COMPLAINT: "处理投诉举报",
    RevealReason.CORRECTION: "更正差错",
    RevealReason.INCIDENT: "处置安全事件",
    RevealReason.LEGAL_REQUEST: "依法协助查询",
}


class PartiesErased(Conflict):
    """The retention period of the application's personal data is over: nobody can be shown them."""

    kind = "parties-erased"
    title = "个人信息已按期限清除"


@dataclass(frozen=True)
class EntryLine:
    """A record entry about an application, as a list shows it. ``check`` – what refused it, if something did."""

    record_id: str
    at: datetime
    action: str
    actor: str
    result: str
    check: str | None


@dataclass(frozen=True)
class CaseStory:
    """Everything about one application but its applicant."""

    application: GridConnectionApplication
    progress: ProgressView
    deliveries: Sequence[DeliveryView]
    entries: Sequence[EntryLine]


@dataclass(frozen=True)
class ShownParties:
    """Personal data, and the entry that says to whom they were shown."""

    party: Party
    record_id: str


class CaseTransaction(ProgressTransaction, Protocol):
    """The slice for case files."""

    @property
    def traces(self) -> ApplicationTraces: ...
    @property
    def records(self) -> RecordAppender: ...


class CaseFiles:
    """卷宗."""

    def __init__(self, transactions: Transactions[CaseTransaction], progress: ProgressService, clock: Clock) -> None:
        self._transactions = transactions
        self._progress = progress
        self._clock = clock

    async def search(self, wanted: HeadingFilter, limit: int) -> Sequence[ApplicationHeading]:
        """Applications, the newest first."""
        return await self._transactions.read(lambda tx: tx.applications.headings(wanted, limit))

    async def story(self, application_id: str, actor: str) -> CaseStory:
        """One application; that ``actor`` opened it is recorded. Raises ``ApplicationUnknown``."""
        now = self._clock()

        def read(tx: CaseTransaction) -> CaseStory:
            standing = tx.standings.of_application(application_id)
            if standing is None:
                raise _unknown()
            application, _, review = standing
            asked = review.review.permits if review else ()
            receivers = {application.utility, *(permit.department for permit in asked)}
            return CaseStory(
                application,
                self._progress.read_any(tx, standing, now),
                tx.traces.deliveries_of(application_id, receivers),
                sorted(map(_line, tx.traces.entries_about([application_id])), key=lambda each: each.at),
            )

        story = await self._transactions.read(read)
        facts: dict[str, Fact] = {"application": application_id}
        await self._transactions.write(lambda tx: tx.records.append(RecordEntry(STORY_OPENED, now, actor, facts=facts)))
        return story

    async def reveal(self, application_id: str, reason: RevealReason, actor: str) -> ShownParties:
        """The applicant's data, for ``reason``; recorded before they are shown, refusals too.

        Raises ``ApplicationUnknown``, ``PartiesErased``.
        """
        facts: dict[str, Fact] = {"kind": PARTIES, "purpose": reason.value, "fields": list(SHOWN_FIELDS)}

        def work(tx: CaseTransaction) -> ShownParties:
            if tx.applications.find(application_id) is None:
                raise _unknown()
            party = tx.applications.party(application_id)
            if party is None:
                raise PartiesErased(
                    check="application.parties_erased",
                    owner=Owner.GATEWAY,
                    remedy="留存期限已满，平台不再持有申请人信息",
                )
            entry = RecordEntry(PARTIES_SHOWN, self._clock(), actor, application_id, facts=facts)
            return ShownParties(party, tx.records.append(entry))

        async with refusals_recorded(
            self._transactions, PARTIES_SHOWN, self._clock, actor, application_id, {"purpose": reason.value}
        ):
            return await self._transactions.write(work)


def _unknown() -> ApplicationUnknown:
    return ApplicationUnknown(check="application.unknown", owner=Owner.CALLER, remedy="请核对申请编号")


def _line(stored: StoredEntry) -> EntryLine:
    said = orjson.loads(stored.leaf)
    return EntryLine(
        record_id(stored.log_id, stored.sequence),
        datetime.fromisoformat(said["at"]),
        said["action"],
        said["actor"],
        said["result"],
        said["facts"].get("check"),
    )
