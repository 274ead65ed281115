"""What is refused: asking for too much, and certificates that do not hold."""

from mock_services.demo.applicant import Refused
from mock_services.demo.journeys.stage import BAKERY, Stage, Unexpected, apply, expect


async def too_much(stage: Stage) -> None:
    """6 The utility asks for too much, and is refused with the clause."""
    applicant = stage.applicant("enterprise-small")
    await applicant.verify("enterprise", "e_licence")
    application_id = await apply(stage, applicant, "one-certificate", {**BAKERY, "purpose": "演示人工"})
    for kind in ("construction_qualification", "resident_id"):
        status, problem = await stage.ask_as_utility(application_id, kind=kind, purpose="grid_connection")
        expect(status == 403 and problem.get("clause") == "第（六）条", f"{kind} is refused by 第（六）条")
        stage.say(f"索取 {kind}：拒绝，{problem['clause']}——{problem['remedy']}")
    status, problem = await stage.ask_as_utility(
        application_id, kind="property_certificate", purpose="grid_connection", fields=["owner_codes"]
    )
    expect(status == 403, "a field outside the agreement is refused")
    stage.say(f"索取协议外字段：拒绝——{problem['remedy']}")
    status, problem = await stage.ask_as_utility(
        application_id, kind="property_certificate", purpose="grid_connection", fields=["land_use"]
    )
    expect(status == 403 and problem["check"] == "disclosure.not_required", "agreed, and not needed at this stage")
    stage.say(f"索取协议内而该环节不需要的字段：拒绝，{problem['clause']}")
    status, answer = await stage.ask_as_utility(
        application_id, kind="property_certificate", purpose="grid_connection", fields=["owner_matches"]
    )
    expect(status == 200 and answer["predicates"] == {"owner_matches": True}, "whether it is the owner's is answered")
    expect(answer["fields"] == {}, "without telling of the owner")
    stage.say("产权人一致：是；不提供权利人的姓名与号码")
    status, answer = await stage.ask_as_utility(
        application_id, kind="business_licence", purpose="grid_connection", fields=["name", "holder", "valid_on"]
    )
    expect(status == 200 and answer["verdict"] == "valid", "what it may have, it gets")
    expect(set(answer["fields"]) == {"name", "holder"}, "and nothing else")
    stage.say(f"营业执照：有效；给出 {'、'.join(answer['fields'])}，未给出 {len(answer['withheld'])} 项")
    progress = await applicant.progress(application_id)
    refused = [access for access in progress["accesses"] if access["result"] == "refused"]
    expect(len(refused) >= 4, "the applicant sees the refused attempts")
    stage.say(f"申请人看到 {len(refused)} 次被拒绝的查询；撤回授权")
    await applicant.withdraw(application_id)
    status, problem = await stage.ask_as_utility(application_id, kind="business_licence", purpose="grid_connection")
    expect(status == 403 and problem["check"] == "authorisation.withdrawn", "after the withdrawal nothing is given")


async def bad_certificates(stage: Stage) -> None:
    """7 A revoked licence and a broken signature are caught."""
    troubles = {
        "enterprise-revoked": ("441302", "refused"),
        "enterprise-broken-signature": ("440511", "refused"),
        "enterprise-stale-status": ("441202", "unavailable"),
    }
    for subject, (region, state) in troubles.items():
        applicant = stage.applicant(subject)
        await applicant.verify("enterprise", "e_licence")
        preview = await applicant.begin("one-certificate", {**BAKERY, "region": region})
        licence = next(each for each in preview["documents"] if each["document"] == "business_licence")
        expect(licence["state"] == state, f"{subject}: the licence is {state}")
        failed = licence["certificates"][0]["failed_check"]
        stage.say(f"{subject}：{licence['certificates'][0]['verdict']}，{failed['check']}——{licence['next_step']}")
        try:
            await applicant.confirm(preview["intake_id"])
        except Refused as refused:
            expect(refused.problem["check"] == "intake.documents", "the confirmation is refused")
        else:
            raise Unexpected(f"{subject}: it could be confirmed")
        await applicant.drop(preview["intake_id"])
