"""Tells once of each deadline of an open application that is near or over, and opens only what has one due."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from gateway.applications.rule_book import RuleBook, RulesNow
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.notices.deadlines import deadline_notices, next_look_at
from gateway.notices.ports import NoticesTransaction
from gateway.transaction import Transactions

EVERY = timedelta(minutes=10)
PAGE = 50
"""Applications in one unit of work: others that write wait no longer for it than for a few requests."""
AT_LEAST_EVERY = timedelta(days=7)
"""A look holds no longer: so what an older release changed during an upgrade, or somebody by hand, is found."""
ADOPT_EVERY = timedelta(days=1)

log = structlog.get_logger()


class DeadlineWatch:
    """Opens the applications whose day has come, and no other. Several processes may; each finds what is still due."""

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
        self._adopted_at: datetime | None = None

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
        """Look at every application that is due, once; answers how many notices were made."""
        now, book, made = self._clock(), self._rules(), 0
        if self._adopted_at is None or abs(now - self._adopted_at) >= ADOPT_EVERY:
            await self._transactions.write(lambda tx: tx.deadline_looks.adopt())
            self._adopted_at = now
        rules = f"{book.deadlines_basis()}:{self._near}"
        while due := await self._transactions.read(lambda tx: tx.deadline_looks.due(now, rules, PAGE)):
            made += await self._transactions.write(lambda tx, due=due: self._look(tx, due, book, rules, now))  # type: ignore[misc]
        if made:
            log.info("deadlines.told", notices=made)
        return made

    def _look(self, tx: NoticesTransaction, due: Sequence[str], book: RuleBook, rules: str, now: datetime) -> int:
        """Under each application's lock: what closed or changed meanwhile is told as it is now, or not at all."""
        made, again_at = 0, dict[str, datetime]()
        for application in tx.applications.find_all_for_change(tx.deadline_looks.hold(due, now, rules)):
            own_id = application.application_id
            if application.lifecycle.closed_at is not None:
                tx.deadline_looks.forget(own_id)
                continue
            again_at[own_id] = now + AT_LEAST_EVERY
            try:
                made += sum(tx.notices.add(each) for each in deadline_notices(application, book, now, self._near))
                turns_at = next_look_at(application, book, now, self._near)
            except GatewayError as error:  # no rule in force: one application holds up no other
                log.warning("deadlines.unknown", application=own_id, check=error.check)
            else:
                again_at[own_id] = min(again_at[own_id], turns_at or again_at[own_id])
        tx.deadline_looks.put(again_at, rules)
        return made
