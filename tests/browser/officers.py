"""Officers in a browser: they sign in at the mock provider as people do."""

from playwright.async_api import Page

from tests.browser.looking import Looking

OPERATOR, SECOND, REVIEWER, AUDITOR, AUTHORITY = (
    "operator-chen",
    "operator-liang",
    "reviewer-zhou",
    "auditor-he",
    "authority-luo",
)
ROLES = {"operator": OPERATOR, "reviewer": REVIEWER, "auditor": AUDITOR, "authority": AUTHORITY}


async def signed_in(looking: Looking, subject: str, **more: object) -> Page:
    """A page of a browser in which ``subject`` has just signed in."""
    page = await (await looking.context(**more)).new_page()  # type: ignore[arg-type]
    await sign_in(page, subject)
    return page


async def sign_in(page: Page, subject: str, to: str = "/console") -> None:
    """Ask for ``to``, be sent away, choose, come back."""
    await page.goto(to)
    await page.locator("main a.button").first.click()
    await page.select_option("#subject", subject)
    await page.locator("form:has(#subject) button").click()
