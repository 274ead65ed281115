"""The hands notice what they are for: a page with one fault each is not worked by keys."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.hands import Keys
from tests.browser.looking import Findings, Looking

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = """<!doctype html><style>:focus-visible { outline: 3px solid red; } %s</style>
<a class="skip" href="#content">past</a> <a href="#1">one</a><main id="content" tabindex="-1">
<p><a href="#2">two</a> <a href="#3" %s>three</a></p>%s
<label>Day <input type="date"></label> <button>four</button></main>"""
FAULTS = {
    "nobody sees": ("a[href='#2'] { outline: 0; }", "", ""),
    "past the head": ("", "tabindex='1'", ""),
    "jumps back": ("", "onfocus='document.links[1].focus()'", ""),
    "lies over": ("div { position: fixed; inset: 0; background: white; }", "", "<div>over all</div>"),
    "no key leads away": (
        "",
        "",
        "<script>addEventListener('keydown', e => document.activeElement.hash === '#3' && e.preventDefault())</script>",
    ),
}


async def keys(browser: Browser, markup: str) -> Keys:
    page = await (await browser.new_context()).new_page()
    await page.set_content(markup)
    return Keys(page, Looking(browser, "about:", Findings(), Path()), scripted=True)


async def test_a_sound_page_is_worked(browser: Browser) -> None:
    hands = await keys(browser, PAGE % ("", "", ""))
    four = hands.page.get_by_role("button", name="four")
    await hands._activate(four, "Space")
    assert await four.evaluate("(four) => four === document.activeElement")
    await hands.page.context.close()


@pytest.mark.parametrize("says", FAULTS)
async def test_a_fault_is_noticed(browser: Browser, says: str) -> None:
    hands = await keys(browser, PAGE % FAULTS[says])
    with pytest.raises(AssertionError, match=says):
        await hands._activate(hands.page.get_by_role("button", name="four"), "Space")
    await hands.page.context.close()
