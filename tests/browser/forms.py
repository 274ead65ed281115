"""Every form of the pages that does something, and how each is come by: what ``test_forms.py`` sends twice, late and
from elsewhere. A form that is not in the table fails ``tests/unit/portal/test_forms_table.py``.
"""

import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi.routing import APIRoute
from joserfc.jwk import ECKey

from gateway.portal import router as shared
from gateway.portal.applicant.router import ROUTERS
from gateway.portal.console.router import PARTS
from gateway.portal.console.router import router as console
from mock_services.demo.journeys.stage import MILL, until
from mock_services.demo.roster import UTILITY
from tests.browser.bench import Bench, Ready, sent
from tests.browser.officers import OPERATOR, REVIEWER, SECOND

DEPARTMENT = "water-440600"
"""A partner that no journey needs."""


async def _verify(bench: Bench) -> Ready:
    deeds = lambda: bench.counted("SELECT count(*) FROM verification_sessions")  # noqa: E731
    return Ready(bench.browser(), "/verify/resident", "/verify/resident", {"method": "face"}, deeds)


async def _sign_out(bench: Bench) -> Ready:
    browser, _ = await bench.applicant("resident-two-owners")
    deeds = lambda: -bench.counted("SELECT count(*) FROM verification_sessions")  # noqa: E731
    return Ready(browser, "/applications", "/sign-out", {}, deeds)


async def _demand(bench: Bench) -> Ready:
    browser, _ = await bench.applicant("resident-two-owners")
    values = {"region": "440305", "area": "urban", "voltage": "220", "capacity_kw": "8", "purpose": "演示人工"}
    deeds = bench.recorded("intake.previewed")
    return Ready(browser, "/apply/demand", "/apply/demand", values, deeds)


async def _confirm(bench: Bench) -> Ready:
    browser, _, intake = await bench.intake("resident-two-owners")
    values = {"authorise": "yes", "period": "180"}
    return Ready(browser, f"/intakes/{intake}", f"/intakes/{intake}", values, bench.recorded("application.submitted"))


async def _drop(bench: Bench) -> Ready:
    browser, _, intake = await bench.intake("resident-two-owners")
    return Ready(browser, f"/intakes/{intake}", f"/intakes/{intake}/drop", {}, bench.recorded("intake.dropped"))


def _of_application(page: str, action: str, recorded: str, **values: str) -> "Prepare":
    async def prepare(bench: Bench) -> Ready:
        browser, application = await bench.application("resident-face-fails")
        address = f"/applications/{application}"
        return Ready(browser, address + page, address + action, values, bench.recorded(recorded))

    return prepare


async def _rating(bench: Bench) -> Ready:
    browser, application = await bench.application("resident-face-fails")
    address = f"/applications/{application}"
    await sent(browser, f"{address}/withdrawal", f"{address}/withdrawal")
    return Ready(
        browser, f"{address}/rating", f"{address}/rating", {"level": "satisfied"}, bench.recorded("rating.given")
    )


async def _contract(bench: Bench) -> Ready:
    browser, address = await bench.contract("resident-two-owners")
    deeds = lambda: bench.counted("SELECT count(*) FROM verification_sessions")  # noqa: E731
    return Ready(browser, address, address, {"accept": "yes", "method": "face"}, deeds)


async def _refusal(bench: Bench) -> Ready:
    browser, address = await bench.contract("resident-two-owners")
    values = {"reason": "想到营业厅签"}
    return Ready(browser, f"{address}/refusal", f"{address}/refusal", values, bench.recorded("contract.declined"))


async def _signature(bench: Bench) -> Ready:
    browser, address = await bench.contract("resident-two-owners")
    await sent(browser, address, address, accept="yes", method="face")
    between = (await browser.get("/verify/go")).text
    link = re.search(r'href="([^"]+)" rel="noreferrer"', between)
    assert link is not None
    asked = await bench.http.get(link[1].replace("&amp;", "&"), headers={"accept": "application/json"})
    attempt = {"method": "face", "subject": "resident-two-owners"}
    answer = (await bench.http.post(asked.json()["verification_uri"], json=attempt)).raise_for_status().json()
    back = urlsplit(answer["redirect_to"])
    returned = await browser.get(f"{back.path}?{back.query}")
    await browser.get(returned.headers["location"])
    page = f"{address}/signature"
    return Ready(browser, page, page, {}, bench.recorded("contract.signed"))


async def _commitment(bench: Bench) -> Ready:
    browser, applicant = await bench.applicant("enterprise-agent", "enterprise")
    intake = await applicant.begin("one-certificate", MILL)
    application = (await applicant.confirm(intake["intake_id"]))["application_id"]

    async def permit() -> str | None:
        found = re.search(r'href="([^"]+/commitment)"', (await browser.get(f"/applications/{application}")).text)
        return found[1] if found else None

    page = await until(permit, "a permit waits for a commitment")
    return Ready(browser, page, page, {"accept": "yes"}, bench.recorded("commitment.given"))


async def _officer_out(bench: Bench) -> Ready:
    browser = await bench.officer(SECOND)
    return Ready(browser, "/console", "/console/sign-out", {}, bench.recorded("officer.signed_out"))


