"""What housekeeping throws away, over real databases."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from gateway.certificates.registry import KindRegistry
from gateway.housekeeping import Housekeeping
from tests.support.ecertificates import ENTERPRISE
from tests.support.licences import LicencesRoom, licences_room

KEPT = KindRegistry.discover().copies_kept()


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


async def test_copies_go_when_they_may_no_longer_stand_in_for_their_source(room: LicencesRoom) -> None:
    housekeeping = Housekeeping(room.intakes, room.transactions, room.clock, KEPT)
    await room.apply()
    assert KEPT["property_certificate"] < KEPT["business_licence"]
    for kind, gone in (("property_certificate", 1), ("business_licence", 1)):
        room.clock.at = (await fetched_at(room, kind)) + KEPT[kind]
        assert await housekeeping.purge_once() == (0, 0, 0)
        assert await room.copies(kind) == 1
        room.clock.advance(seconds=1)
        assert await housekeeping.purge_once() == (0, 0, gone)
        assert await room.copies(kind) == 0


async def fetched_at(room: LicencesRoom, kind: str) -> datetime:
    (copy,) = await room.transactions.read(lambda tx: tx.certificate_copies.latest(kind, ENTERPRISE))
    return copy.fetched_at
