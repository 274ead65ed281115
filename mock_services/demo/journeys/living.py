"""What happens to a certificate after it was confirmed reaches the application and its utility."""

import asyncio
from typing import Any

from mock_services.demo.applicant import Applicant
from mock_services.demo.journeys.stage import BAKERY, HOME, Stage, apply, expect, until

FEED = "/share/queryCertChanges"
SEVERAL_POLLS = 3.0
"""Seconds in which the demo's gateway reads the feed more than once."""


async def certificates_live_on(stage: Stage) -> None:
    """A licence revoked after the application, and a property transferred while the feed loses the entry."""
    await _revoked_and_reinstated(stage)
    await _transferred_unseen(stage)


async def _revoked_and_reinstated(stage: Stage) -> None:
    applicant = stage.applicant("enterprise-renamed")
    await applicant.verify("enterprise", "e_licence")
    demand = {**BAKERY, "region": "440112", "purpose": "演示人工"}
    application_id = await apply(stage, applicant, "one-certificate", demand)
    licence = await newest_certificate(stage, "enterprise-renamed", "business_licence")
    await order(stage, licence, "revoke")
    stage.say("颁发机构吊销该营业执照；平台变更清单载明此项")
    told = await _told(stage, application_id, 1)
    expect((told[0]["change"], told[0]["failed_check"]) == ("revoked", "status.revoked"), "the revocation is told")
    expect(told[0]["found_by"] == "feed", "the change feed named it, and the source proved it")
    await _acknowledged(stage, told[0]["event_id"])
    stage.say(f"供电企业已收到并签收：{told[0]['kind']} {told[0]['change']}（{told[0]['failed_check']}）")
    document = await _document(applicant, application_id, "business_licence")
    expect(document["state"] == "revoked" and bool(document["next_step"]), "the applicant sees it, and what to do")
    stage.say(f"申请人看到：{document['next_step']}")
    status, answer = await stage.ask_as_utility(application_id, kind="business_licence", purpose="grid_connection")
    if status == 200:
        expect(answer["verdict"] == "invalid", "no answer rests on what was fetched before")
    await order(stage, licence, "reinstate")
    told = await _told(stage, application_id, 2)
    expect(told[1]["change"] == "reinstated", "the reinstatement is told too")
    expect(len({each["event_id"] for each in told}) == 2, "each change once")
    stage.say("恢复后同样送达，各一次")


async def _transferred_unseen(stage: Stage) -> None:
    applicant = stage.applicant("resident-ordinary")
    await applicant.verify("resident", "face")
    application_id = await apply(stage, applicant, "face-verified", {**HOME, "purpose": "演示人工"})
    platform, kind = f"{stage.province.platform}/__admin", "property_certificate"
    lost = [{"match": FEED, "kind": "lose"}]
    (await stage.http.put(f"{platform}/faults", json=lost)).raise_for_status()
    home = await newest_certificate(stage, "resident-ordinary", kind)
    await order(stage, home, "transfer", to=await _code(stage, "resident-timeout"))
    stage.say("不动产已转移登记给他人，而平台变更清单遗漏了这一项")
    await asyncio.sleep(SEVERAL_POLLS)
    expect(await changes_told(stage, application_id) == [], "the feed does not tell of it")
    url = f"{stage.province.utility}/__admin/applications/{application_id}/advance"
    step = (await stage.http.post(url)).raise_for_status().json()
    expect(step["done"], "the utility's stage does not wait")
    told = await _told(stage, application_id, 1)
    expect((told[0]["kind"], told[0]["change"]) == (kind, "transferred"), "the transfer is told")
    expect(told[0]["found_by"] == "stage", "it is found at the next stage boundary")
    await _acknowledged(stage, told[0]["event_id"])
    stage.say(f"进入下一环节时复核发现：{told[0]['failed_check']}；供电企业已收到并签收")
    document = await _document(applicant, application_id, kind)
    expect(document["state"] == "transferred", "the applicant sees it")
    moved = await newest_certificate(stage, "resident-timeout", kind)
    await order(stage, moved, "transfer", to=await _code(stage, "resident-ordinary"))


async def _told(stage: Stage, application_id: str, count: int) -> list[dict[str, Any]]:
    """The changes that the utility holds for the application, once there are so many."""

    async def enough() -> list[dict[str, Any]] | None:
        held = await changes_told(stage, application_id)
        return held if len(held) >= count else None

    found: list[dict[str, Any]] = await until(enough, f"{count} changes reach the utility")
    expect(len(found) == count, f"{count} changes and no more")
    return found


async def changes_told(stage: Stage, application_id: str) -> list[dict[str, Any]]:
    """The changes that the utility's own database holds for the application, in the order of their arrival."""
    url = f"{stage.province.utility}/__admin/certificate-changes?application_id={application_id}"
    found: list[dict[str, Any]] = await stage.get(url)
    return found


async def _acknowledged(stage: Stage, event_id: str) -> None:
    """The utility answered the delivery with its signed receipt."""

    async def answered() -> bool:
        journal = await stage.get(f"{stage.province.utility}/__admin/requests?path=/webhooks")
        own = [entry for entry in journal if entry["headers"].get("webhook-id") == event_id]
        return any(entry["status"] == 200 for entry in own)

    await until(answered, "the utility signs for the event")


async def _document(applicant: Applicant, application_id: str, kind: str) -> dict[str, Any]:
    progress = await applicant.progress(application_id)
    return next(each for each in progress["documents"] if each["document"] == kind)


async def _code(stage: Stage, slug: str) -> str:
    personas = await stage.get(f"{stage.province.platform}/__admin/personas")
    return next(str(persona["holder_code"]) for persona in personas if persona["slug"] == slug)


async def newest_certificate(stage: Stage, slug: str, kind: str) -> str:
    """The newest certificate of the kind that the persona has."""
    code = await _code(stage, slug)
    listed = await stage.get(f"{stage.province.platform}/__admin/certificates?holder_code={code}")
    return [str(each["identifier"]) for each in listed if each["kind"] == kind and each["state"] == "valid"][-1]


async def order(stage: Stage, identifier: str, action: str, **more: str) -> None:
    """Let the issuing authority ``revoke``, ``reinstate`` or ``transfer`` (``to`` a holder's code) the certificate."""
    url = f"{stage.province.platform}/__admin/certificates/{identifier}/status"
    (await stage.http.post(url, json={"action": action, **more})).raise_for_status()
