"""消息 by e-mail: asked for on the page, followed into the mailbox and back, and taken back again."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from playwright.async_api import expect

from gateway.portal.catalogues import translations
from gateway.portal.preferences import Language
from mock_services.demo.journeys.stage import until
from tests.browser.applicants import SESSION
from tests.browser.hands import Keys
from tests.browser.looking import Looking
from tests.support.province import LiveProvince
from tests.support.tiny_mail import TinyMail

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
ADDRESS = "an.ran+power@example.com"
DEMAND = {"region": "440106", "voltage_v": 220, "capacity_kw": 8, "purpose": "演示人工"}


async def advanced(province: LiveProvince, application_id: str) -> None:
    """The utility takes its next step, of which the applicant is told."""
    url = f"{province.province.utility}/__admin/applications/{application_id}/advance"
    (await province.http.post(url)).raise_for_status()


async def told(mailbox: TinyMail, application_id: str, count: int) -> list[Any]:
    """The e-mails about the application, once there are ``count``."""

    def about() -> list[EmailMessage]:
        mails = [message_from_bytes(raw, policy=default) for to, raw in mailbox.taken if to == ADDRESS]
        return [each for each in mails if application_id in each.get_content()]  # type: ignore[misc,attr-defined]

    async def enough() -> list[EmailMessage] | None:
        return about() if len(about()) >= count else None

    found: list[Any] = await until(enough, f"{count} e-mails")
    return found


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
async def test_notices_come_by_email_until_they_are_taken_back(
    looking: Looking, province: LiveProvince, mailbox: TinyMail, english: bool
) -> None:
    applicant = province.applicant("resident-ordinary")
    await applicant.verify("resident", "face")
    intake = await applicant.begin("face-verified", DEMAND)
    application_id = (await applicant.confirm(intake["intake_id"]))["application_id"]
    await province.stage().at_utility(application_id)
    hands = await Keys.at(looking, english=english)
    gateway = province.province.gateway
    await hands.page.context.add_cookies(
        [{"name": SESSION, "value": applicant.token, "url": gateway.replace("http:", "https:"), "secure": True}]
    )
    say = translations(Language.ENGLISH if english else Language.CHINESE).gettext
    page = f"/applications/{application_id}/notices"
    await hands.open(page)
    await hands.pick(say("电子邮件"))
    await hands.write(say("电子邮箱或手机号码"), ADDRESS)
    await hands.press(say("保存"))
    await hands.reads(say("请勾选同意，否则平台不能保存您的联系方式"))
    for wrong in ("nobody at home", "13800000000", "a@b", ADDRESS + ",other@example.com"):
        await hands.pick(say("电子邮件"))
        await hands.write(say("电子邮箱或手机号码"), wrong)
        await hands.tick(say("我同意平台为通知本申请的进展而保存并使用这个联系方式"))
        await hands.press(say("保存"))
        await hands.reads(say("请填写电子邮箱，如 name@example.com"))
        await expect(hands.page.locator("#address")).to_have_value("")
        assert wrong not in await hands.page.content(), "what was typed is not shown again"
    await hands.shows(f"applicant/notices-wrong-{'en' if english else 'zh'}")
    await hands.pick(say("电子邮件"))
    await hands.write(say("电子邮箱或手机号码"), ADDRESS)
    await hands.tick(say("我同意平台为通知本申请的进展而保存并使用这个联系方式"))
    await hands.press(say("保存"))
    await expect(hands.page.locator("#way-email")).to_be_checked()
    assert ADDRESS not in await hands.page.content()
    before = len(mailbox.taken)
    await advanced(province, application_id)
    mail = (await told(mailbox, application_id, 1))[0]
    assert mail["From"] == "notice@gateway.example"
    assert mail["Subject"] == ("News of your application for power" if english else "用电报装申请有新进展")
    text = mail.get_content()
    assert not any(each in text for each in ("陈安然", ADDRESS, "440106"))
    (link,) = re.findall(rf"{gateway}\S+", text)
    stranger = await Keys.at(looking, english=english)
    await stranger.open(link)
    await stranger.arrives(say("请先核验身份"))
    await hands.open(link)
    await expect(hands.page.get_by_text(application_id).first).to_be_visible()
    await hands.open(page)
    await hands.pick(say("不另外通知，我自己来看"))
    await hands.press(say("保存"))
    await expect(hands.page.locator("#way-none")).to_be_checked()
    told_before = len(await told(mailbox, application_id, 1))
    await advanced(province, application_id)
    await hands.page.wait_for_timeout(7_000)  # a sender looks every five seconds
    assert len(await told(mailbox, application_id, 1)) == told_before
    assert len(mailbox.taken) >= before + told_before
    assert ADDRESS not in province.gateway_logs()
