"""Looks at the deadlines of open applications, and tells each that is near or over once."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from gateway.applications.rule_book import RulesNow
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.notices.deadlines import deadline_notices
from gateway.notices.model import Notice
from gateway.notices.ports import NoticesTransaction
from gateway.transaction import Transactions

EVERY = timedelta(minutes=10)
PAGE = 200
"""Applications in one look: a province's are not read in one go."""

log = structlog.get_logger()


class DeadlineWatch:
    """Goes through all open applications. Several processes may: what one told, another does not tell again."""

    def __init__(
        self,
        transactions: Transactions[NoticesTransaction],
        rules: RulesNow,
        clock: Clock,
        near_working_days: int,
    ) -> None:
        self._transactions = transactions
        self._rules = rules
        self._clock = clock
        self._near = near_working_days

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Until ``stop`` is set. A database that does not answer is waited out."""
        while not stop.is_set():
            try:
                await self.pass_once()
            except GatewayError as error:
                log.warning("deadlines.waiting", check=error.check)
            except Exception as error:  # the next round may find it mended
                log.error("deadlines.fault", fault=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every.total_seconds())

    async def pass_once(self) -> int:
        """Look at every open application once; answers how many notices were made."""
        now, after, made = self._clock(), "", 0
        while True:
            last, fresh = await self._transactions.read(lambda tx, after=after: self._look(tx, after, now))  # type: ignore[misc]
            if fresh:
                made += await self._transactions.write(lambda tx, fresh=fresh: _tell(tx, fresh))  # type: ignore[misc]
            if last is None:
                break
            after = last
        if made:
            log.info("deadlines.told", notices=made)
        return made

    def _look(self, tx: NoticesTransaction, after: str, now: datetime) -> tuple[str | None, list[Notice]]:
        """The last application looked at, or None at the end; and the notices that are not there yet."""
        page, book = tx.applications.open_after(after, PAGE), self._rules()
        found: list[Notice] = []
        for application in page:
            try:
                found += deadline_notices(application, book, now, self._near)
            except GatewayError as error:  # no rule in force: one application holds up no other
                log.warning("deadlines.unknown", application=application.application_id, check=error.check)
        known = tx.notices.known([notice.key for notice in found])
        return page[-1].application_id if len(page) == PAGE else None, [each for each in found if each.key not in known]


def _tell(tx: NoticesTransaction, notices: Sequence[Notice]) -> int:
    """Under the application's lock, so that one which was closed meanwhile is told of nothing."""
    made = 0
    for notice in notices:
        application = tx.applications.find_for_change(notice.application_id)
        if application is not None and application.lifecycle.closed_at is None:
            made += tx.notices.add(notice)
    return made
