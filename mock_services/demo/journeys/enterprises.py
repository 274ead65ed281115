"""Enterprises with one licence; joint review in its modes."""

from typing import Any

from mock_services.demo.applicant import Applicant
from mock_services.demo.journeys.stage import BAKERY, CHIP_PLANT, MILL, Stage, apply, expect, same_outcomes, until


async def small_enterprise(stage: Stage) -> None:
    """3 A small enterprise, one licence, 三零."""
    applicant = stage.applicant("enterprise-small")
    await applicant.verify("enterprise", "e_licence")
    application_id = await apply(stage, applicant, "one-certificate", BAKERY)
    progress = await stage.finished(applicant, application_id)
    expect(progress["customer_class"]["customer_class"] == "lv_zero", "the class is lv_zero")
    expect(len(progress["stages"]) == 2, "two stages")


async def enterprise_by_agent(stage: Stage) -> None:
    """4 An ordinary low-voltage enterprise, by an agent; the province lets a permit go by commitment (告知承诺)."""
    applicant = stage.applicant("enterprise-agent")
    await applicant.verify("enterprise", "e_licence")
    stage.say("经办人持电子营业执照授权办理")
    application_id = await apply(stage, applicant, "one-certificate", MILL)
    await _commit(stage, applicant, application_id)
    progress = await stage.finished(applicant, application_id)
    expect(progress["customer_class"]["customer_class"] == "lv_ordinary", "the class is lv_ordinary")
    expect(progress["joint_review"]["state"] == "approved", "all permits are approved, exempt or committed to")
    modes = {permit["summary"]["mode"] for permit in progress["permits"]}
    expect(modes == {"full", "commitment", "exempt"}, "each in its own mode")


async def _commit(stage: Stage, applicant: Applicant, application_id: str) -> None:
    """Wait until a permit waits on the applicant, and commit."""

    async def waiting() -> dict[str, Any] | None:
        permits = (await applicant.progress(application_id))["permits"]
        return next((permit for permit in permits if permit["next_step_href"]), None)

    permit = await until(waiting, "a permit waits for the applicant's commitment")
    stage.say(f"{permit['summary']['permit']}：{permit['next_step']}（{permit['summary']['mode_clause']}）")
    given = await applicant.commit(permit["next_step_href"])
    expect(given["as_read"] and bool(given["record_id"]), "the commitment is given in the words that were read")
    stage.say(f"申请人本人作出告知承诺，摘要 {given['sha256'][:12]}…，已存证")


async def dual_source(stage: Stage) -> None:
    """5 High voltage, two sources: five departments in parallel, a 补正, a rejection superseded by an approval."""
    applicant = stage.applicant("enterprise-dual-source")
    await applicant.verify("enterprise", "e_licence")
    application_id = await apply(stage, applicant, "one-certificate", CHIP_PLANT)
    progress = await stage.finished(applicant, application_id)
    permits = progress["permits"]
    expect(len(permits) == 5, "five permits")
    expect(progress["joint_review"]["state"] == "approved", "all permits are approved")
    by_department = {permit["summary"]["department"].split("-")[0]: permit for permit in permits}
    for name, permit in by_department.items():
        steps = " → ".join(outcome["outcome"] for outcome in permit["outcomes"])
        stage.say(f"{name}：{steps}")
    pauses = by_department["planning"]["pauses"]
    expect(len(pauses) == 1 and pauses[0]["until_at"] is not None, "the 补正 stopped the clock, and it runs again")
    road = by_department["road"]["outcomes"]
    superseded = [outcome["outcome"] for outcome in road if outcome["superseded"]]
    expect(superseded == ["rejected"], "the rejection is superseded")
    expect(road[-1]["outcome"] == "approved", "by an approval")
    await same_outcomes(stage, application_id, {permit["summary"]["permit_id"] for permit in permits})
