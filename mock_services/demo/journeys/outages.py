"""What goes down and loses nothing."""

import asyncio

from mock_services.demo.journeys.stage import LOW_VOLTAGE_LINE, MILL, Stage, apply, expect, same_outcomes, until


async def utility_down(stage: Stage) -> None:
    """8 The utility is down for a while, and still gets every outcome, once."""
    applicant = stage.applicant("enterprise-agent")
    await applicant.verify("enterprise", "e_licence")
    application_id = await apply(stage, applicant, "one-certificate", {**MILL, "purpose": "演示人工"})
    admin = f"{stage.province.utility}/__admin"
    outage = [
        {"match": "/webhooks", "kind": "reset", "times": 3},
        {"match": "/webhooks", "kind": "status", "status": 503, "retry_after": 1, "times": None},
    ]
    (await stage.http.put(f"{admin}/faults", json=outage)).raise_for_status()
    stage.say("供电企业接收端停机")
    prefixes = {"planning": "construction_planning", "road": "road_occupation", "water": "river_works"}
    review = {
        "line": LOW_VOLTAGE_LINE,
        "permits": [{"department": f"{prefix}-440600", "permit": permit} for prefix, permit in prefixes.items()],
    }
    opened = await stage.http.post(f"{admin}/applications/{application_id}/joint-review", json=review)
    permits = {permit["permit_id"] for permit in opened.raise_for_status().json()["permits"]}

    async def decided() -> bool:
        outcomes = await stage.department_outcomes(permits)
        return len(outcomes) == 6 and all(outcome["acknowledged_at"] for outcome in outcomes)

    await until(decided, "the gateway acknowledges every outcome meanwhile")
    held = await stage.utility_outcomes(application_id)
    expect(not held, "nothing arrives while it is down")
    stage.say("三部门 6 个结果均已由共享平台受理；供电企业尚无一个")
    await asyncio.sleep(2)
    (await stage.http.delete(f"{admin}/faults")).raise_for_status()
    stage.say("接收端恢复")
    await same_outcomes(stage, application_id, permits)
