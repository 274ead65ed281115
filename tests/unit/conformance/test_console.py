"""An operator takes a partner in at the console: its key, the suite, going live; and takes it out again."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI

from adapters.conformance import GatewaySide, HttpReaches
from gateway.caller import Role
from gateway.conformance.service import ConformanceService
from gateway.http.door import hang_door
from gateway.http.idempotency import Idempotency
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.partners.agreement_steps import AgreementStep
from gateway.partners.changes import AgreementDraft
from gateway.partners.model import AgreementStatus, Endpoint, Grant, KeyUse, PartnerStatus
from gateway.partners.service import PartnerService
from gateway.portal.assets import Assets
from gateway.portal.console import onboarding, partners
from gateway.portal.console.shared import Decider, Operator, Reader
from gateway.portal.officers import Officer, OfficerRole
from gateway.portal.rendering import Pages, Site
from tests.support.conformance import CODE, REQUEST_KEY, SECRET, WEBHOOK_KEY, FaultyUtility, now
from tests.support.databases import Databases
from tests.support.officers import OfficerBrowser
from tests.support.partners import ISSUER, PartnersRoom, es256_key, new_id, partners_room, public_jwk
from tests.support.storage import DIGESTS
from tests.support.tiny_server import TinyServer, tiny_server

PAGE = f"/console/partners/{CODE}"


@dataclass
class Desk:
    room: PartnersRoom
    browser: OfficerBrowser
    partner: FaultyUtility
    suite: ConformanceService

    async def approved(self) -> str:
        draft = AgreementDraft(
            partner_code=CODE,
            purpose="grid_connection",
            grants=(Grant("business_licence", frozenset({"name"})),),
            regions=("440600",),
            valid_from=date(2026, 1, 1),
            valid_until=date(2036, 1, 1),
            clause="第（七）条",
        )
        service, at = self.room.service, self.room.clock()
        made = await service.create_agreement(draft, actor="officer:a", at=at)
        await service.advance_agreement(made.value.agreement_id, AgreementStep.TEST, actor="officer:a", at=at)
        await service.advance_agreement(made.value.agreement_id, AgreementStep.APPROVE, actor="officer:b", at=at)
        return made.value.agreement_id

    async def go_live(self, agreement_id: str, **more: str) -> httpx.Response:
        page = f"/console/agreements/{agreement_id}"
        return await self.browser.post(f"{page}/step", page, step="go_live", **more)

    async def status(self, agreement_id: str) -> AgreementStatus:
        return (await self.room.service.find_agreement(agreement_id)).status


def suite_of(room: PartnersRoom) -> ConformanceService:
    side = GatewaySide(
        ISSUER,
        ISSUER,
        lambda: WEBHOOK_KEY,
        lambda: REQUEST_KEY,
        lambda _: (SECRET,),
        frozenset({"127.0.0.1"}),
        timedelta(seconds=5),
    )
    reaches = HttpReaches(side, room.clock)
    return ConformanceService(
        room.transactions, room.directory, reaches, room.clock, lambda kind: f"{kind}_{new_id()}", limit_s=5
    )


def app_of(room: PartnersRoom, suite: ConformanceService, service: PartnerService) -> FastAPI:
    app = FastAPI()
    hang_door(app, HttpMetrics(), https=False)
    app.include_router(partners.router)
    app.include_router(onboarding.router)
    pages = Pages(Site("共享平台", https=False), Assets(), room.clock)
    publish(app, Services(service, suite, pages, Idempotency(room.transactions, room.clock, DIGESTS)))
    for who in (Reader, Operator, Decider):
        dependency = get_args(who)[1].dependency
        app.dependency_overrides[dependency] = lambda: Officer("off_1", "工作人员", OfficerRole.OPERATOR)
    return app


@pytest.fixture
async def desk(databases: Databases) -> AsyncIterator[Desk]:
    partner = FaultyUtility()
    with partners_room(databases.sqlite()) as room, tiny_server(partner.respond) as server:
        room.clock.at = now()
        service = await enrolled(room, server)
        suite = suite_of(room)
        transport = httpx.ASGITransport(app_of(room, suite, service))
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            yield Desk(room, OfficerBrowser(ISSUER, http), partner, suite)


async def enrolled(room: PartnersRoom, server: TinyServer) -> PartnerService:
    """A utility that has an address, and no key yet."""
    room.service._insecure_hosts = frozenset({"127.0.0.1"})
    at = room.clock()
    await room.service.register_partner(CODE, "佛山供电局", Role.UTILITY, ["440600"], actor="cli:root", at=at)
    endpoint = Endpoint(CODE, "webhook", server.url + "/hook", "foshan", server.url + "/events")
    await room.service.set_endpoint(endpoint, actor="cli:root", at=at)
    return room.service


async def test_from_a_key_to_going_live(desk: Desk) -> None:
    key = {"jwk": json.dumps(desk.partner.key.public_jwk), "use": "any", "reason": "onboarding"}
    assert (await desk.browser.post(f"{PAGE}/keys", PAGE, **key)).status_code == 303
    assert "还没有做过符合性测试" in (await desk.browser.get(PAGE)).text
    ran = await desk.browser.post(f"{PAGE}/conformance/run", f"{PAGE}/conformance")
    assert ran.headers["location"] == f"{PAGE}/conformance"
    report = (await desk.browser.get(f"{PAGE}/conformance")).text
    assert "测试未通过" not in report
    assert report.count("badge-done") >= 19
    agreement = await desk.approved()
    assert (await desk.go_live(agreement)).status_code == 303
    assert await desk.status(agreement) is AgreementStatus.ACTIVE


async def test_after_a_failed_run_going_live_takes_a_reason(desk: Desk) -> None:
    await desk.room.service.add_key(
        CODE, desk.partner.key.public_jwk, KeyUse.ANY, actor="cli:root", at=desk.room.clock()
    )
    desk.partner.fault = "only_v1"
    await desk.browser.post(f"{PAGE}/conformance/run", f"{PAGE}/conformance")
    report = (await desk.browser.get(f"{PAGE}/conformance")).text
    assert "webhook.unknown_key" in report
    assert "只有 v1 成立不够" in report
    agreement = await desk.approved()
    refused = await desk.go_live(agreement)
    assert refused.status_code == 409
    assert "最近一次符合性测试未通过" in refused.text
    assert await desk.status(agreement) is AgreementStatus.APPROVED
    assert (await desk.go_live(agreement, despite="fault_accepted")).status_code == 303
    assert await desk.status(agreement) is AgreementStatus.ACTIVE


async def test_an_old_run_warns(desk: Desk) -> None:
    await desk.room.service.add_key(
        CODE, desk.partner.key.public_jwk, KeyUse.ANY, actor="cli:root", at=desk.room.clock()
    )
    await desk.suite.run(CODE, "cli:root")
    desk.room.clock.advance(days=31)
    assert "已超过 30 天" in (await desk.browser.get(PAGE)).text


async def test_a_private_key_is_refused_and_not_kept(desk: Desk, databases: Databases) -> None:
    jwk = public_jwk(es256_key("leaked")) | {"d": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}
    answer = await desk.browser.post(f"{PAGE}/keys", PAGE, jwk=json.dumps(jwk), use="any", reason="rotation")
    assert answer.status_code == 422
    assert "您粘贴的是私钥" in answer.text
    assert jwk["d"] not in answer.text
    assert not await desk.room.service.list_keys(CODE)


async def test_a_key_is_replaced_then_retired_at_once(desk: Desk) -> None:
    service, at = desk.room.service, desk.room.clock()
    await service.add_key(CODE, public_jwk(es256_key("old")), KeyUse.ANY, actor="cli:root", at=at)
    new = json.dumps(public_jwk(es256_key("new")))
    without = await desk.browser.post(f"{PAGE}/keys", PAGE, jwk=new, replaces="old")
    assert without.status_code == 422
    assert "请选择变更的理由" in without.text
    assert (await desk.browser.post(f"{PAGE}/keys", PAGE, jwk=new, replaces="old", reason="rotation")).is_redirect
    keys = {key.kid: key for key in await service.list_keys(CODE)}
    assert keys["old"].valid_until == at + timedelta(hours=24)
    assert (await desk.browser.post(f"{PAGE}/keys/retire", PAGE, kid="old", reason="compromised")).is_redirect
    snapshot = await desk.room.directory.snapshot()
    assert [key.kid for key in snapshot.verification_keys(CODE, KeyUse.ANY, desk.room.clock())] == ["new"]


async def test_a_partner_is_suspended_and_lifted(desk: Desk) -> None:
    assert (await desk.browser.post(f"{PAGE}/status", PAGE, status="suspended")).status_code == 422
    answer = await desk.browser.post(f"{PAGE}/status", PAGE, status="suspended", reason="security_incident")
    assert answer.is_redirect
    assert (await desk.room.directory.snapshot()).active_partner(CODE) is None
    shown = (await desk.browser.get(PAGE)).text
    assert re.search(r'name="status" value="active"', shown)
    assert (await desk.browser.post(f"{PAGE}/status", PAGE, reason="mended")).is_redirect
    assert (await desk.room.service.whole(CODE)).partner.status is PartnerStatus.ACTIVE
