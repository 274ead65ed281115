"""Somebody who owns a home with another, and did not apply."""

from mock_services.demo.applicant import Refused
from mock_services.demo.journeys.stage import HOME, Stage, Unexpected, apply, expect

BY_HAND = "演示人工"


async def co_owner_looks(stage: Stage) -> None:
    """One owner applies; the other sees who saw the certificate of both, and nothing of the application."""
    owner, other = stage.applicant("resident-two-owners"), stage.applicant("resident-co-owner")
    for each in (owner, other):
        expect((await each.verify("resident", "face"))["status"] == "verified", "the face is recognised")
    before = len((await other.accesses_naming_me())["accesses"])
    application_id = await apply(stage, owner, "face-verified", {**HOME, "region": "440305", "purpose": BY_HAND})
    for kind in ("property_certificate", "resident_id"):
        status, _ = await stage.ask_as_utility(application_id, kind=kind, purpose="grid_connection")
        expect(status == 200, f"the utility gets the {kind}")
    told = await other.accesses_naming_me()
    expect(len(told["accesses"]) == before + 1, "the certificate of both is told of, the applicant's card is not")
    seen = told["accesses"][0]
    stage.say(f"共有人看到：{seen['who']} 查看了{seen['document_title']}：{'、'.join(seen['titles'])}")
    expect(application_id not in str(told) and "record_id" not in seen, "nothing leads to the application")
    stage.say("共有人看不到：申请编号、用户类型、办理环节、申请人的任何信息")
    try:
        await other.progress(application_id)
    except Refused as refused:
        expect(refused.status == 404, "the application is as if it were not there")
    else:
        raise Unexpected("the co-owner could open the application")
    stranger = stage.applicant("resident-ordinary")
    await stranger.verify("resident", "face")
    expect((await stranger.accesses_naming_me())["accesses"] == [], "whom no certificate names sees nothing")
