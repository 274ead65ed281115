"""供用电合同: a resident reads it, is verified for it, and signs; another does not."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.applicants import Visitor
from tests.browser.keyboard import at_the_provider, choose, press_on, write
from tests.browser.looking import Looking

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
PURPOSE = "演示电子合同"


async def test_a_contract_is_read_and_signed(looking: Looking) -> None:
    page = await (await looking.context(phone=True)).new_page()
    visitor = Visitor(page, "resident-ordinary")
    application = await visitor.apply("440106", "8", PURPOSE)
    await _until_offered(page, application)
    await looking.check(page, "applicant/contract")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="下载合同（文本）").click()
    assert (await download.value).suggested_filename.endswith(".txt")
    await page.get_by_role("button", name="去核验并签订").click()
    await expect(page.get_by_role("alert")).to_contain_text("请先阅读合同")
    await page.locator("#accept").check()
    await page.locator("#method-face").check()
    await page.get_by_role("button", name="去核验并签订").click()
    await visitor.at_the_provider()
    await page.wait_for_url("**/contract/signature")
    await looking.check(page, "applicant/contract-signature")
    await page.get_by_role("button", name="签订", exact=True).click()
    await expect(page.get_by_text("已签订")).to_be_visible()
    await page.goto(page.url + "/signature")
    await expect(page.get_by_text("已签订")).to_be_visible()
    await page.get_by_role("link", name="不签").wait_for(state="detached")
    for words in ("en", "zh-CN"):
        await page.context.add_cookies([{"name": "bandian_language", "value": words, "url": page.url}])
        await page.reload()
        await looking.check(page, f"applicant/contract-signed-{words}")


async def test_a_contract_is_declined(looking: Looking) -> None:
    page = await (await looking.context(script=False, large=True)).new_page()
    application = await Visitor(page, "resident-ordinary").apply("440106", "8", PURPOSE)
    await _until_offered(page, application)
    await page.get_by_role("link", name="不签").click()
    await page.locator("#reason").fill("想到营业厅签")
    await page.get_by_role("button", name="不签").click()
    await expect(page.get_by_text("您已表示不签")).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_a_contract_is_signed_by_keyboard_alone(looking: Looking, script: bool) -> None:
    page = await (await looking.context(script=script)).new_page()
    application = await Visitor(page, "resident-ordinary").apply("440106", "8", PURPOSE)
    await _until_offered(page, application, by_keyboard=True)
    await press_on(page, "main .actions button")
    await expect(page.get_by_role("alert")).to_contain_text("请先阅读合同")
    await press_on(page, "#errors a[href='#accept']")
    await expect(page.locator("#accept")).to_be_focused()
    await page.keyboard.press("Space")
    await choose(page, "method", "face")
    await press_on(page, "main .actions button")
    await at_the_provider(page, "resident-ordinary", "face")
    await page.wait_for_url("**/contract/signature")
    await press_on(page, "main .actions button")
    await expect(page.get_by_text("已签订", exact=True)).to_be_visible()
    statement = page.locator("summary", has_text="签订凭证")
    await press_on(page, "main details:last-of-type summary")
    await expect(statement).to_be_focused()
    await expect(page.locator("details[open] p.code")).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_a_contract_is_declined_by_keyboard_alone(looking: Looking, script: bool) -> None:
    page = await (await looking.context(script=script, phone=True)).new_page()
    application = await Visitor(page, "resident-ordinary").apply("440106", "8", PURPOSE)
    await _until_offered(page, application, by_keyboard=True)
    await press_on(page, "main form a[href$='/refusal']")
    await page.wait_for_url("**/contract/refusal")
    await write(page, "#reason", "想到营业厅签")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("您已表示不签")).to_be_visible()
    await expect(page.get_by_text("想到营业厅签")).to_be_visible()


async def _until_offered(page: Page, application: str, *, by_keyboard: bool = False) -> None:
    for _ in range(60):
        await page.goto(f"/applications/{application}")
        link = page.get_by_role("link", name="阅读合同")
        if await link.count():
            await (press_on(page, "main a.button[href$='/contract']") if by_keyboard else link.click())
            await page.wait_for_url("**/contract")
            return
        await page.wait_for_timeout(250)
    raise AssertionError("the utility sent no contract")
