"""Every form that does something: from elsewhere, when the session is over, clicked twice, sent again by the back
button, and sent from a second tab.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import pytest_asyncio

from tests.browser.applicants import SESSION
from tests.browser.bench import Bench, Ready, hidden_of
from tests.browser.forms import FORMS
from tests.support.officers import OfficerBrowser
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
OFFICER, VISIT = "__Host-bandian_officer", "__Host-bandian_visit"


@pytest_asyncio.fixture(loop_scope="session")
async def bench(province: LiveProvince) -> AsyncIterator[Bench]:
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(keepalive_expiry=2.0)) as http:
        yield Bench(province, http)


async def shown(ready: Ready) -> dict[str, str]:
    """The form as it is on the page now, filled in. ``POST …`` is a page that is the answer to a form."""
    method, _, path = ready.page.rpartition(" ")
    browser = ready.browser
    if method:
        before = hidden_of((await browser.get(path.rpartition("/")[0])).text, path)
        page = (await browser.http.post(browser.gateway + path, data=before, headers=browser._headers())).text
    else:
        page = (await browser.get(path)).text
    return {**hidden_of(page, ready.action), **ready.values}


async def send(
    ready: Ready,
    values: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
) -> httpx.Response:
    """As the page sends it, with what the browser holds – or other ``cookies``."""
    browser = ready.browser
    if cookies is not None:
        browser = OfficerBrowser(browser.gateway, browser.http, dict(cookies))
    url = browser.gateway + ready.action
    return await browser.http.post(url, data=dict(values), headers={**browser._headers(), **(headers or {})})


@pytest.mark.parametrize("path", FORMS)
async def test_a_form(bench: Bench, path: str) -> None:
    case = FORMS[path]
    ready = await case.prepare(bench)
    first, other_tab = await shown(ready), await shown(ready)
    before = ready.deeds()
    await _from_elsewhere(ready, first)
    if not case.open:
        await _session_over(ready, first)
    assert ready.deeds() == before, "nothing was done"
    # Twice at once, as a double click without script sends it.
    answers = await asyncio.gather(send(ready, first), send(ready, first))
    assert {each.status_code for each in answers} <= {200, 303}, re.findall(r'class="code">([^<]*)', answers[0].text)
    assert len({each.headers.get("location") for each in answers}) == 1
    assert ready.deeds() - before == case.twice
    # The way back, and the same form again.
    again = await send(ready, first)
    assert again.status_code == answers[0].status_code
    # In another tab the page was open all the while: done before, or not any more – told on a page.
    late = await send(ready, other_tab)
    assert late.status_code in (200, 303, 401, 404, 409, 422), late.text[:2000]
    if late.status_code != 303:
        assert late.headers["content-type"].startswith("text/html")
    assert ready.deeds() - before in case.tabs


async def _from_elsewhere(ready: Ready, values: dict[str, str]) -> None:
    """Without our token, with that of another visit, from another site, as another kind of content."""
    bare = {name: value for name, value in values.items() if name != "form_token"} or {"nothing": ""}
    strange = {**values, "form_token": "0" * 64}
    for answer in (
        await send(ready, bare),
        await send(ready, strange),
        await send(ready, values, {"sec-fetch-site": "cross-site"}),
        await send(ready, values, {"sec-fetch-site": "same-site"}),
        await send(ready, values, cookies={**ready.browser.cookies, VISIT: "v" * 43}),
    ):
        assert (answer.status_code, "form.token" in answer.text) == (403, True), answer.text[:500]
    as_json = await ready.browser.http.post(
        ready.browser.gateway + ready.action, json=values, headers=ready.browser._headers()
    )
    assert (as_json.status_code, "form.malformed" in as_json.text) == (400, True), as_json.text[:500]


async def _session_over(ready: Ready, values: dict[str, str]) -> None:
    """To where one signs in; an applicant is led back from there."""
    gone = {**ready.browser.cookies, SESSION: "s" * 43, OFFICER: "o" * 43}
    answer = await send(ready, values, cookies=gone)
    if ready.action.startswith("/console"):
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
    else:
        assert (answer.status_code, "请先核验身份" in answer.text) == (401, True)
        assert "/verify/resident?back=/" in answer.text
