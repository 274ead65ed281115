"""A real browser before a real province: Chromium, the gateway, its mocks."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.looking import Findings, Looking
from tests.support.databases import Databases
from tests.support.province import LiveProvince, live_province
from tests.support.require import skip_or_fail
from tests.support.tiny_mail import TinyMail, tiny_mail

expect.set_options(timeout=30_000)
"""Milliseconds: what is there at once on an idle machine takes a while on one that is busy with others."""
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",  # tests may run as root; nothing but our own pages is opened
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
BUILD = Path("build")
AT_ONCE = ("test_shell.py", "test_projects.py", "test_personas.py", "test_forms.py")
"""What every run of the tests looks at; ``make browser`` looks at every page in every form, in half an hour."""
collect_ignore = [
    path.name
    for path in Path(__file__).parent.glob("test_*.py")
    if path.name not in AT_ONCE and os.environ.get("BROWSER") != "all"
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tracebacks as the interpreter prints them: for pytest's own it parses sources again, which CPython 3.11 refuses
    as deep as the driver's callbacks lie, and a whole worker would end.
    """
    before = item.config.option.tbstyle
    item.config.option.tbstyle = "native"
    try:
        return (yield)
    finally:
        item.config.option.tbstyle = before


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The machine's own Chromium; a missing one skips (or fails where nothing may be missing).

    Playwright without its pytest plugin: that one wants every async fixture of every test on one loop.
    """
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        skip_or_fail("Chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def province(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, mailbox: TinyMail
) -> AsyncIterator[LiveProvince]:
    """One for all browser tests, on SQLite: what pages show comes from services that the flows hold on both."""
    mail = {"host": "127.0.0.1", "port": mailbox.port, "sender": "notice@gateway.example", "starttls": False}
    # A few people apply in every form of every page; that a holder is held back is tested elsewhere.
    settings = {"BANDIAN_NOTICE_MAIL": json.dumps(mail), "BANDIAN_INTAKE_RATE_LIMIT": "600"}
    async with live_province(tmp_path_factory.mktemp("browser"), databases.empty_sqlite(), settings) as live:
        yield live


@pytest.fixture(scope="package")
def mailbox() -> Iterator[TinyMail]:
    """Where the province's e-mails go."""
    with tiny_mail() as mail:
        yield mail


@pytest.fixture(scope="package")
def findings() -> Iterator[Findings]:
    """What every looked-at page was found with; kept as ``build/axe.json`` (page → counts)."""
    kept = Findings()
    yield kept
    BUILD.mkdir(exist_ok=True)
    path = BUILD / "axe.json"
    before: Mapping[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**before, **kept.pages}, ensure_ascii=False, indent=1, sort_keys=True), "utf-8")


@pytest_asyncio.fixture(loop_scope="session")
async def looking(browser: Browser, province: LiveProvince, findings: Findings) -> AsyncIterator[Looking]:
    """Opens contexts (phone or desktop, with or without script) and holds every page to what all must keep."""
    made = Looking(browser, province.province.gateway, findings, BUILD / "screens")
    yield made
    await made.close()
