"""What housekeeping throws away, over real databases."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from gateway.certificates.registry import KindRegistry
from gateway.housekeeping import Housekeeping, forgetting
from gateway.ids import id_maker
from gateway.projects.intake import ProjectIntake
from gateway.reconciliation.service import ReconciliationService
from gateway.retention.policies import policies
from gateway.retention.service import RetentionService
from tests.support.approvals import FixedDirectory
from tests.support.ecertificates import ENTERPRISE
from tests.support.licences import LicencesRoom, licences_room
from tests.support.partners import es256_key
from tests.support.retention import PERIODS
from tests.support.storage import DIGESTS

KEPT = KindRegistry.discover().copies_kept()


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


@pytest.fixture
def housekeeping(room: LicencesRoom) -> Housekeeping:
    retention = RetentionService(room.transactions, policies(PERIODS, KEPT), room.clock)
    key = es256_key("answers-1")
    make_id, issuer = id_maker(room.clock), "https://gateway.example"
    days = ReconciliationService(room.transactions, room.clock, make_id, lambda: key, issuer)
    projects = ProjectIntake(room.transactions, FixedDirectory(), issuer, make_id, DIGESTS, room.clock)
    return Housekeeping(room.intakes, retention, days, projects)


async def test_a_process_forgets_again_and_again_until_it_is_told_to_stop() -> None:
    stop, swept = asyncio.Event(), list[int]()

    def sweep_memory() -> None:
        swept.append(len(swept))
        if len(swept) == 3:
            stop.set()

    async with asyncio.timeout(10):
        await forgetting(sweep_memory, stop, timedelta(milliseconds=1))
    assert swept == [0, 1, 2]


async def test_copies_go_when_they_may_no_longer_stand_in_for_their_source(
    room: LicencesRoom, housekeeping: Housekeeping
) -> None:
    await room.apply()
    assert KEPT["property_certificate"] < KEPT["business_licence"]
    for kind in ("property_certificate", "business_licence"):
        room.clock.at = (await fetched_at(room, kind)) + KEPT[kind]
        assert await housekeeping.purge_once() == {}
        assert await room.copies(kind) == 1
        room.clock.advance(seconds=1)
        assert await housekeeping.purge_once() == {f"copies:{kind}": 1}
        assert await room.copies(kind) == 0


async def fetched_at(room: LicencesRoom, kind: str) -> datetime:
    (copy,) = await room.transactions.read(lambda tx: tx.certificate_copies.latest(kind, ENTERPRISE))
    return copy.fetched_at
