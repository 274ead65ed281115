"""The page of leads: who may see it, what it shows in both languages, filters, and pages that follow each other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from adapters.officer_provider import NoOfficerProvider
from gateway.http.door import hang_door
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.officers.service import OfficerService
from gateway.portal.assets import Assets
from gateway.portal.officers import Officer, OfficerRole
from gateway.portal.projects import router as area
from gateway.portal.rendering import Pages, Site
from tests.support.partners import ISSUER
from tests.support.projects import BUILDER, NANSHAN, PERSON, PHONE, PLANNING, ProjectsRoom, projects_room
from tests.support.storage import DIGESTS


@dataclass
class Desk:
    room: ProjectsRoom
    app: FastAPI
    http: httpx.AsyncClient

    async def see(self, query: str = "", **headers: str) -> httpx.Response:
        return await self.http.get(f"/projects?{query}", headers=headers)


@pytest.fixture
async def desk(databases) -> AsyncIterator[Desk]:
    with projects_room(databases.sqlite()) as room:
        app = FastAPI()
        app.include_router(area.router)
        hang_door(app, HttpMetrics(), https=False)
        officers = OfficerService(room.transactions, NoOfficerProvider(), DIGESTS, room.clock)
        publish(app, Services(room.leads, officers, Pages(Site("共享平台", https=False), Assets(), room.clock)))
        app.dependency_overrides[area.SEES] = lambda: Officer("officer-1", "工作人员", OfficerRole.OPERATOR)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as http:
            yield Desk(room, app, http)


async def test_nobody_sees_it_who_is_no_officer(desk: Desk) -> None:
    await desk.room.push(1)
    desk.app.dependency_overrides.clear()
    answer = await desk.see()
    assert answer.status_code == 303, "sent to sign in"
    assert urlsplit(answer.headers["location"]).path != "/projects"
    assert "测试数据中心" not in answer.text


async def test_leads_are_shown_and_nobody_is_named(desk: Desk) -> None:
    await desk.room.push(1, jsgcghxkxxb=[PLANNING])
    await desk.room.push(1, gcdm="gc-2", jsdw="张三", jsdwdm=None, xmmc="<script>二期</script>")
    text = (await desk.see()).text
    for shown in ("测试数据中心一期", BUILDER, "<td>广州市天河区</td>", "已取得规划许可", "新线索", "2026年3月2日"):
        assert shown in text
    assert "&lt;script&gt;二期" in text
    for personal in (PERSON, PHONE, "张三"):
        assert personal not in text


async def test_it_is_narrowed_by_region_status_and_day(desk: Desk) -> None:
    await desk.room.push(1)
    await desk.room.push(1, gcdm="gc-2", xmmc="南山项目", jsddxzqh=NANSHAN)
    await desk.room.push(2, gcdm="gc-2", sjyxbs=0)

    async def found(query: str) -> tuple[bool, bool]:
        text = (await desk.see(query)).text
        return "测试数据中心一期" in text, "南山项目" in text

    assert await found("") == (True, True)
    assert await found("region=440300") == (False, True)
    assert await found("status=new") == (True, False)
    assert await found("from=2026-03-03") == (False, False)
    assert await found("from=2026-03-02&to=2026-03-02&region=440100") == (True, False)
    assert "没有符合条件的线索" in (await desk.see("status=connected")).text


@pytest.mark.parametrize("query", ["from=soon", "from=2026-03-03&to=2026-03-02"])
async def test_a_day_that_is_none_is_told_beside_its_field(desk: Desk, query: str) -> None:
    answer = await desk.see(query)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_pages_follow_each_other_with_the_filters_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area, "PAGE", 2)
    for number in range(5):
        await desk.room.push(1, gcdm=f"gc-{number}", xmmc=f"第{number}个")
    text, seen = (await desk.see("status=new")).text, []
    for _ in range(3):
        seen += [number for number in range(5) if f"第{number}个" in text]
        if "下一页" not in text:
            break
        href = text.rpartition('href="/projects?')[2].partition('"')[0].replace("&amp;", "&")
        assert "status=new" in href
        text = (await desk.see(href)).text
    assert seen == [0, 1, 2, 3, 4]
