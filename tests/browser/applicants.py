"""An applicant with a browser: is verified at the mock provider, fills in what they need, looks, confirms."""

from dataclasses import dataclass

from playwright.async_api import Page, expect

SESSION = "__Host-bandian_session"
METHODS = {"face": "刷脸核验", "sms_otp": "短信验证码", "counter": "窗口核验码", "e_licence": "电子营业执照"}


@dataclass(frozen=True)
class Visitor:
    """A persona of the mock province before a page. The pages are in Chinese."""

    page: Page
    subject: str
    kind: str = "resident"
    method: str = "face"

    async def verify(self, path: str | None = None) -> None:
        """From the choice of a way to wherever the gateway sends them afterwards."""
        page = self.page
        await page.goto(path or f"/verify/{self.kind}")
        await page.locator(f"#method-{self.method}").check()
        await page.get_by_role("button", name="继续").click()
        await self.at_the_provider()

    async def at_the_provider(self, *, looks_into_the_camera: bool = False) -> None:
        """From the page between, by the link, through the provider's own pages."""
        page = self.page
        await page.get_by_role("link", name="前往核验").click()
        await page.wait_for_url("**/authorize/*")
        if not await page.locator("#subject").count():
            await page.get_by_role("link", name=METHODS[self.method]).click()
        if looks_into_the_camera:
            await expect(page.locator("video")).to_be_visible()
            await expect(page.locator("video")).not_to_have_js_property("videoWidth", 0)
        await page.locator("#subject").select_option(self.subject)
        await page.get_by_role("button", name="开始核验").click()

    async def ask(self, region: str, capacity: str, purpose: str, voltage: str = "220") -> None:
        """The form of what is needed, sent; then what was found is there."""
        page = self.page
        await page.goto("/apply/demand")
        await page.locator("#region").select_option(region)
        await page.locator(f"#voltage-{voltage}").check()
        await page.locator("#capacity_kw").fill(capacity)
        await page.locator("#purpose").fill(purpose)
        await page.get_by_role("button", name="查找我的证照").click()
        await page.wait_for_url("**/intakes/*")

    async def confirm(self) -> str:
        """Permit and send; answers the application's number."""
        page = self.page
        for name in await page.locator("fieldset[id^=choice-] input[type=radio]").evaluate_all(
            "all => [...new Set(all.map(each => each.id.replace(/-\\d+$/, '')))]"
        ):
            await page.locator(f"#{name}-1").check()
        await page.locator("#authorise").check()
        await page.get_by_role("button", name="同意授权并提交").click()
        await page.wait_for_url("**/received")
        await expect(page.get_by_role("heading", name="申请已提交")).to_be_visible()
        return page.url.split("/")[-2]

    async def apply(self, region: str, capacity: str, purpose: str, voltage: str = "220") -> str:
        """Everything; answers the application's number."""
        await self.verify()
        await self.ask(region, capacity, purpose, voltage)
        return await self.confirm()
