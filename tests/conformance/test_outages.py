"""Outages over HTTP on both databases: a utility tells, everybody reads, an applicant sees their own region's."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any, get_args

import httpx
import orjson
import pytest

from adapters.notice_channels.email import EmailChannel
from adapters.storage.transactions import SqlTransactions
from gateway.applications.lifecycle import StageAction, StageEvent, apply
from gateway.caller import Caller, Role
from gateway.delivery.backoff import Backoff
from gateway.notices.preferences import Way
from gateway.notices.sending import NoticeSender
from gateway.notices.service import NoticeService
from gateway.notices.words import Tongue, sentence
from gateway.outages.router import router
from gateway.outages.service import OutageService
from gateway.portal.applicant import notices
from gateway.portal.applicant.names import KnownNames, Names
from gateway.portal.applicant.sessions import OwnProgress, SignedIn
from gateway.portal.preferences import LANGUAGE_COOKIE
from schemas.applicant_api import ProgressView
from schemas.outages import OutageRequest, PublicOutages
from schemas.wire import format_instant
from tests.support.approvals import A_PARTY, UTILITY, an_application, the_applicant
from tests.support.publishing import publishing
from tests.support.storage import NOON, SetClock, opened
from tests.support.tiny_mail import tiny_mail

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
SAID = {
    "outage_id": "o-1",
    "event_id": "e-1",
    "kind": "planned",
    "region": "440106",
    "area": "天河北路 1 至 99 号",
    "begins_at": format_instant(NOON + DAY),
    "expected_end_at": format_instant(NOON + 2 * DAY),
    "said_at": format_instant(NOON),
    "text": "线路检修，遇雨顺延。",
}


@dataclass
class Room:
    http: httpx.AsyncClient
    clock: SetClock
    transactions: SqlTransactions

    async def tell(self, role: str = "utility", **changed: Any) -> httpx.Response:
        said = {"said_at": format_instant(self.clock())} | changed
        return await self.http.post("/v1/outages", json=SAID | said, headers={"Authorization": role})

    async def shown(self, region: str = "") -> list[tuple[str, str]]:
        answer = await self.http.get("/v1/public/outages", params={"region": region})
        return [(each.outage_id, each.state) for each in PublicOutages.model_validate_json(answer.content).outages]

    async def page(self, path: str, language: str = "zh") -> str:
        cookie = f"{LANGUAGE_COOKIE}={language}"
        answer = await self.http.get(path, headers={"accept": "text/html", "cookie": cookie})
        assert answer.status_code == 200, answer.text
        return answer.text

    async def entries(self) -> list[dict[str, Any]]:
        def read(tx: Any) -> list[dict[str, Any]]:
            reader = tx.record_reader
            return [orjson.loads(each.leaf) for log in reader.log_ids() for each in reader.entries(log)]

        return await self.transactions.read(read)


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        services = OutageService(transactions, clock), NoticeService(transactions, clock)
        async with publishing(clock, [router, notices.router], *services) as (app, http):
            app.dependency_overrides |= {
                get_args(SignedIn)[1].dependency: lambda: the_applicant(),
                get_args(OwnProgress)[1].dependency: lambda: ProgressView.model_construct(
                    application_id="app_1", closed_at=None
                ),
                get_args(KnownNames)[1].dependency: lambda: Names({}, None),
            }
            yield Room(http, clock, transactions)


async def test_told_once_followed_to_its_end_and_read_by_everybody(room: Room) -> None:
    first = await room.tell()
    assert (first.status_code, first.json()["duplicate"], first.json()["flags"]) == (201, False, [])
    again = await room.tell()
    assert (again.status_code, again.json()["record_id"]) == (200, first.json()["record_id"])
    other = await room.tell(text="另一内容")
    assert (other.status_code, other.json()["check"]) == (409, "outage.event")
    for region in ("", "440000", "440100", "440106", "440106003"):
        assert await room.shown(region) == [("o-1", "planned")]
    assert await room.shown("440103") == await room.shown("440300") == []
    room.clock.advance(days=1)
    assert await room.shown() == [("o-1", "under_way")]
    page = await room.page("/public/outages?region=440100")
    for shown in ("天河北路 1 至 99 号", "线路检修，遇雨顺延。", "广州市天河区", "计划停电", "2026年3月4日 12:00"):
        assert shown in page
    room.clock.advance(hours=1)
    ended = await room.tell(kind="restored", event_id="e-2", text="已送电。")
    assert ended.json()["outage"] | {"state": "ended", "cause": "planned"} == ended.json()["outage"]
    room.clock.advance(minutes=1)
    over = await room.tell(kind="progress", event_id="e-3")
    assert (over.status_code, over.json()["check"]) == (409, "outage.over")
    assert await room.shown() == [("o-1", "ended")]
    room.clock.advance(hours=24)
    assert await room.shown() == []


async def test_what_was_said_last_counts_and_what_comes_late_is_flagged(room: Room) -> None:
    room.clock.advance(hours=1)
    assert (await room.tell(kind="progress", event_id="e-2", text="推迟。")).status_code == 201
    late = await room.tell(said_at=format_instant(NOON))
    assert (late.status_code, late.json()["flags"]) == (201, ["earlier_than_previous_step"])
    outage = late.json()["outage"]
    assert (outage["text"], outage["cause"]) == ("推迟。", "planned")
    ahead = await room.tell(event_id="e-3", said_at=format_instant(NOON + DAY), text="说早了。")
    assert (ahead.json()["flags"], ahead.json()["outage"]["text"]) == (["later_than_now"], "说早了。")
    room.clock.advance(minutes=1)
    assert (await room.tell(event_id="e-4", text="更正。")).json()["outage"]["text"] == "更正。"


async def test_of_tellings_at_once_by_two_processes_one_counts_and_each_is_there(room: Room, database_url: str) -> None:
    room.clock.advance(hours=1)
    said = [
        OutageRequest.model_validate(SAID | {"event_id": f"e-{n}", "text": f"第{n}次", "said_at": NOON + n * MINUTE})
        for n in (3, 1, 5, 2, 4)
    ]
    caller = Caller(UTILITY, Role.UTILITY, "thumbprint", frozenset({"stages"}), ("440100",))
    with opened(database_url, room.clock) as others:
        services = [OutageService(each, room.clock) for each in (room.transactions, others)]
        answers = await asyncio.gather(*(service.tell(caller, each) for each in said for service in services))
    assert sorted(each.duplicate for each in answers) == [False] * 5 + [True] * 5
    assert "第5次" in await room.page("/public/outages")
    assert len(await room.entries()) == 5


async def test_the_record_holds_references_and_no_words(room: Room) -> None:
    await room.tell()
    (entry,) = await room.entries()
    assert (entry["action"], entry["subject"]) == ("outage.told", "csg-guangzhou:o-1")
    assert set(entry["facts"]) == {"event_sha256", "kind", "region", "said_at", "flags", "content_sha256"}
    assert "天河" not in str(entry)


@pytest.mark.parametrize(
    ("changed", "status", "check"),
    [
        ({"role": "operator"}, 403, "caller.role"),
        ({"region": "440306"}, 403, "outage.region"),
        ({"area": "王女士 13800138000 处"}, 422, "outage.personal"),
        ({"expected_end_at": None}, 422, "outage.expected_end_at"),
        ({"area": "两\n行"}, 422, "request.invalid_request"),
        ({"text": "看不见\u200b的"}, 422, "request.invalid_request"),
        ({"kind": "rumour"}, 422, "request.invalid_request"),
    ],
)
async def test_what_is_not_sound_is_refused(room: Room, changed: dict[str, Any], status: int, check: str) -> None:
    answer = await room.tell(**changed)
    assert (answer.status_code, answer.json()["check"]) == (status, check)
    assert "13800138000" not in answer.text
    assert await room.shown() == []


async def test_open_data_may_be_kept(room: Room) -> None:
    await room.tell()
    told = await room.http.get("/v1/public/outages")
    assert told.headers["cache-control"] == "public, max-age=600"
    kept = await room.http.get("/v1/public/outages", headers={"if-none-match": told.headers["etag"]})
    assert kept.status_code == 304


async def test_an_applicant_sees_what_their_utility_tells_of_their_region_until_the_application_is_over(
    room: Room,
) -> None:
    await room.transactions.write(lambda tx: tx.applications.add(an_application(), A_PARTY))
    path = "/applications/app_1/notices"
    assert "当地的停电信息" not in await room.page(path)
    await room.tell(area="本区")
    await room.tell(
        area="全市",
        region="440100",
        event_id="e-2",
        outage_id="o-2",
        kind="fault",
        begins_at=format_instant(NOON - MINUTE),
    )
    await room.tell(area="邻区", region="440103", event_id="e-3", outage_id="o-3")
    await room.tell(area="已恢复处", event_id="e-4", outage_id="o-4", kind="restored")
    page = await room.page(path)
    assert [word in page for word in ("本区", "全市", "邻区", "已恢复处")] == [True, True, False, False]
    assert "Power outages there" in await room.page(path, "en")

    def withdraw(tx: Any) -> None:
        found, now = tx.applications.find_for_change("app_1"), room.clock()
        tx.applications.put_lifecycle("app_1", apply(found.lifecycle, StageEvent(StageAction.WITHDRAWN, now), now))

    await room.transactions.write(withdraw)
    assert "本区" not in await room.page(path)


async def applied(room: Room, *application_ids: str, **changed: Any) -> None:
    for each in application_ids:
        own = an_application(each, **changed)
        await room.transactions.write(lambda tx, own=own: tx.applications.add(own, A_PARTY))


async def notified(room: Room, application_id: str = "app_1") -> list[tuple[str, str]]:
    told = await room.transactions.read(lambda tx: tx.notices.of_application(application_id, 10))
    return [(each.kind.value, sentence(each, Tongue.ENGLISH)) for each in reversed(told)]


async def test_whom_an_outage_touches_is_told_of_each_telling_once(room: Room) -> None:
    await applied(room, "app_1", "app_2", "app_3")
    named = ["app_2", "app_1", "app_2"]
    first, again = await room.tell(applications=named), await room.tell(applications=named)
    for answer, status in ((first, 201), (again, 200)):
        told = answer.json()
        assert (answer.status_code, told["notified"], told["not_notified"]) == (status, 2, [])
        assert "applications" not in told["outage"]
    room.clock.advance(days=1)
    running = {"begins_at": format_instant(NOON + DAY), "applications": ["app_1"]}
    await room.tell(kind="progress", event_id="e-2", expected_end_at=None, **running)
    room.clock.advance(hours=1)
    await room.tell(kind="restored", event_id="e-3", **running)
    place = "the place of your application"
    assert await notified(room) == [
        (
            "outage_planned",
            f"A planned outage touches {place}: from 3 March 2026 12:00, expected back by 4 March 2026 12:00.",
        ),
        ("outage_progress", f"News of the outage at {place}: from 3 March 2026 12:00."),
        ("outage_restored", f"The power is back at {place}."),
    ]
    assert [kind for kind, _ in await notified(room, "app_2")] == ["outage_planned"]
    assert await notified(room, "app_3") == []
    assert "您申请用电的地方计划停电：2026年3月3日 12:00 起，预计 2026年3月4日 12:00 恢复。" in await room.page(
        "/applications/app_1/notices"
    )
    assert "app_1" not in await room.page("/public/outages")


async def test_a_plan_given_up_is_cancelled_and_a_fault_is_a_fault(room: Room) -> None:
    await applied(room, "app_1")
    await room.tell(applications=["app_1"])
    room.clock.advance(minutes=5)
    await room.tell(kind="restored", event_id="e-2", applications=["app_1"])
    fault = {"begins_at": format_instant(NOON), "expected_end_at": None, "kind": "fault", "outage_id": "o-2"}
    await room.tell(event_id="e-3", applications=["app_1"], **fault)
    assert [kind for kind, _ in await notified(room)] == ["outage_planned", "outage_cancelled", "outage_fault"]


async def test_a_late_telling_that_changes_nothing_is_no_news(room: Room) -> None:
    await applied(room, "app_1")
    room.clock.advance(hours=1)
    await room.tell(kind="progress", event_id="e-2", applications=["app_1"])
    late = await room.tell(said_at=format_instant(NOON), applications=["app_1"])
    assert (late.json()["notified"], late.json()["not_notified"]) == (0, ["app_1"])
    assert [kind for kind, _ in await notified(room)] == ["outage_progress"]


async def test_nobody_learns_whose_an_application_is(room: Room) -> None:
    await applied(room, "app_1")
    await applied(room, "app_other", utility="csg-shenzhen")
    over = apply(an_application().lifecycle, StageEvent(StageAction.WITHDRAWN, room.clock()), room.clock())
    await applied(room, "app_over", lifecycle=over)
    answer = await room.tell(applications=["app_none", "app_other", "app_1", "app_over"])
    assert (answer.status_code, answer.json()["notified"]) == (201, 1)
    assert answer.json()["not_notified"] == ["app_none", "app_other", "app_over"]
    for each in ("app_other", "app_over"):
        assert await notified(room, each) == []


async def test_another_list_is_another_content_and_none_the_same_as_before(room: Room) -> None:
    await applied(room, "app_1")
    plain = await room.tell()
    assert (await room.tell(applications=[])).json()["record_id"] == plain.json()["record_id"]
    other = await room.tell(applications=["app_1"])
    assert (other.status_code, other.json()["check"]) == (409, "outage.event")
    assert await notified(room) == []


async def test_the_record_of_each_holds_times_and_no_words(room: Room) -> None:
    await applied(room, "app_1")
    await room.tell(applications=["app_1"])
    told, touched = await room.entries()
    assert (touched["action"], touched["subject"], touched["actor"]) == ("outage.touches", "app_1", UTILITY)
    assert set(touched["facts"]) == {"outage", "event_sha256", "tells", "begins_at", "expected_end_at"}
    assert "天河" not in str([told, touched])


@pytest.mark.parametrize("many", [500, 501])
async def test_as_many_as_one_telling_may_name(room: Room, many: int) -> None:
    names = [f"app_{number:03}" for number in range(many)]
    own = [an_application(each) for each in names]
    await room.transactions.write(lambda tx: [tx.applications.add(each, A_PARTY) for each in own])
    answer = await room.tell(applications=names)
    if many > 500:
        assert (answer.status_code, answer.json()["check"]) == (422, "request.invalid_request")
        assert await room.entries() == []
    else:
        assert (answer.status_code, answer.json()["notified"]) == (201, many)
        assert [kind for kind, _ in await notified(room, names[-1])] == ["outage_planned"]


async def test_it_reaches_the_mailbox_of_whoever_chose_that(room: Room) -> None:
    await applied(room, "app_1", "app_2")
    service = NoticeService(room.transactions, room.clock, frozenset({Way.EMAIL}))
    await service.choose("app_1", "0" * 64, Way.EMAIL, "somebody@example.com", Tongue.CHINESE)
    await room.tell(applications=["app_1", "app_2"])
    with tiny_mail() as mail:
        channel = EmailChannel("127.0.0.1", mail.port, "notice@gateway.example", None, str, starttls=False)
        backoff = Backoff(MINUTE, MINUTE, DAY)
        sender = NoticeSender(
            "one", room.transactions, {Way.EMAIL: channel}, room.clock, backoff, "https://g.example", random.Random(1)
        )
        assert (await sender.pass_once(), await sender.pass_once()) == (1, 0)
        ((to, raw),) = mail.taken
    message = message_from_bytes(raw, policy=default)
    assert (to, message["Subject"]) == ("somebody@example.com", "停电信息")
    text = message.get_content()
    assert "2026年3月3日 12:00" in text
    assert "https://g.example/applications/app_1/notices" in text
    assert "天河" not in text
