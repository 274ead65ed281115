"""Nobody sees anything of another applicant's: every route is walked as somebody else, and without a session."""

import re

import pytest
from fastapi.routing import APIRoute

from gateway.portal.applicant.router import ROUTERS
from gateway.portal.visits import COOKIE, Visit
from mock_services.demo.applicant import Refused
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
SECRET = "v" * 43
DEMAND = {"region": "440106", "voltage_v": 220, "capacity_kw": 8, "purpose": "演示人工"}
SHARED = {**DEMAND, "region": "440305"}
OWNER = "陈安然"


async def walked(province: LiveProvince, token: str, route: APIRoute, **places: str) -> dict[str, tuple[int, str]]:
    """Status and text by method, as a browser with the session ``token`` gets them."""
    cookie = f"{COOKIE}={SECRET}" + (f"; __Host-bandian_session={token}" if token else "")
    form = {"form_token": Visit(SECRET, begun=False).form_token, "once": "walk-0001"}
    agree = {"authorise": "yes", "accept": "yes", "period": "365"}
    url = province.province.gateway + route.path.format(**places)
    answers = {}
    for method in sorted(route.methods - {"HEAD"}):
        answer = await province.http.request(
            method,
            url,
            data=form | agree if method == "POST" else None,
            headers={"cookie": cookie, "accept": "text/html"},
        )
        answers[method] = (answer.status_code, answer.text)
    return answers


def of_somebody() -> list[APIRoute]:
    """Every route that names an application or an intake."""
    every = [route for router in ROUTERS for route in router.routes]
    found = [each for each in every if isinstance(each, APIRoute) and "_id}" in each.path]
    assert len(found) > 15
    return found


async def test_another_applicant_sees_nothing(province: LiveProvince) -> None:
    owner, stranger = province.applicant("resident-ordinary"), province.applicant("resident-two-owners")
    for each in (owner, stranger):
        await each.verify("resident", "face")
    intake = (await owner.begin("face-verified", DEMAND))["intake_id"]
    application = (await owner.confirm((await owner.begin("face-verified", DEMAND))["intake_id"]))["application_id"]
    places = {"intake_id": intake, "application_id": application, "permit_id": "prm_of_somebody"}
    nowhere = {"intake_id": "int_nowhere", "application_id": "app_nowhere", "permit_id": "prm_of_somebody"}
    for route in of_somebody():
        told = await walked(province, stranger.token, route, **places)
        unknown = await walked(province, stranger.token, route, **nowhere)
        if route.path.endswith("/drop"):
            told.pop("GET", None), unknown.pop("GET", None)  # leads to the intake itself, whosever it is
        for method, (status, text) in told.items():
            assert status == 404, (method, route.path, status)
            assert OWNER not in text
            assert status == unknown[method][0], "as if it were not there"
    progress = await owner.progress(application)
    assert (progress["status"], progress["authorisation_withdrawn_at"]) == ("waiting", None)
    await owner.drop(intake)


async def test_without_a_session_every_page_asks_to_sign_in(province: LiveProvince) -> None:
    places = {"intake_id": "int_1", "application_id": "app_1", "permit_id": "prm_1"}
    for route in of_somebody():
        for method, (status, text) in (await walked(province, "", route, **places)).items():
            if route.path.endswith("/timeline"):
                assert "重新核验身份" in text
                continue
            assert (status, "请先核验身份" in text) == (401, True), (method, route.path)


async def test_what_was_looked_at_for_one_application_stands_with_no_other(province: LiveProvince) -> None:
    """Of two applications about one home, each tells of its own accesses alone."""
    owner = province.applicant("resident-two-owners")
    await owner.verify("resident", "face")
    first = (await owner.confirm((await owner.begin("face-verified", {**DEMAND, "region": "440305"}))["intake_id"]))[
        "application_id"
    ]
    second = (await owner.confirm((await owner.begin("face-verified", {**DEMAND, "region": "440305"}))["intake_id"]))[
        "application_id"
    ]
    stage = province.stage()
    await stage.at_utility(first)
    await stage.ask_as_utility(first, kind="property_certificate", purpose="grid_connection")
    seen = [len((await owner.progress(each))["accesses"]) for each in (first, second)]
    assert seen[0] >= 1
    (route,) = [each for each in of_somebody() if each.path.endswith("/accesses")]
    pages = [(await walked(province, owner.token, route, application_id=each))["GET"][1] for each in (first, second)]
    assert [page.count('<li class="card">') for page in pages] == seen


def plain(name: str) -> APIRoute:
    """The route of a page that names nothing: whose it is, the session alone says."""
    every = [route for router in ROUTERS for route in router.routes]
    (found,) = [each for each in every if isinstance(each, APIRoute) and each.path == name]
    return found


