"""The projects room on both databases: pushes in any order, leads and their events, what is kept and what goes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.caller import Role
from gateway.projects.errors import (
    LeadClosed,
    LeadUnknown,
    PlatformUnknown,
    PushContradicts,
    PushNotAuthentic,
    PushUnreadable,
)
from gateway.projects.service import LeadQuery
from gateway.retention.policies import Kept, policies
from gateway.retention.service import RetentionService
from schemas.events import EVENT_DATA, EventType
from schemas.leads import LeadPhase, LeadStatus
from tests.support.partners import es256_key
from tests.support.projects import (
    BUILDER,
    BUILDER_CODE,
    FOSHAN,
    GUANGZHOU,
    ITEM,
    NANSHAN,
    PERSON,
    PHONE,
    PLANNING,
    PLATFORM,
    SHENZHEN,
    STEP,
    YUEXIU,
    ProjectsRoom,
    claims,
    projects_room,
    utility_caller,
)
from tests.support.raw_database import every_value
from tests.support.retention import PERIODS


@pytest.fixture
def room(database_url: str) -> Iterator[ProjectsRoom]:
    with projects_room(database_url) as made:
        yield made


async def test_a_pushed_project_is_a_lead_its_event_and_its_record_in_one(room: ProjectsRoom) -> None:
    answered = await room.push(1)
    (lead,) = await room.held()
    assert (answered.effect, answered.duplicate, answered.waiting) == ("applied", False, False)
    assert (lead.utility, lead.status, lead.version, lead.project.region) == (GUANGZHOU, "new", 1, "440106")
    assert (lead.project.builder, lead.project.builder_code) == (BUILDER, BUILDER_CODE)
    assert lead.project.phase is LeadPhase.UNDER_APPROVAL
    (event,) = await room.events()
    assert (event.type, event.subject, event.sequence, event.position) == (EventType.LEAD_OFFERED, lead.lead_id, 1, 1)
    told = EVENT_DATA[EventType.LEAD_OFFERED].model_validate(event.data)
    assert told.model_dump()["project"]["items"][0]["status"] == "accepted"
    assert await room.actions() == ["project.received", "lead.offered"]
    assert await room.events(SHENZHEN) == []


async def test_nobody_is_named_in_events_record_or_plainly_in_the_database(
    room: ProjectsRoom, database_url: str
) -> None:
    await room.push(1)
    told = [str(event.data) for event in await room.events()] + [str(entry) for entry in await room.entries()]
    stored = b"\0".join(every_value(database_url))
    for personal in (PERSON, PHONE):
        assert not any(personal in text for text in told)
        assert personal.encode() not in stored
    assert "测试数据中心".encode() not in stored


async def test_the_same_version_again_is_the_same_push(room: ProjectsRoom) -> None:
    first = await room.push(1)
    room.clock.advance(hours=1)
    again = await room.push(1)
    assert again == first.model_copy(update={"duplicate": True})
    assert len(await room.events()) == 1
    with pytest.raises(PushContradicts) as refused:
        await room.push(1, xmmc="另一个项目")
    assert (refused.value.check, refused.value.clause) == ("project.contradicts", "第（七）条")
    assert (await room.actions())[-1] == "project.refused"


async def test_what_overtook_counts_and_what_comes_late_is_kept(room: ProjectsRoom) -> None:
    await room.push(3, xmmc="第三版")
    late = await room.push(2, xmmc="第二版", sjyxbs=0)
    assert (late.effect, late.duplicate) == ("overtaken", False)
    (lead,) = await room.held()
    assert (lead.project.name, lead.version, lead.project_version) == ("第三版", 1, 3)
    assert (await room.push(2, xmmc="第二版", sjyxbs=0)).duplicate
    kept = await room.transactions.read(lambda tx: tx.projects.find_push(late.project_id, 2))
    assert kept is not None
    assert kept.effect == "overtaken"
    assert kept.signed is not None
    assert kept.signed.split(b".")[:2] == room.sign(claims(2, xmmc="第二版", sjyxbs=0)).split(b".")[:2]
    assert await room.actions() == ["project.received", "lead.offered", "project.received"]


async def test_a_permit_makes_the_next_version_and_a_new_contact_makes_none(room: ProjectsRoom) -> None:
    await room.push(1)
    contact_only = await room.push(2, xmspsxblxxb=[ITEM | {"lxr": "测试乙"}])
    assert contact_only.effect == "unchanged"
    await room.push(3, jsgcghxkxxb=[PLANNING])
    (lead,) = await room.held()
    assert (lead.version, lead.project_version, lead.project.phase) == (2, 3, LeadPhase.PLANNING_PERMITTED)
    assert [(event.sequence, event.data["version"]) for event in await room.events()] == [(1, 1), (2, 2)]


async def test_a_project_that_no_longer_holds_is_retracted_and_returns_as_another_lead(room: ProjectsRoom) -> None:
    await room.push(1)
    await room.push(2, sjyxbs=0, sjwxyy="项目终止")
    (lead,) = await room.held()
    assert (lead.status, lead.version, lead.retraction) == (LeadStatus.RETRACTED, 2, "withdrawn")
    event = (await room.events())[-1]
    assert (event.type, event.data["reason"], event.data["version"]) == (EventType.LEAD_RETRACTED, "withdrawn", 2)
    await room.push(3)
    old, new = await room.held()
    assert (old.status, new.status, new.version) == (LeadStatus.RETRACTED, LeadStatus.NEW, 1)
    assert new.lead_id != old.lead_id


async def test_a_move_within_the_utility_is_a_version_and_beyond_it_a_retraction(room: ProjectsRoom) -> None:
    await room.push(1)
    await room.push(2, jsddxzqh=YUEXIU)
    (lead,) = await room.held()
    assert (lead.version, lead.project.region) == (2, YUEXIU)
    await room.push(3, jsddxzqh=NANSHAN)
    old, new = await room.held()
    assert (old.utility, old.status, old.retraction) == (GUANGZHOU, LeadStatus.RETRACTED, "moved")
    assert old.project.region == YUEXIU, "what was told stays what was told"
    assert (new.utility, new.status, new.version) == (SHENZHEN, LeadStatus.NEW, 1)
    assert [event.sequence for event in await room.events(SHENZHEN)] == [1]


async def test_a_project_that_nobody_serves_waits_and_is_offered_once_somebody_does(room: ProjectsRoom) -> None:
    assert (await room.push(1, jsddxzqh=FOSHAN)).waiting
    assert await room.held() == []
    assert await room.intake.assign_waiting() == 0
    room.directory.add("csg-foshan", Role.UTILITY, "440600")
    assert await room.intake.assign_waiting() == 1
    assert await room.intake.assign_waiting() == 0
    (lead,) = await room.held()
    assert (lead.utility, lead.version) == ("csg-foshan", 1)
    assert len(await room.events("csg-foshan")) == 1
    assert (await room.push(1, jsddxzqh=FOSHAN)).waiting is False


async def test_a_lead_stays_where_it_is_while_its_region_does(room: ProjectsRoom) -> None:
    await room.push(1)
    room.directory.add("csg-tianhe", Role.UTILITY, "440106")
    await room.push(2, xmmc="改名")
    assert [lead.utility for lead in await room.held()] == [GUANGZHOU]
    await room.push(3, jsddxzqh=YUEXIU)
    await room.push(4, jsddxzqh="440106")
    assert sorted((lead.utility, lead.status.value) for lead in await room.held()) == [
        (GUANGZHOU, "retracted"),
        ("csg-tianhe", "new"),
    ]


async def test_what_the_utility_says_is_recorded_once(room: ProjectsRoom) -> None:
    await room.push(1)
    (lead,) = await room.held()
    first = await room.tell(lead.lead_id, "contacted")
    room.clock.advance(hours=2)
    again = await room.tell(lead.lead_id, "contacted")
    assert (first.duplicate, again.duplicate) == (False, True)
    assert (again.counted_at, again.record_id) == (first.counted_at, first.record_id)
    connected = await room.tell(lead.lead_id, "connected")
    assert (connected.status, connected.backdated) == (LeadStatus.CONNECTED, [])
    assert (await room.actions())[2:] == ["lead.contacted", "lead.connected"]
    await room.push(2, xmmc="接电以后的变更")
    (kept,) = await room.held()
    assert (kept.status, kept.version) == (LeadStatus.CONNECTED, 1)


async def test_a_retracted_lead_takes_no_more_and_another_utilitys_is_none(room: ProjectsRoom) -> None:
    await room.push(1)
    (lead,) = await room.held()
    with pytest.raises(LeadUnknown):
        await room.tell(lead.lead_id, "contacted", SHENZHEN)
    with pytest.raises(LeadUnknown):
        await room.leads.contact(utility_caller(SHENZHEN), lead.lead_id, room.clock())
    with pytest.raises(LeadUnknown):
        await room.leads.show(utility_caller(SHENZHEN), lead.lead_id)
    await room.push(2, sjyxbs=0)
    with pytest.raises(LeadClosed):
        await room.tell(lead.lead_id, "contacted")
    with pytest.raises(LeadClosed):
        await room.leads.contact(utility_caller(), lead.lead_id, room.clock())
    refused = [entry for entry in await room.entries() if entry["result"] == "refused"]
    assert [entry["facts"]["check"] for entry in refused] == ["lead.unknown", "lead.unknown"] + ["lead.retracted"] * 2
    assert [entry["subject"] for entry in refused] == [None, None, lead.lead_id, lead.lead_id]


async def test_whom_to_ask_is_told_and_each_time_recorded(room: ProjectsRoom) -> None:
    await room.push(1)
    (lead,) = await room.held()
    told = await room.leads.contact(utility_caller(), lead.lead_id, room.clock())
    assert (told.builder, told.name, told.phone, told.erased) == (BUILDER, PERSON, PHONE, False)
    entry = (await room.entries())[-1]
    assert (entry["action"], entry["facts"]["fields"]) == ("lead.contact_disclosed", ["builder", "name", "phone"])


@pytest.mark.parametrize("why", ["over", "silent"])
async def test_contacts_and_pushes_go_when_their_time_is_over(room: ProjectsRoom, database_url: str, why: str) -> None:
    answered = await room.push(1)
    (lead,) = await room.held()
    if why == "over":
        await room.tell(lead.lead_id, "connected")
    table = [each for each in policies(PERIODS, {}) if each.what in (Kept.PROJECT_CONTACTS, Kept.SILENT_PROJECTS)]
    retention = RetentionService(room.transactions, table, room.clock)
    room.clock.advance(days={"over": 30, "silent": 730}[why], seconds=-1)
    assert await retention.run() == {}
    room.clock.advance(seconds=1)
    assert await retention.run() == {{"over": "project_contacts", "silent": "silent_projects"}[why]: 1}
    assert await retention.run() == {}
    kept = await room.transactions.read(lambda tx: tx.projects.find_push(answered.project_id, 1))
    assert kept is not None
    assert kept.signed is None
    (still,) = await room.held()
    assert still.project == lead.project
    if why == "silent":
        told = await room.leads.contact(utility_caller(), lead.lead_id, room.clock())
        assert (told.name, told.erased) == (None, True)
        await room.push(2)
        told = await room.leads.contact(utility_caller(), lead.lead_id, room.clock())
        assert (told.name, told.erased) == (PERSON, False)


async def test_many_pushes_of_one_project_at_once_leave_one_lead_with_every_version_told_in_order(
    room: ProjectsRoom,
) -> None:
    await asyncio.gather(*(room.push(number, xmmc=f"第{number}版") for number in range(1, 21)))
    (lead,) = await room.held()
    assert (lead.project.name, lead.project_version) == ("第20版", 20)
    events = await room.events()
    assert [event.sequence for event in events] == [event.data["version"] for event in events]
    assert events[-1].data["version"] == lead.version
    kept = [
        await room.transactions.read(lambda tx, n=n: tx.projects.find_push(lead.project_id, n)) for n in range(1, 21)
    ]
    assert all(kept)


class TestLists:
    async def offer(self, room: ProjectsRoom, number: int, **changes: Any) -> None:
        await room.push(1, gcdm=f"gc-{number:04d}", **changes)

    async def test_pages_follow_each_other_and_hold_the_own_leads_only(self, room: ProjectsRoom) -> None:
        for number in range(1, 8):
            await self.offer(room, number, jsddxzqh=NANSHAN if number == 4 else YUEXIU)
        seen, after = [], ""
        while True:
            page = await room.leads.listed(utility_caller(), LeadQuery(), after, 4)
            seen += [lead.project.works_code for lead in page.leads]
            if not page.more:
                break
            after = page.cursor
        assert seen == [f"gc-{number:04d}" for number in (1, 2, 3, 5, 6, 7)]

    async def test_they_are_narrowed_by_status_region_and_day(self, room: ProjectsRoom) -> None:
        await self.offer(room, 1)
        room.clock.advance(days=1)
        await self.offer(room, 2, jsddxzqh="440104001")
        second_day = room.clock().date()
        await room.push(2, gcdm="gc-0001", sjyxbs=0)

        async def found(**narrow: Any) -> list[str]:
            page = await room.leads.listed(utility_caller(), LeadQuery(**narrow), "", 10)
            return [lead.project.works_code[-1] for lead in page.leads]

        assert await found() == ["1", "2"]
        assert await found(status=LeadStatus.NEW) == ["2"]
        assert await found(status=LeadStatus.RETRACTED) == ["1"]
        assert await found(region="440104") == ["2"]
        assert await found(region="440100") == ["1", "2"]
        assert await found(region="440000") == ["1", "2"]
        assert await found(region="440300") == []
        assert await found(first=second_day) == ["2"]
        assert await found(last=room.clock.advance(days=-1).date()) == ["1"]
        overview = await room.leads.overview(LeadQuery(status=LeadStatus.NEW), "", 10)
        assert len(overview.page.leads) == 1
        assert overview.counts == {"new": 1, "contacted": 0, "connected": 0, "retracted": 1}


class TestProof:
    async def refused(self, room: ProjectsRoom, error: type[Exception], signed: bytes, code: str = PLATFORM) -> str:
        with pytest.raises(error) as caught:
            await room.intake.receive(code, signed, room.clock())
        return caught.value.check

    async def test_only_the_platforms_own_signature_is_believed(self, room: ProjectsRoom) -> None:
        good = room.sign(claims(1))
        assert await self.refused(room, PlatformUnknown, good, "nobody") == "platform.unknown"
        assert await self.refused(room, PlatformUnknown, good, GUANGZHOU) == "platform.unknown"
        for bad in (
            room.sign(claims(1), key=es256_key("platform-1")),
            room.sign(claims(1) | {"aud": "https://another.example"}),
            room.sign(claims(1) | {"iss": "another"}),
            room.sign(claims(1), typ="approval-outcome+jwt"),
            room.sign(claims(1) | {"iat": 1_600_000_000}),
            b"rubbish",
        ):
            assert (await self.refused(room, PushNotAuthentic, bad)).startswith("project.jose.")
        assert await room.entries() == [], "what anybody may send leaves the record alone"

    @pytest.mark.parametrize(
        "changes",
        [
            {"xmdm": "x"},
            {"xzqhdm": "99"},
            {"xmmc": " "},
            {"sjyxbs": 2},
            {"jzmj": -1},
            {"nkgsj": "soon"},
            {"xmspsxblxxb": [{"spsxslbm": "x"}]},
            {"xmspsxblxxxxb": [STEP | {"blsj": "yesterday"}]},
        ],
    )
    async def test_what_the_exchange_does_not_know_is_refused_and_recorded(
        self, room: ProjectsRoom, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(PushUnreadable) as refused:
            await room.push(1, **changes)
        assert refused.value.check == "project.claims"
        assert not isinstance(refused.value.__cause__, ValidationError)
        assert await room.actions() == ["project.refused"]
