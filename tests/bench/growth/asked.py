"""What pages and background passes ask a database that has grown: each by the repository call that they make.

In the steady state: nothing is due for retention, and hardly anything for the other passes. What is counted of each
is how many rows it looks at (PostgreSQL) or how many steps it takes (SQLite), which no neighbour can falsify.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.applications.lifecycle import LifecycleStatus
from gateway.applications.model import HeadingFilter
from gateway.applications.review_tasks import ReviewState
from gateway.clock import date_in_china
from gateway.delivery.ports import DeliveryState
from gateway.progress.named_accesses import ACTIONS
from gateway.retention.policies import Kept, policies
from tests.bench.growth.fill import LATER
from tests.bench.growth.province import COMMON, DISABLED, NOW, RARE, WORKS
from tests.support.retention import PERIODS

Ask = Callable[[SqlUnitOfWork], object]
PAGE: Final = 51
BATCH: Final = 200
_COPIES_KEPT: Final = {"business_licence": timedelta(days=30), "property_certificate": timedelta(days=30)}
_A_MONTH: Final = (NOW - timedelta(days=730), NOW - timedelta(days=700))

PAGES: Final[dict[str, Ask]] = {
    "applications, the newest": lambda tx: tx.applications.headings(HeadingFilter(), PAGE),
    "applications of a county": lambda tx: tx.applications.headings(HeadingFilter(region=COMMON[1]), PAGE),
    "applications of a rare county": lambda tx: tx.applications.headings(HeadingFilter(region=RARE), PAGE),
    "applications of a city that are paused": lambda tx: tx.applications.headings(
        HeadingFilter(region="440100", status=LifecycleStatus.PAUSED), PAGE
    ),
    "applications that were ended": lambda tx: tx.applications.headings(
        HeadingFilter(status=LifecycleStatus.ENDED), PAGE
    ),
    "applications received in a month, by place": lambda tx: tx.observed.received(*_A_MONTH, ""),
    "copies at hand by source": lambda tx: tx.certificate_copies.held(),
    "deliveries, the newest": lambda tx: tx.deliveries.list(None, None, PAGE),
    "deliveries of a receiver": lambda tx: tx.deliveries.list(WORKS, DeliveryState.DELIVERED, PAGE),
    "deliveries that wait": lambda tx: tx.deliveries.list(DISABLED, DeliveryState.PENDING, PAGE),
    "what waits for each receiver": lambda tx: tx.deliveries.backlog(),
    "reviews, all": lambda tx: tx.reviews.listed(None, PAGE),
    "reviews, open": lambda tx: tx.reviews.listed(ReviewState.OPEN, PAGE),
    "reports of reconciliation": lambda tx: tx.day_book.reports(None, only_differing=True, limit=PAGE),
    "ratings that wait for an answer": lambda tx: tx.ratings.waiting(PAGE),
    "who saw what names me": lambda tx: tx.named_persons.entries_naming("0" * 64, ACTIONS),
    "replay of two hours": lambda tx: tx.deliveries.replay_since(WORKS, NOW - timedelta(hours=2), 0, PAGE, LATER),
}
"""By what somebody looks at or does."""


def _retention() -> dict[str, Ask]:
    asked: dict[str, Ask] = {}
    for policy in policies(PERIODS, _COPIES_KEPT):
        if policy.what is Kept.INTAKES:
            continue

        def remove(tx: SqlUnitOfWork, policy=policy) -> int:  # type: ignore[no-untyped-def]
            return tx.removal.remove(policy, LATER - policy.kept, LATER, BATCH)

        asked[f"retention: {policy.code}"] = remove
    return asked


PASSES: Final[dict[str, Ask]] = {
    **_retention(),
    "intakes that expired": lambda tx: tx.intakes.expired(LATER, BATCH),
    "certificates to sweep": lambda tx: tx.application_certificates.to_sweep(NOW - timedelta(days=7), LATER, 100),
    "certificates that expired": lambda tx: tx.application_certificates.expired(date_in_china(LATER), 100),
    "re-checks that are due": lambda tx: tx.recheck_queue.claim("one", LATER, timedelta(seconds=30), 8),
    "re-checks, counted": lambda tx: tx.recheck_queue.state(),
    "deadlines that are due": lambda tx: tx.deadline_looks.due(LATER, "r", 50),
    "applications without a look": lambda tx: tx.deadline_looks.adopt(),
    "events without a digest": lambda tx: tx.day_book.undigested(BATCH),
    "a clock that jumped": lambda tx: tx.deliveries.undo_clock_jump(LATER, LATER + timedelta(seconds=30)),
    "since when nothing is anchored": lambda tx: tx.super_log.unanchored_since(),
    "logs that moved": lambda tx: tx.super_log.moved(),
    "withdrawals without a purge": lambda tx: tx.authorisations.unpurged(PAGE),
    "notices to send": lambda tx: tx.notice_sends.claim("one", LATER, timedelta(seconds=30), 8),
}
"""By what a process does every few seconds or minutes, or at its start."""

GROW: Final[dict[str, str]] = {
    "applications received in a month, by place": "with the applications of that month",
    "what waits for each receiver": "with what waits",
    "a clock that jumped": "with what waits",
    "applications without a look": "with open applications, once a day",
}
"""What looks at more where there is more of it, however much else there is."""
