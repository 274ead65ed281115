"""A dry run is the request itself, told check by check: the same code, the same checks, and no value of anything."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.certificates.steps import STEPS
from gateway.errors import GatewayError, Overloaded, Owner
from gateway.licences.gates import Gate
from gateway.licences.router import router
from gateway.licences.third_parties import MOST_ASKED
from gateway.partners.model import PartnerStatus
from gateway.progress.service import ProgressService
from mock_services.authorities import AUTHORITY_OF_KIND
from schemas.ecertificates import TYPE_CODES
from schemas.identifiers import ECertificateIdentifier, make_unified_social_credit_code
from schemas.partner_api import LicenceExplanation, VerifiedLicenceRequest
from tests.support.door import app_behind_the_door, asking
from tests.support.licences import (
    OTHER_UTILITY,
    PLANT,
    PURPOSE,
    SECRETS,
    UTILITY,
    LicencesRoom,
    a_utility,
    an_agreement,
    an_applicant,
    province,
)

DESIGNER = make_unified_social_credit_code("91440101", "TDMA0777")
DESIGN = {"CZZT": "测试设计院", "CZZTDM": DESIGNER, "KZ_ZZLB": "送变电工程", "KZ_ZZDJ": "乙级"}
NAMES = [
    *(gate.value for gate in Gate if gate is not Gate.DISCLOSURE),
    *(f"verification.{name}" for name in STEPS),
    "disclosure",
]


async def submitted(room: LicencesRoom) -> str:
    return (await room.apply()).application.application_id


async def explained(
    room: LicencesRoom, application_id: str, kind: str = "business_licence", **wanted: Any
) -> LicenceExplanation:
    caller, actor = wanted.pop("caller", UTILITY), wanted.pop("actor", None)
    request = VerifiedLicenceRequest(
        application_id=application_id, kind=kind, purpose=wanted.pop("purpose", PURPOSE), **wanted
    )
    explanation = await room.licences.explain(caller, request, actor)
    assert [each.name for each in explanation.checks] == NAMES
    assert [each.number for each in explanation.checks] == list(range(1, len(NAMES) + 1))
    said = explanation.model_dump_json()
    assert not [secret for secret in (*SECRETS, "测试甲", "测试设计院", "乙级") if secret in said]
    return explanation


def failed(explanation: LicenceExplanation) -> tuple[str, str | None]:
    """The one check that was not passed."""
    (found,) = [each for each in explanation.checks if each.verdict in ("invalid", "indeterminate")]
    return found.name, found.check


async def test_a_request_that_would_be_answered_passes_every_check_and_gives_names_alone(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    answer = await room.ask(application_id)
    told = await explained(room, application_id)
    assert (told.outcome, told.verdict) == ("answered", "valid")
    assert {each.verdict for each in told.checks} == {"valid"}
    assert {each.name for each in told.given} == {*answer.fields, *answer.predicates}
    assert {each.name: each.form for each in told.given}["valid_on"] == "predicate"
    assert {(each.name, each.reason) for each in told.withheld} == {
        (each.field, each.reason) for each in answer.withheld
    }
    assert {each.name: each.title for each in told.given}["valid_on"] == "执照在有效期内"
    assert {each.name: each.says for each in told.withheld}["registered_address"] == "数据共享协议未约定"
    assert [(each.name, each.state, each.level) for each in told.basis] == [
        (each.name, each.state, each.level) for each in answer.basis
    ]
    clauses = {each.name: each.clause for each in told.checks}
    assert (clauses["requirement"], clauses["necessity"]) == ("第（六）条", "第（六）条")


async def test_it_is_recorded_as_what_it_is_and_not_as_a_disclosure(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    told = await explained(room, application_id, actor="cli:operator")
    assert await room.entries("licence.disclosed") == []
    (entry,) = await room.entries("licence.explained")
    assert (entry["actor"], entry["facts"]["utility"], entry["subject"]) == ("cli:operator", UTILITY, application_id)
    assert told.record_id.endswith("-4")
    progress = ProgressService(room.transactions, room.stages._rules, room.clock)
    assert (await progress.progress(application_id, an_applicant().holder_digest)).accesses == []


async def _withdrawn(room: LicencesRoom, application_id: str) -> None:
    await room.authorisations.withdraw(application_id, an_applicant().holder_digest)


async def _not_agreed(room: LicencesRoom, application_id: str) -> None:
    room.change_agreement(purpose="something_else")


async def _suspended(room: LicencesRoom, application_id: str) -> None:
    room.partners.partners[UTILITY] = replace(a_utility(), status=PartnerStatus.SUSPENDED)


async def _nothing_there(room: LicencesRoom, application_id: str) -> None:
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    room.source.hold("business_licence")


async def _another_certificate(room: LicencesRoom, application_id: str) -> None:
    room.clock.advance(days=2)
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    kind = "property_certificate"
    issuer = AUTHORITY_OF_KIND[kind].code
    identifiers = [str(ECertificateIdentifier.make(TYPE_CODES[kind], issuer, f"2026000000{n}")) for n in (3, 4)]
    room.source.hold(kind, *(province().envelope(kind, index=3, ZZBS=each) for each in identifiers))


async def _closed(room: LicencesRoom, application_id: str) -> None:
    await room.complete(application_id, "sign_up", "construction")


async def _as_it_is(room: LicencesRoom, application_id: str) -> None: ...


Happens = Callable[[LicencesRoom, str], Awaitable[None]]


@pytest.mark.parametrize(
    ("happens", "wanted", "gate"),
    [
        (_closed, {}, "application"),
        (_as_it_is, {"kind": "design_qualification"}, "requirement"),
        (_as_it_is, {"kind": "no_such_kind"}, "requirement"),
        (_withdrawn, {}, "authorisation"),
        (_as_it_is, {"purpose": "marketing"}, "authorisation"),
        (_not_agreed, {}, "agreement"),
        (_suspended, {}, "agreement"),
        (_as_it_is, {"fields": ["legal_representative"]}, "agreement"),
        (_as_it_is, {"holder_code": DESIGNER}, "holder"),
        (_nothing_there, {}, "source"),
        (_another_certificate, {"kind": "property_certificate"}, "confirmed"),
    ],
)
async def test_a_refusal_is_the_check_that_refused_the_very_one_of_the_request(
    room: LicencesRoom, happens: Happens, wanted: dict[str, Any], gate: str
) -> None:
    application_id = await submitted(room)
    await happens(room, application_id)
    told = await explained(room, application_id, **wanted)
    with pytest.raises(GatewayError) as caught:
        await room.ask(application_id, **wanted)
    error = caught.value
    assert (told.outcome, told.verdict, failed(told)) == ("refused", None, (gate, error.check))
    at = next(each for each in told.checks if each.name == gate)
    assert (at.owner, at.remedy, at.clause) == (error.owner.value, error.remedy, error.clause)
    after = told.checks[at.number :]
    assert {each.verdict for each in after} == {"not_judged"}
    assert told.given == told.withheld == told.basis == []
    (entry,) = await room.entries("licence.explained")
    assert (entry["result"], entry["facts"]["check"]) == ("refused", error.check)
    assert told.record_id


async def test_what_somebody_made_up_is_refused_at_the_first_checks(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.partners[OTHER_UTILITY] = a_utility(OTHER_UTILITY)
    others = await explained(room, application_id, caller=OTHER_UTILITY)
    none = await explained(room, "app_9999", caller=OTHER_UTILITY)
    assert others.checks == none.checks
    assert failed(none) == ("application", "application.unknown")
    stranger = await explained(room, application_id, caller="nobody")
    assert failed(stranger) == ("caller", "caller.role")
    *_, entry = await room.entries("licence.explained")
    assert entry["subject"] == application_id


async def test_a_certificate_that_is_not_valid_fails_at_its_step_and_would_give_nothing(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.clock.advance(days=8)
    room.source.hold("business_licence", province().envelope(ZZYXQJZRQ="2026-11-25"))
    told = await explained(room, application_id)
    assert (told.outcome, told.verdict, told.given) == ("answered", "invalid", [])
    checks = {each.name: each for each in told.checks}
    step = checks["verification.validity"]
    assert (step.verdict, step.check, step.owner) == ("invalid", "validity.expired", "申请人")
    assert (checks["verification.chain"].verdict, checks["verification.status"].verdict) == ("valid", "not_judged")
    assert (checks["disclosure"].verdict, checks["disclosure"].check) == ("invalid", "disclosure.not_verified")
    assert "not_verified" in {each.reason for each in told.withheld}
    assert [each.name for each in told.basis][:2] == ["certificate", "chain"], (
        "how old the copy is, is told all the same"
    )


async def test_a_source_that_is_down_is_told_at_its_gate_and_is_no_refusal(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    room.source.down = {query.type_code for query in room.source.queries}
    told = await explained(room, application_id)
    assert (told.outcome, told.verdict, told.source_down) == ("answered", "indeterminate", True)
    checks = {each.name: each.verdict for each in told.checks}
    assert (checks["source"], checks["verification.chain"], checks["disclosure"]) == (
        "indeterminate",
        "not_judged",
        "indeterminate",
    )
    (basis,) = told.basis
    assert (basis.state, basis.source_down, basis.source, basis.level) == ("missing", True, "gd-platform", "440000")


async def in_design_review(room: LicencesRoom) -> str:
    room.source.hold("project_approval")
    declared = [{"document": "project_approval", "file_name": "批复.pdf", "sha256": "ab" * 32}]
    application_id = (await room.apply(PLANT, declared=declared)).application.application_id
    room.source.hold("design_qualification", province().envelope("design_qualification", **DESIGN), holder=DESIGNER)
    await room.complete(application_id, "acceptance", "supply_plan")
    return application_id


async def test_third_parties_cannot_be_looked_up_by_dry_runs(room: LicencesRoom) -> None:
    application_id = await in_design_review(room)
    good = await explained(room, application_id, "design_qualification", holder_code=DESIGNER)
    assert (good.outcome, good.verdict) == ("answered", "valid")
    assert {each.name for each in good.given} == {"name", "holder", "grade"}
    refusals = []
    for number in range(MOST_ASKED + 1):
        code = make_unified_social_credit_code("91440101", f"TDMA08{number:02d}")
        refusals.append(await explained(room, application_id, "design_qualification", holder_code=code))
    assert {failed(each) for each in refusals} == {("source", "licence.third_party")}
    assert all(each.checks == refusals[0].checks for each in refusals), "unknown and too many are told apart"


async def test_what_cannot_be_recorded_is_not_explained(room: LicencesRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    application_id = await submitted(room)

    async def full(work: Any) -> Any:
        raise Overloaded(check="record.full", owner=Owner.GATEWAY, remedy="请稍后")

    monkeypatch.setattr(room.transactions, "write", full)
    with pytest.raises(Overloaded):
        await explained(room, application_id)


# over HTTP ----------------------------------------------------------------------------------------------------------

PATH = "/v1/verified-licences/dry-run"


async def post(room: LicencesRoom, body: dict[str, Any], who: str = f"{UTILITY} utility") -> Any:
    app = app_behind_the_door(room.licences)
    app.include_router(router)
    async with asking(app) as client:
        return await client.post(PATH, json=body, headers={"authorization": f"Test {who}"})


async def test_over_http_a_refusal_is_an_answer_and_only_the_callers_own_rules_are_errors(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    body = {"application_id": application_id, "kind": "business_licence", "purpose": PURPOSE}
    good = await post(room, body)
    assert (good.status_code, good.json()["outcome"], good.json()["verdict"]) == (200, "answered", "valid")
    refused = await post(room, body | {"kind": "design_qualification"})
    assert (refused.status_code, refused.json()["outcome"]) == (200, "refused")
    assert LicenceExplanation.model_validate(refused.json())
    assert (await post(room, body, "planning-440100 department")).status_code == 403
    assert (await post(room, body | {"shell": "x"})).status_code == 422
    app = app_behind_the_door(room.licences)
    app.include_router(router)
    async with asking(app) as client:
        assert (await client.post(PATH, json=body)).status_code == 401


async def test_the_agreement_that_would_refuse_the_recording_refuses_the_dry_run_too(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await submitted(room)
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    find = room.source.find

    async def meanwhile(query: Any, at: Any) -> Any:
        room.change_agreement(grants=an_agreement(agreed={"property_certificate": {"name"}}).grants)
        return await find(query, at)

    monkeypatch.setattr(room.source, "find", meanwhile)
    told = await explained(room, application_id)
    assert (told.outcome, failed(told)) == ("refused", ("disclosure", "agreement.kind"))