async def _parties(bench: Bench) -> Ready:
    _, application = await bench.application("resident-face-fails")
    page = f"/console/applications/{application}/parties"
    return Ready(
        await bench.officer(REVIEWER), page, page, {"reason": "complaint"}, bench.recorded("application.parties_shown")
    )


async def _replay(bench: Bench) -> Ready:
    page = f"/console/deliveries/{await bench.event()}"
    browser = await bench.officer(OPERATOR)
    return Ready(browser, page, f"{page}/replay", {"reason": "drill"}, bench.recorded("delivery.replayed"))


async def _enable(bench: Bench) -> Ready:
    with sqlite3.connect(bench.province.database_url.removeprefix("sqlite:///")) as database:
        database.execute(
            "INSERT OR REPLACE INTO delivery_destinations VALUES (?, ?, 200000, ?, 'status_503', ?)",
            (DEPARTMENT, *["2026-11-20T00:00:00.000000Z"] * 3),
        )
    browser = await bench.officer(OPERATOR)
    action = f"/console/receivers/{DEPARTMENT}/enable"
    deeds = bench.recorded("delivery.destination_enabled")
    return Ready(browser, "/console/receivers", action, {"reason": "drill"}, deeds)


async def _look(bench: Bench) -> Ready:
    page = f"/console/reviews/{await bench.review()}"
    return Ready(await bench.officer(REVIEWER), page, f"{page}/look", {}, bench.recorded("review.looked_at"))


async def _settle(bench: Bench) -> Ready:
    page = f"/console/reviews/{await bench.review()}"
    browser = await bench.officer(REVIEWER)
    await sent(browser, page, f"{page}/look")
    # Who looked is shown the form in that answer alone.
    values = {"decision": "accepted", "reason": "已与登记机关核实为同一主体", "no_interest": "yes"}
    return Ready(browser, f"POST {page}/look", f"{page}/settle", values, bench.recorded("review.settled"))


async def _answer(bench: Bench) -> Ready:
    browser, application = await bench.application("resident-face-fails")
    address = f"/applications/{application}"
    await sent(browser, f"{address}/withdrawal", f"{address}/withdrawal")
    await sent(browser, f"{address}/rating", f"{address}/rating", level="very_dissatisfied")
    action = f"/console/ratings/{application}/answer"
    values = {"answer": "已约谈承办班组"}
    return Ready(await bench.officer(OPERATOR), "/console/ratings", action, values, bench.recorded("rating.answered"))


TERMS = {
    "purpose": "grid_connection",
    "regions": "440600",
    "valid_from": "2026-01-01",
    "valid_until": "2027-12-31",
    "clause": "第（七）条",
    "grants": "business_licence:number",
}
ROW = {
    "act": "draft",
    "customer_class": "lv_ordinary",
    "stage": "supply_plan",
    "working_days": "2",
    "region": "440200",
    "effective_from": "2096-01-06",
    "effective_to": "2096-06-30",
    "document_number": "韶发改〔2095〕18号",
    "clause": "第二条",
    "basis_text": "两个工作日内答复供电方案。",
}
NEW_ROW = "/console/rules/new?table=stage_limit"


async def _agreement(bench: Bench) -> Ready:
    page = f"/console/partners/{UTILITY}/agreements/new"
    return Ready(await bench.officer(OPERATOR), page, page, TERMS, bench.recorded("agreement.created"))


async def _agreement_step(bench: Bench) -> Ready:
    browser = await bench.officer(OPERATOR)
    page = f"/console/partners/{UTILITY}/agreements/new"
    made = (await sent(browser, page, page, **TERMS)).headers["location"]
    return Ready(browser, made, f"{made}/step", {"step": "test"}, bench.recorded("agreement.tested"))


async def _conformance(bench: Bench) -> Ready:
    page = f"/console/partners/{UTILITY}/conformance"
    return Ready(await bench.officer(OPERATOR), page, f"{page}/run", {}, bench.recorded("conformance.run"))


def _public_key() -> str:
    key = ECKey.generate_key("P-256", auto_kid=True)
    return str(httpx.Response(200, json=key.as_dict(private=False)).text)


async def _key(bench: Bench) -> Ready:
    page = f"/console/partners/{DEPARTMENT}"
    values = {"jwk": _public_key(), "use": "outcome", "reason": "onboarding"}
    return Ready(await bench.officer(OPERATOR), page, f"{page}/keys", values, bench.recorded("partner.key_added"))


async def _retire(bench: Bench) -> Ready:
    ready = await _key(bench)
    await sent(ready.browser, ready.page, ready.action, **ready.values)
    kid = re.search(r'"kid":\s*"([^"]+)"', ready.values["jwk"])
    assert kid is not None
    values = {"kid": kid[1], "reason": "rotation"}
    # Who stops what is stopped changes nothing, and is on record as well.
    deeds = lambda: bench.counted("SELECT count(*) FROM partner_keys WHERE revoked_at IS NOT NULL")  # noqa: E731
    return Ready(ready.browser, ready.page, f"{ready.page}/keys/retire", values, deeds)


