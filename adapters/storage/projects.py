"""Tables and repositories of engineering projects: what was pushed, byte for byte, and the leads made of it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Select,
    Table,
    Text,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.sealed import SealedBytes, SealedJson
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.projects.model import Contact, Lead, Project, Said, Told
from gateway.projects.ports import KeptPush, LeadFilter, WaitingProject
from gateway.projects.rules import is_over, is_waiting
from schemas.leads import LeadProject, LeadStatus, RetractionReason

projects = Table(
    "projects",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("project_code", Text, nullable=False),
    Column("works_code", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("region", Text),
    Column("said", SealedJson),
    Column("contact", SealedJson),
    Column("first_heard_at", UtcInstant, nullable=False),
    Column("heard_at", UtcInstant, nullable=False),
    Column("waiting_since", UtcInstant),
    Column("over_since", UtcInstant),
    Column("erased_at", UtcInstant),
    Index("uq_projects_platform_project_code_works_code", "platform", "project_code", "works_code", unique=True),
)
"""``version`` is that of the push that counts, 0 before there is one; without ``said`` its data do not hold. Over is a
project that no utility needs to ask about any more. Erased are ``contact`` and the signed pushes.
"""

_waits = projects.c.waiting_since.is_not(None)
Index("ix_projects_waiting", projects.c.project_id, sqlite_where=_waits, postgresql_where=_waits)
_not_erased = projects.c.erased_at.is_(None)
Index("ix_projects_heard_at", projects.c.heard_at, sqlite_where=_not_erased, postgresql_where=_not_erased)
_over = _not_erased & projects.c.over_since.is_not(None)
Index("ix_projects_over_since", projects.c.over_since, sqlite_where=_over, postgresql_where=_over)

project_pushes = Table(
    "project_pushes",
    metadata,
    Column("project_id", Text, ForeignKey("projects.project_id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("content_digest", Text, nullable=False),
    Column("signed", SealedBytes),
    Column("signed_digest", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("received_at", UtcInstant, nullable=False),
)

leads = Table(
    "leads",
    metadata,
    Column("lead_id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("platform", Text, nullable=False),
    Column("utility", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("region", Text, nullable=False),
    Column("project", SealedJson, nullable=False),
    Column("project_version", BigInteger, nullable=False),
    Column("offered_at", UtcInstant, nullable=False),
    Column("changed_at", UtcInstant, nullable=False),
    Column("contacted", JsonDocument),
    Column("connected", JsonDocument),
    Column("retracted_at", UtcInstant),
    Column("retraction", Text),
    Index("ix_leads_project_id", "project_id"),
    Index("ix_leads_utility_lead_id", "utility", "lead_id"),
    Index("ix_leads_region_lead_id", "region", "lead_id"),
)


class SqlProjects:
    """``gateway.projects.ports.ProjectRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def hold(self, platform: str, project_code: str, works_code: str, new_id: str, at: datetime) -> Project:
        key = {"platform": platform, "project_code": project_code, "works_code": works_code}
        self._statements.execute(
            insert_or(projects)
            .values(**key, project_id=new_id, version=0, first_heard_at=at, heard_at=at)
            .on_conflict_do_nothing(index_elements=list(key))
        )
        held = self._held(*(projects.c[name] == value for name, value in key.items()))
        assert held is not None
        return held

    def hold_known(self, project_id: str) -> Project | None:
        return self._held(projects.c.project_id == project_id)

    def hold_of_lead(self, lead_id: str) -> Project | None:
        of_lead = select(leads.c.project_id).where(leads.c.lead_id == lead_id).scalar_subquery()
        return self._held(projects.c.project_id == of_lead)

    def put(self, project: Project, at: datetime, *, heard: bool = False) -> None:
        self._put_project(project, at, heard=heard)
        own = select(leads.c.lead_id).where(leads.c.project_id == project.project_id)
        known = set(self._statements.execute(own).scalars())
        for lead in project.leads:  # what changed, changed at ``at``
            row = self._statements.sealed(leads, _lead_row(lead))
            if lead.lead_id not in known:
                self._statements.execute(insert(leads).values(**row))
            elif lead.changed_at == at:
                self._statements.execute(update(leads).where(leads.c.lead_id == lead.lead_id).values(**row))

    def find_push(self, project_id: str, version: int) -> KeptPush | None:
        row = self._statements.execute(
            select(project_pushes).where(project_pushes.c.project_id == project_id, project_pushes.c.version == version)
        ).one_or_none()
        return None if row is None else KeptPush(**self._statements.opened(project_pushes, row))

    def add_push(self, push: KeptPush) -> None:
        sealed = self._statements.sealed(project_pushes, push.__dict__)
        self._statements.execute(insert(project_pushes).values(**sealed))

    def waiting(self, after: str, limit: int) -> Sequence[WaitingProject]:
        rows = self._statements.execute(
            select(projects.c.project_id, projects.c.region)
            .where(_waits, projects.c.project_id > after)
            .order_by(projects.c.project_id)
            .limit(limit)
        )
        return [WaitingProject(row.project_id, row.region) for row in rows]

    def _put_project(self, project: Project, at: datetime, *, heard: bool) -> None:
        said = project.said
        told = said.lead if said else None
        now = literal(at, UtcInstant())
        values: dict[str, Any] = {
            "version": said.version if said else 0,
            "region": told.region if told else None,
            "said": told.model_dump(mode="json") if told else None,
            "waiting_since": func.coalesce(projects.c.waiting_since, now) if is_waiting(project) else None,
            "over_since": func.coalesce(projects.c.over_since, now) if is_over(project) else None,
        }
        if heard:
            contact = asdict(said.contact) if said and any(asdict(said.contact).values()) else None
            values |= {"contact": contact, "heard_at": at, "erased_at": None}
        sealed = self._statements.sealed(projects, values, project_id=project.project_id)
        self._statements.execute(update(projects).where(projects.c.project_id == project.project_id).values(**sealed))

    def _held(self, *which: ColumnElement[bool]) -> Project | None:
        row = self._statements.execute(select(projects).where(*which).with_for_update()).one_or_none()
        if row is None:
            return None
        opened = self._statements.opened(projects, row)
        own = select(leads).where(leads.c.project_id == row.project_id).order_by(leads.c.lead_id)
        return Project(
            project_id=row.project_id,
            platform=row.platform,
            project_code=row.project_code,
            works_code=row.works_code,
            said=_said(opened) if row.version else None,
            leads=tuple(_leads(self._statements, own)),
            erased=row.erased_at is not None,
        )


