"""What is removed when its time is over, what stays, and what the record says of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.applications.own_application import OwnApplicationService
from gateway.capacity.service import CapacityService
from gateway.clock import date_in_china
from gateway.delivery.errors import DeliveryErased
from gateway.delivery.ports import ClaimRoom, DeliveryState, ReplayReason, Settlement
from gateway.delivery.service import DeliveryService
from gateway.licences.errors import NoOpenStage
from gateway.licences.site import SiteService
from gateway.outages.service import OutageService
from gateway.retention import service as retention_service
from gateway.retention.policies import Kept, Periods, policies
from gateway.retention.service import RetentionService
from schemas.capacity import CapacityRequest
from schemas.outages import OutageRequest
from schemas.partner_api import EndingRequest
from tests.support.licences import UTILITY, LicencesRoom, an_applicant, licences_room, utility_caller
from tests.support.retention import PERIODS

HOLDER = an_applicant().holder_digest


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


def retention(room: LicencesRoom, periods: Periods = PERIODS) -> RetentionService:
    """Everything but lists that speak of many certificates; those have tests of their own."""
    table = [each for each in policies(periods, {}) if each.what is not Kept.STATUS_EVIDENCE]
    return RetentionService(room.transactions, table, room.clock)


async def end(room: LicencesRoom, application_id: str) -> None:
    ending = EndingRequest(
        event_id=f"end-{application_id}", claimed_at=room.clock.advance(minutes=1), reason="不再用电"
    )
    await room.stages.end(UTILITY, application_id, ending)


async def withdraw(room: LicencesRoom, application_id: str) -> None:
    own = OwnApplicationService(room.transactions, room.clock, lambda kind: f"{kind}_{application_id}", "共享平台")
    await own.withdraw(application_id, HOLDER)


async def party(room: LicencesRoom, application_id: str) -> Any:
    return await room.transactions.read(lambda tx: tx.applications.party(application_id))


async def test_who_applied_is_forgotten_when_the_application_has_long_been_closed(room: LicencesRoom) -> None:
    ended = (await room.apply()).application.application_id
    still_open = (await room.apply()).application.application_id
    await end(room, ended)
    closed_at = room.clock()
    room.clock.at = closed_at + timedelta(days=180, seconds=-1)
    assert await retention(room).run() == {}
    room.clock.at = closed_at + timedelta(days=180)
    (due,) = [each for each in await retention(room).due() if each.count]
    assert (due.policy.what, due.count) == (Kept.PARTIES, 1)
    assert await party(room, ended) is not None, "a dry run removes nothing"
    assert await retention(room).run() == {"parties": 1}
    assert await party(room, ended) is None
    assert await party(room, still_open) is not None
    assert await retention(room).run() == {}


async def test_who_withdrew_is_forgotten_sooner(room: LicencesRoom) -> None:
    ended = (await room.apply()).application.application_id
    withdrawn = (await room.apply()).application.application_id
    await end(room, ended)
    await withdraw(room, withdrawn)
    room.clock.advance(days=30)
    assert await retention(room).run() == {"withdrawn_parties": 1}
    assert await party(room, withdrawn) is None
    assert await party(room, ended) is not None


async def test_a_period_of_nothing_forgets_at_the_next_round(room: LicencesRoom) -> None:
    at_once = replace(PERIODS, parties_days=0, withdrawn_parties_days=0, deliveries_days=1, undelivered_days=4)
    application_id = (await room.apply()).application.application_id
    assert await retention(room, at_once).run() == {}
    await withdraw(room, application_id)
    assert await retention(room, at_once).run() == {"withdrawn_parties": 1}


async def test_whoever_asks_about_a_forgotten_applicant_is_told_that_it_is_closed(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    await end(room, application_id)
    room.clock.advance(days=180)
    await retention(room).run()
    with pytest.raises(NoOpenStage):
        await room.ask(application_id)
    with pytest.raises(NoOpenStage):
        await SiteService(room.transactions, room.clock).tell(utility_caller(), application_id)
    kept = await room.transactions.read(lambda tx: tx.applications.of_holder(HOLDER, 10))
    assert [each.application_id for each in kept] == [application_id], "the application itself stays"


async def test_each_batch_is_recorded_with_what_it_removed_and_why(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_service, "BATCH", 2)
    made = [(await room.apply()).application.application_id for _ in range(5)]
    for application_id in made:
        await withdraw(room, application_id)
    closed_at = room.clock()
    room.clock.advance(days=40)
    assert await retention(room).run("cli:operator") == {"withdrawn_parties": 5}
    entries = await room.entries("retention.purged")
    assert [entry["facts"]["count"] for entry in entries] == [2, 2, 1]
    for entry in entries:
        assert (entry["actor"], entry["subject"], entry["result"]) == ("cli:operator", None, "done")
        assert entry["facts"] == {
            "policy": "withdrawn_parties",
            "count": entry["facts"]["count"],
            "before": (closed_at + timedelta(days=10)).isoformat(),
            "kept_seconds": 30 * 86400,
            "basis": "个人信息保护法第四十七条第（三）项",
        }


async def test_a_policy_gives_way_after_so_many_batches_and_goes_on_next_time(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_service, "BATCH", 1)
    monkeypatch.setattr(retention_service, "MOST_BATCHES", 2)
    for _ in range(3):
        await withdraw(room, (await room.apply()).application.application_id)
    room.clock.advance(days=30)
    assert [await retention(room).run() for _ in range(3)] == [{"withdrawn_parties": 2}, {"withdrawn_parties": 1}, {}]


async def settle(room: LicencesRoom, state: DeliveryState) -> str:
    now = room.clock()

    def work(tx: Any) -> str:
        (claim,) = tx.deliveries.claim("relay", now, now + timedelta(seconds=30), ClaimRoom(1, 1))
        tx.deliveries.settle("relay", Settlement(claim.event.event_id, claim.attempt, now, now, state, "accepted"))
        return str(claim.event.event_id)

    return await room.transactions.write(work)


@pytest.mark.parametrize(
    ("state", "policy", "days"), [(DeliveryState.DELIVERED, "deliveries", 90), (DeliveryState.DEAD, "undelivered", 365)]
)
async def test_what_an_event_said_goes_and_its_place_stays(
    room: LicencesRoom, state: DeliveryState, policy: str, days: int
) -> None:
    await room.apply()
    event_id = await settle(room, state)
    room.clock.advance(days=days, seconds=-1)
    assert await retention(room).run() == {}
    room.clock.advance(seconds=1)
    assert await retention(room).run() == {policy: 1}
    assert await retention(room).run() == {}
    service = DeliveryService(room.transactions, "https://gateway.example")
    view = await service.find(event_id)
    assert (view.event.erased, view.event.data, view.state, len(view.history)) == (True, {}, state, 1)
    page = await service.feed(utility_caller(), 0, 10)
    assert [(event.id, event.data, event.sequence) for event in page.events] == [(event_id, {"erased": True}, 1)]
    with pytest.raises(DeliveryErased):
        await service.replay(event_id, next(iter(ReplayReason)), "cli:operator", room.clock())


async def test_what_is_still_on_its_way_is_never_erased(room: LicencesRoom) -> None:
    await room.apply()
    room.clock.advance(days=1000)
    assert await retention(room).run() == {}


def an_outage(room: LicencesRoom, event_id: str, kind: str, outage_id: str = "o-1", **more: Any) -> OutageRequest:
    now = room.clock()
    said = {"region": "440106", "area": "天河北路", "begins_at": now, "said_at": now, "text": "抢修中。"}
    return OutageRequest.model_validate(said | {"outage_id": outage_id, "event_id": event_id, "kind": kind} | more)


async def test_an_outage_goes_a_year_after_it_was_published_last_with_what_was_told_of_it(room: LicencesRoom) -> None:
    service = OutageService(room.transactions, room.clock)
    application_id = (await room.apply()).application.application_id
    told = [an_outage(room, "e-1", "fault", applications=[application_id])]
    told += [an_outage(room, "e-2", "fault", outage_id="o-2")]
    for each in told:
        await service.tell(utility_caller(), each)
    back_at = room.clock.advance(hours=2)
    await service.tell(utility_caller(), an_outage(room, "e-3", "restored", begins_at=told[0].begins_at))
    room.clock.at = back_at + timedelta(days=366, seconds=-1)
    assert await retention(room).run() == {}
    room.clock.advance(seconds=1)
    assert await retention(room).run() == {"outages": 1}
    left = await room.transactions.read(
        lambda tx: [tx.outages.find_event(UTILITY, event_id) is not None for event_id in ("e-1", "e-2", "e-3")]
    )
    assert left == [False, True, False]
    room.clock.advance(days=6)
    assert await retention(room).run() == {"outages": 1}, "nobody said that power is back: seven days more"
    entries = await room.entries("retention.purged")
    assert [(each["facts"]["policy"], each["facts"]["count"]) for each in entries] == [("outages", 1)] * 2
    again = await service.tell(utility_caller(), told[0])
    assert (again.duplicate, again.notified) == (False, 0), "what is long over is taken, and is no news"
    assert len(await room.entries("outage.told")) == 4
    assert len(await room.entries("outage.touches")) == 1


async def test_capacity_goes_a_year_after_it_was_withdrawn_and_what_is_published_stays(room: LicencesRoom) -> None:
    service = CapacityService(room.transactions, room.clock)
    said = {"region": "440106", "area_name": "天河站", "area_kind": "substation", "voltage_v": 10_000}
    said |= {"available_kva": 800, "as_of": date_in_china(room.clock())}
    one = CapacityRequest.model_validate(said | {"version": 1})
    for area in ("a-1", "a-2"):
        await service.publish(utility_caller(), area, one)
    room.clock.advance(days=1)
    await service.publish(utility_caller(), "a-2", one.model_copy(update={"version": 2, "withdrawn": True}))
    room.clock.advance(days=365, seconds=-1)
    assert await retention(room).run() == {}
    room.clock.advance(seconds=1)
    assert await retention(room).run() == {"capacities": 1}
    assert [each.area_id for each in await service.published()] == ["a-1"]
    await service.publish(utility_caller(), "a-2", one)
    assert len(await service.published()) == 2
