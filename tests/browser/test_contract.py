"""供用电合同: a resident reads it, is verified for it, and signs; another does not."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.applicants import Visitor
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


async def _until_offered(page: Page, application: str) -> None:
    for _ in range(60):
        await page.goto(f"/applications/{application}")
        link = page.get_by_role("link", name="阅读合同")
        if await link.count():
            await link.click()
            return
        await page.wait_for_timeout(250)
    raise AssertionError("the utility sent no contract")