class SqlLeads:
    """``gateway.projects.ports.LeadRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def find(self, lead_id: str) -> Lead | None:
        found = _leads(self._statements, select(leads).where(leads.c.lead_id == lead_id))
        return found[0] if found else None

    def listed(self, which: LeadFilter, after: str, limit: int) -> Sequence[Lead]:
        wanted = _narrowed(which)
        if which.status is not None:
            wanted.append(leads.c.status == which.status.value)
        query = select(leads).where(*wanted, leads.c.lead_id > after).order_by(leads.c.lead_id).limit(limit)
        return _leads(self._statements, query)

    def counts(self, which: LeadFilter) -> dict[LeadStatus, int]:
        counted = select(leads.c.status, func.count().label("number")).where(*_narrowed(which))
        rows = self._statements.execute(counted.group_by(leads.c.status))
        found = {row.status: row.number for row in rows}
        return {status: found.get(status.value, 0) for status in LeadStatus}


def _narrowed(which: LeadFilter) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if which.utility is not None:
        wanted.append(leads.c.utility == which.utility)
    if which.region is not None:
        wanted.append(_within(which.region))
    if which.since is not None:
        wanted.append(leads.c.offered_at >= which.since)
    if which.until is not None:
        wanted.append(leads.c.offered_at < which.until)
    return wanted


def _within(region: str) -> ColumnElement[bool]:
    """The region and all below it: their codes (GB/T 2260) begin alike. Bounds, not LIKE: an index serves them."""
    prefix = region[:2] if region[2:6] == "0000" else region[:4] if region[4:6] == "00" else region
    return leads.c.region.between(prefix, prefix + "9" * (12 - len(prefix)))


def _leads(statements: Statements, query: Select[Any]) -> list[Lead]:
    return [_lead(statements.opened(leads, row)) for row in statements.execute(query).all()]


def _lead_row(lead: Lead) -> dict[str, Any]:
    return {
        "lead_id": lead.lead_id,
        "project_id": lead.project_id,
        "platform": lead.platform,
        "utility": lead.utility,
        "status": lead.status.value,
        "version": lead.version,
        "region": lead.project.region,
        "project": lead.project.model_dump(mode="json"),
        "project_version": lead.project_version,
        "offered_at": lead.offered_at,
        "changed_at": lead.changed_at,
        "contacted": _told_to_json(lead.contacted),
        "connected": _told_to_json(lead.connected),
        "retracted_at": lead.retracted_at,
        "retraction": lead.retraction.value if lead.retraction else None,
    }


def _lead(row: dict[str, Any]) -> Lead:
    return Lead(
        lead_id=row["lead_id"],
        project_id=row["project_id"],
        platform=row["platform"],
        utility=row["utility"],
        status=LeadStatus(row["status"]),
        version=row["version"],
        project=LeadProject.model_validate(row["project"]),
        project_version=row["project_version"],
        offered_at=row["offered_at"],
        changed_at=row["changed_at"],
        contacted=_told_from_json(row["contacted"]),
        connected=_told_from_json(row["connected"]),
        retracted_at=row["retracted_at"],
        retraction=RetractionReason(row["retraction"]) if row["retraction"] else None,
    )


def _said(opened: dict[str, Any]) -> Said:
    told, contact = opened["said"], opened["contact"]
    return Said(
        version=opened["version"],
        lead=LeadProject.model_validate(told) if told else None,
        contact=Contact(**contact) if contact else Contact(),
    )


def _told_to_json(told: Told | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "claimed_at": told.claimed_at.isoformat(),
        "counted_at": told.counted_at.isoformat(),
        "flags": list(told.flags),
        "record_id": told.record_id,
    }


def _told_from_json(stored: dict[str, Any] | None) -> Told | None:
    if stored is None:
        return None
    return Told(
        datetime.fromisoformat(stored["claimed_at"]),
        datetime.fromisoformat(stored["counted_at"]),
        tuple(stored["flags"]),
        stored["record_id"],
    )
