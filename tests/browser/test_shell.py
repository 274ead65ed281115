"""What all pages share: the head with its two switches, pages for what there is not, the policy."""

import pytest

from tests.browser.looking import Looking
from tests.support.province import LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_language_and_large_type_are_a_click_away(looking: Looking, script: bool) -> None:
    context = await looking.context(script=script)
    page = await context.new_page()
    await page.goto("/")
    assert await page.get_attribute("html", "lang") == "zh-CN"
    await page.get_by_role("button", name="English").click()
    assert await page.get_attribute("html", "lang") == "en"
    await page.get_by_role("button", name="Large type").click()
    assert await page.get_attribute("html", "class") == "large"
    await page.reload()
    assert await page.get_attribute("html", "lang") == "en", "it is remembered"
    await page.get_by_role("button", name="Ordinary type").click()
    await page.get_by_role("button", name="中文").click()
    assert await page.get_attribute("html", "lang") == "zh-CN"


@pytest.mark.parametrize("large", [False, True], ids=["ordinary", "large"])
@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
@pytest.mark.parametrize(("path", "name"), [("/", "home"), ("/nowhere", "unknown")])
async def test_every_page_keeps_the_rules(looking: Looking, path: str, name: str, english: bool, large: bool) -> None:
    for phone in (False, True):
        context = await looking.context(english=english, large=large, phone=phone)
        page = await context.new_page()
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == (404 if name == "unknown" else 200)
        variant = "-".join(["en" if english else "zh", *(["large"] if large else []), *(["phone"] if phone else [])])
        await looking.check(page, f"shared/{name}-{variant}")


async def test_the_keyboard_reaches_the_content_first(looking: Looking) -> None:
    page = await (await looking.context()).new_page()
    await page.goto("/")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "跳到正文"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "content"


async def test_a_form_from_elsewhere_changes_nothing(province: LiveProvince) -> None:
    url = province.province.gateway + "/preferences"
    html = {"accept": "text/html"}
    refused = await province.http.post(url, data={"language": "en", "back": "/"}, headers=html)
    assert refused.status_code == 403
    assert "form.token" in refused.text
    assert "set-cookie" not in refused.headers or "bandian_language" not in refused.headers["set-cookie"]


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
async def test_nobody_is_sent_elsewhere(looking: Looking, back: str, province: LiveProvince) -> None:
    page = await (await looking.context()).new_page()
    await page.goto("/")
    await page.evaluate("(back) => { document.querySelector('input[name=back]').value = back; }", back)
    await page.get_by_role("button", name="English").click()
    assert page.url == province.province.gateway + "/"


@pytest.mark.parametrize("path", ["/", "/apply", "/verify/resident", "/console/sign-in", "/public"])
async def test_no_page_is_shown_in_anothers_frame(looking: Looking, province: LiveProvince, path: str) -> None:
    page = await (await looking.context()).new_page()
    url = province.province.gateway + path
    async with page.expect_response(url):
        await page.set_content(f'<h1>Win a prize</h1><iframe src="{url}" width="900" height="600"></iframe>')
    (frame,) = page.main_frame.child_frames
    await frame.wait_for_load_state()
    assert frame.url.startswith("chrome-error:")
    assert await frame.locator("main#content, form").count() == 0


async def test_programs_still_get_problem_documents(province: LiveProvince) -> None:
    answer = await province.http.get(province.province.gateway + "/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
