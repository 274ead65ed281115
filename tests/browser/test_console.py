"""The console with a province behind it: what officers find, open and change, each as their role lets them."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from playwright.async_api import Page

from gateway.portal.console.router import PARTS, router
from mock_services.demo.journeys.residents import resident_by_face
from mock_services.demo.journeys.reviews import WORKSHOP
from mock_services.demo.roster import UTILITY
from tests.browser.looking import Looking
from tests.browser.officers import OPERATOR, REVIEWER, ROLES, SECOND, signed_in
from tests.support.officers import OfficerBrowser
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
READERS = {"operator", "reviewer", "auditor"}
OPEN = {"/console/sign-in", "/console/sign-in/go", "/console/callback", "/console/sign-out", "/console/signed-out"}
"""What needs no officer."""
MAY = {
    "/console": set(ROLES),
    "/console/applications/{application_id}/parties": {"reviewer"},
    "/console/deliveries/{event_id}/replay": {"operator"},
    "/console/receivers/{code}/enable": {"operator"},
    "/console/reviews/{task_id}/look": {"reviewer"},
    "/console/reviews/{task_id}/settle": {"reviewer"},
    "/console/ratings/{application_id}/answer": {"operator"},
    "/console/partners/{code}/agreements/new": {"operator"},
    "/console/partners/{code}/conformance/run": {"operator"},
    "/console/partners/{code}/keys": {"operator"},
    "/console/partners/{code}/keys/retire": {"operator"},
    "/console/partners/{code}/status": {"operator"},
    "/console/agreements/{agreement_id}/step": {"operator", "reviewer"},
    "/console/rules/new": {"operator"},
    "/console/rules/{row_id}/step": {"operator", "reviewer"},
}
"""Who may use a page; every other one is for readers."""

RULE = {
    "act": "draft",
    "table": "stage_limit",
    "customer_class": "lv_ordinary",
    "stage": "supply_plan",
    "working_days": "2",
    "region": "440100",
    "effective_from": "2098-01-06",
    "document_number": "穗发改〔2097〕18号",
    "clause": "第二条",
    "basis_text": "两个工作日内答复供电方案。",
}
"""A row of rules that begins after every test."""


@dataclass
class Things:
    """What there is to look at."""

    application: str
    task: str
    event: str
    agreement: str
    record: str
    rule: str

    def path(self, template: str) -> str:
        return template.format(
            application_id=self.application,
            task_id=self.task,
            event_id=self.event,
            agreement_id=self.agreement,
            record_id=self.record,
            row_id=self.rule,
            code=UTILITY,
            utility=UTILITY,
            day="2026-11-23",
        )


def rows(province: LiveProvince, query: str, *values: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(province.database_url.removeprefix("sqlite:///")) as database:
        return database.execute(query, values).fetchall()


def entries(province: LiveProvince, action: str) -> list[dict[str, Any]]:
    """Record entries of ``action``, oldest first."""
    query = "SELECT leaf FROM record_entries WHERE action = ? ORDER BY rowid"
    return [orjson.loads(leaf) for (leaf,) in rows(province, query, action)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def things(province: LiveProvince) -> Things:
    """An application that went its way, and an intake that waits for a reviewer."""
    await resident_by_face(province.stage())
    applicant = province.applicant("enterprise-fuzzy-owner")
    await applicant.verify("enterprise", "e_licence")
    preview = await applicant.begin("one-certificate", {**WORKSHOP, "region": "440111"})
    waiting = await applicant.confirm(preview["intake_id"])
    ((application, event, log, sequence),) = rows(
        province,
        "SELECT outbox.subject, outbox.event_id, log_id, record_entries.sequence FROM outbox JOIN record_entries "
        "ON record_entries.subject = outbox.subject JOIN applications ON application_id = outbox.subject "
        "WHERE outbox.state = 'delivered' AND applications.status = 'completed' "
        "AND outbox.type = 'cn.bandian.application.submitted.v1' LIMIT 1",
    )
    ((agreement,),) = rows(province, "SELECT agreement_id FROM sharing_agreements LIMIT 1")
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(keepalive_expiry=2.0)) as client:
        officer = OfficerBrowser(province.province.gateway, client)
        await officer.sign_in(OPERATOR)
        drafted = await officer.post("/console/rules/new", "/console/rules/new?table=stage_limit", **RULE)
    rule = drafted.headers["location"].rpartition("/")[2]
    return Things(application, waiting["review_task_id"], event, agreement, f"{log}-{sequence}", rule)


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(keepalive_expiry=2.0)) as client:
        yield client


def routes() -> list[tuple[str, str]]:
    """(method, template) of every page of the console."""
    every = [each for some in (router, *(part.router for part in PARTS)) for each in some.routes]
    found = {(method, each.path) for each in every if isinstance(each, APIRoute) for method in each.methods}
    assert len(found) > 25
    return sorted((method, path) for method, path in found if method != "HEAD")


async def test_every_page_as_nobody_and_as_every_role(
    province: LiveProvince, things: Things, http: httpx.AsyncClient
) -> None:
    nobody = OfficerBrowser(province.province.gateway, http)
    browsers = {role: OfficerBrowser(province.province.gateway, http) for role in ROLES}
    for role, subject in ROLES.items():
        assert (await browsers[role].sign_in(subject)).status_code == 303
    for method, template in routes():
        path = things.path(template)
        if template in OPEN:
            continue
        away = await http.request(method, nobody.gateway + path, headers={"accept": "text/html"})
        assert (away.status_code, away.headers["location"].split("?")[0]) == (303, "/console/sign-in"), path
        for role, browser in browsers.items():
            answer = await http.request(method, browser.gateway + path, headers=browser._headers())
            assert answer.headers["cache-control"] == "no-store" or answer.status_code != 200, path
            if role not in MAY.get(template, READERS):
                assert (answer.status_code, "officer.role" in answer.text) == (403, True), (role, path)
            elif method == "POST":
                assert answer.status_code in (400, 403, 415, 422), (role, path)
                assert "form." in answer.text, "a form that is not ours does nothing"
            elif template == "/console/reconciliation/{utility}/{day}":
                assert answer.status_code == 404
            else:
                assert answer.status_code == 200, (role, path, answer.text[:2000])
    ran = {(each["facts"]["page"], each["facts"]["role"]) for each in entries(province, "officer.opened")}
    assert ("/console/applications/{application_id}", "auditor") in ran


async def test_an_application_is_found_by_what_is_no_personal_data(
    province: LiveProvince, things: Things, http: httpx.AsyncClient
) -> None:
    officer = OfficerBrowser(province.province.gateway, http)
    await officer.sign_in(OPERATOR)
    for query in (f"id={things.application}", "region=440000", "region=440106", "status=", "from=2020-01-01"):
        assert things.application in (await officer.get(f"/console/applications?{query}")).text, query
    for query in ("region=440300", "until=2020-01-01", "status=withdrawn", "id=app_none"):
        assert things.application not in (await officer.get(f"/console/applications?{query}")).text, query
    refused = await officer.get("/console/applications?id=张三")
    assert refused.status_code == 422
    assert "张三" not in refused.text
    story = (await officer.get(f"/console/applications/{things.application}")).text
    opened = entries(province, "application.story_opened")[-1]
    assert opened["facts"]["application"] == things.application
    assert "authorisation" in story


async def test_a_reviewer_sees_the_applicant_for_a_reason_and_the_applicant_sees_that(
    province: LiveProvince, things: Things, looking: Looking
) -> None:
    page = await signed_in(looking, REVIEWER)
    await page.goto(f"/console/applications/{things.application}")
    story = await page.content()
    await page.get_by_role("link", name="说明理由后查看").click()
    await looking.check(page, "console/parties-reason")
    await page.get_by_label("处理投诉举报").check()
    await page.get_by_role("button", name="查看").click()
    await looking.check(page, "console/parties")
    values = await page.locator("main dd").all_inner_texts()
    name, code = values[0], values[1]
    assert len(code) == 18
    assert name not in story
    assert code not in story
    assert code not in page.url
    shown = entries(province, "application.parties_shown")[-1]
    assert (shown["subject"], shown["facts"]["purpose"]) == (things.application, "complaint")
    assert not any(told in str(shown) for told in (name, code))
    applicant = province.applicant("resident-ordinary")
    await applicant.verify("resident", "face")
    accesses = (await applicant.progress(things.application))["accesses"]
    (told,) = (each for each in accesses if each["document"] == "parties")
    assert (told["purpose"], told["document_title"], told["titles"][0]) == ("complaint", "申请人信息", "名称")


async def test_a_reviewer_looks_and_settles_once(province: LiveProvince, things: Things, looking: Looking) -> None:
    page = await signed_in(looking, REVIEWER)
    await page.goto("/console/reviews")
    await looking.check(page, "console/reviews")
    await page.get_by_role("link", name=things.task).click()
    await looking.check(page, "console/review")
    assert "有限责任公司" not in await page.content()
    await page.get_by_role("button", name="查看比对内容").click()
    await looking.check(page, "console/review-looked")
    assert "有限责任公司" in await page.content()
    await page.get_by_label("核查通过").check()
    await page.get_by_label("理由").fill("已与登记机关核实为同一主体")
    await page.get_by_label("我不是申请人或经办人").check()
    await page.get_by_role("button", name="提交决定").click()
    assert page.url.endswith(things.task)
    await looking.check(page, "console/review-settled")
    settled = entries(province, "review.settled")[-1]
    assert settled["actor"] == f"officer:{settled['facts']['officer']}"
    assert settled["facts"]["decision"] == "accepted"


async def test_an_event_is_replayed_for_a_reason(province: LiveProvince, things: Things, looking: Looking) -> None:
    page = await signed_in(looking, OPERATOR)
    await page.goto(f"/console/deliveries/{things.event}")
    assert '"applicant"' in await page.content() or "▒" in await page.content()
    await page.get_by_role("button", name="重放").click()
    assert await page.locator("#errors").count() == 1
    await looking.check(page, "console/delivery-error")
    await page.get_by_label("理由").select_option("drill")
    await page.get_by_role("button", name="重放").click()
    assert await page.locator("#errors").count() == 0
    replayed = entries(province, "delivery.replayed")[-1]
    assert (replayed["facts"]["event"], replayed["facts"]["reason"]) == (things.event, "drill")
    assert replayed["actor"].startswith("officer:off_")


async def test_two_persons_bring_an_agreement_into_force(
    province: LiveProvince, things: Things, looking: Looking
) -> None:
    one = await signed_in(looking, OPERATOR)
    await one.goto(f"/console/partners/{UTILITY}/agreements/new")
    await one.get_by_role("button", name="保存为草稿").click()
    await one.get_by_label("起始日", exact=True).fill("2026-01-01")
    await one.get_by_label("终止日（含）", exact=True).fill("2027-12-31")
    await one.get_by_label("法律依据", exact=True).fill("第（七）条")
    await one.get_by_role("button", name="保存为草稿").click()
    assert await one.locator("#errors").count() == 1, "no field was ticked"
    await looking.check(one, "console/agreement-new-error")
    await one.locator("#business_licence-number").check()
    await one.get_by_role("button", name="保存为草稿").click()
    await one.get_by_role("button", name="提交联调").click()
    assert await one.get_by_role("button", name="批准协议").count() == 0
    await looking.check(one, "console/agreement-own")
    two = await signed_in(looking, SECOND)
    await two.goto(one.url)
    await two.get_by_role("button", name="批准协议").click()
    await one.reload()
    await one.get_by_role("button", name="正式生效").click()
    await looking.check(one, "console/agreement-live")
    agreement = one.url.rpartition("/")[2]
    steps = {action: entries(province, f"agreement.{action}")[-1] for action in ("tested", "approved", "activated")}
    assert {each["subject"] for each in steps.values()} == {agreement}
    assert steps["tested"]["actor"] == steps["activated"]["actor"] != steps["approved"]["actor"]


PAGES = {
    "home": "/console",
    "applications": "/console/applications",
    "application": "/console/applications/{application_id}",
    "deliveries": "/console/deliveries",
    "delivery": "/console/deliveries/{event_id}",
    "receivers": "/console/receivers",
    "reconciliation": "/console/reconciliation",
    "partners": "/console/partners",
    "partner": "/console/partners/{code}",
    "conformance": "/console/partners/{code}/conformance",
    "agreement": "/console/agreements/{agreement_id}",
    "agreement-new": "/console/partners/{code}/agreements/new",
    "sources": "/console/sources",
    "rules": "/console/rules",
    "routing": "/console/routing?region=440103",
    "rule-new": "/console/rules/new?table=review_mode",
    "rule": "/console/rules/{row_id}",
    "record": "/console/record",
    "proof": "/console/record/{record_id}",
}


@pytest.mark.parametrize(
    ("variant", "how"),
    [
        ("zh-light", {}),
        ("en-dark", {"english": True, "color_scheme": "dark"}),
        ("zh-phone", {"phone": True}),
        ("zh-large", {"large": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_page_keeps_the_rules(looking: Looking, things: Things, variant: str, how: dict[str, Any]) -> None:
    page = await signed_in(looking, OPERATOR, **how)
    for name, template in PAGES.items():
        answer = await page.goto(things.path(template))
        assert answer is not None
        assert answer.status == 200, name
        await looking.check(page, f"console/{name}-{variant}")


async def test_rows_are_walked_by_keys(looking: Looking, things: Things) -> None:
    page: Page = await signed_in(looking, OPERATOR)
    await page.goto("/console/partners")
    links = page.locator("[data-row]")
    await links.first.focus()
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.textContent") == await links.nth(1).text_content()
    await page.keyboard.press("Home")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/**/*")
