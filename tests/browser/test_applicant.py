"""The camera, another way where a face fails, and every page in both languages, in large type, on a telephone and on
a desk. Whole journeys are in ``test_personas.py``.
"""

import pytest
from playwright.async_api import Page, expect

from tests.browser.applicants import SESSION, Visitor
from tests.browser.looking import Looking
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
PATIENCE = 30_000
"""Milliseconds, on a machine that is busy with others."""


async def opened(looking: Looking, **wanted: bool) -> Page:
    page = await (await looking.context(**wanted)).new_page()
    page.set_default_timeout(PATIENCE)
    return page


async def test_a_face_that_fails_leads_to_another_way(looking: Looking) -> None:
    page = await opened(looking, phone=True)
    await page.goto("/verify/resident")
    await page.locator("#method-face").check()
    await page.get_by_role("button", name="继续").click()
    await Visitor(page, "resident-locked").at_the_provider(looks_into_the_camera=True)
    await page.wait_for_url("**/verify/failed")
    await expect(page.get_by_role("heading", name="这种方式已暂时锁定")).to_be_visible()
    await expect(page.locator("#method-face")).to_have_count(0)
    await looking.check(page, "applicant/verify-failed")
    await page.locator("#method-sms_otp").check()
    await page.get_by_role("button", name="继续").click()
    await Visitor(page, "resident-locked", method="sms_otp").at_the_provider()
    await page.wait_for_url("**/apply/demand")


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
