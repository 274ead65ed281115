"""A co-owner in a browser finds who saw the certificate that names them, without an application of their own."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.applicants import SESSION, Visitor
from tests.browser.keyboard import press_on
from tests.browser.looking import Looking
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
PATIENCE = 30_000
HOME = {"region": "440305", "voltage_v": 220, "capacity_kw": 8, "purpose": "演示人工"}


async def looked_at(province: LiveProvince) -> str:
    """The other owner applies, and the utility looks at the certificate of both; answers the application."""
    owner = province.applicant("resident-two-owners")
    await owner.verify("resident", "face")
    application_id = (await owner.confirm((await owner.begin("face-verified", HOME))["intake_id"]))["application_id"]
    stage = province.stage()
    await stage.at_utility(application_id)
    status, _ = await stage.ask_as_utility(application_id, kind="property_certificate", purpose="grid_connection")
    assert status == 200
    return str(application_id)


async def read(page: Page, application_id: str) -> None:
    """The newest access is there, opens, and leads nowhere."""
    first = page.locator(".accesses .card").first
    await expect(first.get_by_text("广东电网（模拟）")).to_be_visible()
    await expect(first.get_by_text("不动产权证书")).to_be_visible()
    await expect(first.get_by_text("办理用电报装")).to_be_visible()
    await expect(first.locator("details li").first).not_to_be_visible()
    await press_on(page, ".accesses summary")
    await expect(first.get_by_text("坐落")).to_be_visible()
    await expect(first.get_by_text("您的姓名和证件号码没有提供。")).to_be_visible()
    content = await page.content()
    assert application_id not in content
    assert "黄同舟" not in content
    assert await page.locator("main a[href*='/applications/']").count() == 0


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_by_keyboard_without_an_application(looking: Looking, province: LiveProvince, script: bool) -> None:
    application_id = await looked_at(province)
    page = await (await looking.context(script=script, phone=True)).new_page()
    page.set_default_timeout(PATIENCE)
    await page.goto("/apply")
    await press_on(page, "a[href='/accesses']")
    await expect(page.get_by_role("heading", name="请先核验身份")).to_be_visible()
    await press_on(page, "a[href^='/verify/resident']")
    await page.wait_for_url(re.compile("/verify/resident"))
    await press_on(page, "#method-face", "Space")
    await press_on(page, "main button")
    await page.wait_for_url("**/verify/go")
    await Visitor(page, "resident-co-owner").at_the_provider()
    await page.wait_for_url("**/accesses")
    await read(page, application_id)


async def test_by_pointer_from_the_own_applications(looking: Looking, province: LiveProvince) -> None:
    application_id = await looked_at(province)
    page = await (await looking.context()).new_page()
    page.set_default_timeout(PATIENCE)
    await Visitor(page, "resident-co-owner").verify("/verify/resident?back=/applications")
    await page.wait_for_url("**/applications")
    await expect(page.get_by_text("还没有申请。")).to_be_visible()
    await page.get_by_role("link", name="谁看过写有我的证照").click()
    await page.wait_for_url("**/accesses")
    await read(page, application_id)


async def test_the_owner_and_a_stranger_see_the_same_empty_page(looking: Looking, province: LiveProvince) -> None:
    """Whose certificate it is, and whom none names: their pages differ in the name above alone."""
    await looked_at(province)
    texts = []
    for subject in ("resident-ordinary", "resident-historic-number"):
        page = await (await looking.context()).new_page()
        page.set_default_timeout(PATIENCE)
        await Visitor(page, subject).verify("/verify/resident?back=/accesses")
        await page.wait_for_url("**/accesses")
        texts.append(re.sub("陈安然|方旧号", "", await page.locator("main").inner_text()))
        await expect(page.locator(".accesses .card")).to_have_count(0)
    assert texts[0] == texts[1]
    assert "最近 30 天没有人看过写有您的证照" in texts[0]


@pytest.mark.parametrize("large", [False, True], ids=["ordinary", "large"])
@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
async def test_the_page_keeps_the_rules(looking: Looking, province: LiveProvince, english: bool, large: bool) -> None:
    """Filled and opened, empty, and as an enterprise is told to come."""
    await looked_at(province)
    signed_in = {}
    for subject, kind, method in (
        ("resident-co-owner", "resident", "face"),
        ("resident-ordinary", "resident", "face"),
        ("enterprise-small", "enterprise", "e_licence"),
    ):
        applicant = province.applicant(subject)
        await applicant.verify(kind, method)
        signed_in[subject] = applicant.token
    names = {"resident-co-owner": "", "resident-ordinary": "-none", "enterprise-small": "-enterprise"}
    for phone in (False, True):
        variant = "-".join(["en" if english else "zh", *(["large"] if large else []), *(["phone"] if phone else [])])
        for subject, name in names.items():
            context = await looking.context(english=english, large=large, phone=phone)
            url = province.province.gateway.replace("http:", "https:")
            await context.add_cookies([{"name": SESSION, "value": signed_in[subject], "url": url, "secure": True}])
            page = await context.new_page()
            answer = await page.goto("/accesses")
            assert answer is not None
            assert answer.status == (403 if kind_of(subject) == "enterprise" else 200)
            if not name:
                await page.locator(".accesses summary").first.click()
            assert not re.search("罗共济|陈安然", await page.title())
            await looking.check(page, f"applicant/named-accesses{name}-{variant}")


def kind_of(subject: str) -> str:
    return subject.partition("-")[0]
