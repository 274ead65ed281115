"""Joint reviews to push outcomes about: ``python -m tests.bench.hot.reviews``, in the gateway's own environment.

Each belongs to an application of its own, a copy of one that was really made. They are stored by the gateway's own
repositories through its own writer, with an entry in the record, so that nothing differs for who pushes an outcome.
"""

import argparse
import asyncio
import json
import os
from dataclasses import replace
from datetime import datetime

from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.applications.model import GridConnectionApplication, Party
from gateway.approvals.joint_review import JointReview, Permit
from gateway.approvals.ports import KeptReview
from gateway.bootstrap.foundation import Foundation, lay_foundation
from gateway.clock import date_in_china
from gateway.records.entries import RecordEntry
from gateway.settings import load_settings
from schemas.departments import ConnectionLine, ReviewMode

REGION = "440300"
DEPARTMENTS = {
    f"road-{REGION}": "road_occupation",
    f"greenery-{REGION}": "greenery_occupation",
    f"traffic-{REGION}": "traffic_works",
    f"water-{REGION}": "river_works",
}
"""Who is asked in each review, and for which permit."""
_LINE = ConnectionLine(
    description="10kV 电缆线路，沿东风路敷设",
    voltage_v=10_000,
    length_m=420.5,
    from_point="东风路 1 号开关站",
    to_point="用户红线",
)
_AT_ONCE = 128


async def open_reviews(foundation: Foundation, application_id: str, count: int) -> list[dict[str, str]]:
    """``count`` reviews of copies of the application; of each its permits, by department."""
    transactions = foundation.transactions
    found = await transactions.read(
        lambda tx: (tx.applications.find(application_id), tx.applications.party(application_id))
    )
    application, party = found
    if application is None or party is None:
        raise RuntimeError(f"there is no application {application_id}")

    def one(tx: SqlUnitOfWork) -> dict[str, str]:
        return _open(tx, foundation, application, party, foundation.clock())

    opened: list[dict[str, str]] = []
    for first in range(0, count, _AT_ONCE):
        many = range(first, min(first + _AT_ONCE, count))
        opened += await asyncio.gather(*(transactions.write(one) for _ in many))
    return opened


def _open(
    tx: SqlUnitOfWork, foundation: Foundation, like: GridConnectionApplication, party: Party, at: datetime
) -> dict[str, str]:
    make_id = foundation.make_id
    application = replace(like, application_id=make_id("app"))
    tx.applications.add(application, party)
    permits = tuple(
        Permit(make_id("prm"), department, permit, ReviewMode.FULL, at) for department, permit in DEPARTMENTS.items()
    )
    received_on = date_in_china(application.received_at)
    review = JointReview(make_id("rev"), at, received_on, REGION, _LINE.voltage_v, permits)
    entry = RecordEntry(
        "review.opened", at, like.utility, application.application_id, facts={"review": review.review_id}
    )
    tx.joint_reviews.add(KeptReview(application.application_id, like.utility, _LINE, tx.records.append(entry), review))
    return {permit.department: permit.permit_id for permit in permits}


async def _opened(application_id: str, count: int) -> list[dict[str, str]]:
    foundation = lay_foundation(load_settings(os.environ))
    try:
        return await open_reviews(foundation, application_id, count)
    finally:
        foundation.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--application", required=True, help="which one is copied")
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(_opened(options.application, options.count))))


if __name__ == "__main__":
    main()
