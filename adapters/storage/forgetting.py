"""Forgetting whom closed applications and settled reviews were about: in the order in which they ended, each once.

What ended is marked when it was seen to, so that no round walks through all that ended before it. A mark that is
missing – of what ended under a release that knew none – is made good when its turn comes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select, update

from adapters.storage.applications import (
    NOTHING_LEFT,
    OTHERS_LEFT,
    application_parties,
    applications,
    others_left,
    to_forget,
)
from adapters.storage.contracts import forget_contracts
from adapters.storage.evidence import let_go
from adapters.storage.named_persons import forget_named, named_persons
from adapters.storage.notice_sends import forget_ways
from adapters.storage.ratings import forget_ratings
from adapters.storage.reviews import review_tasks, reviews_to_forget
from adapters.storage.statements import Statements
from gateway.applications.lifecycle import LifecycleStatus

FINISHED: Final = (LifecycleStatus.COMPLETED, LifecycleStatus.ENDED)
WITHDRAWN: Final = (LifecycleStatus.WITHDRAWN,)
MOST_PAGES: Final = 10
"""That one round takes where there was nothing to forget: they are only marked."""


def page_by_page(forget: Callable[[], tuple[int, bool]]) -> int:
    """Call ``forget`` until it removed something or says that there is no more, and ``MOST_PAGES`` times at most."""
    for _ in range(MOST_PAGES):
        removed, more = forget()
        if removed or not more:
            return removed
    return 0


class SqlForgetting:
    """Each method answers how many it removed, of at most ``limit`` applications or reviews at a time."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def parties(self, statuses: Sequence[LifecycleStatus], before: datetime, limit: int, shown_after: datetime) -> int:
        """Who applied, and what proves who applied and what was shown: envelopes and assertions.

        See ``forget_named`` for ``shown_after``.
        """

        def forget() -> tuple[int, bool]:
            over = self._ended(statuses, before, limit, others=False)
            if not over:
                return 0, False
            let_go(self._statements, over)
            forget_ways(self._statements, over)
            forget_contracts(self._statements, over)
            forget_ratings(self._statements, over)
            forget_named(self._statements, over, shown_after)
            forgotten = delete(application_parties).where(application_parties.c.application_id.in_(over))
            removed = self._statements.execute(forgotten).rowcount
            self._mark(over)
            return removed, len(over) == limit

        return page_by_page(forget)

    def others(self, statuses: Sequence[LifecycleStatus], before: datetime, limit: int) -> int:
        """Whom else certificates name, of applications whose parties are forgotten."""
        over = self._ended(statuses, before, limit, others=True)
        if not over:
            return 0
        removed = self._statements.execute(delete(named_persons).where(named_persons.c.subject.in_(over))).rowcount
        self._mark(over)
        return removed

    def reviewed(self, before: datetime, limit: int) -> int:
        """Whom certificates named that an officer compared."""
        own = review_tasks.c

        def forget() -> tuple[int, bool]:
            page = select(own.task_id).where(reviews_to_forget, own.settled_at <= before).order_by(own.settled_at)
            held = page.limit(limit).with_for_update(skip_locked=True)
            over = list(self._statements.execute(held).scalars())
            if not over:
                return 0, False
            gone = delete(named_persons).where(named_persons.c.subject.in_(over))
            removed = self._statements.execute(gone).rowcount
            self._statements.execute(update(review_tasks).where(own.task_id.in_(over)).values(forgotten=NOTHING_LEFT))
            return removed, len(over) == limit

        return page_by_page(forget)

    def _ended(
        self, statuses: Sequence[LifecycleStatus], before: datetime, limit: int, *, others: bool
    ) -> Sequence[str]:
        own, found = applications.c, list[str]()
        for status in statuses:  # one by one, each along the index
            page = (
                select(own.application_id)
                .where(others_left if others else to_forget, own.status == status.value, own.closed_at <= before)
                .order_by(own.closed_at)
                .limit(limit - len(found))
                .with_for_update(skip_locked=True)
            )
            if len(found) < limit:
                found += self._statements.execute(page).scalars()
        return found

    def _mark(self, over: Sequence[str]) -> None:
        """What is left of each, as it stands now."""
        own = applications.c.application_id
        named = select(named_persons.c.subject).where(named_persons.c.subject.in_(over)).distinct()
        left = sorted(self._statements.execute(named).scalars())
        for ids, mark in ((left, OTHERS_LEFT), (sorted(set(over) - set(left)), NOTHING_LEFT)):
            self._statements.execute(update(applications).where(own.in_(ids)).values(forgotten=mark))
