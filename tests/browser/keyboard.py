"""Pages as somebody uses them who has no pointer."""

from playwright.async_api import Page


async def tab_to(page: Page, selector: str) -> None:
    """As somebody without a pointer gets there."""
    for _ in range(120):
        if await page.evaluate("(to) => document.activeElement.matches(to)", selector):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard never reaches {selector}")


async def press_on(page: Page, selector: str, key: str = "Enter") -> None:
    await tab_to(page, selector)
    await page.keyboard.press(key)


async def select(page: Page, selector: str, value: str) -> None:
    """Down the list, as often as it takes."""
    await tab_to(page, selector)
    values = await page.locator(f"{selector} option").evaluate_all("all => all.map(each => each.value)")
    for _ in range(values.index(value)):
        await page.keyboard.press("ArrowDown")
    assert await page.locator(selector).input_value() == value


async def write(page: Page, selector: str, text: str) -> None:
    await tab_to(page, selector)
    await page.keyboard.type(text)


async def choose(page: Page, name: str, value: str) -> None:
    """One of the radio buttons ``name``: into their group, and down to it."""
    values = await page.locator(f"input[name={name}]").evaluate_all("all => all.map(each => each.value)")
    await press_on(page, f"input[name={name}]", "Space")
    for _ in range(values.index(value)):
        await page.keyboard.press("ArrowDown")
    assert await page.locator(f"input[name={name}][value={value}]").is_checked()


async def at_the_provider(page: Page, subject: str, method: str) -> None:
    """From the page between, through the provider's own pages, as ``Visitor.at_the_provider`` by pointer."""
    await page.wait_for_url("**/verify/go")
    await press_on(page, "a[rel=noreferrer]")
    await page.wait_for_url("**/authorize/*")
    if not await page.locator("#subject").count():
        await press_on(page, f"a[href$='method={method}']")
        await page.wait_for_url(f"**method={method}")
    await select(page, "#subject", subject)
    await press_on(page, "button")
