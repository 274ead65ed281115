"""A resident and an enterprise, from the first page to the withdrawal: by pointer and by keyboard, with and without
script; and every page in both languages, in large type, on a telephone and on a desk.
"""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.applicants import SESSION, Visitor
from tests.browser.keyboard import press_on, select, write
from tests.browser.looking import Looking
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
PATIENCE = 30_000
"""Milliseconds, on a machine that is busy with others."""


async def opened(looking: Looking, **wanted: bool) -> Page:
    page = await (await looking.context(**wanted)).new_page()
    page.set_default_timeout(PATIENCE)
    return page


async def reloaded_until(page: Page, text: str) -> None:
    for _ in range(60):
        if await page.get_by_text(text).count():
            return
        await page.wait_for_timeout(500)
        await page.reload()
    raise AssertionError(f"{text} never came")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_a_residents_whole_journey(looking: Looking, script: bool) -> None:
    page = await opened(looking, script=script, phone=True)
    await page.goto("/")
    await page.get_by_role("main").get_by_role("link", name="我要办电").click()
    await page.get_by_role("link", name="居民").click()
    await expect(page.get_by_text("通常什么都不用带。")).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("全过程，含施工 5 个工作日"))).to_be_visible()
    await page.get_by_role("link", name="开始：核验身份").click()
    await expect(page.locator("input[name=method]")).to_have_count(3)
    await page.locator("#method-face").check()
    await page.get_by_role("button", name="继续").click()
    await expect(page.get_by_text("人脸图像只交给身份核验机构；平台和供电企业不接收、不保存")).to_be_visible()
    visitor = Visitor(page, "resident-ordinary")
    await visitor.at_the_provider(looks_into_the_camera=script)
    await page.wait_for_url("**/apply/demand")
    await visitor.ask("440106", "8", "演示人工")
    for title in ("居民身份证", "不动产权证书"):
        await expect(page.get_by_role("heading", name=re.compile(f"{title} 已找到"))).to_be_visible()
    await expect(page.get_by_text("陈安然").first).to_be_visible()
    await page.get_by_role("button", name="同意授权并提交").click()
    await expect(page.get_by_text("同意授权才能提交").first).to_be_visible()
    application_id = await visitor.confirm()
    await expect(page.locator(".panel .number")).to_have_text(application_id)
    await page.get_by_role("link", name="查看进度").click()
    await expect(page.get_by_role("heading", name=re.compile("受理签约"))).to_be_visible()
    await expect(page.get_by_text(re.compile("还剩 [45] 个工作日，至"))).to_be_visible()
    await page.get_by_role("link", name="授权与撤回").click()
    await page.locator("#period-365").check()
    await page.get_by_role("button", name="延长授权").click()
    await expect(page.locator("#period-365")).to_have_count(0)
    await page.get_by_role("link", name="撤回授权").click()
    await page.get_by_role("button", name="撤回授权").click()
    await page.wait_for_url("**/authorisation")
    await reloaded_until(page, "供电企业已签名回执")
    await page.get_by_role("link", name="进度", exact=True).click()
    await page.get_by_role("link", name="不办了，撤回申请").click()
    await page.get_by_role("button", name="撤回申请").click()
    await page.goto(f"/applications/{application_id}")
    await expect(page.get_by_text("您已撤回申请")).to_be_visible()
    await page.get_by_role("button", name="退出").click()
    await expect(page.get_by_role("heading", name="已退出")).to_be_visible()
    await page.goto(f"/applications/{application_id}")
    await expect(page.get_by_role("heading", name="请先核验身份")).to_be_visible()


