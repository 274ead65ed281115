"""A resident and an enterprise, from the first page to the withdrawal, with and without script."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.applicants import Visitor
from tests.browser.looking import Looking
from tests.support.province import LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATIENCE = 30_000
"""Milliseconds, on a machine that is busy with others."""


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_a_residents_whole_journey(looking: Looking, script: bool) -> None:
    page = await (await looking.context(script=script, phone=True)).new_page()
    page.set_default_timeout(PATIENCE)
    await page.goto("/")
    await page.get_by_role("main").get_by_role("link", name="我要办电").click()
    await page.get_by_role("link", name="居民").click()
    await expect(page.get_by_text("通常什么都不用带。")).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("全过程，含施工 5 个工作日 第（二）条"))).to_be_visible()
    await looking.check(page, f"applicant/road-resident-{'script' if script else 'no-script'}")
    await page.get_by_role("link", name="开始：核验身份").click()
    await page.locator("#method-face").check()
    await page.get_by_role("button", name="继续").click()
    await expect(page.get_by_text("人脸图像只交给身份核验机构；平台和供电企业不接收、不保存")).to_be_visible()
    visitor = Visitor(page, "resident-ordinary")
    await visitor.at_the_provider()
    await page.wait_for_url("**/apply/demand")
    await visitor.ask("440106", "8", "住宅用电")
    await expect(page.get_by_role("heading", name="请确认：这些是您的吗？")).to_be_visible()
    for title in ("居民身份证", "不动产权证书"):
        await expect(page.get_by_role("heading", name=re.compile(f"{title} 已找到"))).to_be_visible()
    await looking.check(page, f"applicant/intake-{'script' if script else 'no-script'}")
    application_id = await visitor.confirm()
    await expect(page.locator(".panel .number")).to_have_text(application_id)
    await page.get_by_role("link", name="查看进度").click()
    await expect(page.get_by_role("heading", name=re.compile("受理签约"))).to_be_visible()
    await page.get_by_role("link", name="谁看过我的信息").click()
    await expect(page.get_by_role("heading", name="谁看过我的信息")).to_be_visible()
    await page.get_by_role("link", name="授权与撤回").click()
    await page.get_by_role("link", name="撤回授权").click()
    await page.get_by_role("button", name="撤回授权").click()
    await page.wait_for_url("**/authorisation")
    for _ in range(60):
        if await page.get_by_text("已签收").count():
            break
        await page.wait_for_timeout(500)
        await page.reload()
    await expect(page.get_by_text("供电企业已签名回执")).to_be_visible()
    await looking.check(page, f"applicant/withdrawn-{'script' if script else 'no-script'}")
    await page.get_by_role("button", name="退出").click()
    await expect(page.get_by_role("heading", name="已退出")).to_be_visible()
    await page.goto(f"/applications/{application_id}")
    await expect(page.get_by_role("heading", name="请先核验身份")).to_be_visible()
