"""What the rooms of rule rows refuses."""

from gateway.errors import Conflict, Owner, Rejected, SubjectUnknown


class RuleRowRefused(Rejected):
    """A row that the regulation or the rows in force leave no room for."""

    kind = "rule-row-refused"
    title = "规则行不能这样设定"


class RuleRowConflict(Conflict):
    """The step does not follow on where the row stands."""

    kind = "rule-row-conflict"
    title = "规则行现处的状态不允许此操作"


class RuleRowUnknown(SubjectUnknown):
    """No such row."""

    kind = "rule-row-unknown"
    title = "没有这一规则行"


def refused(check: str, remedy: str, clause: str | None = None) -> RuleRowRefused:
    """One refusal of a row."""
    return RuleRowRefused(check=f"rule_row.{check}", owner=Owner.CALLER, remedy=remedy, clause=clause)


def conflict(check: str, remedy: str) -> RuleRowConflict:
    """One refusal of a step."""
    return RuleRowConflict(check=f"rule_row.{check}", owner=Owner.CALLER, remedy=remedy)


def unknown() -> RuleRowUnknown:
    """No such row."""
    return RuleRowUnknown(check="rule_row.unknown", owner=Owner.CALLER, remedy="请核对规则行编号")
