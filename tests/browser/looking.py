"""Looks at pages as their users do, and holds each to what all must keep: axe, the policy, nothing from elsewhere."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Findings:
    """Page → counts, as ``build/axe.json`` tells them."""

    pages: dict[str, dict[str, int]] = field(default_factory=dict)


class Looking:
    """Opens contexts and checks pages. ``gateway`` – where the pages are."""

    def __init__(self, browser: Browser, gateway: str, findings: Findings, screens: Path) -> None:
        self._browser = browser
        self.gateway = gateway
        self._findings = findings
        self._screens = screens
        self._contexts: list[BrowserContext] = []
        self._external: list[str] = []
        self._violations: list[str] = []

    async def context(
        self, *, english: bool = False, large: bool = False, phone: bool = False, script: bool = True, **more: Any
    ) -> BrowserContext:
        """A browser of its own, with the preferences of somebody who was here before."""
        context = await self._browser.new_context(
            base_url=self.gateway,
            viewport=PHONE if phone else DESKTOP,
            java_script_enabled=script,
            bypass_csp=False,
            **more,
        )
        await context.add_cookies(
            [
                {"name": "bandian_language", "value": "en" if english else "zh-CN", "url": self.gateway},
                {"name": "bandian_large", "value": "1" if large else "0", "url": self.gateway},
            ]
        )
        context.on("request", self._asked)
        context.on("console", self._said)
        self._contexts.append(context)
        return context

    async def check(self, page: Page, name: str) -> None:
        """Hold ``page`` to what every page must keep, keep a picture, and fail on any finding.

        ``name`` – of the page in ``build/axe.json`` and ``build/screens``, as ``applicant/start``.
        """
        kept = name.replace("/", "-")
        self._screens.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=self._screens / f"{kept}.png", full_page=True)
        result = await page.evaluate(
            # By the developer tools' own door: the page's policy lets no such script in, and shall not.
            f"async (rules) => {{ {AXE}; return await axe.run(document, {{runOnly: rules}}); }}",
            RULES,
        )
        found = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in result["violations"]]
        self._findings.pages[name] = {
            "findings": len(found),
            "external_requests": len(self._external),
            "csp_violations": len(self._violations),
        }
        assert not found, f"{name}: axe found {found}"
        assert not self._external, f"{name}: asked for {self._external}"
        assert not self._violations, f"{name}: {self._violations}"
        wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{name} is {wider} px wider than the screen"

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self._external.append(f"{parts.scheme}://{parts.netloc}")

    def _said(self, message: ConsoleMessage) -> None:
        if re.search("Content Security Policy|Content-Security-Policy", message.text):
            self._violations.append(message.text[:200])
