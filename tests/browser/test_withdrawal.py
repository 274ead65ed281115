"""A withdrawal, followed on the applicant's own page until the utility has purged what it had; the operator's view."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.applicants import Visitor
from tests.browser.looking import Looking
from tests.browser.officers import OPERATOR, signed_in
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
BY_ITSELF, BY_HAND = "演示撤回", "演示人工"
"""Words of the mock utility's plans: it confirms its purge, or waits for somebody to tell it to."""


async def _withdrawn(page: Page, purpose: str) -> str:
    application = await Visitor(page, "resident-ordinary").apply("440106", "8", purpose)
    await page.goto(f"/applications/{application}")
    await page.get_by_role("link", name="不办了，撤回申请").click()
    await page.get_by_role("button", name="撤回申请").click()
    await page.wait_for_url("**/authorisation")
    return application


async def _reloaded_until(page: Page, badge: str) -> None:
    for _ in range(60):
        if await page.locator(".road .badge", has_text=badge).count():
            return
        await page.wait_for_timeout(500)
        await page.reload()
    raise AssertionError(f"{badge} never came")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_it_is_followed_until_everything_is_purged(looking: Looking, script: bool) -> None:
    page = await (await looking.context(phone=True, script=script)).new_page()
    application = await _withdrawn(page, BY_ITSELF)
    await _reloaded_until(page, "已签收")
    await _reloaded_until(page, "已清除")
    steps = page.locator(".road > li")
    await expect(steps).to_have_count(3)
    await expect(page.locator(".road > li.done")).to_have_count(3)
    await page.locator("summary", has_text="清除回执指纹").click()
    await expect(page.locator("details[open] .code")).to_have_text(re.compile(r"^[0-9a-f]{64}$"))
    if script:
        await looking.check(page, "applicant/withdrawal-purged")
        console = await signed_in(looking, OPERATOR)
        await console.goto(f"/console/applications/{application}")
        await expect(console.get_by_text("authorisation.purged")).to_have_count(1)
        await console.goto("/console/purges")
        await expect(console.get_by_text(application)).to_have_count(0)


async def test_one_that_is_not_confirmed_in_time_is_before_the_operator_until_it_is(
    looking: Looking, province: LiveProvince
) -> None:
    page = await (await looking.context()).new_page()
    application = await _withdrawn(page, BY_HAND)
    await _reloaded_until(page, "已签收")
    await expect(page.locator(".road .badge", has_text="等待确认")).to_be_visible()
    _long_ago(province, application)
    await page.reload()
    await expect(page.locator(".road .badge", has_text="逾期未确认")).to_be_visible()
    await looking.check(page, "applicant/withdrawal-overdue")
    console = await signed_in(looking, OPERATOR)
    count = int(await console.locator("a[href='/console/purges'] b").inner_text())
    assert count >= 1
    await console.locator("main a[href='/console/purges']").click()
    await expect(console.get_by_role("link", name=application)).to_be_visible()
    await looking.check(console, "console/purges")
    url = f"{province.province.utility}/__admin/applications/{application}/purge-receipt"
    async with httpx.AsyncClient(timeout=30) as http:
        assert (await http.post(url)).status_code == 200
    await console.reload()
    await expect(console.get_by_text(application)).to_have_count(0)
    await page.reload()
    await expect(page.locator(".road .badge", has_text="已清除")).to_be_visible()


def _long_ago(province: LiveProvince, application: str) -> None:
    """As if it had been withdrawn a month before: nobody waits five working days in a test."""
    then = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with sqlite3.connect(province.database_url.removeprefix("sqlite:///"), timeout=30) as database:
        for change in (
            "UPDATE authorisations SET withdrawn_at = ? WHERE application_id = ?",
            "UPDATE outbox SET at = ? WHERE subject = ? AND type = 'cn.bandian.application.withdrawn.v1'",
        ):
            assert database.execute(change, (then, application)).rowcount == 1
