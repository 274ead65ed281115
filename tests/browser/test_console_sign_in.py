"""Officers sign in through their provider, keep a session of the server's, and sign out."""

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from tests.browser.looking import Looking
from tests.browser.officers import AUDITOR, OPERATOR, sign_in
from tests.support.officers import OfficerBrowser
from tests.support.province import LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")
SESSION = "__Host-bandian_officer"


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(keepalive_expiry=2.0)) as client:
        yield client


def entries(province: LiveProvince, action: str) -> list[dict[str, Any]]:
    """Record entries of ``action``, oldest first."""
    with sqlite3.connect(province.database_url.removeprefix("sqlite:///")) as database:
        query = "SELECT leaf FROM record_entries WHERE action = ? ORDER BY rowid"
        return [orjson.loads(leaf) for (leaf,) in database.execute(query, (action,))]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_in_and_out(looking: Looking, province: LiveProvince, script: bool) -> None:
    page = await (await looking.context(script=script)).new_page()
    await page.goto("/console")
    assert page.url.endswith("/console/sign-in?back=%2Fconsole")
    await sign_in(page, OPERATOR)
    assert page.url == province.province.gateway + "/console"
    assert await page.get_by_text("陈立 · 运营人员").count() == 1
    await page.get_by_role("button", name="退出").click()
    assert page.url.endswith("/console/signed-out")
    await page.go_back()
    await page.reload()
    assert "/console/sign-in" in page.url, "what was left open shows nothing more"
    signed = entries(province, "officer.signed_in")[-1]
    assert signed["actor"].startswith("officer:off_")
    assert not any(told in str(signed) for told in ("陈立", OPERATOR))
    assert entries(province, "officer.signed_out")[-1]["actor"] == signed["actor"]
    assert entries(province, "officer.opened")[-1]["actor"] == signed["actor"]


async def test_every_sign_in_has_a_new_secret_and_ends_the_old_session(
    province: LiveProvince, http: httpx.AsyncClient
) -> None:
    officer = OfficerBrowser(province.province.gateway, http)
    await officer.sign_in(OPERATOR)
    before = officer.cookies[SESSION]
    await officer.sign_in(AUDITOR)
    assert officer.cookies[SESSION] != before
    assert (await officer.get("/console")).status_code == 200
    officer.cookies[SESSION] = before
    assert (await officer.get("/console")).headers["location"].startswith("/console/sign-in")


@pytest.mark.parametrize(("who", "check"), [("clerk-tan", "officer.no_role"), ("chief-wu", "officer.several_roles")])
async def test_nobody_comes_in_without_exactly_one_role(
    province: LiveProvince, http: httpx.AsyncClient, who: str, check: str
) -> None:
    officer = OfficerBrowser(province.province.gateway, http)
    answer = await officer.sign_in(who)
    assert answer.status_code == 403
    assert check in answer.text
    assert SESSION not in officer.cookies
    refused = entries(province, "officer.sign_in")[-1]
    assert (refused["result"], refused["facts"]["check"]) == ("refused", check)
    assert refused["actor"].startswith("officer:off_")


async def test_a_callback_in_another_browser_is_refused(province: LiveProvince, http: httpx.AsyncClient) -> None:
    attacker, victim = (OfficerBrowser(province.province.gateway, http) for _ in range(2))
    caught = await attacker.callback(OPERATOR)
    await victim.get("/console/sign-in/go")
    answer = await victim.get(caught)
    assert answer.status_code == 403
    assert "officer.sign_in" in answer.text
    assert SESSION not in victim.cookies
    assert entries(province, "officer.sign_in")[-1]["facts"]["check"] == "officer.sign_in"
    assert (await attacker.get(caught)).status_code == 303
    assert (await attacker.get(caught)).status_code == 403, "a sign-in is used once"


async def test_whoever_declines_at_the_provider_is_told(province: LiveProvince, http: httpx.AsyncClient) -> None:
    officer = OfficerBrowser(province.province.gateway, http)
    answer = await officer.sign_in("nobody")
    assert answer.status_code == 503
    assert "officer.provider_declined" in answer.text


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
async def test_a_sign_in_leads_nobody_elsewhere(province: LiveProvince, http: httpx.AsyncClient, back: str) -> None:
    officer = OfficerBrowser(province.province.gateway, http)
    page = await http.get(f"{officer.gateway}/console/sign-in", params={"back": back})
    assert 'href="/console/sign-in/go?back=%2Fconsole"' in page.text


@pytest.mark.parametrize(
    ("english", "dark", "phone"), [(False, False, False), (True, True, False), (False, True, True)]
)
async def test_the_pages_keep_the_rules(looking: Looking, english: bool, dark: bool, phone: bool) -> None:
    scheme = "dark" if dark else "light"
    page = await (await looking.context(english=english, phone=phone, color_scheme=scheme)).new_page()
    variant = "-".join(["en" if english else "zh", scheme, *(["phone"] if phone else [])])
    await page.goto("/console/sign-in")
    await looking.check(page, f"console/sign-in-{variant}")
    await page.goto("/console/signed-out")
    await looking.check(page, f"console/signed-out-{variant}")
