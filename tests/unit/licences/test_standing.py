"""Answers that stand: found by everything that was asked, told as if they were judged anew."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.certificates.evidence import RENEW_AFTER
from gateway.clock import start_of_day_in_china
from gateway.licences.memory import MAX_STANDING
from gateway.licences.standing import StandingAnswer, asked_by
from gateway.partners.errors import AgreementRefused
from gateway.partners.model import AgreementStatus
from schemas.partner_api import VerifiedLicence, VerifiedLicenceRequest
from tests.support.licences import AT, PURPOSE, UTILITY, LicencesRoom, province, utility_caller

KIND = "business_licence"


def standing_answers(room: LicencesRoom, application_id: str) -> dict[Any, Any]:
    known = room.licences._memory.case(application_id, room.clock())
    return {} if known is None else known._standing


def told(answer: VerifiedLicence) -> dict[str, Any]:
    return answer.model_dump(exclude={"jti", "record_id", "iat"})


def a_request(application_id: str) -> VerifiedLicenceRequest:
    return VerifiedLicenceRequest(application_id=application_id, kind=KIND, purpose=PURPOSE)


async def an_application(room: LicencesRoom, asked: int = 2) -> str:
    application_id = (await room.apply()).application.application_id
    for _ in range(asked):
        await room.ask(application_id)
    return application_id


def test_whatever_a_request_says_is_part_of_what_it_is_found_by() -> None:
    known = {"application_id", "kind", "purpose", "fields", "holder_code"}
    assert VerifiedLicenceRequest.model_fields.keys() == known, "what is new must tell requests apart in asked_by"
    said = {"application_id": "app_1", "kind": KIND, "purpose": PURPOSE, "fields": ["name"]}
    others = [{"kind": "id_card"}, {"purpose": "other"}, {"fields": None}, {"fields": []}, {"fields": ["name", "x"]}]
    found = [asked_by(UTILITY, VerifiedLicenceRequest.model_validate({**said, **other})) for other in [{}, *others]]
    assert len({*found, asked_by("other", VerifiedLicenceRequest.model_validate(said))}) == len(others) + 2
    assert asked_by(UTILITY, VerifiedLicenceRequest.model_validate({**said, "holder_code": "9144"})) is None


async def test_a_standing_answer_says_at_any_instant_what_one_judged_anew_says(room: LicencesRoom) -> None:
    application_id = await an_application(room)
    for seconds in (0, 1, 59, 100, 119):
        room.clock.advance(seconds=seconds)
        assert standing_answers(room, application_id)
        again = await room.ask(application_id)
        room.licences.sweep_memory(room.clock() + timedelta(minutes=6))
        anew = await room.ask(application_id)
        assert told(again) == told(anew)
        assert again.iat == anew.iat == int(room.clock().timestamp())
        await room.ask(application_id)
    entries = await room.entries("licence.disclosed")
    assert len({str(each["facts"]) for each in entries}) == 1


async def test_other_fields_are_another_answer(room: LicencesRoom) -> None:
    application_id = await an_application(room)
    whole = await room.ask(application_id)
    request = VerifiedLicenceRequest(application_id=application_id, kind=KIND, purpose=PURPOSE, fields=["name"])
    for _ in range(3):
        narrowed = await room.ask(application_id, fields=["name"])
        assert set(narrowed.fields) == {"name"} < set(whole.fields)
    assert asked_by(UTILITY, request) in standing_answers(room, application_id)
    assert told(await room.ask(application_id)) == told(whole)


async def test_what_stands_of_one_application_is_bounded(room: LicencesRoom) -> None:
    application_id = await an_application(room)
    for count in range(1, MAX_STANDING + 4):
        await room.ask(application_id, fields=["name"] * count)
    assert len(standing_answers(room, application_id)) == MAX_STANDING


async def test_nothing_stands_beyond_the_day(room: LicencesRoom) -> None:
    application_id = await an_application(room)
    (answer,) = standing_answers(room, application_id).values()
    midnight = start_of_day_in_china(room.clock().date() + timedelta(days=1))
    assert room.clock() < answer.until <= midnight
    snapshot, certificates = answer.snapshot, room.certificates
    assert answer.holds(snapshot, certificates, room.clock())
    assert not answer.holds(snapshot, certificates, answer.until)
    assert not answer.holds(snapshot, certificates, room.clock() - timedelta(seconds=1)), "a clock that was set back"


async def a_sure_answer(room: LicencesRoom) -> StandingAnswer:
    """One that was found to hold, so that its copies are not asked for again while nothing changes."""
    application_id = await an_application(room, asked=3)
    (answer,) = standing_answers(room, application_id).values()
    assert answer.holds(answer.snapshot, room.certificates, room.clock())
    assert answer._sure is not None
    return answer


async def test_what_was_sure_is_not_once_its_holder_is_forgotten(room: LicencesRoom) -> None:
    answer = await a_sure_answer(room)
    room.certificates.forget("property_ownership", answer.holder)
    assert answer.holds(answer.snapshot, room.certificates, room.clock()), "another kind"
    room.certificates.forget(KIND, answer.holder)
    assert not answer.holds(answer.snapshot, room.certificates, room.clock())


async def test_what_was_sure_is_not_once_a_list_that_it_rests_on_was_fetched_anew(room: LicencesRoom) -> None:
    answer = await a_sure_answer(room)
    (known,) = room.certificates._remembered._kept.values()
    asked = known[1].gathered._asked
    assert asked
    room.clock.advance(seconds=1)
    for each in asked:
        each.cache._entries.put(each.uri, replace(each.cache._entries.get(each.uri), data=b"revoked"))
    assert answer.holds(answer.snapshot, room.certificates, room.clock()), "nothing was fetched: nobody looks"
    await each.cache.get(each.uri, room.clock(), since=room.clock())
    assert not answer.holds(answer.snapshot, room.certificates, room.clock())


async def test_what_was_sure_is_not_when_it_is_over(room: LicencesRoom) -> None:
    answer = await a_sure_answer(room)
    assert answer._sure is not None
    _, begins, until = answer._sure
    assert room.clock() < until <= room.clock() + RENEW_AFTER
    assert answer.holds(answer.snapshot, room.certificates, until - timedelta(seconds=1))
    assert not answer.holds(answer.snapshot, room.certificates, until)
    assert begins <= room.clock()


async def test_a_dry_run_leaves_no_answer_standing(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    for _ in range(3):
        await room.licences.explain(UTILITY, a_request(application_id))
    assert standing_answers(room, application_id) == {}


@pytest.mark.parametrize("fields", [["name"], ["no_such_field"]])
async def test_a_refusal_stands_for_nobody(room: LicencesRoom, fields: list[str]) -> None:
    application_id = await an_application(room)
    before = dict(standing_answers(room, application_id))
    room.change_agreement(valid_until=room.clock().date() - timedelta(days=2))
    for _ in range(2):
        with pytest.raises(Exception, match="agreement"):
            await room.ask(application_id, fields=fields)
    assert all(each not in before.values() for each in standing_answers(room, application_id).values())


def meanwhile(room: LicencesRoom, monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> list[Any]:
    """``change`` comes in between the check and the commit of the next answer. What is read from then on."""
    write, read, reads = room.transactions.write, room.transactions.read, list[Any]()

    async def written(work: Any) -> Any:
        monkeypatch.setattr(room.transactions, "write", write)
        change()
        return await write(work)

    async def noted(work: Any) -> Any:
        reads.append(work)
        return await read(work)

    monkeypatch.setattr(room.transactions, "write", written)
    monkeypatch.setattr(room.transactions, "read", noted)
    return reads


async def test_an_agreement_that_ends_before_the_commit_refuses_the_answer(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await an_application(room)
    meanwhile(room, monkeypatch, lambda: room.change_agreement(status=AgreementStatus.ENDED))
    with pytest.raises(AgreementRefused):
        await room.ask(application_id)
    assert [each["result"] for each in await room.entries("licence.disclosed")] == ["done", "done", "refused"]


async def test_an_answer_that_ends_before_the_commit_is_judged_anew(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await an_application(room)
    (answer,) = standing_answers(room, application_id).values()
    reads = meanwhile(room, monkeypatch, lambda: room.clock.advance(seconds=(answer.until - AT).total_seconds()))
    await room.licences.answer(utility_caller(), a_request(application_id))
    assert reads


async def test_a_list_that_is_due_is_fetched_though_an_answer_stands(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = (await room.apply()).application.application_id
    room.clock.advance(minutes=3)
    for _ in range(2):
        assert (await room.ask(application_id)).verdict == "valid"
    monkeypatch.setattr(province(), "statuses", [0, 1, *[0] * 14])
    room.clock.advance(minutes=3)
    assert standing_answers(room, application_id), "the application is still remembered"
    assert (await room.ask(application_id)).verdict == "invalid"
