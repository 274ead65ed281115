"""好差评: rated badly when it ended, answered by an operator in the console, and the applicant reads it."""

import pytest
from playwright.async_api import expect

from tests.browser.applicants import Visitor
from tests.browser.keyboard import choose, press_on, write
from tests.browser.looking import Looking
from tests.browser.officers import OPERATOR, signed_in

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def test_a_bad_rating_is_answered(looking: Looking) -> None:
    page = await (await looking.context(phone=True)).new_page()
    application = await Visitor(page, "resident-ordinary").apply("440106", "8", "演示人工")
    await page.goto(f"/applications/{application}/withdrawal")
    await page.get_by_role("button", name="撤回申请").click()
    await page.goto(f"/applications/{application}")
    await page.get_by_role("link", name="评价服务").click()
    await page.get_by_role("button", name="提交评价").click()
    await expect(page.get_by_role("alert")).to_contain_text("请选择一个评价等级")
    await looking.check(page, "applicant/rating-wrong")
    await page.locator("#level-very_dissatisfied").check()
    await page.locator("#tags-slow").check()
    await page.locator("#text").fill("等得太久")
    await page.get_by_role("button", name="提交评价").click()
    await expect(page.get_by_role("heading", name="您的评价")).to_be_visible()
    await looking.check(page, "applicant/rating-given")
    await page.get_by_role("link", name="投诉与建议：说什么、打哪个电话").click()
    facts = await page.locator("#facts").input_value()
    assert application in facts
    assert "受理签约" in facts
    assert "陈安然" not in facts
    await looking.check(page, "applicant/complaint")
    await page.go_back()
    console = await signed_in(looking, OPERATOR)
    await console.goto("/console/ratings")
    await expect(console.get_by_text("等得太久")).to_have_count(0)
    await looking.check(console, "console/ratings")
    card = console.locator("section", has_text=application)
    await card.get_by_label("整改反馈").fill("已约谈承办班组")
    await card.get_by_role("button", name="提交反馈").click()
    await expect(console.get_by_text(application)).to_have_count(0)
    await page.reload()
    await expect(page.get_by_text("已约谈承办班组")).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_a_service_is_rated_by_keyboard_alone(looking: Looking, script: bool) -> None:
    page = await (await looking.context(script=script)).new_page()
    application = await Visitor(page, "resident-ordinary").apply("440106", "8", "演示人工")
    await page.goto(f"/applications/{application}/withdrawal")
    await press_on(page, "main .actions button")
    await page.wait_for_url("**/authorisation")
    await page.goto(f"/applications/{application}")
    await press_on(page, "main a[href$='/rating']")
    await page.wait_for_url("**/rating")
    await press_on(page, "main .actions button")
    await expect(page.get_by_role("alert")).to_contain_text("请选择一个评价等级")
    await choose(page, "level", "dissatisfied")
    await press_on(page, "#tags-unclear", "Space")
    await write(page, "#text", "没说要等几天")
    await press_on(page, "#share_text", "Space")
    await press_on(page, "main .actions button")
    await expect(page.get_by_role("heading", name="您的评价")).to_be_visible()
    for said in ("不满意", "没说清楚", "没说要等几天"):
        await expect(page.get_by_text(said, exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name="提交评价")).to_have_count(0)
