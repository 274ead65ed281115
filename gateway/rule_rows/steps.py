"""How a row comes into force and out of it: who may take which step, and when. Pure.

The four-eyes rule (双人复核): whoever approves a row has not drafted it, and whoever approves an end has not proposed
it. Before its day an approved row can be withdrawn; from its day on it can only be given a last day.
"""

from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum

from gateway.errors import Owner
from gateway.partners.errors import SecondPersonRequired
from gateway.rule_rows.errors import conflict, refused
from gateway.rule_rows.model import OperatorRow, ProposedEnd, RowStatus
from gateway.rule_rows.rules import earliest_start, ended


class RowStep(StrEnum):
    """What can be done with a row."""

    APPROVE = "approve"
    WITHDRAW = "withdraw"
    PROPOSE_END = "propose_end"
    APPROVE_END = "approve_end"
    DROP_END = "drop_end"


def open_steps(row: OperatorRow, actor: str, at: datetime) -> tuple[RowStep, ...]:
    """What ``actor`` may do with the row now, whatever their role."""
    if row.status is RowStatus.WITHDRAWN:
        return ()
    if row.status is RowStatus.DRAFT:
        return (*((RowStep.APPROVE,) if actor != row.drafted_by else ()), RowStep.WITHDRAW)
    if not _is_binding(row, at):
        return (RowStep.WITHDRAW,)
    if row.proposed_end is not None:
        return (*((RowStep.APPROVE_END,) if actor != row.proposed_end.by else ()), RowStep.DROP_END)
    last = row.terms.effective_to
    return (RowStep.PROPOSE_END,) if last is None or last >= earliest_start(at) else ()


def approved(row: OperatorRow, actor: str, at: datetime) -> OperatorRow:
    """The row in force from its day on. Raises ``RuleRowConflict``, ``SecondPersonRequired``."""
    if row.status is not RowStatus.DRAFT:
        raise conflict("step", "只有草稿可以批准，请刷新后再看")
    _require_second(row.drafted_by, actor)
    return replace(row, status=RowStatus.APPROVED, approved_by=actor, approved_at=at)


def withdrawn(row: OperatorRow, actor: str, reason: str, at: datetime) -> OperatorRow:
    """The row that never counts. Raises ``RuleRowConflict``, ``RuleRowRefused`` without a reason."""
    if row.status is RowStatus.WITHDRAWN:
        raise conflict("step", "该行已撤回")
    if row.status is RowStatus.APPROVED and _is_binding(row, at):
        raise conflict("in_force", "规则行已生效或即将生效，不能撤回，只能提出截止日，由另一人批准")
    if not reason.strip():
        raise refused("reason", "请写明撤回的理由")
    return replace(row, status=RowStatus.WITHDRAWN, withdrawn_by=actor, withdrawn_at=at, reason=reason.strip())


def end_proposed(row: OperatorRow, on: date, actor: str, at: datetime) -> OperatorRow:
    """The row with a last day that waits for a second person. Raises ``RuleRowConflict``, ``RuleRowRefused``."""
    if row.status is not RowStatus.APPROVED or not _is_binding(row, at):
        raise conflict("step", "只有已生效的规则行可以提出截止日；尚未生效的请撤回")
    if row.proposed_end is not None:
        raise conflict("step", "已有人提出截止日，请先批准或放弃")
    ended(row.terms, on, at)
    return replace(row, proposed_end=ProposedEnd(on=on, by=actor))


def end_approved(row: OperatorRow, actor: str, at: datetime) -> OperatorRow:
    """The row with its last day. Raises ``RuleRowConflict``, ``SecondPersonRequired``, ``RuleRowRefused``."""
    if row.proposed_end is None:
        raise conflict("step", "没有待批准的截止日，请刷新后再看")
    _require_second(row.proposed_end.by, actor)
    terms = ended(row.terms, row.proposed_end.on, at)
    return replace(row, terms=terms, proposed_end=None, ended_by=(row.proposed_end.by, actor))


def end_dropped(row: OperatorRow) -> OperatorRow:
    """The row as it was before a last day was proposed. Raises ``RuleRowConflict``."""
    if row.proposed_end is None:
        raise conflict("step", "没有待批准的截止日，请刷新后再看")
    return replace(row, proposed_end=None)


def _is_binding(row: OperatorRow, at: datetime) -> bool:
    """Whether the row is in force, or so soon that a process may have read it for the last time before it is."""
    return row.terms.effective_from < earliest_start(at)


def _require_second(first: str, actor: str) -> None:
    if actor == first:
        raise SecondPersonRequired(
            check="rule_row.second_person",
            owner=Owner.CALLER,
            remedy="起草或提出的人不能批准同一项，请由另一位工作人员批准",
        )
