"""The rules as they are now, at hand in every process.

A change made by this process counts at its next question; one made by another within ``EVERY``. What could not be read
again for ``STALE_AFTER`` is no longer answered. A row is approved ``rules.NOTICE`` before its first day at the latest,
which is longer: so no process judges by less than what is in force.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import structlog

from gateway.applications.dated_rows import RuleTableError
from gateway.applications.errors import RulesNotAtHand
from gateway.applications.rule_book import RuleBook
from gateway.approvals.review_modes import ReviewModeRow
from gateway.errors import GatewayError, Owner
from gateway.rule_rows.errors import RuleRowRefused
from gateway.rule_rows.model import OperatorRow
from gateway.rule_rows.ports import RuleRowsTransaction
from gateway.rule_rows.rules import Published, Rules, rules_with
from gateway.transaction import Transactions
from schemas.departments import ConnectionLine, ReviewMode

EVERY: Final = timedelta(seconds=5)
STALE_AFTER: Final = timedelta(minutes=5)

log = structlog.get_logger()


class LiveRules:
    """``ticks`` is a monotonic count of seconds. Also answers which modes are allowed (``ModesAllowed``)."""

    def __init__(
        self,
        transactions: Transactions[RuleRowsTransaction],
        published: Published,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.published = published
        self._transactions = transactions
        self._ticks = ticks
        self._rules: Rules | None = None
        self._version = -1
        self._confirmed_at = float("-inf")
        self._reading = asyncio.Lock()

    def rules(self) -> Rules:
        """All tables. Raises ``RulesNotAtHand``."""
        if self._rules is None or self._ticks() - self._confirmed_at > STALE_AFTER.total_seconds():
            raise RulesNotAtHand(
                check="rules.not_at_hand",
                owner=Owner.GATEWAY,
                remedy="现行规则暂时读取不到，为免按过时的规则办理，请稍后重试",
            )
        return self._rules

    def book(self) -> RuleBook:
        """What applications are judged by (``RulesNow``). Raises ``RulesNotAtHand``."""
        return self.rules().book

    def rule_for(self, mode: ReviewMode, permit: str, line: ConnectionLine, region: str, on: date) -> ReviewModeRow:
        """See ``ReviewModes.rule_for``; raises ``RulesNotAtHand`` too."""
        return self.rules().modes.rule_for(mode, permit, line, region, on)

    async def refresh(self) -> None:
        """Read what was changed. Raises ``Overloaded``; ``RuleTableError`` where rows contradict the settings."""
        async with self._reading:
            asked_at = self._ticks()
            version, rows = await self._transactions.read(self._read)
            if rows is not None:
                self._rules = rules_with(self.published, rows)
                self._version = version
            self._confirmed_at = asked_at

    def _read(self, tx: RuleRowsTransaction) -> tuple[int, list[OperatorRow] | None]:
        version = tx.rule_rows.version()
        return version, None if version == self._version else list(tx.rule_rows.listed())

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Refresh until ``stop`` is set; what cannot be read is tried again, and not answered when it is too old."""
        while not stop.is_set():
            await self.try_refresh()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every.total_seconds())

    async def try_refresh(self) -> bool:
        """``refresh``; False where it could not be done, which is logged."""
        try:
            await self.refresh()
        except (RuleTableError, RuleRowRefused) as error:
            log.error("rules.contradict", remedy=str(error))
            return False
        except GatewayError as error:
            log.warning("rules.unread", check=error.check)
            return False
        except Exception:
            # A database that does not answer, or has no such table yet: readiness tells, and nothing is judged.
            log.exception("rules.unread")
            return False
        return True
