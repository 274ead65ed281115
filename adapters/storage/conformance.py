"""Table and repository of the conformance suite's runs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Index, Table, Text, insert, select

from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.conformance.model import CheckResult, ConformanceReport, Verdict

conformance_reports = Table(
    "conformance_reports",
    metadata,
    Column("report_id", Text, primary_key=True),
    Column("partner_code", Text, nullable=False),
    Column("ran_at", UtcInstant, nullable=False),
    Column("ran_by", Text, nullable=False),
    Column("results", JsonDocument, nullable=False),
    Index("ix_conformance_reports_partner_code_ran_at", "partner_code", "ran_at"),
)


class SqlConformanceReports:
    """``gateway.conformance.ports.ConformanceReports``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, report: ConformanceReport) -> None:
        columns = {
            "report_id": report.report_id,
            "partner_code": report.partner_code,
            "ran_at": report.ran_at,
            "ran_by": report.ran_by,
            "results": [[each.code, each.verdict.value, each.found] for each in report.results],
        }
        self._statements.execute(insert(conformance_reports).values(**columns))

    def last(self, partner_code: str) -> ConformanceReport | None:
        found = self.recent(partner_code, 1)
        return found[0] if found else None

    def recent(self, partner_code: str, limit: int) -> Sequence[ConformanceReport]:
        table = conformance_reports
        rows = self._statements.execute(
            select(table)
            .where(table.c.partner_code == partner_code)
            .order_by(table.c.ran_at.desc(), table.c.report_id.desc())
            .limit(limit)
        )
        return [_report(row._asdict()) for row in rows]


def _report(row: dict[str, Any]) -> ConformanceReport:
    results = tuple(CheckResult(code, Verdict(verdict), found) for code, verdict, found in row.pop("results"))
    return ConformanceReport(**row, results=results)
