"""Applications as they are counted: read in a stream, by the index on ``closed_at``; nothing is written here.

Lifecycles and reviews rest sealed and are opened one page at a time. Parties are never read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Row, and_, func, select, true

from adapters.storage.applications import applications
from adapters.storage.approvals import joint_reviews
from adapters.storage.ratings import service_ratings
from adapters.storage.records import record_entries
from adapters.storage.statements import Statements
from gateway.applications import lifecycle as lifecycles
from gateway.applications.customer_classes import CustomerClass
from gateway.applications.lifecycle import StageAction
from gateway.applications.model import IntakeKind
from gateway.approvals.joint_review import JointReview
from gateway.approvals.storage_form import from_json
from gateway.oversight.ports import Observed
from schemas.ratings import RatingLevel

PAGE: Final = 500
"""Applications that are held at a time; within what either database takes as parameters of one statement."""
REQUESTS: Final = "licence.disclosed"
NOT_ALLOWED: Final = "requirements.document_not_allowed"
EVENTS: Final = tuple(
    "application.ended" if action is StageAction.ENDED else f"stage.{action}"
    for action in StageAction
    if action is not StageAction.WITHDRAWN
)
_REFUSED: Final = b'"result":"refused"'
_COLUMNS: Final = tuple(
    applications.c[name]
    for name in ("application_id", "region", "customer_class", "intake", "documents", "lifecycle", "closed_at")
)


class SqlApplicationsObserved:
    """``gateway.oversight.ports.ApplicationsObserved``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def closed(self, begins_at: datetime, ends_at: datetime, region: str) -> Iterator[Observed]:
        closed_at = applications.c.closed_at
        return self._stream(and_(closed_at >= begins_at, closed_at < ends_at, _within(region)))

    def open(self, region: str) -> Iterator[Observed]:
        return self._stream(and_(applications.c.closed_at.is_(None), _within(region)))

    def received(self, begins_at: datetime, ends_at: datetime, region: str) -> Sequence[tuple[str, str, int]]:
        own = applications.c
        counted = (
            select(own.region, own.customer_class, func.count().label("number"))
            .where(own.received_at >= begins_at, own.received_at < ends_at, _within(region))
            .group_by(own.region, own.customer_class)
        )
        return [(row.region, row.customer_class, row.number) for row in self._statements.execute(counted)]

    def _stream(self, wanted: ColumnElement[bool]) -> Iterator[Observed]:
        ordered = select(*_COLUMNS).where(wanted).order_by(applications.c.closed_at, applications.c.application_id)
        with self._statements.execute(ordered.execution_options(yield_per=PAGE)) as rows:
            while page := rows.fetchmany(PAGE):
                yield from self._page(page)
                del page  # let go before the next one comes: never two at a time

    def _page(self, page: Sequence[Row[Any]]) -> Iterator[Observed]:
        names = [row.application_id for row in page]
        reviews, refused, rated = self._reviews(names), self._refused(names), self._ratings(names)
        for row in page:
            yield replace(self._observed(row, reviews, refused), rating=rated.get(row.application_id))

    def _observed(
        self, row: Row[Any], reviews: Mapping[str, JointReview], refused: Counter[tuple[str, str]]
    ) -> Observed:
        name = row.application_id
        return Observed(
            region=row.region,
            customer_class=CustomerClass(row.customer_class),
            intake=IntakeKind(row.intake),
            lifecycle=lifecycles.from_json(self._statements.opened(applications, row)["lifecycle"]),
            documents_fetched=sum(1 for each in row.documents if each["source"] is not None),
            documents_uploaded=sum(1 for each in row.documents if each["source"] is None),
            review=reviews.get(name),
            refused_events=sum(refused[(name, action)] for action in EVENTS),
            refused_requests=refused[(name, REQUESTS)],
        )

    def _reviews(self, names: Sequence[str]) -> dict[str, JointReview]:
        own = joint_reviews.c
        wanted = select(own.review_id, own.application_id, own.review).where(own.application_id.in_(names))
        return {
            row.application_id: from_json(self._statements.opened(joint_reviews, row)["review"])
            for row in self._statements.execute(wanted)
        }

    def _ratings(self, names: Sequence[str]) -> dict[str, RatingLevel]:
        own = service_ratings.c
        wanted = select(own.application_id, own.level).where(own.application_id.in_(names))
        return {row.application_id: RatingLevel(row.level) for row in self._statements.execute(wanted)}

    def _refused(self, names: Sequence[str]) -> Counter[tuple[str, str]]:
        """(application, action) → how often it was refused; of requests, those for what may not be asked for."""
        own = record_entries.c
        wanted = select(own.subject, own.action, own.leaf).where(
            own.subject.in_(names), own.action.in_((*EVENTS, REQUESTS))
        )
        found: Counter[tuple[str, str]] = Counter()
        with self._statements.execute(wanted.execution_options(yield_per=PAGE)) as rows:
            for row in rows:
                if _REFUSED not in row.leaf:
                    continue
                said = orjson.loads(row.leaf)
                if said["result"] != "refused":
                    continue
                if row.action != REQUESTS or said["facts"].get("check") == NOT_ALLOWED:
                    found[(row.subject, row.action)] += 1
        return found


class SqlRatingsObserved:
    """``gateway.oversight.ports.RatingsObserved``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def given(self, begins_at: datetime, ends_at: datetime) -> Sequence[tuple[str, RatingLevel, int]]:
        own = service_ratings.c
        counted = (
            select(own.region, own.level, func.count().label("number"))
            .where(own.rated_at >= begins_at, own.rated_at < ends_at)
            .group_by(own.region, own.level)
        )
        return [(row.region, RatingLevel(row.level), row.number) for row in self._statements.execute(counted)]


def _within(region: str) -> ColumnElement[bool]:
    return applications.c.region.startswith(region, autoescape=True) if region else true()
