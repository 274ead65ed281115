"""Where no copy is ever young enough the source is asked for each answer, and the same bytes are not judged twice."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.authorisations.errors import AuthorisationMissing
from gateway.certificates.errors import NoECertificate
from gateway.certificates.fetching import Refetchable
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.kinds import business_licence
from gateway.crypto.errors import SignatureInvalid
from gateway.errors import GatewayError
from gateway.partners.dpop import DpopProof
from gateway.partners.errors import AgreementRefused, ProofRefused
from gateway.partners.model import AgreementStatus
from gateway.partners.proof_use import SharedProofUse
from tests.support.licences import AT, LicencesRoom, an_applicant, licences_room, province, utility_caller
from tests.support.storage import opened
from tests.unit.licences.test_memory import Change, agreement_over, counted_reads, expired, said, withdrawn
from tests.unit.licences.test_proof_use import request_of

KIND = "business_licence"


@pytest.fixture
def room(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LicencesRoom]:
    """The kind's table asks for a fresh one each time, and permits one of a day where the source is down."""
    policy = business_licence.KIND.policy
    always = replace(policy, source=FreshnessLimit(timedelta(0), timedelta(days=1)))
    monkeypatch.setattr(business_licence, "KIND", replace(business_licence.KIND, policy=always))
    with licences_room(database_url) as made:
        yield made


