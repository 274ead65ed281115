"""What a role may see it finds: from the console's first page, by links alone; and no link leads into a refusal."""

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute

from gateway.portal.authority.router import SEES
from gateway.portal.authority.router import router as authority
from gateway.portal.projects.router import router as projects
from tests.browser.bench import Bench, sent
from tests.browser.forms import FORMS
from tests.browser.officers import ROLES
from tests.browser.test_console import MAY, OPEN, READERS, routes
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
AREAS = ("/console", "/authority", "/projects")
EACH = 3
"""How many pages of a kind are opened: the third tells no more."""
NEEDS = {"/console/reconciliation/{utility}/{day}": "a day that a utility has reported"}
FILES = re.compile(r"\.(xlsx|pdf|json)$")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bench(province: LiveProvince) -> AsyncIterator[Bench]:
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(keepalive_expiry=2.0)) as http:
        made = Bench(province, http)
        await made.event()
        await made.review()
        row = await FORMS["/console/rules/new"].prepare(made)
        await sent(row.browser, row.page, row.action, **row.values)
        yield made


def allowed(role: str) -> set[str]:
    """The templates of every page that ``role`` may open."""
    console = {
        path for method, path in routes() if method == "GET" and path not in OPEN and role in MAY.get(path, READERS)
    }
    others = {each.path for router in (authority, projects) for each in router.routes if isinstance(each, APIRoute)}
    return console | (others if role in {each.value for each in SEES.roles} else set())


def kind_of(path: str, known: set[str]) -> str | None:
    """The template of an address: that which has fewer places, where two fit."""
    fits = [each for each in known if re.fullmatch(re.sub(r"\\?\{[^}]*\\?\}", "[^/]+", re.escape(each)), path)]
    return min(fits, key=lambda each: each.count("{"), default=None)


@pytest.mark.parametrize("role", ROLES)
async def test_every_page_is_found_and_no_link_is_refused(bench: Bench, role: str) -> None:
    browser = await bench.officer(ROLES[role])
    known = {path for _, path in routes()} | allowed("operator")
    found: dict[str, set[str]] = {}
    ahead = ["/console"]
    while ahead:
        address = ahead.pop(0)
        path = address.partition("?")[0]
        kind = kind_of(path, known)
        opened = found.setdefault(kind or path, set())
        if path in OPEN or address in opened or len(opened) >= EACH:
            continue
        opened.add(address)
        answer = await browser.get(address)
        for _ in range(10):  # what was recorded this second is in the next checkpoint
            if answer.status_code != 503 or not path.startswith("/console/record/"):
                break
            await asyncio.sleep(0.5)
            answer = await browser.get(address)
        assert answer.status_code == 200, (role, address, answer.status_code)
        if FILES.search(path):
            continue
        links = [unescape(each) for each in re.findall(r'<a\s[^>]*href="([^"#]+)"', answer.text)]
        assert any(each.startswith(AREAS) for each in links), f"{address} leads nowhere"
        assert 'action="/console/sign-out"' in answer.text, f"nobody can sign out on {address}"
        ahead += [each for each in links if each.startswith(AREAS)]
    # A form that asks for a number (存证编号) leads to what no link need lead to.
    missing = allowed(role) - set(found) - set(NEEDS)
    assert not missing, f"{role} may see {sorted(missing)} and finds no way"
