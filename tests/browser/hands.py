"""Hands: a journey says by role and name what is done; a pair of hands does it, by pointer or by keys alone."""

from abc import ABC, abstractmethod
from typing import Any, Literal, Self

from playwright.async_api import Locator, Page, expect

from tests.browser.looking import Looking

PATIENCE = 30_000
"""Milliseconds, on a machine that is busy with others."""
OTHERS_TAKE = 90_000
"""Milliseconds until a utility or a department has done its part: what was not delivered at once is tried again."""
Role = Literal["link", "button", "checkbox", "radio", "combobox", "textbox"]

FRESH = "() => { const fresh = !window.handsWereHere; window.handsWereHere = true; return fresh; }"
STOP = """target => {
  const here = document.activeElement, last = window.handsLast;
  window.handsLast = here;
  if (!here || here === document.body || here === document.documentElement) return { nowhere: true };
  const style = getComputedStyle(here), box = here.getClientRects()[0];
  const middle = (from, to, most) => (Math.max(from, 0) + Math.min(to, most)) / 2;
  const across = middle(box.left, box.right, innerWidth), down = middle(box.top, box.bottom, innerHeight);
  const top = document.elementFromPoint(across, down);
  return {
    nowhere: false,
    there: here === target,
    what: here.outerHTML.slice(0, 160),
    still: here === last,
    follows: !last || !last.isConnected || last === document.body || here === last || here.matches("a.skip")
      || Boolean(last.compareDocumentPosition(here) & Node.DOCUMENT_POSITION_FOLLOWING),
    marked: here.matches(":focus-visible")
      && ((style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none"),
    shown: Boolean(top) && (here.contains(top) || top.contains(here)),
  };
}"""
"""Where the focus is: whether it can be seen, comes after where it was (or begins anew), and lies under nothing."""
GROUP = """radio => {
  const all = [...document.querySelectorAll("input[type=radio]")].filter(
    (each) => each.name === radio.name && each.form === radio.form);
  return { place: all.indexOf(radio), at: all.findIndex((each) => each.checked), name: radio.name };
}"""
MOST_STOPS = 300
DATE_PARTS = 4
"""Year, month, day and the button of the calendar are stops within one field."""