@pytest.fixture(params=[1, 2, 3], ids=["judged from memory", "first that may stand", "standing"])
def asked(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
async def application_id(room: LicencesRoom, asked: int) -> str:
    application_id = (await room.apply()).application.application_id
    for _ in range(asked):
        assert (await room.ask(application_id)).verdict == "valid"
    return application_id


def queries(room: LicencesRoom) -> int:
    return len(room.source.queries)


def judged(room: LicencesRoom, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is judged from the beginning from here on."""
    verifier, seen = room.certificates._verifier, list[Any]()
    verify = verifier.verify

    def noted(*args: Any) -> Any:
        seen.append(args)
        return verify(*args)

    monkeypatch.setattr(verifier, "verify", noted)
    return seen


async def stored(room: LicencesRoom) -> Any:
    def read(tx: Any) -> Any:
        statement = "SELECT digest, envelope, fetched_at FROM certificate_copies WHERE kind = 'business_licence'"
        return [tuple(row) for row in tx._statements._connection.exec_driver_sql(statement)]

    return await room.transactions.read(read)


async def test_each_answer_asks_once_says_what_one_judged_anew_says_and_is_recorded(
    room: LicencesRoom, application_id: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in (0, 1, 59, 100, 119):
        now, before, reads = room.clock.advance(seconds=seconds), queries(room), counted_reads(room, monkeypatch)
        again = await room.ask(application_id)
        assert queries(room) == before + 1
        assert reads == []
        monkeypatch.undo()
        assert (again.verdict, again.as_of, again.from_copy, again.iat) == ("valid", now, False, int(now.timestamp()))
        assert {each.age_seconds for each in again.basis if each.name == "certificate"} == {0}
        room.licences.sweep_memory(now + timedelta(minutes=6))
        assert said(await room.ask(application_id)) == said(again)
        for _ in range(asked):
            await room.ask(application_id)
    entries = await room.entries("licence.disclosed")
    assert len({str({**each["facts"], "as_of": None}) for each in entries}) == 1
    assert [each["facts"]["as_of"] for each in entries] == [each["at"] for each in entries]


async def test_the_third_answer_stands_once_its_seal_is_proved(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = (await room.apply()).application.application_id
    for _ in range(2):
        await room.ask(application_id)
    seen, proved = judged(room, monkeypatch), list[Any]()
    proves = room.certificates._verifier.proves
    monkeypatch.setattr(room.certificates._verifier, "proves", lambda each: proved.append(each) or proves(each))
    await room.ask(application_id)
    assert (len(seen), len(proved)) == (0, 1)


async def test_a_seal_that_is_not_proved_is_judged_from_the_beginning_and_the_source_not_asked_again(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = (await room.apply()).application.application_id
    for _ in range(2):
        await room.ask(application_id)
    known = room.licences._memory.case(application_id, AT)
    assert known is not None
    ((asked_for, answer),) = known._standing.items()

    def broken() -> None:
        raise SignatureInvalid

    assert isinstance(answer.rests_on, Refetchable)
    (verification,) = answer.rests_on.verifications
    unproved = replace(answer.rests_on, verifications=(replace(verification, prove=broken),))
    known._standing[asked_for] = replace(answer, rests_on=unproved)
    seen, before = judged(room, monkeypatch), queries(room)
    assert (await room.ask(application_id)).verdict == "valid"
    assert (len(seen), queries(room)) == (1, before + 1)


async def test_only_when_it_was_fetched_is_written_again_and_not_each_time(
    room: LicencesRoom, application_id: str
) -> None:
    ((digest, envelope, fetched_at),) = await stored(room)
    room.clock.advance(minutes=9, seconds=59)
    await asyncio.gather(*(room.ask(application_id) for _ in range(6)))
    assert await stored(room) == [(digest, envelope, fetched_at)]
    room.clock.advance(seconds=1)
    await asyncio.gather(*(room.ask(application_id) for _ in range(6)))
    ((same, sealed, later),) = await stored(room)
    assert (same, bytes(sealed)) == (digest, bytes(envelope)), "not sealed anew"
    assert later != fetched_at
    copies = await room.transactions.read(lambda tx: tx.certificate_copies.latest(KIND, an_applicant().holder_code))
    assert [each.fetched_at for each in copies] == [room.clock()]


async def test_other_bytes_are_judged_told_and_kept_in_place_of_those_before(
    room: LicencesRoom, application_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await room.ask(application_id)
    room.source.hold(KIND, province().envelope(KZ_ZS="广州市其他路1号"))
    seen, asked_before = judged(room, monkeypatch), queries(room)
    after = await room.ask(application_id)
    assert (len(seen), queries(room)) == (1, asked_before + 1)
    assert (before.verdict, after.verdict) == ("valid", "valid")
    entries = await room.entries("licence.disclosed")
    assert entries[-1]["facts"]["envelope_sha256"] != entries[-2]["facts"]["envelope_sha256"]
    ((digest, _, _),) = await stored(room)
    assert digest == entries[-1]["facts"]["envelope_sha256"]


async def test_a_revocation_takes_effect_with_the_list_that_tells_of_it(
    room: LicencesRoom, application_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(province(), "statuses", [0, 1, *[0] * 14])
    assert (await room.ask(application_id)).verdict == "valid", "the list at hand does not say so yet"
    room.clock.advance(minutes=4, seconds=59)
    await room.ask(application_id)
    room.clock.advance(seconds=2)
    answer = await room.ask(application_id)
    assert (answer.verdict, answer.failed_check and answer.failed_check.check) == ("invalid", "status.revoked")
    assert await room.copies(KIND) == 0, "what is proved bad is not at hand when the source is down"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [(withdrawn, AuthorisationMissing), (expired, AuthorisationMissing), (agreement_over, AgreementRefused)],
    ids=["withdrawn", "expired", "agreement over"],
)
async def test_a_change_elsewhere_refuses_the_very_next_answer_and_the_source_is_not_asked(
    room: LicencesRoom, application_id: str, asked: int, database_url: str, change: Change, refusal: type[GatewayError]
) -> None:
    with opened(database_url, room.clock) as elsewhere:
        await change(room, elsewhere, application_id)
    before = queries(room)
    results = await asyncio.gather(*(room.ask(application_id) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in results] == [refusal] * 4
    assert queries(room) == before
    entries = await room.entries("licence.disclosed")
    assert [each["result"] for each in entries] == ["done"] * asked + ["refused"] * 4


@pytest.mark.usefixtures("asked")
async def test_a_change_while_the_source_is_asked_refuses_the_answer_and_keeps_what_came(
    room: LicencesRoom, application_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, later = room.source.find, room.clock.advance(minutes=11)

    async def meanwhile(*args: Any) -> Any:
        room.change_agreement(status=AgreementStatus.ENDED)
        return await find(*args)

    monkeypatch.setattr(room.source, "find", meanwhile)
    with pytest.raises(AgreementRefused):
        await room.ask(application_id)
    copies = await room.transactions.read(lambda tx: tx.certificate_copies.latest(KIND, an_applicant().holder_code))
    assert [each.fetched_at for each in copies] == [later]


async def test_a_source_that_is_down_is_asked_once_and_an_older_copy_told_as_such(
    room: LicencesRoom, application_id: str
) -> None:
    fetched, now = room.clock(), room.clock.advance(minutes=4)
    room.source.down = {room.source.queries[-1].type_code}
    before = queries(room)
    answer = await room.ask(application_id)
    assert queries(room) == before + 1
    assert (answer.verdict, answer.from_copy, answer.source_down, answer.as_of) == ("valid", True, True, fetched)
    assert {each.age_seconds for each in answer.basis if each.name == "certificate"} == {240}
    room.source.down = set()
    assert (await room.ask(application_id)).as_of == now


async def test_a_holder_who_has_none_any_more_is_told_so_and_nothing_is_at_hand(
    room: LicencesRoom, application_id: str
) -> None:
    room.source.hold(KIND)
    before = queries(room)
    with pytest.raises(NoECertificate):
        await room.ask(application_id)
    assert queries(room) <= before + 2
    assert await room.copies(KIND) == 0


async def test_for_a_proof_that_was_spent_elsewhere_the_source_is_not_asked(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    proof = DpopProof("thumbprint", "jti-1", room.clock())
    with opened(database_url, room.clock) as elsewhere:
        await SharedProofUse(elsewhere, proof, room.clock()).spend()
    before, request = queries(room), request_of(application_id)
    with pytest.raises(ProofRefused):
        await room.licences.answer(utility_caller(), request, SharedProofUse(room.transactions, proof, room.clock()))
    assert queries(room) == before
