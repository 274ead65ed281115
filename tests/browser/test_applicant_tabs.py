"""Double clicks, the back button, two tabs, a session that ended, and sessions that somebody else began."""

import asyncio

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.applicants import SESSION, Visitor
from tests.browser.looking import Looking
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
PATIENCE = 30_000
DEMAND = {"region": "440103", "voltage_v": 220, "capacity_kw": 8, "purpose": "演示人工"}


async def signed_in(looking: Looking, province: LiveProvince, **wanted: bool) -> tuple[Page, str]:
    """A page whose browser holds a session that was verified by the interface; with its secret."""
    applicant = province.applicant("resident-historic-number")
    await applicant.verify("resident", "face")
    context = await looking.context(**wanted)
    await hold(context, province, applicant.token)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    return page, applicant.token


async def hold(context: BrowserContext, province: LiveProvince, token: str) -> None:
    """Put the secret of a session into the browser. A cookie knows no port, and https lets it be a secure one."""
    url = province.province.gateway.replace("http:", "https:")
    await context.add_cookies([{"name": SESSION, "value": token, "url": url, "secure": True}])


async def listed(province: LiveProvince, token: str) -> list[str]:
    headers = {"authorization": f"Bearer {token}"}
    answer = await province.http.get(province.province.gateway + "/v1/applications", headers=headers)
    return [each["application_id"] for each in answer.raise_for_status().json()]


async def test_two_clicks_and_the_back_button_make_one_application(looking: Looking, province: LiveProvince) -> None:
    page, token = await signed_in(looking, province, script=False)
    visitor = Visitor(page, "resident-historic-number")
    before = await listed(province, token)
    await visitor.ask("440103", "8", "演示人工")
    await page.locator("#authorise").check()
    form = await page.locator("form[action^='/intakes']").first.evaluate(
        "form => new URLSearchParams(new FormData(form)).toString()"
    )
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in await page.context.cookies())
    headers = {"cookie": cookies, "content-type": "application/x-www-form-urlencoded"}
    answers = await asyncio.gather(*(province.http.post(page.url, content=form, headers=headers) for _ in range(2)))
    assert [each.status_code for each in answers] == [303, 303]
    (place,) = {each.headers["location"] for each in answers}
    # The browser still shows the form: its own click, after the two others, leads to the same application.
    await page.get_by_role("button", name="同意授权并提交").click()
    await page.wait_for_url("**" + place)
    await page.go_back()
    await page.go_forward()
    made = set(await listed(province, token)) - set(before)
    assert made == {place.split("/")[2]}


async def test_two_tabs(looking: Looking, province: LiveProvince) -> None:
    page, token = await signed_in(looking, province)
    visitor = Visitor(page, "resident-historic-number")
    await visitor.ask("440103", "8", "演示人工")
    other = await page.context.new_page()
    await other.goto(page.url)
    await visitor.confirm()
    count = len(await listed(province, token))
    await other.locator("#authorise").check()
    await other.get_by_role("button", name="同意授权并提交").click()
    await expect(other.get_by_role("heading", name="没有这次申请准备")).to_be_visible()
    assert len(await listed(province, token)) == count


async def test_a_session_that_ended_leads_to_signing_in_and_back(looking: Looking, province: LiveProvince) -> None:
    page, token = await signed_in(looking, province)
    await page.goto("/apply/demand")
    bearer = {"authorization": f"Bearer {token}"}
    await province.http.delete(province.province.gateway + "/v1/verification-sessions/current", headers=bearer)
    await page.goto("/applications")
    await expect(page.get_by_role("heading", name="请先核验身份")).to_be_visible()
    await page.get_by_role("link", name="居民").click()
    await page.locator("#method-counter").check()
    await page.get_by_role("button", name="继续").click()
    await Visitor(page, "resident-historic-number", method="counter").at_the_provider()
    await page.wait_for_url("**/applications")
    await page.go_back()
    assert "code=" not in page.url


async def test_who_knew_the_session_before_the_verification_holds_nothing(
    looking: Looking, province: LiveProvince
) -> None:
    """Session fixation: an attacker's secret is planted in a browser, whose owner is then verified."""
    gateway = province.province.gateway
    opened = await province.http.post(f"{gateway}/v1/verification-sessions", json={"applicant_kind": "resident"})
    planted, url = opened.json()["session_token"], opened.json()["authorization_url"]
    context = await looking.context()
    await hold(context, province, planted)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    await _verified_by(page, url)
    await page.wait_for_url("**/apply/demand")
    answer = await province.http.get(f"{gateway}/v1/applications", headers={"authorization": f"Bearer {planted}"})
    assert answer.status_code == 401
    held = {each["name"]: each["value"] for each in await context.cookies()}
    assert held[SESSION] != planted


async def test_nobody_is_lured_into_anothers_session(looking: Looking, province: LiveProvince) -> None:
    gateway = province.province.gateway
    opened = await province.http.post(f"{gateway}/v1/verification-sessions", json={"applicant_kind": "resident"})
    page = await (await looking.context()).new_page()
    page.set_default_timeout(PATIENCE)
    await _verified_by(page, opened.json()["authorization_url"])
    await expect(page.get_by_role("heading", name="核验结果与发起人不符")).to_be_visible()
    assert SESSION not in {each["name"] for each in await page.context.cookies()}


async def _verified_by(page: Page, url: str) -> None:
    await page.goto(url)
    if not await page.locator("#subject").count():
        await page.get_by_role("link", name="刷脸核验").click()
    await page.locator("#subject").select_option("resident-ordinary")
    await page.get_by_role("button", name="开始核验").click()
