"""办事公开 and 监管, as the public and the authority see them: both languages, phone, large type, without script."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from playwright.async_api import Browser

from gateway.portal.authority.router import SEES
from gateway.portal.authority.router import router as authority
from gateway.portal.officers import OfficerRole
from tests.browser.conftest import BUILD
from tests.browser.looking import Findings, Looking
from tests.browser.overseen import overseen
from tests.support.databases import Databases

pytestmark = pytest.mark.asyncio(loop_scope="session")

PUBLIC = {
    "start": "/public",
    "rules": "/public/rules?region=440100&on=2026-11-28",
    "rules-before": "/public/rules?region=440100&on=2020-01-01",
    "class-lv-zero": "/public/rules/lv_zero?region=440100&on=2026-11-28",
    "class-hv-single": "/public/rules/hv_single?region=440100&on=2026-11-28",
    "capacity": "/public/capacity?region=440100",
    "outages": "/public/outages?region=440100",
    "ratings": "/public/ratings?month=2026-10",
    "ratings-none": "/public/ratings?month=2026-08",
    "performance": "/public/performance?month=2026-10",
    "performance-city": "/public/performance?month=2026-10&city=440100",
}
PERIOD = "?from=2026-09-01&to=2026-11-28&city="
AUTHORITY = {
    "overview": f"/authority{PERIOD}",
    "stages": f"/authority/stages{PERIOD}",
    "permits": f"/authority/permits{PERIOD}",
    "conduct": f"/authority/conduct{PERIOD}",
    "ledger": f"/authority/ledger{PERIOD}440100",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with overseen(tmp_path_factory.mktemp("overseen"), databases.sqlite()) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def looked(browser: Browser, gateway: str, findings: Findings) -> AsyncIterator[Looking]:
    made = Looking(browser, gateway, findings, BUILD / "screens")
    yield made
    await made.close()


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
@pytest.mark.parametrize(("name", "path"), PUBLIC.items(), ids=PUBLIC)
async def test_every_public_page_keeps_the_rules(looked: Looking, name: str, path: str, english: bool) -> None:
    for phone, large in ((False, False), (True, False), (True, True)):
        page = await (await looked.context(english=english, phone=phone, large=large)).new_page()
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 200
        variant = "-".join(["en" if english else "zh", *(["large"] if large else []), *(["phone"] if phone else [])])
        await looked.check(page, f"public/{name}-{variant}")


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
@pytest.mark.parametrize(("name", "path"), AUTHORITY.items(), ids=AUTHORITY)
async def test_every_page_of_the_authority_keeps_the_rules(
    looked: Looking, name: str, path: str, english: bool
) -> None:
    for phone, large in ((False, False), (True, False), (False, True)):
        page = await (await looked.context(english=english, phone=phone, large=large)).new_page()
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 200
        for chart in await page.locator("[data-chart]").all():
            assert await chart.locator("svg path").count() > 3, "the chart is drawn"
        variant = "-".join(["en" if english else "zh", *(["large"] if large else []), *(["phone"] if phone else [])])
        await looked.check(page, f"authority/{name}-{variant}")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_somebody_finds_the_rules_of_their_city_and_day(looked: Looking, script: bool) -> None:
    page = await (await looked.context(script=script)).new_page()
    await page.goto("/")
    await page.get_by_role("link", name="办事公开").first.click()
    await page.get_by_role("link", name="环节、时限、资料与收费").click()
    await page.get_by_label("地区").select_option("深圳市")
    await page.get_by_label("受理日期").fill("2022-06-01")
    await page.get_by_role("button", name="查询").click()
    text = await page.inner_text("main")
    assert "2022年6月1日 在深圳市受理的申请" in text
    await page.get_by_role("link", name="实行“三零”服务的低压非居民用户", exact=True).click()
    text = await page.inner_text("main")
    assert "最长办理时间 20 个工作日" in text, "the limit between the ends of 2021 and 2022"
    assert "农村地区 100 kW" in text
    await page.get_by_role("link", name="环节、时限、资料与收费").click()
    assert await page.get_by_label("受理日期").input_value() == "2022-06-01"


async def test_the_keyboard_alone_reaches_a_city(looked: Looking) -> None:
    page = await (await looked.context()).new_page()
    await page.goto("/public/performance?month=2026-10")
    await page.get_by_label("地区").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**city=440100")
    assert "广州市" in await page.inner_text("h2")


async def test_what_is_no_day_is_told_by_the_field(looked: Looking) -> None:
    page = await (await looked.context()).new_page()
    answer = await page.goto("/public/rules?on=yesterday")
    assert answer is not None
    assert answer.status == 422
    assert await page.evaluate("document.activeElement.id") == "errors"


async def test_tables_say_it_without_script(looked: Looking) -> None:
    page = await (await looked.context(script=False)).new_page()
    await page.goto(AUTHORITY["overview"])
    assert await page.locator("[data-chart]:visible").count() == 0
    assert "居民用户" in await page.inner_text("table")


async def test_the_ledger_is_taken_along(looked: Looking) -> None:
    page = await (await looked.context()).new_page()
    await page.goto(AUTHORITY["ledger"])
    for name, suffix in (("下载电子表格", "xlsx"), ("下载 PDF", "pdf")):
        async with page.expect_download() as waiting:
            await page.get_by_role("link", name=name).click()
        taken = await waiting.value
        assert taken.suggested_filename == f"广州市重点任务台账2026-09-01至2026-11-28.{suffix}"


async def test_nobody_who_is_not_signed_in_sees_anything(databases: Databases, tmp_path_factory) -> None:
    paths = [route.path for route in authority.routes if isinstance(route, APIRoute)]
    assert {"/authority", "/authority/ledger.xlsx", "/authority/report.json"} <= set(paths)
    async with (
        overseen(tmp_path_factory.mktemp("unsigned"), databases.sqlite(), signed_in=False) as url,
        httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as client,
    ):
        for path in paths:
            answer = await client.get(path)
            assert (answer.status_code, answer.content) == (303, b""), path
            assert answer.headers["location"] == f"/console/sign-in?{urlencode({'back': path})}"


async def test_reviewers_have_no_business_there() -> None:
    assert SEES.roles == {OfficerRole.AUTHORITY, OfficerRole.AUDITOR, OfficerRole.OPERATOR}