async def test_a_co_owner_sees_who_saw_the_certificate_and_nothing_of_the_application(province: LiveProvince) -> None:
    """Every route that names the owner's application is walked as the co-owner; then what is theirs is read closely."""
    owner, co_owner, stranger = map(
        province.applicant, ("resident-two-owners", "resident-co-owner", "resident-ordinary")
    )
    for each in (owner, co_owner, stranger):
        await each.verify("resident", "face")
    application = (await owner.confirm((await owner.begin("face-verified", SHARED))["intake_id"]))["application_id"]
    intake = (await owner.begin("face-verified", SHARED))["intake_id"]
    stage = province.stage()
    await stage.at_utility(application)
    for kind in ("property_certificate", "resident_id"):
        await stage.ask_as_utility(application, kind=kind, purpose="grid_connection")
    owners = [route for route in of_somebody() if route.path.endswith(("/accesses", "/notices", "/authorisation"))]
    owners = [route for route in owners if route.path.startswith("/applications/") and "GET" in route.methods]

    async def as_the_owner_sees_it() -> list[tuple[int, str]]:
        walks = [await walked(province, owner.token, each, application_id=application) for each in owners]
        return [(walk["GET"][0], re.sub(r'name="once" value="[^"]*"', "", walk["GET"][1])) for walk in walks]

    before = await as_the_owner_sees_it()
    assert [status for status, _ in before] == [200] * len(owners)
    for route in of_somebody():
        places = {"intake_id": intake, "application_id": application, "permit_id": "prm_of_somebody"}
        for method, (status, text) in (await walked(province, co_owner.token, route, **places)).items():
            if not (route.path.endswith("/drop") and method == "GET"):
                assert status == 404, (method, route.path, status)
            assert "黄同舟" not in text
    status, page = (await walked(province, co_owner.token, plain("/accesses")))["GET"]
    assert (status, "广东电网（模拟）" in page, "坐落" in page) == (200, True, True)
    progress = await owner.progress(application)
    told = await co_owner.accesses_naming_me()
    for text in (page, str(told)):
        for secret in (application, intake, "黄同舟", "440305190512064260", "residential", "居民用户", "sign_up"):
            assert secret not in text, secret
        for record in (each["record_id"] for each in progress["accesses"]):
            assert record not in text
    assert {each["document"] for each in told["accesses"]} == {"property_certificate"}
    assert await as_the_owner_sees_it() == before, "that somebody looked is seen nowhere"
    status, page = (await walked(province, stranger.token, plain("/accesses")))["GET"]
    assert (status, page.count('<li class="card">')) == (200, 0)
    assert (await stranger.accesses_naming_me())["accesses"] == []
    await owner.drop(intake)


async def test_nobody_is_told_of_accesses_without_a_session_or_as_an_enterprise(province: LiveProvince) -> None:
    status, text = (await walked(province, "", plain("/accesses")))["GET"]
    assert (status, "请先核验身份" in text) == (401, True)
    gateway = province.province.gateway
    assert (await province.http.get(f"{gateway}/v1/accesses-naming-me")).status_code == 401
    enterprise = province.applicant("enterprise-small")
    await enterprise.verify("enterprise", "e_licence")
    status, text = (await walked(province, enterprise.token, plain("/accesses")))["GET"]
    assert (status, "以居民身份核验" in text, '<li class="card">' in text) == (403, True, False)
    with pytest.raises(Refused) as refused:
        await enterprise.accesses_naming_me()
    assert (refused.value.status, refused.value.problem["check"]) == (403, "named_accesses.resident_only")


async def test_what_happened_is_told_to_its_owner_as_it_happens(province: LiveProvince) -> None:
    owner = province.applicant("resident-ordinary")
    await owner.verify("resident", "face")
    intake = await owner.begin("face-verified", DEMAND)
    application_id = (await owner.confirm(intake["intake_id"]))["application_id"]
    route = next(each for each in of_somebody() if each.path.endswith("/notices") and "GET" in each.methods)
    status, text = (await walked(province, owner.token, route, application_id=application_id))["GET"]
    assert (status, text.count('<li class="card">'), "申请已受理。" in text) == (200, 1, True)
    await province.stage().at_utility(application_id)
    (withdrawal,) = [
        each
        for each in of_somebody()
        if each.path == "/applications/{application_id}/withdrawal" and "POST" in each.methods
    ]
    await walked(province, owner.token, withdrawal, application_id=application_id)
    _, text = (await walked(province, owner.token, route, application_id=application_id))["GET"]
    assert text.index("您的撤回申请已生效。") < text.index("申请已受理。")
