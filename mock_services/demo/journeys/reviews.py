"""Certificates that agree, that contradict, and that a person must look at (证照一致性核对)."""

import asyncio
import os
import sys
from typing import Any

from mock_services.demo.applicant import Applicant, Refused
from mock_services.demo.journeys.stage import BAKERY, HOME, Stage, Unexpected, apply, expect

OFFICER = "gd-4407"
WORKSHOP = {**BAKERY, "purpose": "演示人工"}
PLANT = {"voltage_v": 10_000, "capacity_kw": 800, "purpose": "演示人工"}
MILL = {"voltage_v": 380, "capacity_kw": 315, "purpose": "演示人工"}
REFUSED = {
    "enterprise-other-builder": ({**PLANT, "region": "440306"}, "builder"),
    "enterprise-other-site": ({**PLANT, "region": "440309"}, "site"),
    "enterprise-agent-self-signed": ({**MILL, "region": "440604"}, "agent"),
}


async def certificates_that_agree(stage: Stage) -> None:
    """What agrees passes, what contradicts is refused with both owners, what is unsure an officer settles."""
    await _agree(stage)
    for subject, (demand, comparison) in REFUSED.items():
        await _contradict(stage, subject, demand, comparison)
    await _settled_by_an_officer(stage)


async def _agree(stage: Stage) -> None:
    renamed = stage.applicant("enterprise-renamed")
    await renamed.verify("enterprise", "e_licence")
    preview = await renamed.begin("one-certificate", {**WORKSHOP, "region": "440112"})
    holder = _finding(preview, "holder")
    expect(
        (holder["outcome"], holder["reason"]) == ("consistent", "former_name"), "the former name is the same company"
    )
    stage.say(f"{holder['says']}：{holder['notes'][0]}")
    await renamed.drop(preview["intake_id"])
    historic = stage.applicant("resident-historic-number")
    await historic.verify("resident", "face")
    application_id = await apply(stage, historic, "face-verified", {**HOME, "region": "440103"})
    expect(bool(application_id), "a number of 15 digits is the same person")
    stage.say("住房登记在15位旧号码下：按国家标准换算后一致，直接送达")


async def _contradict(stage: Stage, subject: str, demand: dict[str, Any], comparison: str) -> None:
    applicant = stage.applicant(subject)
    await applicant.verify("enterprise", "e_licence")
    preview = await applicant.begin("one-certificate", demand)
    expect(_finding(preview, comparison)["outcome"] == "contradiction", f"{subject}: {comparison} contradicts")
    try:
        await applicant.confirm(preview["intake_id"])
    except Refused as refused:
        problem = refused.problem
        expect(problem["check"] == f"consistency.{comparison}", f"{subject} is refused for {comparison}")
        stage.say(f"{subject}：{' 与 '.join(problem['facts']['documents'])} 不一致，拒绝——{problem['remedy']}")
    else:
        raise Unexpected(f"{subject}: it could be confirmed")
    await applicant.drop(preview["intake_id"])


async def _settled_by_an_officer(stage: Stage) -> None:
    applicant = stage.applicant("enterprise-fuzzy-owner")
    await applicant.verify("enterprise", "e_licence")
    preview = await applicant.begin("one-certificate", {**WORKSHOP, "region": "440111"})
    holder = _finding(preview, "holder")
    expect((holder["outcome"], holder["reason"]) == ("unsure", "name_differs"), "almost the same is not the same")
    waiting = await applicant.confirm(preview["intake_id"])
    expect(waiting["status"] == "under_review", "a person looks at it first")
    stage.say(f"{holder['says']}；已确认，转人工核查")
    task = waiting["review_task_id"]
    listed = await _bandian(stage, "list", "--state", "open")
    expect(f"{task}\topen\t" in listed and "有限" not in listed, "the list names the task and nobody")
    shown = await _bandian(stage, "show", task, "--officer", OFFICER)
    expect("有限责任公司" in shown and "有限公司" in shown, "the officer sees both names")
    stage.say("工作人员查看比对内容（留痕）：两份证照代码相同，名称差两个字")
    settled = await _bandian(
        *(stage, "settle", task, "accepted", "--officer", OFFICER, "--no-interest"),
        *("--reason", "已与登记机关核实为同一主体"),
    )
    stage.say(settled.strip())
    review = await applicant.review(preview["intake_id"])
    expect(review["status"] == "accepted", "it is accepted")
    await stage.at_utility(review["application_id"])
    stage.say("供电企业已收到")
    await _seen_by(applicant, stage, review["application_id"])


async def _seen_by(applicant: Applicant, stage: Stage, application_id: str) -> None:
    accesses = (await applicant.progress(application_id))["accesses"]
    looked = [access for access in accesses if access["purpose"] == "consistency_review"]
    expect(len(looked) == 1, "the applicant sees that an officer looked")
    stage.say(f"谁看过我的信息：{looked[0]['who']}，{'、'.join(looked[0]['fields'][:2])}…")


def _finding(preview: dict[str, Any], comparison: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in preview["consistency"] if each["comparison"] == comparison)
    return found


async def _bandian(stage: Stage, *arguments: str) -> str:
    """``bandian reviews …`` as an officer runs it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", "reviews", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **stage.province.environment},
    )
    printed, _ = await process.communicate()
    text = printed.decode(errors="replace")
    expect(process.returncode == 0, f"bandian reviews {arguments[0]}: {text.strip()[-500:]}")
    return text