async def _status(bench: Bench) -> Ready:
    page = f"/console/partners/{DEPARTMENT}"
    values = {"reason": "partner_asked"}
    deeds = lambda: bench.counted("SELECT count(*) FROM partners WHERE status = 'suspended'")  # noqa: E731
    return Ready(await bench.officer(OPERATOR), page, f"{page}/status", values, deeds)


async def _row(bench: Bench) -> Ready:
    deeds = lambda: bench.counted("SELECT count(*) FROM rule_rows")  # noqa: E731
    return Ready(await bench.officer(OPERATOR), NEW_ROW, "/console/rules/new", ROW, deeds)


async def _row_step(bench: Bench) -> Ready:
    browser = await bench.officer(OPERATOR)
    made = (await sent(browser, NEW_ROW, "/console/rules/new", **ROW)).headers["location"]
    values = {"step": "withdraw", "reason": "起草有误"}
    deeds = lambda: bench.counted("SELECT count(*) FROM rule_rows WHERE status = 'withdrawn'")  # noqa: E731
    return Ready(browser, made, f"{made}/step", values, deeds)


async def _preferences(bench: Bench) -> Ready:
    return Ready(bench.browser(), "/", "/preferences", {"large": "on"}, lambda: 0)


Prepare = Callable[[Bench], Awaitable[Ready]]


@dataclass(frozen=True)
class FormCase:
    """``twice`` is how many deeds a double click does, ``tabs`` how many that and a second tab may do together.

    ``open`` needs nobody to be signed in.
    """

    prepare: Prepare
    twice: int = 1
    tabs: tuple[int, ...] = (1,)
    open: bool = field(default=False)


EACH_LOOK: Any = {"twice": 2, "tabs": (4,)}
"""Each click looks anew, and each look is on record (the click, the click again, the way back, the other tab)."""
FORMS: dict[str, FormCase] = {
    "/preferences": FormCase(_preferences, 0, (0,), open=True),
    # A second verification takes the place of the first.
    "/verify/{kind}": FormCase(_verify, **EACH_LOOK, open=True),
    "/sign-out": FormCase(_sign_out, open=True),
    "/apply/demand": FormCase(_demand, tabs=(2,)),
    "/intakes/{intake_id}": FormCase(_confirm),
    "/intakes/{intake_id}/drop": FormCase(_drop),
    "/applications/{application_id}/notices": FormCase(
        _of_application(
            "/notices", "/notices", "notice.way_chosen", way="platform", address="13800000000", consent="yes"
        ),
        tabs=(2,),
    ),
    "/applications/{application_id}/authorisation": FormCase(
        _of_application("/authorisation", "/authorisation", "authorisation.renewed", period="365")
    ),
    "/applications/{application_id}/authorisation/withdrawal": FormCase(
        _of_application("/authorisation/withdrawal", "/authorisation/withdrawal", "authorisation.withdrawn")
    ),
    "/applications/{application_id}/withdrawal": FormCase(
        _of_application("/withdrawal", "/withdrawal", "application.withdrawn")
    ),
    "/applications/{application_id}/permits/{permit_id}/commitment": FormCase(_commitment),
    "/applications/{application_id}/contract": FormCase(_contract, **EACH_LOOK),
    "/applications/{application_id}/contract/signature": FormCase(_signature),
    "/applications/{application_id}/contract/refusal": FormCase(_refusal),
    "/applications/{application_id}/rating": FormCase(_rating),
    "/console/sign-out": FormCase(_officer_out, open=True),
    "/console/applications/{application_id}/parties": FormCase(_parties, **EACH_LOOK),
    # While it is under way it is not replayed again.
    "/console/deliveries/{event_id}/replay": FormCase(_replay, tabs=(1, 2)),
    "/console/receivers/{code}/enable": FormCase(_enable),
    "/console/reviews/{task_id}/look": FormCase(_look, **EACH_LOOK),
    "/console/reviews/{task_id}/settle": FormCase(_settle),
    "/console/ratings/{application_id}/answer": FormCase(_answer),
    "/console/partners/{code}/agreements/new": FormCase(_agreement, tabs=(2,)),
    "/console/agreements/{agreement_id}/step": FormCase(_agreement_step),
    "/console/partners/{code}/conformance/run": FormCase(_conformance, tabs=(2,)),
    "/console/partners/{code}/keys": FormCase(_key),
    "/console/partners/{code}/keys/retire": FormCase(_retire),
    "/console/partners/{code}/status": FormCase(_status),
    "/console/rules/new": FormCase(_row, tabs=(2,)),
    "/console/rules/{row_id}/step": FormCase(_row_step),
}
"""Address → how its form is come by, and how often it may do what it does."""


def posted() -> set[str]:
    """Every address of the pages that a form may be sent to."""
    routers = [shared.router, *ROUTERS, console, *(part.router for part in PARTS)]
    every = [each for router in routers for each in router.routes]
    return {each.path for each in every if isinstance(each, APIRoute) and "POST" in (each.methods or ())}
