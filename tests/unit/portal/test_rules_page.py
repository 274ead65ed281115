"""The console's rules: drafted with a preview by an operator, approved by somebody else, shown to the public."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI

from gateway.errors import Denied, Owner
from gateway.http.callers import now
from gateway.http.door import hang_door
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.oversight import router as open_data
from gateway.portal.assets import Assets
from gateway.portal.console import rules
from gateway.portal.console.shared import Decider, Operator, Reader
from gateway.portal.officers import Officer, OfficerRole
from gateway.portal.public import router as public
from gateway.portal.rendering import Pages, Site
from tests.support.officers import OfficerBrowser
from tests.support.oversight import added, application
from tests.support.partners import ISSUER
from tests.support.rule_rows import process
from tests.support.storage import DIGESTS, SetClock, opened

CHEN = Officer("off_chen", "陈", OfficerRole.OPERATOR)
ZHOU = Officer("off_zhou", "周", OfficerRole.REVIEWER)
HE = Officer("off_he", "何", OfficerRole.AUDITOR)
SAID = {
    "table": "stage_limit",
    "customer_class": "lv_ordinary",
    "stage": "supply_plan",
    "working_days": "2",
    "region": "440100",
    "effective_from": "2026-03-03",
    "effective_to": "",
    "document_number": "穗发改〔2026〕18号",
    "clause": "第二条",
    "basis_text": "两个工作日内答复供电方案。",
    "basis_link": "https://fgw.gz.gov.cn/18",
}
NEW = "/console/rules/new?table=stage_limit"


@dataclass
class Desk:
    browser: OfficerBrowser
    clock: SetClock
    officer: Officer = CHEN

    def admit(self, roles: frozenset[OfficerRole]) -> Officer:
        if self.officer.role not in roles:
            raise Denied(check="officer.role", owner=Owner.CALLER, remedy="请由有此角色的人办理")
        return self.officer

    async def drafted(self, **changed: str) -> str:
        answer = await self.browser.post("/console/rules/new", NEW, **SAID | changed, act="draft")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def step(self, row: str, name: str, **more: str) -> httpx.Response:
        return await self.browser.post(f"{row}/step", row, step=name, **more)


@pytest.fixture
async def desk(databases) -> AsyncIterator[Desk]:
    clock = SetClock()
    with opened(databases.sqlite(), clock) as transactions:
        service, live = process(transactions, clock)
        await live.refresh()
        await transactions.write(added(application("a1", days=(1,))))
        app = FastAPI()
        for router in (rules.router, public.router, open_data.router):
            app.include_router(router)
        hang_door(app, HttpMetrics(), https=False)
        pages = Pages(Site("共享平台", https=False), Assets(), clock)
        publish(app, Services(service, live, pages, Idempotency(transactions, clock, DIGESTS), RateLimits()))
        app.dependency_overrides[now] = lambda: clock()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as http:
            made = Desk(OfficerBrowser(ISSUER, http), clock)
            for role in (Reader, Operator, Decider):
                asked = get_args(role)[1].dependency
                app.dependency_overrides[asked] = lambda asked=asked: made.admit(asked.roles)
            yield made


async def test_a_row_goes_from_a_preview_to_the_public(desk: Desk) -> None:
    seen = await desk.browser.post("/console/rules/new", NEW, **SAID, act="preview")
    assert seen.status_code == 200
    for told in ("影响范围", "3 个工作日", "2 个工作日", "广州市天河区", "仍按受理之日规则办理的在办申请"):
        assert told in seen.text
    assert "还没有添加过规则行" in (await desk.browser.get("/console/rules")).text
    row = await desk.drafted()
    assert "须由另一位工作人员批准" in (await desk.browser.get(row)).text
    assert (await desk.step(row, "approve")).status_code == 409, "operators approve nothing"
    desk.officer = ZHOU
    assert (await desk.step(row, "approve")).status_code == 303
    shown = (await desk.browser.get("/console/rules?region=440100&on=2026-03-03")).text
    assert "穗发改〔2026〕18号第二条" in shown
    public_page = (await desk.browser.get("/public/rules?region=440103&on=2026-03-03")).text
    for told in ("本地另行规定", "两个工作日内答复供电方案。", "https://fgw.gz.gov.cn/18"):
        assert told in public_page
    told = (await desk.browser.get("/v1/public/rules?region=440103&on=2026-03-03")).json()
    (extra,) = told["added"]
    assert (extra["matter"], extra["says"]) == (["未实行“三零”服务的低压非居民用户", "供电方案答复"], "2 个工作日")
    ordinary = next(each for each in told["classes"] if each["customer_class"] == "lv_ordinary")
    assert [each["limit"]["working_days"] for each in ordinary["stages"]] == [1, 2, 2]
    assert {each["mode"] for each in told["permit_modes"]} == {"full"}
    today = (await desk.browser.get("/v1/public/rules?region=440103&on=2026-03-02")).json()
    before = next(each for each in today["classes"] if each["customer_class"] == "lv_ordinary")
    assert [each["limit"]["working_days"] for each in before["stages"]] == [1, 3, 2]


@pytest.mark.parametrize(
    ("changed", "field", "says"),
    [
        ({"working_days": "4"}, "working_days", "时限只能压减"),
        ({"stage": "design_review"}, "stage", "第（六）条|不得增设"),
        ({"effective_from": "2026-03-02"}, "effective_from", "不得溯及既往"),
        ({"document_number": ""}, "document_number", "请写明文号"),
        ({"basis_link": "http://plain.example/"}, "basis_link", "https://"),
        ({"region": ""}, "region", "全国的规定只能由国家修改"),
        ({"working_days": "两"}, "working_days", "请填写整数"),
    ],
)
async def test_what_is_refused_is_said_at_its_field(desk: Desk, changed: dict[str, str], field: str, says: str) -> None:
    answer = await desk.browser.post("/console/rules/new", NEW, **SAID | changed, act="draft")
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert any(each in answer.text for each in says.split("|"))
    assert "穗发改" not in (await desk.browser.get("/console/rules")).text


async def test_a_draft_is_withdrawn_and_a_row_in_force_is_ended(desk: Desk) -> None:
    row, other = await desk.drafted(), await desk.drafted(working_days="1")
    assert (await desk.step(other, "withdraw", reason="")).status_code == 422
    assert (await desk.step(other, "withdraw", reason="与另一行重复")).status_code == 303
    desk.officer = ZHOU
    await desk.step(row, "approve")
    desk.clock.advance(days=3)
    desk.officer = CHEN
    assert (await desk.step(row, "propose_end", on="2026-03-04")).status_code == 422
    assert (await desk.step(row, "propose_end", on="2026-03-31")).status_code == 303
    desk.officer = HE
    seen = (await desk.browser.get(row)).text
    assert "2026年3月31日" in seen
    assert "/step" not in seen, "an auditor changes nothing"
    desk.officer = ZHOU
    assert (await desk.step(row, "approve_end")).status_code == 303
    assert "截止日已批准" in (await desk.browser.get(row)).text


async def test_only_operators_draft(desk: Desk) -> None:
    desk.officer = ZHOU
    assert (await desk.browser.get("/console/rules/new")).status_code == 403
