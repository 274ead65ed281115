"""What a connection leaves behind: a contract signed on line, a rating answered, a withdrawal carried out."""

import hashlib
from typing import Any

from mock_services.demo.applicant import Refused
from mock_services.demo.journeys.stage import HOME, Stage, Unexpected, apply, expect, until

BY_CONTRACT = {**HOME, "purpose": "住宅用电，演示电子合同"}
TO_WITHDRAW = {**HOME, "purpose": "住宅用电，演示撤回"}


async def contract_signed_and_rated(stage: Stage) -> None:
    """A contract is sent and signed; the service ends, is rated badly, and that is answered."""
    applicant = stage.applicant("resident-ordinary")
    await applicant.verify("resident", "face")
    application_id = await apply(stage, applicant, "face-verified", BY_CONTRACT)
    contract = await until(lambda: applicant.contract(application_id), "the utility sends the contract")
    document = await applicant.contract_document(application_id)
    expect(hashlib.sha256(document).hexdigest() == contract["sha256"], "the document is the one that is told of")
    stage.say(f"供电企业发来《{contract['title']}》，SHA-256 {contract['sha256'][:12]}…")
    signed = await applicant.sign(application_id, contract, "face")
    expect(signed["state"] == "signed", "the contract is signed")
    stage.say("申请人阅读后，专为此合同重新核验身份并签订；网关出具签名声明")
    await stage.finished(applicant, application_id)
    held = await _of(stage, "contracts", application_id)
    expect((held["statement"], held["signed"]) == (signed["statement"], 1), "the utility has the statement")
    await _rate(stage, applicant, application_id)


async def _rate(stage: Stage, applicant: Any, application_id: str) -> None:
    given = await applicant.rate(application_id, "dissatisfied", tags=["slow"], text="比说的晚了一天")
    expect(given["answer_by"] is not None, "a bad rating is to be answered")
    stage.say(f"办结后评价：不满意（办得慢）；须在 {given['answer_by'][:10]} 前整改反馈")
    told = await _of(stage, "ratings", application_id)
    expect(
        (told["level"], told["text"]) == ("dissatisfied", None), "the utility is told, without the applicant's words"
    )
    url = f"{stage.province.utility}/__admin/applications/{application_id}/rating-answer"
    words = "已约谈承办班组，并向用户致歉"
    (await stage.http.post(url, json={"text": words})).raise_for_status()
    answered = await applicant.rating(application_id)
    expect((answered["answer"], answered["text"]) == (words, "比说的晚了一天"), "the applicant reads the answer")
    stage.say(f"供电企业整改反馈：{answered['answer']}")
    try:
        await applicant.rate(application_id, "very_satisfied")
    except Refused as refused:
        expect(refused.status == 409, "a rating is never changed")
    else:
        raise Unexpected("a second rating was taken")


async def withdrawn_and_purged(stage: Stage) -> None:
    """An applicant withdraws; the utility acknowledges it, purges what it had, and confirms that by itself."""
    applicant = stage.applicant("resident-ordinary")
    await applicant.verify("resident", "face")
    application_id = await apply(stage, applicant, "face-verified", TO_WITHDRAW)

    async def fetched() -> bool:
        return bool((await stage.at_utility(application_id))["finished"])

    await until(fetched, "the utility fetches what it needs, and waits")
    await applicant.withdraw_application(application_id)
    stage.say("申请人撤回申请，授权随之失效")

    async def purged() -> dict[str, Any] | None:
        told: dict[str, Any] | None = (await applicant.progress(application_id))["withdrawal"]
        return told if told and told["purged_at"] else None

    told = await until(purged, "the purge is confirmed")
    expect(told["acknowledged_at"] is not None and bool(told["receipt_sha256"]), "the withdrawal was signed for")
    expect(bool(told["purge_receipt_sha256"]) and not told["purge_overdue"], "so was the purge, in time")
    stage.say(f"供电企业签收撤回，回执 {told['receipt_sha256'][:12]}…")
    held = await stage.at_utility(application_id)
    expect(all(each["purged"] for each in held["licences"]), "what was fetched is gone")
    stage.say(f"所取 {len(held['licences'])} 份证照信息已清除，清除回执 {told['purge_receipt_sha256'][:12]}…")
    status, problem = await stage.ask_as_utility(application_id, kind="resident_id", purpose="grid_connection")
    expect((status, problem["check"]) == (422, "licence.closed"), "nothing more is given")
    stage.say(f"再行索取被拒：{problem['remedy']}（{problem['clause']}）")


async def _of(stage: Stage, what: str, application_id: str) -> dict[str, Any]:
    """What the utility holds of the application, once it is there."""

    async def there() -> dict[str, Any] | None:
        held = await stage.get(f"{stage.province.utility}/__admin/{what}")
        return next((each for each in held if each["application_id"] == application_id), None)

    found: dict[str, Any] = await until(there, f"{what} of the application reach the utility")
    return found
