"""The whole journey of each persona, told once: what they do, by role and name. Whose hands do it is another matter."""

from collections.abc import Awaitable, Callable

from playwright.async_api import expect

from mock_services.demo.journeys.stage import until
from schemas.events import EventType
from tests.browser.hands import Hands
from tests.browser.officer_journeys import auditor, authority, operator, reviewer
from tests.support.province import LiveProvince

Journey = Callable[[Hands, LiveProvince], Awaitable[None]]
BAKER, MILLER = "实行“三零”的小微企业", "未实行“三零”的低压企业，经办人办理"
"""How the mock provider names who acts for them."""
HAND = "演示人工"
"""A purpose that the mock utility does not work on by itself."""


async def _verified(hands: Hands, way: str, somebody: str, provider: str | None = None) -> None:
    """From the choice of a way, through the provider's own pages, and back."""
    await hands.pick(way)
    await hands.press("继续")
    if way == "刷脸":
        await hands.reads("人脸图像只交给身份核验机构；平台和供电企业不接收、不保存")
    await hands.follow("前往核验")
    if not await hands.page.locator("#subject").count():
        await hands.follow(provider or way)
    await hands.choose("模拟人员", somebody)
    await hands.press("开始核验")


async def _applied(hands: Hands) -> str:
    """From what was found to the application; answers its number."""
    await hands.arrives("请确认：这些是您的吗？")
    await hands.press("同意授权并提交")
    await hands.reads("同意授权才能提交；不同意可以放弃，不留存任何信息")
    await hands.tick("我已看过以上内容，同意授权")
    await hands.press("同意授权并提交")
    await hands.arrives("申请已提交")
    return (await hands.page.locator(".panel .number").inner_text()).strip()


async def resident(hands: Hands, province: LiveProvince) -> None:
    """From the first page to the withdrawal, the rating and the way out."""
    await hands.open("/")
    await hands.follow("我要办电", "main")
    await hands.follow("居民 以个人身份申请住房等用电；刷脸，或用短信、窗口核验")
    await hands.reads("通常什么都不用带。")
    await hands.follow("开始：核验身份")
    await _verified(hands, "刷脸", "陈安然", "刷脸核验")
    await hands.arrives("在哪里用电，用多少？")
    await hands.press("查找我的证照")
    await hands.arrives("请先更正以下内容")
    await hands.choose("用电地址所在区县", "天河区")
    await hands.pick("220 伏（单相）")
    await hands.write("需要多少容量？", "8")
    await hands.write("做什么用？", HAND)
    await hands.press("查找我的证照")
    number = await _applied(hands)
    await hands.follow("查看进度")
    await hands.arrives("受理签约")
    await hands.follow("消息")
    await hands.reads("申请已受理。")
    await hands.follow("谁看过我的信息")
    await hands.reads("不认识、或不明白为什么？")
    await hands.follow("授权与撤回")
    await hands.pick(await hands.page.locator("#period label").last.inner_text())
    await hands.press("延长授权")
    await hands.finds_no("button", "延长授权")
    await hands.follow("撤回授权")
    await hands.press("撤回授权")
    await hands.waits_for("供电企业已签名回执")
    await hands.follow("进度")
    await hands.follow("不办了，撤回申请")
    await hands.press("撤回申请")
    await hands.follow("进度")
    await hands.reads("您已撤回申请")
    await hands.follow("评价服务")
    await hands.pick("满意")
    await hands.tick("说得清楚")
    await hands.press("提交评价")
    await hands.arrives("您的评价")
    await arrived(province, number, EventType.SERVICE_RATED)
    await hands.press("退出")
    await hands.arrives("已退出")
    await hands.open(f"/applications/{number}")
    await hands.arrives("请先核验身份")
    await hands.shows("applicant/sign-in-again")


async def enterprise(hands: Hands, province: LiveProvince) -> None:
    """The legal representative: walks away once, applies, signs the supply contract."""
    await hands.open("/apply")
    await hands.follow("企业 以企业身份申请；法定代表人或经办人出示电子营业执照")
    await hands.reads("一张电子营业执照就够。")
    await hands.follow("开始：核验身份")
    await _verified(hands, "电子营业执照", BAKER)
    for purpose in ("看看再说", "演示电子合同"):
        await hands.arrives("在哪里用电，用多少？")
        await hands.choose("用电地址所在区县", "海珠区")
        await hands.pick("380 伏（三相）")
        await hands.write("需要多少容量？", "80")
        await hands.pick("一路")
        await hands.pick("是")
        await hands.write("做什么用？", purpose)
        await hands.press("查找我的证照")
        if purpose == "看看再说":
            await hands.arrives("请确认：这些是您的吗？")
            await hands.unfold("供电企业会得到其中")
            await hands.press("放弃，不留存任何信息")
            await hands.arrives("已放弃，没有留存任何信息")
            await hands.follow("查看我的申请")
            await hands.follow("新的申请")
    number = await _applied(hands)
    await hands.follow("查看进度")
    await hands.waits_for("等您办理：阅读并签订供用电合同")
    await hands.follow("供用电合同")
    assert (await hands.take("下载合同（文本）")).endswith(".txt")
    await hands.press("去核验并签订")
    await hands.arrives("请先更正以下内容")
    await hands.tick("我已阅读合同，同意签订")
    await hands.pick("电子营业执照")
    await hands.press("去核验并签订")
    await hands.follow("前往核验")
    if not await hands.page.locator("#subject").count():
        await hands.follow("电子营业执照")
    await hands.choose("模拟人员", BAKER)
    await hands.press("开始核验")
    await hands.arrives("现在签订吗？")
    await hands.press("签订")
    await hands.reads("已签订")
    await arrived(province, number, EventType.CONTRACT_SIGNED)