async def test_a_face_that_fails_leads_to_another_way(looking: Looking) -> None:
    page = await opened(looking, phone=True)
    visitor = Visitor(page, "resident-locked")
    await visitor.verify()
    await page.wait_for_url("**/verify/failed")
    await expect(page.get_by_role("heading", name="这种方式已暂时锁定")).to_be_visible()
    await expect(page.locator("#method-face")).to_have_count(0)
    await looking.check(page, "applicant/verify-failed")
    await page.locator("#method-sms_otp").check()
    await page.get_by_role("button", name="继续").click()
    await Visitor(page, "resident-locked", method="sms_otp").at_the_provider()
    await page.wait_for_url("**/apply/demand")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_an_enterprises_whole_journey_by_keyboard(looking: Looking, script: bool) -> None:
    """With 告知承诺 and permits in parallel, to the end."""
    page = await opened(looking, script=script)
    await page.goto("/apply")
    await press_on(page, "a[href='/apply/enterprise']")
    await page.wait_for_url("**/apply/enterprise")
    await press_on(page, "a[href='/verify/enterprise']")
    await page.wait_for_url("**/verify/enterprise")
    await press_on(page, "#method-e_licence", "Space")
    await press_on(page, "main button")
    await page.wait_for_url("**/verify/go")
    await press_on(page, "a[rel=noreferrer]")
    await page.wait_for_url("**/authorize/*")
    await press_on(page, "li a")
    await page.wait_for_url("**method=e_licence")
    await select(page, "#subject", "enterprise-agent")
    await press_on(page, "button")
    await page.wait_for_url("**/apply/demand")
    await select(page, "#region", "440605")
    await press_on(page, "input[name=voltage]", "Space")
    await page.keyboard.press("ArrowDown")
    await write(page, "#capacity_kw", "315")
    await write(page, "#purpose", "纺织车间，占用绿地告知承诺")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/intakes/*")
    await press_on(page, "#authorise", "Space")
    await press_on(page, "form[action^='/intakes'] .actions .button")
    await page.wait_for_url("**/received")
    await press_on(page, "main a.button")
    await page.wait_for_url(re.compile("/applications/[^/]+$"))
    progress = page.url
    await reloaded_until(page, "待您办理：阅读并签署告知承诺书")
    if script:  # axe waits by timers, and there are none without
        await looking.check(page, "applicant/permits")
    await press_on(page, "a[href$='/commitment']")
    await page.wait_for_url("**/commitment")
    await expect(page.get_by_text("告知承诺书", exact=True)).to_be_visible()
    await press_on(page, "#accept", "Space")
    await press_on(page, "main form[action$='/commitment'] button")
    await expect(page.get_by_role("heading", name="您已作出承诺")).to_be_visible()
    await page.goto(progress)
    if script:
        await expect(page.get_by_text("已办结，已通电。")).to_be_visible(timeout=PATIENCE)
    else:
        await reloaded_until(page, "已办结，已通电。")
    await expect(page.locator(".permit .badge-done")).to_have_count(3)
    await press_on(page, "a[href$='/accesses']")
    await page.wait_for_url("**/accesses")
    first = page.locator(".accesses .card").first
    await expect(first.get_by_text("广东电网（模拟）")).to_be_visible()
    await expect(first.locator("details li").first).not_to_be_visible()
    await press_on(page, ".accesses summary")
    await expect(first.locator("details li").first).to_be_visible()


@pytest.mark.parametrize("large", [False, True], ids=["ordinary", "large"])
@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
async def test_every_page_keeps_the_rules(looking: Looking, province: LiveProvince, english: bool, large: bool) -> None:
    """Signed in by the interface, whose session the browser then holds: what is looked at here are the pages."""
    applicant = province.applicant("enterprise-small")
    await applicant.verify("enterprise", "e_licence")
    demand = {"region": "440105", "voltage_v": 380, "capacity_kw": 80, "purpose": "演示人工"}
    application_id = (await applicant.confirm((await applicant.begin("one-certificate", demand))["intake_id"]))[
        "application_id"
    ]
    intake_id = (await applicant.begin("one-certificate", demand))["intake_id"]
    await asked_for(province, application_id)
    pages = {
        "apply": "/apply",
        "road-resident": "/apply/resident",
        "road-enterprise": "/apply/enterprise",
        "verify": "/verify/resident",
        "demand": "/apply/demand",
        "intake": f"/intakes/{intake_id}",
        "applications": "/applications",
        "received": f"/applications/{application_id}/received",
        "application": f"/applications/{application_id}",
        "accesses": f"/applications/{application_id}/accesses",
        "notices": f"/applications/{application_id}/notices",
        "authorisation": f"/applications/{application_id}/authorisation",
        "withdraw-authorisation": f"/applications/{application_id}/authorisation/withdrawal",
        "withdraw-application": f"/applications/{application_id}/withdrawal",
        "dropped": "/apply/dropped",
        "signed-out": "/signed-out",
    }
    for phone in (False, True):
        context = await looking.context(english=english, large=large, phone=phone)
        page = await context.new_page()
        variant = "-".join(["en" if english else "zh", *(["large"] if large else []), *(["phone"] if phone else [])])
        await page.goto("/applications")
        await looking.check(page, f"applicant/sign-in-{variant}")
        gateway = province.province.gateway
        await context.add_cookies(
            [{"name": SESSION, "value": applicant.token, "url": gateway.replace("http:", "https:"), "secure": True}]
        )
        for name, path in pages.items():
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            assert "陈" not in await page.title()
            await looking.check(page, f"applicant/{name}-{variant}")
    await applicant.drop(intake_id)


async def asked_for(province: LiveProvince, application_id: str) -> None:
    """The utility looks at a certificate, and asks for one that it may not see."""
    stage = province.stage()
    await stage.at_utility(application_id)
    for kind in ("business_licence", "construction_qualification"):
        await stage.ask_as_utility(application_id, kind=kind, purpose="grid_connection")
