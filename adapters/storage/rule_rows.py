"""Tables and repository of officers' rule rows. Nothing in them is about an applicant; officers are pseudonyms."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Date, Integer, Row, Table, Text, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.applications import applications
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.applications.customer_classes import Area, CustomerClass
from gateway.applications.stages import Stage
from gateway.applications.time_limits import VoltageBand
from gateway.rule_rows.model import (
    ExtendableTable,
    LegalBasis,
    OperatorRow,
    ProposedEnd,
    RowStatus,
    RowTerms,
    particulars,
)
from schemas.departments import ReviewMode

rule_rows = Table(
    "rule_rows",
    metadata,
    Column("row_id", Text, primary_key=True),
    Column("rule_table", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date),
    Column("said", JsonDocument, nullable=False),
    Column("document_number", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("basis_text", Text, nullable=False),
    Column("basis_link", Text),
    Column("status", Text, nullable=False),
    Column("drafted_by", Text, nullable=False),
    Column("drafted_at", UtcInstant, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", UtcInstant),
    Column("withdrawn_by", Text),
    Column("withdrawn_at", UtcInstant),
    Column("reason", Text),
    Column("end_proposed_on", Date),
    Column("end_proposed_by", Text),
    Column("ended_by", JsonDocument),
)

rule_row_version = Table(
    "rule_row_version",
    metadata,
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)

_ENUMS: Final[dict[str, type[StrEnum]]] = {
    "customer_class": CustomerClass,
    "stage": Stage,
    "band": VoltageBand,
    "area": Area,
    "mode": ReviewMode,
}


class SqlRuleRows:
    """``gateway.rule_rows.ports.RuleRows``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def version(self) -> int:
        found: int | None = self._statements.execute(select(rule_row_version.c.version)).scalar_one_or_none()
        return found or 0

    def advance_version(self) -> int:
        first = insert_or(rule_row_version).values(singleton=1, version=1)
        advanced = first.on_conflict_do_update(
            index_elements=[rule_row_version.c.singleton], set_={"version": rule_row_version.c.version + 1}
        ).returning(rule_row_version.c.version)
        version: int = self._statements.execute(advanced).scalar_one()
        return version

    def add(self, row: OperatorRow) -> None:
        self._statements.execute(insert(rule_rows).values(**_columns(row)))

    def replace(self, row: OperatorRow) -> None:
        own = rule_rows.c.row_id == row.row_id
        self._statements.execute(update(rule_rows).where(own).values(**_columns(row)))

    def find(self, row_id: str) -> OperatorRow | None:
        found = self._statements.execute(select(rule_rows).where(rule_rows.c.row_id == row_id)).one_or_none()
        return None if found is None else _row(found)

    def listed(self) -> Sequence[OperatorRow]:
        own = rule_rows.c
        ordered = select(rule_rows).order_by(own.effective_from.desc(), own.row_id.desc())
        return [_row(each) for each in self._statements.execute(ordered)]

    def open_applications(
        self, region: str, classes: Collection[str], begins_at: datetime | None, ends_at: datetime | None
    ) -> int:
        own = applications.c
        counted = select(func.count()).select_from(applications).where(own.closed_at.is_(None))
        counted = counted.where(own.customer_class.in_(classes))
        if region:
            counted = counted.where(own.region.startswith(region, autoescape=True))
        if begins_at is not None:
            counted = counted.where(own.received_at >= begins_at)
        if ends_at is not None:
            counted = counted.where(own.received_at < ends_at)
        number: int = self._statements.execute(counted).scalar_one()
        return number


def _columns(row: OperatorRow) -> dict[str, Any]:
    terms, basis, end = row.terms, row.terms.basis, row.proposed_end
    return {
        "row_id": row.row_id,
        "rule_table": terms.table.value,
        "region": terms.region,
        "effective_from": terms.effective_from,
        "effective_to": terms.effective_to,
        "said": particulars(terms),
        "document_number": basis.document_number,
        "clause": basis.clause,
        "basis_text": basis.text,
        "basis_link": basis.link,
        "status": row.status.value,
        "drafted_by": row.drafted_by,
        "drafted_at": row.drafted_at,
        "approved_by": row.approved_by,
        "approved_at": row.approved_at,
        "withdrawn_by": row.withdrawn_by,
        "withdrawn_at": row.withdrawn_at,
        "reason": row.reason,
        "end_proposed_on": None if end is None else end.on,
        "end_proposed_by": None if end is None else end.by,
        "ended_by": list(row.ended_by) if row.ended_by else None,
    }


def _row(row: Row[Any]) -> OperatorRow:
    said: dict[str, Any] = {name: _ENUMS[name](value) if name in _ENUMS else value for name, value in row.said.items()}
    return OperatorRow(
        row_id=row.row_id,
        terms=RowTerms(
            table=ExtendableTable(row.rule_table),
            region=row.region,
            effective_from=row.effective_from,
            effective_to=row.effective_to,
            basis=LegalBasis(row.document_number, row.clause, row.basis_text, row.basis_link),
            **said,
        ),
        status=RowStatus(row.status),
        drafted_by=row.drafted_by,
        drafted_at=row.drafted_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        withdrawn_by=row.withdrawn_by,
        withdrawn_at=row.withdrawn_at,
        reason=row.reason,
        proposed_end=None
        if row.end_proposed_on is None
        else ProposedEnd(on=row.end_proposed_on, by=row.end_proposed_by),
        ended_by=(row.ended_by[0], row.ended_by[1]) if row.ended_by else None,
    )
