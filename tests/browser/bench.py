"""A province, and browsers without a browser in it: what the tests of forms and of links begin with."""

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from mock_services.demo.journeys.reviews import WORKSHOP
from mock_services.demo.journeys.stage import until
from tests.browser.applicants import SESSION
from tests.support.officers import OfficerBrowser
from tests.support.province import LiveProvince

HOMES = {"resident-two-owners": "440305", "resident-face-fails": "440104"}


@dataclass
class Ready:
    """A page with a form, and what is typed into it. ``deeds`` counts what it has done so far."""

    browser: OfficerBrowser
    page: str
    action: str
    values: dict[str, str]
    deeds: Callable[[], int]


@dataclass
class Bench:
    """A province, and whoever sits before a browser in it."""

    province: LiveProvince
    http: httpx.AsyncClient

    def counted(self, query: str, *values: str) -> int:
        with sqlite3.connect(self.province.database_url.removeprefix("sqlite:///")) as database:
            return int(database.execute(query, values).fetchone()[0])

    def recorded(self, action: str) -> Callable[[], int]:
        """How many entries of the record say that ``action`` was done."""
        query = (
            "SELECT count(*) FROM record_entries WHERE action = ? "
            "AND json_extract(CAST(leaf AS TEXT), '$.result') <> 'refused'"
        )
        return lambda: self.counted(query, action)

    def browser(self, **cookies: str) -> OfficerBrowser:
        return OfficerBrowser(self.province.province.gateway, self.http, dict(cookies))

    async def officer(self, subject: str) -> OfficerBrowser:
        browser = self.browser()
        await browser.sign_in(subject)
        return browser

    async def applicant(self, subject: str, kind: str = "resident") -> tuple[OfficerBrowser, Any]:
        """A browser that is signed in, and the same person at the interface."""
        applicant = self.province.applicant(subject)
        way = {"enterprise": "e_licence"}.get(kind, "sms_otp" if subject == "resident-face-fails" else "face")
        await applicant.verify(kind, way)
        return self.browser(**{SESSION: applicant.token}), applicant

    async def intake(self, subject: str, purpose: str = "演示人工") -> tuple[OfficerBrowser, Any, str]:
        browser, applicant = await self.applicant(subject)
        demand = {"region": HOMES[subject], "voltage_v": 220, "capacity_kw": 8, "purpose": purpose}
        return browser, applicant, (await applicant.begin("face-verified", demand))["intake_id"]

    async def application(self, subject: str, purpose: str = "演示人工") -> tuple[OfficerBrowser, str]:
        browser, applicant, intake = await self.intake(subject, purpose)
        return browser, (await applicant.confirm(intake))["application_id"]

    async def contract(self, subject: str) -> tuple[OfficerBrowser, str]:
        """An application for which the utility has sent a contract; answers its address."""
        browser, application = await self.application(subject, "演示电子合同")
        address = f"/applications/{application}/contract"

        async def offered() -> bool:
            return (await browser.get(address)).status_code == 200

        await until(offered, "the utility sends a contract")
        return browser, address

    async def review(self) -> str:
        """A task that waits for a reviewer."""
        applicant = self.province.applicant("enterprise-fuzzy-owner")
        await applicant.verify("enterprise", "e_licence")
        preview = await applicant.begin("one-certificate", {**WORKSHOP, "region": "440111"})
        return str((await applicant.confirm(preview["intake_id"]))["review_task_id"])

    async def event(self) -> str:
        """An event that its receiver has signed for."""
        _, application = await self.application("resident-two-owners")
        query = "SELECT count(*) FROM outbox WHERE state = 'delivered' AND subject = ?"

        async def delivered() -> bool:
            return self.counted(query, application) > 0

        await until(delivered, "the utility signs for it")
        with sqlite3.connect(self.province.database_url.removeprefix("sqlite:///")) as database:
            found = database.execute("SELECT event_id FROM outbox WHERE subject = ?", (application,)).fetchone()
        return str(found[0])


def hidden_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form on ``page`` that is sent to ``action``."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    assert found is not None, f"no form leads to {action}: {page[:3000]}"
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found[1]))


async def sent(browser: OfficerBrowser, page: str, action: str, **values: str) -> httpx.Response:
    """The form, filled in and sent."""
    hidden = hidden_of((await browser.get(page)).text, action)
    answer = await browser.http.post(
        browser.gateway + action, data={**hidden, **values}, headers={**browser._headers()}
    )
    return browser._kept(answer)
