"""Residents, by face and otherwise."""

from mock_services.demo.journeys.stage import HOME, HOME_OF_LIN, Stage, apply, expect


async def resident_by_face(stage: Stage) -> None:
    """1 A resident, by face, at home."""
    applicant = stage.applicant("resident-ordinary")
    session = await applicant.verify("resident", "face")
    expect(session["status"] == "verified", "the face is recognised")
    stage.say("刷脸通过（人脸图像不出身份核验方）")
    application_id = await apply(stage, applicant, "face-verified", HOME)
    progress = await stage.finished(applicant, application_id)
    read = [access for access in progress["accesses"] if access["result"] == "done"]
    expect({access["document"] for access in read} >= {"resident_id", "property_certificate"}, "accesses are shown")
    stage.say(f"谁看过我的信息：{len(read)} 次，{'、'.join(sorted({access['who'] for access in read}))}")


async def resident_by_sms(stage: Stage) -> None:
    """2 A resident whose face is not recognised goes on by SMS."""
    applicant = stage.applicant("resident-face-fails")
    session = await applicant.verify("resident", "face")
    expect(session["status"] == "failed", "the face is not recognised")
    expect("sms_otp" in session["alternatives"], "another way is offered")
    stage.say(f"刷脸未通过：{session['remedy']}")
    session = await applicant.verify("resident", "sms_otp")
    expect(session["status"] == "verified", "SMS succeeds")
    stage.say("短信核验通过")
    await stage.finished(applicant, await apply(stage, applicant, "face-verified", HOME_OF_LIN))
