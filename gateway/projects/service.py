"""What utilities do with their leads, and what officers see of them. Every step and every contact told is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from gateway.caller import Caller
from gateway.clock import CHINA_TIME
from gateway.errors import Owner
from gateway.projects.errors import LeadUnknown
from gateway.projects.model import Lead, Project, Told
from gateway.projects.ports import LeadFilter, ProjectsTransaction
from gateway.projects.rules import judge_progress, require_open, told_before, with_progress
from gateway.projects.views import lead_view
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.leads import (
    LEADS_CLAUSE,
    LeadContact,
    LeadPage,
    LeadProgressRecorded,
    LeadProgressRequest,
    LeadStatus,
    LeadView,
)
from schemas.wire import format_instant


@dataclass(frozen=True)
class LeadQuery:
    """Which leads somebody wants to see; None does not narrow. Days are China's, both included."""

    status: LeadStatus | None = None
    region: str | None = None
    first: date | None = None
    last: date | None = None

    def filter(self, utility: str | None) -> LeadFilter:
        """The same for the repository."""
        return LeadFilter(
            utility,
            self.status,
            self.region,
            _midnight(self.first) if self.first else None,
            _midnight(self.last + timedelta(days=1)) if self.last else None,
        )


@dataclass(frozen=True)
class LeadOverview:
    """A page of everybody's leads for officers, and how many there are of the same region and days, by status."""

    page: LeadPage
    counts: Mapping[LeadStatus, int]


class LeadService:
    """提前获取用电需求."""

    def __init__(self, transactions: Transactions[ProjectsTransaction]) -> None:
        self._transactions = transactions

    async def listed(self, utility: Caller, query: LeadQuery, after: str, limit: int) -> LeadPage:
        """The utility's own leads in the order in which they were offered, beyond the lead ``after``."""
        which = query.filter(utility.partner_code)
        return _page(await self._transactions.read(lambda tx: tx.leads.listed(which, after, limit + 1)), limit)

    async def overview(self, query: LeadQuery, after: str, limit: int) -> LeadOverview:
        """Every utility's leads, for officers."""
        which = query.filter(None)

        def read(tx: ProjectsTransaction) -> LeadOverview:
            return LeadOverview(_page(tx.leads.listed(which, after, limit + 1), limit), tx.leads.counts(which))

        return await self._transactions.read(read)

    async def show(self, utility: Caller, lead_id: str) -> LeadView:
        """One of the utility's leads. Raises ``LeadUnknown``."""
        lead = await self._transactions.read(lambda tx: tx.leads.find(lead_id))
        if lead is None or lead.utility != utility.partner_code:
            raise _unknown()
        return lead_view(lead)

    async def contact(self, utility: Caller, lead_id: str, at: datetime) -> LeadContact:
        """Whom to ask about the project, for as long as there is something to ask; each answer is recorded.

        Raises ``LeadUnknown``, ``LeadClosed``; each refusal is recorded.
        """
        code = utility.partner_code

        def work(tx: ProjectsTransaction) -> LeadContact:
            project, lead = _own(tx.projects.hold_of_lead(lead_id), lead_id, code)
            require_open(lead)
            contact = project.said.contact if project.said else None
            told = {
                name: value
                for name in ("builder", "name", "phone")
                if contact is not None and (value := getattr(contact, name)) is not None
            }
            facts: dict[str, Fact] = {"fields": sorted(told), "erased": project.erased, "clause": LEADS_CLAUSE}
            record_id = tx.records.append(RecordEntry("lead.contact_disclosed", at, code, lead_id, facts=facts))
            return LeadContact(lead_id=lead_id, **told, erased=project.erased, record_id=record_id)

        async with refusals_recorded(self._transactions, "lead.contact_refused", lambda: at, code, lead_id, {}):
            return await self._transactions.write(work)

    async def progress(
        self, utility: Caller, lead_id: str, told: LeadProgressRequest, at: datetime
    ) -> LeadProgressRecorded:
        """The utility has contacted the project, or connected it. Said again, it stands as it was said first.

        Raises ``LeadUnknown``, ``LeadClosed``; each refusal is recorded.
        """
        code = utility.partner_code
        facts: dict[str, Fact] = {"status": told.status, "claimed_at": format_instant(told.claimed_at)}
        async with refusals_recorded(self._transactions, "lead.progress_refused", lambda: at, code, lead_id, facts):
            return await self._transactions.write(lambda tx: self._progress(tx, code, lead_id, told, at))

    def _progress(
        self, tx: ProjectsTransaction, code: str, lead_id: str, told: LeadProgressRequest, at: datetime
    ) -> LeadProgressRecorded:
        project, lead = _own(tx.projects.hold_of_lead(lead_id), lead_id, code)
        to = LeadStatus(told.status)
        if (before := told_before(lead, to)) is not None:
            return _recorded(lead, before, duplicate=True)
        judged = judge_progress(lead, to, told.claimed_at, at)
        flags = [flag.value for flag in judged.flags]
        facts: dict[str, Fact] = {
            "claimed_at": format_instant(told.claimed_at),
            "counted_at": format_instant(judged.counted_at),
            "backdated": flags,
            "version": lead.version,
        }
        record_id = tx.records.append(RecordEntry(f"lead.{to.value}", at, code, lead_id, facts=facts))
        said = Told(told.claimed_at, judged.counted_at, tuple(flags), record_id)
        changed = with_progress(lead, to, said, at)
        others = tuple(changed if each.lead_id == lead_id else each for each in project.leads)
        tx.projects.put(replace(project, leads=others), at)
        return _recorded(changed, said, duplicate=False)


def _page(found: Sequence[Lead], limit: int) -> LeadPage:
    leads = [lead_view(lead) for lead in found[:limit]]
    return LeadPage(leads=leads, cursor=leads[-1].lead_id if leads else None, more=len(found) > limit)


def _own(project: Project | None, lead_id: str, utility: str) -> tuple[Project, Lead]:
    lead = next((each for each in project.leads if each.lead_id == lead_id), None) if project else None
    if project is None or lead is None or lead.utility != utility:
        raise _unknown()
    return project, lead


def _recorded(lead: Lead, told: Told, *, duplicate: bool) -> LeadProgressRecorded:
    return LeadProgressRecorded(
        lead_id=lead.lead_id,
        status=lead.status,
        counted_at=told.counted_at,
        backdated=list(told.flags),
        duplicate=duplicate,
        record_id=told.record_id,
    )


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time(), CHINA_TIME)


def _unknown() -> LeadUnknown:
    return LeadUnknown(check="lead.unknown", owner=Owner.UTILITY, remedy="请核对线索编号；只能查看发给本单位的线索")