class Hands(ABC):
    """One browser page and how it is worked. Every step waits for what it needs and fails where it is not there."""

    def __init__(self, page: Page, looking: Looking, *, scripted: bool) -> None:
        self.page = page
        self.scripted = scripted
        self._looking = looking
        page.set_default_timeout(PATIENCE)
        page.set_default_navigation_timeout(PATIENCE)

    @classmethod
    async def at(cls, looking: Looking, *, scripted: bool = True, **wanted: Any) -> Self:
        """With a browser of their own."""
        context = await looking.context(script=scripted, locale="zh-CN", **wanted)
        return cls(await context.new_page(), looking, scripted=scripted)

    async def open(self, path: str) -> None:
        """By the address."""
        await self.page.goto(path)

    async def follow(self, name: str, within: str = "body") -> None:
        """A link to another page."""
        async with self.page.expect_navigation(wait_until="domcontentloaded"):
            await self._activate(self._one("link", name, within), "Enter")

    async def press(self, name: str, within: str = "body") -> None:
        """A button that sends its form."""
        async with self.page.expect_navigation(wait_until="domcontentloaded"):
            await self._activate(self._one("button", name, within), "Space")

    async def take(self, name: str) -> str:
        """A link to a file; answers the file's name."""
        async with self.page.expect_download() as waiting:
            await self._activate(self._one("link", name, "main"), "Enter")
        return (await waiting.value).suggested_filename

    async def unfold(self, name: str) -> None:
        """What is a click away."""
        summary = self.page.locator("main summary", has_text=name).first
        await self._activate(summary, "Enter")
        await expect(summary.locator("xpath=..")).to_have_attribute("open", "")

    async def tick(self, name: str, within: str = "main") -> None:
        """A check box."""
        box = self._one("checkbox", name, within)
        await self._tick(box)
        await expect(box).to_be_checked()

    async def pick(self, name: str, within: str = "main") -> None:
        """One of a group of radio buttons."""
        radio = self._one("radio", name, within)
        await self._pick(radio)
        await expect(radio).to_be_checked()

    async def choose(self, label: str, option: str, within: str = "main") -> None:
        """From a list, by the words of the option."""
        box = self._one("combobox", label, within)
        wanted = await box.locator("option", has_text=option).first.get_attribute("value")
        await self._choose(box, wanted or "")
        await expect(box).to_have_value(wanted or "")

    async def write(self, label: str, text: str, within: str = "main") -> None:
        """Into a field, in place of what is there. A day is written 2026-11-28."""
        box = self.page.locator(within).get_by_label(label, exact=True)
        await self._write(box, text)
        await expect(box).to_have_value(text)

    async def arrives(self, heading: str) -> None:
        """The page has this heading."""
        await expect(self.page.get_by_role("heading", name=heading).first).to_be_visible(timeout=PATIENCE)

    async def reads(self, text: str) -> None:
        """It is there to be read."""
        await expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE)

    async def finds_no(self, role: Role, name: str, within: str = "main") -> None:
        """Nothing of that name."""
        await expect(self.page.locator(within).get_by_role(role, name=name)).to_have_count(0)

    async def waits_for(self, text: str) -> None:
        """Until others have done their part; a page without script is asked for again."""
        for _ in range(OTHERS_TAKE // 500):
            if await self.page.get_by_text(text).count():
                return
            await self.page.wait_for_timeout(500)
            await self.page.reload()
        raise AssertionError(f"{text} never came")

    async def shows(self, name: str) -> None:
        """Held to what every page keeps. Without script axe has no timers to wait by."""
        if self.scripted:
            await self._looking.check(self.page, name)

    def _one(self, role: Role, name: str, within: str) -> Locator:
        return self.page.locator(within).get_by_role(role, name=name, exact=True)

    @abstractmethod
    async def _activate(self, target: Locator, key: str) -> None: ...

    @abstractmethod
    async def _tick(self, box: Locator) -> None: ...

    @abstractmethod
    async def _pick(self, radio: Locator) -> None: ...

    @abstractmethod
    async def _choose(self, box: Locator, value: str) -> None: ...

    @abstractmethod
    async def _write(self, box: Locator, text: str) -> None: ...


class Pointer(Hands):
    """Clicks; on what a label says rather than on its small box."""

    async def _activate(self, target: Locator, key: str) -> None:
        await target.click()

    async def _tick(self, box: Locator) -> None:
        await self.page.locator(f"label[for='{await box.get_attribute('id')}']").click()

    async def _pick(self, radio: Locator) -> None:
        await self._tick(radio)

    async def _choose(self, box: Locator, value: str) -> None:
        await box.select_option(value)

    async def _write(self, box: Locator, text: str) -> None:
        await box.click()
        await box.fill(text)


class Keys(Hands):
    """Never a pointer. Every stop on the way must be seen, come after the one before, and lie under nothing; the way
    back must lead back; and the first stop of every page is the way past its head.
    """

    async def _activate(self, target: Locator, key: str) -> None:
        await self._reach(target)
        await self._there_and_back(target)
        await self.page.keyboard.press(key)

    async def _tick(self, box: Locator) -> None:
        await self._reach(box)
        await self.page.keyboard.press("Space")

    async def _pick(self, radio: Locator) -> None:
        group = await radio.evaluate(GROUP)
        stop = radio.page.locator(f"main input[type=radio][name='{group['name']}']").nth(max(group["at"], 0))
        await self._reach(stop)
        steps = group["place"] - max(group["at"], 0)
        if not steps:
            await self.page.keyboard.press("Space")
        for _ in range(abs(steps)):
            await self.page.keyboard.press("ArrowDown" if steps > 0 else "ArrowUp")

    async def _choose(self, box: Locator, value: str) -> None:
        await self._reach(box)
        values = await box.locator("option").evaluate_all("all => all.map(each => each.value)")
        steps = values.index(value) - values.index(await box.input_value())
        for _ in range(abs(steps)):
            await self.page.keyboard.press("ArrowDown" if steps > 0 else "ArrowUp")

    async def _write(self, box: Locator, text: str) -> None:
        await self._reach(box)
        if await box.get_attribute("type") != "date":
            await self.page.keyboard.press("Control+A")
            await self.page.keyboard.type(text)
            return
        year, month, day = text.split("-")
        await self.page.keyboard.type(month + day + year)
        if await box.input_value() != text:  # the machine's browser has the year first
            for _ in range(DATE_PARTS):
                await self.page.keyboard.press("ArrowLeft")
            await self.page.keyboard.type(year)
            await self.page.keyboard.press("ArrowRight")
            await self.page.keyboard.type(month + day)

    async def _reach(self, target: Locator) -> None:
        await target.wait_for()
        handle = await target.element_handle()
        moved = await self.page.evaluate(FRESH) and await self._past_the_head(target)
        still = 0
        for place in range(MOST_STOPS):
            stop = await self.page.evaluate(STOP, handle)
            if not stop["nowhere"]:
                if place or moved:  # where the focus already was, it was put by a page, or by other keys
                    self._holds(stop)
                if stop["there"]:
                    return
                still = still + 1 if stop["still"] else 0
                assert still <= DATE_PARTS, f"no key leads away from {stop['what']}"
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard never reaches {target}")

    async def _past_the_head(self, target: Locator) -> bool:
        """The first stop leads to the content – unless the page, or a form of its content, has begun there.

        Whether a key led to where the focus is now.
        """
        begun = self.page.url.endswith("#content") or await self.page.locator("#errors").count()
        if begun or not await self.page.locator("a.skip").count():
            return False
        await self.page.keyboard.press("Tab")
        assert await self.page.evaluate("document.activeElement.matches('a.skip')"), (
            "the first stop leads past the head"
        )
        if await target.evaluate("(target) => Boolean(target.closest('main'))"):
            await self.page.keyboard.press("Enter")
            assert await self.page.evaluate("document.activeElement.id") == "content"
            await self.page.keyboard.press("Tab")
        return True

    async def _there_and_back(self, target: Locator) -> None:
        await self.page.keyboard.press("Shift+Tab")
        assert not await target.evaluate("(target) => target === document.activeElement"), "no way back"
        await self.page.keyboard.press("Tab")
        assert await target.evaluate("(target) => target === document.activeElement"), "the way back is another"

    def _holds(self, stop: dict[str, Any]) -> None:
        if not self.page.url.startswith(self._looking.gateway):
            return  # a provider's page is its own
        assert stop["follows"], f"the focus jumps back to {stop['what']}"
        # Within a field of its own parts (a day) the browser marks the part.
        assert stop["marked"] or stop["still"], f"nobody sees that the focus is on {stop['what']}"
        assert stop["shown"], f"something lies over {stop['what']}"
