"""A gateway with two months of applications, and an officer of the authority who is signed in."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from gateway.applications.model import GridConnectionApplication
from gateway.outages.service import OutageService
from gateway.portal.authority.router import SEES
from gateway.portal.officers import Officer, OfficerRole
from gateway.ratings.model import Rating
from schemas.outages import OutageRequest
from schemas.ratings import RatingLevel
from tests.support.approvals import utility_caller
from tests.support.oversight import a_population, added
from tests.support.served import served
from tests.support.storage import SetClock

TODAY = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SEPTEMBER, OCTOBER = datetime(2026, 9, 1, 1, 0, tzinfo=UTC), datetime(2026, 10, 9, 1, 0, tzinfo=UTC)


def outages_told() -> list[OutageRequest]:
    """One that is planned, one past its expected end, one that is over."""
    told = {
        "region": "440106",
        "area": "天河北路 1 至 99 号、10kV天河线",
        "text": "线路检修，遇雨顺延。",
        "said_at": TODAY,
    }
    spans = {"planned": (24, 30), "fault": (-5, -1), "restored": (-5, None)}
    return [
        OutageRequest.model_validate(
            told
            | {"outage_id": kind, "event_id": kind, "kind": kind, "begins_at": TODAY + timedelta(hours=begins)}
            | {"expected_end_at": None if ends is None else TODAY + timedelta(hours=ends)}
        )
        for kind, (begins, ends) in spans.items()
    ]


def rated(applications: Sequence[GridConnectionApplication], chance: Random) -> Callable[[Any], None]:
    """Work by which applicants of most closed applications rated the service a day later: mostly well."""
    levels = [*RatingLevel][:3] * 6 + [*RatingLevel]
    given = [
        Rating(each.application_id, each.utility, each.region, chance.choice(levels), (), closed_at + DAY, "rec")
        for each in applications
        if (closed_at := each.lifecycle.closed_at) is not None and chance.random() < 0.8
    ]

    def add(tx: Any) -> None:
        for each in given:
            tx.ratings.add(each)

    return add


@asynccontextmanager
async def overseen(directory: Path, database_url: str, *, signed_in: bool = True) -> AsyncIterator[str]:
    """Where it is reached. Applications and permits are the same each time."""
    async with served(directory, database_url, SetClock(TODAY)) as (app, url):
        transactions = app.state.foundation.transactions
        for received_at in (SEPTEMBER, OCTOBER):
            applications, reviews = a_population(received_at, Random(7))
            await transactions.write(added(*applications))

            def review(tx: Any, reviews: Any = reviews) -> None:
                for each in reviews:
                    tx.joint_reviews.add(each)

            await transactions.write(review)
            await transactions.write(rated(applications, Random(7)))
        for said in outages_told():
            await app.state.services.get(OutageService).tell(utility_caller(), said)
        if signed_in:
            app.dependency_overrides[SEES] = lambda: Officer("officer-1", "监管员", OfficerRole.AUTHORITY)
        yield url
