"""Rows that officers could draft, and the room that takes them in over a database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from typing import Any

from adapters.storage.transactions import SqlTransactions
from gateway.applications.customer_classes import CustomerClass
from gateway.applications.stages import Stage
from gateway.rule_rows.live import LiveRules
from gateway.rule_rows.model import ExtendableTable, LegalBasis, RowTerms
from gateway.rule_rows.rules import Published
from gateway.rule_rows.service import RuleRowService
from tests.support.storage import SetClock, opened

FIRST, SECOND, THIRD = "officer:off_first", "officer:off_second", "officer:off_third"
BASIS = LegalBasis("穗发改〔2026〕18号", "第二条", "业务受理后两个工作日内答复供电方案。", "https://fgw.gz.gov.cn/18")


def terms(**changed: Any) -> RowTerms:
    """Guangzhou answers the supply plan of ordinary low-voltage customers within two working days."""
    usual: dict[str, Any] = {
        "table": ExtendableTable.STAGE_LIMIT,
        "region": "4401",
        "effective_from": date(2026, 3, 3),
        "effective_to": None,
        "basis": BASIS,
        "customer_class": CustomerClass.LV_ORDINARY,
        "stage": Stage.SUPPLY_PLAN,
        "working_days": 2,
    }
    return RowTerms(**usual | changed)


def process(
    transactions: SqlTransactions, clock: SetClock, prefix: str = "rul", published: Published | None = None
) -> tuple[RuleRowService, LiveRules]:
    """The service and the rules at hand of one process; time stands still between its readings."""
    numbers = count(1)
    live = LiveRules(transactions, published or Published(), lambda: clock.at.timestamp())
    make_id: Callable[[str], str] = lambda kind: f"{kind}_{prefix}{next(numbers):04d}"  # noqa: E731
    return RuleRowService(transactions, live, clock, make_id), live


@contextmanager
def two_processes(
    database_url: str, clock: SetClock
) -> Iterator[tuple[tuple[RuleRowService, LiveRules], tuple[RuleRowService, LiveRules]]]:
    """Two processes of a gateway over one database, each with a writer of its own where the database allows two."""
    if database_url.startswith("sqlite"):
        with opened(database_url, clock) as shared:
            yield process(shared, clock, "one"), process(shared, clock, "two")
        return
    with opened(database_url, clock) as one, opened(database_url, clock) as two:
        yield process(one, clock, "one"), process(two, clock, "two")


def days(number: int) -> timedelta:
    """Calendar days."""
    return timedelta(days=number)