async def agent(hands: Hands, _province: LiveProvince) -> None:
    """A 经办人, with 告知承诺 and permits in parallel, until there is power."""
    await hands.open("/apply/enterprise")
    await hands.follow("开始：核验身份")
    await _verified(hands, "电子营业执照", MILLER)
    await hands.arrives("在哪里用电，用多少？")
    await hands.reads("经办人")
    await hands.choose("用电地址所在区县", "南海区")
    await hands.pick("380 伏（三相）")
    await hands.write("需要多少容量？", "315")
    await hands.write("做什么用？", "纺织车间，占用绿地告知承诺")
    await hands.press("查找我的证照")
    await _applied(hands)
    await hands.follow("查看进度")
    await hands.waits_for("待您办理：阅读并签署告知承诺书")
    await hands.shows("applicant/permits")
    await hands.follow("阅读承诺书")
    await hands.arrives("请阅读告知承诺书")
    await hands.shows("applicant/commitment")
    await hands.press("作出承诺")
    await hands.reads("请先阅读，再勾选作出承诺；不同意则无需提交")
    await hands.tick("我已阅读并作出上述承诺")
    await hands.press("作出承诺")
    await hands.arrives("您已作出承诺")
    await hands.follow("返回进度", "main .actions")
    await hands.waits_for("已办结，已通电。")
    await expect(hands.page.locator(".permit .badge-done")).to_have_count(3)
    await hands.follow("谁看过我的信息")
    await expect(hands.page.locator(".accesses .card").first.get_by_text("广东电网（模拟）")).to_be_visible()
    await hands.unfold("看到了哪些内容")
    await hands.follow("进度")
    await hands.follow("投诉与建议：说什么、打哪个电话")
    await hands.reads("12398")
    await hands.press("退出")
    await hands.arrives("已退出")


async def reader(hands: Hands, _province: LiveProvince) -> None:
    """Somebody who is nobody here: rules, performance, capacity, outages; in English and in large type."""
    await hands.open("/")
    await hands.follow("办事公开 环节、时限、材料与收费，各市办理情况")
    await hands.follow("环节、时限、资料与收费 按地区和受理日期，查适用的规定")
    await hands.choose("地区", "深圳市")
    await hands.write("受理日期", "2022-06-01")
    await hands.press("查询")
    await hands.reads("2022年6月1日 在深圳市受理的申请")
    await hands.follow("实行“三零”服务的低压非居民用户")
    await hands.reads("20 个工作日")
    await hands.follow("环节、时限、资料与收费")
    await hands.follow("办事公开", "main")
    await hands.follow("各市办理情况 每月办结多少件，用了几个工作日，是否超时")
    await hands.press("查询")
    await hands.arrives("全部地区")
    await hands.follow("办事公开", "main")
    await hands.follow("可开放容量 当地电网还能接入多少")
    await hands.choose("地区", "广州市")
    await hands.press("查询", "main")
    await hands.follow("办事公开", "main")
    await hands.follow("停电信息 计划停电、正在停电、何时恢复")
    await hands.choose("地区", "广州市")
    await hands.press("查询", "main")
    await hands.press("English")
    await hands.arrives("Outages")
    await hands.press("Large type")
    await expect(hands.page.locator("html")).to_have_class("large")
    await hands.press("Ordinary type")
    await hands.press("中文")
    await hands.arrives("停电信息")


async def arrived(province: LiveProvince, application_id: str, kind: EventType) -> None:
    """The utility holds an event of ``kind`` about the application."""

    async def held() -> bool:
        events = await province.stage().get(f"{province.province.utility}/__admin/events")
        return any((each["application_id"], each["type"]) == (application_id, kind.value) for each in events)

    await until(held, f"{kind} reaches the utility")


PERSONAS: dict[str, Journey] = {
    "resident": resident,
    "enterprise": enterprise,
    "agent": agent,
    "reader": reader,
    "operator": operator,
    "reviewer": reviewer,
    "auditor": auditor,
    "authority": authority,
}
ON_A_TELEPHONE = {"resident"}
