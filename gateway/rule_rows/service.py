"""Officers' rows: drafted by one, previewed, approved by another, withdrawn or ended; each step on record."""

from collections.abc import Callable, Sequence
from datetime import date, datetime

from gateway.clock import Clock
from gateway.ids import MakeId
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.rule_rows.errors import unknown
from gateway.rule_rows.live import LiveRules
from gateway.rule_rows.model import OperatorRow, RowStatus, RowTerms, particulars
from gateway.rule_rows.ports import RuleRowsTransaction
from gateway.rule_rows.preview import RowPreview, preview
from gateway.rule_rows.rules import Rules, require_fits, rules_with
from gateway.rule_rows.steps import approved, end_approved, end_dropped, end_proposed, withdrawn
from gateway.transaction import Transactions


class RuleRowService:
    """规则行."""

    def __init__(
        self,
        transactions: Transactions[RuleRowsTransaction],
        live: LiveRules,
        clock: Clock,
        make_id: MakeId,
    ) -> None:
        self._transactions = transactions
        self._live = live
        self._clock = clock
        self._make_id = make_id

    async def listed(self) -> Sequence[OperatorRow]:
        """All rows, the one that begins last first."""
        return await self._transactions.read(lambda tx: tx.rule_rows.listed())

    async def find(self, row_id: str) -> OperatorRow:
        """One row. Raises ``RuleRowUnknown``."""
        return await self._transactions.read(lambda tx: _require(tx, row_id))

    async def preview(self, terms: RowTerms) -> RowPreview:
        """Whom a row of ``terms`` would concern if it were approved now. Raises ``RuleRowRefused``."""
        now = self._clock()

        def read(tx: RuleRowsTransaction) -> RowPreview:
            rules = self._rules(tx)
            return preview(terms, require_fits(terms, rules, now), rules, tx.rule_rows, now)

        return await self._transactions.read(read)

    async def draft(self, terms: RowTerms, actor: str) -> OperatorRow:
        """Write a row down; it counts for nothing yet. Raises ``RuleRowRefused``."""
        now = self._clock()
        row = OperatorRow(
            row_id=self._make_id("rul"), terms=terms, status=RowStatus.DRAFT, drafted_by=actor, drafted_at=now
        )

        def work(tx: RuleRowsTransaction) -> OperatorRow:
            require_fits(terms, self._rules(tx), now)
            tx.rule_rows.add(row)
            tx.records.append(_entry("drafted", row, actor, now))
            return row

        return await self._transactions.write(work)

    async def approve(self, row_id: str, actor: str) -> OperatorRow:
        """A second person brings it into force from its day on.

        Raises ``RuleRowUnknown``, ``RuleRowConflict``, ``SecondPersonRequired``, ``RuleRowRefused`` where it no longer
        fits beside what was approved meanwhile.
        """

        def step(tx: RuleRowsTransaction, row: OperatorRow, now: datetime) -> OperatorRow:
            changed = approved(row, actor, now)
            require_fits(row.terms, self._rules(tx), now)
            return changed

        return await self._change("approved", row_id, actor, step)

    async def withdraw(self, row_id: str, actor: str, reason: str) -> OperatorRow:
        """Take a draft, or an approved row before its day, back. Raises as ``approve`` does."""
        return await self._change("withdrawn", row_id, actor, lambda _tx, row, now: withdrawn(row, actor, reason, now))

    async def propose_end(self, row_id: str, on: date, actor: str) -> OperatorRow:
        """Propose a last day for a row in force. Raises as ``approve`` does."""
        return await self._change(
            "end_proposed", row_id, actor, lambda _tx, row, now: end_proposed(row, on, actor, now)
        )

    async def approve_end(self, row_id: str, actor: str) -> OperatorRow:
        """A second person sets the proposed last day. Raises as ``approve`` does."""
        return await self._change("end_approved", row_id, actor, lambda _tx, row, now: end_approved(row, actor, now))

    async def drop_end(self, row_id: str, actor: str) -> OperatorRow:
        """Let a proposed last day go. Raises as ``approve`` does."""
        return await self._change("end_dropped", row_id, actor, lambda _tx, row, _now: end_dropped(row))

    async def _change(
        self,
        name: str,
        row_id: str,
        actor: str,
        step: Callable[[RuleRowsTransaction, OperatorRow, datetime], OperatorRow],
    ) -> OperatorRow:
        now = self._clock()

        def work(tx: RuleRowsTransaction) -> OperatorRow:
            # First, so that of two approvals at once the second sees the first.
            tx.rule_rows.advance_version()
            changed = step(tx, _require(tx, row_id), now)
            tx.rule_rows.replace(changed)
            tx.records.append(_entry(name, changed, actor, now))
            return changed

        changed = await self._transactions.write(work)
        await self._live.refresh()
        return changed

    def _rules(self, tx: RuleRowsTransaction) -> Rules:
        return rules_with(self._live.published, tx.rule_rows.listed())


def _require(tx: RuleRowsTransaction, row_id: str) -> OperatorRow:
    row = tx.rule_rows.find(row_id)
    if row is None:
        raise unknown()
    return row


def _entry(name: str, row: OperatorRow, actor: str, at: datetime) -> RecordEntry:
    terms = row.terms
    facts: dict[str, Fact] = {
        "table": terms.table.value,
        "region": terms.region,
        "effective_from": terms.effective_from.isoformat(),
        "effective_to": terms.effective_to.isoformat() if terms.effective_to else None,
        "document_number": terms.basis.document_number,
        "clause": terms.basis.clause,
        "text_sha256": digest(terms.basis.text),
    }
    facts |= {key: value for key, value in particulars(terms).items() if not isinstance(value, float)}
    if terms.max_length_m is not None:
        facts["max_length_m"] = f"{terms.max_length_m:g}"
    if row.proposed_end is not None:
        facts["proposed_end"] = row.proposed_end.on.isoformat()
    if row.reason is not None:
        facts["reason_sha256"] = digest(row.reason)
    return RecordEntry(f"rule_row.{name}", at, actor, row.row_id, facts=facts)
