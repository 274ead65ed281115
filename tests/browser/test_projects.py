"""The officers' page of leads, looked at in both languages, on a phone, in large type, and narrowed without script."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser

from gateway.http.door import hang_door
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.portal import router as shared
from gateway.portal.assets import Assets
from gateway.portal.officers import Officer, OfficerRole
from gateway.portal.projects import router as area
from gateway.portal.rendering import Pages, Site
from tests.browser.conftest import BUILD
from tests.browser.looking import Findings, Looking
from tests.support.databases import Databases
from tests.support.projects import NANSHAN, PLANNING, ProjectsRoom, projects_room

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def _served(room: ProjectsRoom) -> AsyncIterator[str]:
    """The page over real HTTP, for an officer who is signed in; answers its address."""
    app = FastAPI()
    app.include_router(shared.router)
    app.include_router(area.router)
    hang_door(app, HttpMetrics(), https=False)
    publish(app, Services(room.leads, Pages(Site("共享平台", https=False), Assets(), room.clock)))
    app.dependency_overrides[area.SEES] = lambda: Officer("officer-1", "工作人员", OfficerRole.OPERATOR)
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@pytest_asyncio.fixture(loop_scope="session")
async def officers(browser: Browser, databases: Databases, findings: Findings) -> AsyncIterator[Looking]:
    with projects_room(databases.sqlite()) as room:
        await room.push(1, jsgcghxkxxb=[PLANNING])
        await room.push(1, gcdm="gc-2", xmmc="测试商业综合体与地下空间一体化开发项目", jsddxzqh=NANSHAN)
        await room.push(1, gcdm="gc-3", xmmc="测试医院", jsdw="测试丙", jsdwdm=None, xmspsxblxxb=[])
        leads = {lead.project.works_code: lead.lead_id for lead in await room.held()}
        await room.tell(leads["gc-0001"], "contacted")
        await room.tell(leads["gc-3"], "connected")
        await room.push(2, gcdm="gc-2", sjyxbs=0)
        async with _served(room) as url:
            made = Looking(browser, url, findings, BUILD / "screens")
            yield made
            await made.close()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("zh", {}),
        ("en", {"english": True}),
        ("phone", {"phone": True}),
        ("large", {"large": True}),
    ],
)
async def test_it_keeps_what_every_page_keeps(officers: Looking, name: str, options: dict[str, bool]) -> None:
    page = await (await officers.context(**options)).new_page()
    await page.goto("/projects")
    await officers.check(page, f"projects/leads-{name}")


async def test_it_is_narrowed_by_keyboard_and_without_script(officers: Looking) -> None:
    page = await (await officers.context(script=False)).new_page()
    await page.goto("/projects")
    await page.get_by_label("状态", exact=True).select_option("retracted")
    await page.get_by_role("button", name="查询").press("Enter")
    assert await page.get_by_role("rowheader").all_inner_texts() == [
        "测试商业综合体与地下空间一体化开发项目\n测试路 1 号"
    ]
    assert await page.get_by_label("状态", exact=True).input_value() == "retracted"
