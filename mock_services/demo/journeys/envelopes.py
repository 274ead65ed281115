"""Licences that travel as OFD documents under SM2 seals (国密 OFD 电子证照)."""

from typing import Any

from mock_services.demo.applicant import Refused
from mock_services.demo.journeys.stage import BAKERY, HOME, MILL, Stage, Unexpected, apply, expect

FORM = "OFD 版式文件，GB/T 38540 电子签章，SM2/SM3"
BY_HAND = "演示人工"
REFUSED = {
    "enterprise-ofd-page-changed": ("440803", "ofd.references"),
    "enterprise-ofd-uncovered": ("440204", "ofd.metadata.uncovered"),
    "enterprise-ofd-seal-expired": ("440507", "seal.not_in_force"),
}


async def licences_on_ofd(stage: Stage) -> None:
    """A co-owner and an enterprise apply on OFD licences; altered and badly sealed ones are refused by name."""
    resident = stage.applicant("resident-two-owners")
    await resident.verify("resident", "face")
    application_id = await apply(stage, resident, "face-verified", {**HOME, "region": "440305", "purpose": BY_HAND})
    stage.say(f"居民身份证、不动产权证书：{FORM}，核验有效")
    await _fetched(stage, application_id, "property_certificate")
    enterprise = stage.applicant("enterprise-agent")
    await enterprise.verify("enterprise", "e_licence")
    application_id = await apply(stage, enterprise, "one-certificate", {**MILL, "purpose": BY_HAND})
    stage.say(f"营业执照：{FORM}，核验有效")
    await _fetched(stage, application_id, "business_licence")
    for subject, (region, check) in REFUSED.items():
        await _refused(stage, subject, region, check)


async def _fetched(stage: Stage, application_id: str, kind: str) -> None:
    status, answer = await stage.ask_as_utility(application_id, kind=kind, purpose="grid_connection")
    expect(status == 200 and answer["verdict"] == "valid", f"the utility gets the {kind}, verified")
    stage.say(f"供电企业取得 {kind}：{answer['verdict']}，依据 OFD 签章核验，字段 {'、'.join(answer['fields'])}")


async def _refused(stage: Stage, subject: str, region: str, check: str) -> None:
    applicant = stage.applicant(subject)
    await applicant.verify("enterprise", "e_licence")
    preview = await applicant.begin("one-certificate", {**BAKERY, "region": region, "purpose": BY_HAND})
    licence: dict[str, Any] = next(each for each in preview["documents"] if each["document"] == "business_licence")
    failed = licence["certificates"][0]["failed_check"]
    expect(licence["state"] == "refused" and failed["check"] == check, f"{subject} is refused for {check}")
    stage.say(f"{subject}：{licence['certificates'][0]['verdict']}，{failed['check']}——{licence['next_step']}")
    try:
        await applicant.confirm(preview["intake_id"])
    except Refused as refused:
        expect(refused.problem["check"] == "intake.documents", "the confirmation is refused")
    else:
        raise Unexpected(f"{subject}: it could be confirmed")
    await applicant.drop(preview["intake_id"])
