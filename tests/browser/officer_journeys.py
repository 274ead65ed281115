"""The journeys of those who sign in as officers: operator, reviewer, auditor, authority."""

import re

from playwright.async_api import expect

from mock_services.demo.journeys.reviews import WORKSHOP
from mock_services.demo.roster import UTILITY
from tests.browser.hands import Hands
from tests.support.province import LiveProvince


async def _in(hands: Hands, name: str, path: str = "/console") -> None:
    """An officer signs in at their provider."""
    await hands.open(path)
    await hands.follow("登录", "main")
    await hands.choose("工作人员", name)
    await hands.press("登录")


async def _out(hands: Hands) -> None:
    await hands.press("退出")
    await hands.arrives("您已退出控制台")
    await hands.page.go_back()
    await hands.page.reload()
    await hands.arrives("工作人员登录")


async def operator(hands: Hands, province: LiveProvince) -> None:
    """Replays an event, drafts an agreement, writes a rule, and looks in at the other areas."""
    await delivered(province)
    await _in(hands, "陈立")
    await hands.arrives("待办")
    await hands.follow("送达", "nav")
    await hands.choose("状态", "已送达")
    await hands.press("查找")
    await hands.follow(await hands.page.locator("main [data-row]").first.inner_text(), "main tbody tr:first-child")
    await hands.press("重放")
    await hands.arrives("请先更正以下内容")
    await hands.choose("理由", "演练")
    await hands.press("重放")
    await expect(hands.page.locator("#errors")).to_have_count(0)
    await hands.follow("接入单位", "nav")
    await hands.follow(UTILITY, "main")
    await hands.follow("起草协议")
    await hands.write("起始日", "2026-01-01")
    await hands.write("终止日（含）", "2027-12-31")
    await hands.write("法律依据", "第（七）条")
    await hands.press("保存为草稿")
    await hands.reads("请至少勾选一种证照的一个字段")
    await hands.tick("统一社会信用代码", "main fieldset:has(#business_licence-number)")
    await hands.press("保存为草稿")
    await hands.press("提交联调")
    await hands.reads("您起草或提交了这份协议，须由另一位工作人员批准。")
    await hands.follow("规则", "nav")
    await hands.follow("添加规则行")
    await hands.choose("规则表", "环节")
    await hands.press("继续")
    await hands.choose("用户类型", "未实行")
    await hands.choose("环节", "供电方案")
    await hands.write("时限（工作日）", "2")
    await hands.write("行政区划", "440100")
    await hands.write("起始日", "2097-01-06")
    await hands.write("终止日（含）", "2097-12-31")
    await hands.write("文号", "穗发改〔2096〕18号")
    await hands.write("条款", "第二条")
    await hands.write("条款原文或摘要", "两个工作日内答复供电方案。")
    await hands.press("预览影响范围")
    await hands.arrives("添加规则行")
    await hands.press("保存为草稿")
    await hands.reads("您起草了这一行，须由另一位工作人员批准。")
    await hands.follow("项目线索", "nav")
    await hands.arrives("工程建设项目线索")
    await hands.follow("监管", "nav")
    await hands.arrives("办理时长与时限")
    await hands.follow("控制台", "nav")
    await hands.arrives("待办")
    await _out(hands)


async def reviewer(hands: Hands, province: LiveProvince) -> None:
    """Settles what a person must look at, and sees an applicant for a reason."""
    task = await in_doubt(province)
    await _in(hands, "周宁")
    await hands.follow("核查", "nav")
    await hands.follow(task)
    await hands.press("查看比对内容")
    await hands.reads("有限责任公司")
    await hands.pick("核查通过")
    await hands.write("理由", "已与登记机关核实为同一主体")
    await hands.tick("我不是申请人或经办人，与其无利害关系")
    await hands.press("提交决定")
    await hands.follow(await hands.page.locator("main dd a[href^='/console/applications/']").inner_text(), "main")
    await hands.follow("说明理由后查看")
    await hands.pick("处理投诉举报")
    await hands.press("查看")
    await hands.reads("91440111TD")
    assert "91440111TD" not in hands.page.url
    await hands.follow("返回申请")
    await _out(hands)


async def auditor(hands: Hands, province: LiveProvince) -> None:
    """Reads everything, changes nothing: from an application to the proof of what was recorded of it."""
    await delivered(province)
    await _in(hands, "何静")
    for section in ("申请", "送达", "接收方", "对账", "核查", "接入单位", "数据来源", "规则"):
        await hands.follow(section, "nav")
        await hands.arrives(section)
        await expect(hands.page.locator("main form[method=post]")).to_have_count(0)
    await hands.follow("申请", "nav")
    await hands.press("查找")
    await hands.follow(await hands.page.locator("main [data-row]").first.inner_text(), "main tbody tr:first-child")
    await hands.finds_no("link", "说明理由后查看")
    record = await hands.page.locator("main a[href^='/console/record/']").first.inner_text()
    await hands.follow("存证", "nav")
    await hands.write("存证编号", record)
    await hands.press("查看证明")
    await hands.reads("核验通过")
    await hands.unfold("证明（JSON）")
    await hands.follow("监管", "nav")
    await hands.arrives("办理时长与时限")
    await hands.follow("项目线索", "nav")
    await hands.arrives("工程建设项目线索")
    await hands.open("/console/rules/new")
    await hands.reads("officer.role")
    await hands.shows("console/refused")
    await hands.follow("回到控制台")
    await hands.arrives("待办")
    await _out(hands)


async def authority(hands: Hands, _province: LiveProvince) -> None:
    """The energy authority: figures of a city, the ledger to take along, the leads."""
    await _in(hands, "罗平")
    await hands.arrives("能源主管部门")
    await hands.shows("console/home-authority")
    await hands.follow("监管", "nav")
    await hands.write("起始日期", "2026-01-01")
    await hands.choose("地区", "广州市")
    await hands.press("查询", "main")
    await hands.reads("2026年1月1日")
    for section in ("各环节", "外线审批", "如实记录与便民", "重点任务台账"):
        await hands.follow(section, "nav")
        assert "city=440100" in hands.page.url, "what was asked for goes along"
    for link, suffix in (("下载电子表格", "xlsx"), ("下载 PDF", "pdf")):
        assert re.fullmatch(rf"广州市重点任务台账2026-01-01至[\d-]+\.{suffix}", await hands.take(link))
    await hands.follow("项目线索", "nav")
    await hands.choose("状态", "新线索")
    await hands.press("查询", "main")
    await hands.arrives("工程建设项目线索")
    await _out(hands)


async def delivered(province: LiveProvince) -> None:
    """There is an application that a utility has signed for."""
    applicant = province.applicant("resident-historic-number")
    await applicant.verify("resident", "face")
    demand = {"region": "440103", "voltage_v": 220, "capacity_kw": 8, "purpose": "演示人工"}
    application = await applicant.confirm((await applicant.begin("face-verified", demand))["intake_id"])
    await province.stage().at_utility(application["application_id"])


async def in_doubt(province: LiveProvince) -> str:
    """Names differ by two characters; answers the number of the task that waits for a reviewer."""
    applicant = province.applicant("enterprise-fuzzy-owner")
    await applicant.verify("enterprise", "e_licence")
    preview = await applicant.begin("one-certificate", {**WORKSHOP, "region": "440111"})
    waiting = await applicant.confirm(preview["intake_id"])
    return str(waiting["review_task_id"])
