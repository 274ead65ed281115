"""What a process remembers of an application spares it the look, and never outlives a change by anybody, anywhere."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions
from gateway.applications.lifecycle import StageAction, StageEvent, apply
from gateway.authorisations.errors import AuthorisationMissing
from gateway.errors import GatewayError
from gateway.licences.errors import ConfirmedCertificateGone, NoOpenStage
from gateway.licences.gates import Gate
from gateway.partners.errors import AgreementRefused
from gateway.partners.model import AgreementStatus
from gateway.records.entries import RecordEntry
from schemas.partner_api import VerifiedLicence, VerifiedLicenceRequest
from tests.support.licences import PURPOSE, UTILITY, LicencesRoom, an_applicant, province, utility_caller
from tests.support.storage import SetClock, opened

Change = Callable[[LicencesRoom, SqlTransactions, str], Awaitable[None]]


@pytest.fixture(params=[1, 2], ids=["judged from memory", "standing"])
def asked(request: pytest.FixtureRequest) -> int:
    """How often was asked before: the next answer is judged by what is remembered, or one that stands."""
    return int(request.param)


@pytest.fixture
async def application_id(room: LicencesRoom, asked: int) -> str:
    """An application whose next answer is from memory."""
    application_id = (await room.apply()).application.application_id
    for _ in range(asked):
        assert (await room.ask(application_id)).verdict == "valid"
    return application_id


def counted_reads(room: LicencesRoom, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    reads: list[Any] = []
    read = room.transactions.read

    async def noted(work: Any) -> Any:
        reads.append(work)
        return await read(work)

    monkeypatch.setattr(room.transactions, "read", noted)
    return reads


def said(answer: VerifiedLicence) -> dict[str, Any]:
    return answer.model_dump(exclude={"jti", "record_id", "iat"})


async def test_an_answer_from_memory_reads_nothing_beforehand_and_says_the_same(
    room: LicencesRoom, application_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await room.ask(application_id)
    reads = counted_reads(room, monkeypatch)
    after = await room.ask(application_id)
    assert reads == []
    assert said(after) == said(before)
    assert after.record_id != before.record_id
    monkeypatch.undo()
    first, *others = await room.entries("licence.disclosed")
    volatile = {"at": None, "facts": {**first["facts"], "as_of": None}}
    assert all({**each, **volatile} == {**first, **volatile} for each in others)


async def test_many_at_once_share_commits_and_each_is_recorded(room: LicencesRoom, application_id: str) -> None:
    answers = await asyncio.gather(*(room.ask(application_id) for _ in range(60)))
    assert len({each.record_id for each in answers}) == 60
    assert len({str(said(each)) for each in answers}) == 1
    seals = await room.transactions.read(
        lambda tx: [seal for log in tx.record_reader.log_ids() for seal in tx.record_reader.seals(log)]
    )
    assert max(seal.last_sequence - seal.first_sequence + 1 for seal in seals) >= 5


async def withdrawn(room: LicencesRoom, elsewhere: SqlTransactions, application_id: str) -> None:
    def work(tx: Any) -> None:
        authorisation = tx.authorisations.of_application(application_id)
        assert tx.authorisations.withdraw(authorisation.authorisation_id, room.clock())

    await elsewhere.write(work)


async def expired(room: LicencesRoom, elsewhere: SqlTransactions, application_id: str) -> None:
    """Renewed to end at once: no row is gone, and a date is another."""

    def work(tx: Any) -> None:
        authorisation = tx.authorisations.of_application(application_id)
        assert tx.authorisations.renew(authorisation.authorisation_id, room.clock(), "00" * 32)

    await elsewhere.write(work)


async def ended(room: LicencesRoom, elsewhere: SqlTransactions, application_id: str) -> None:
    def work(tx: Any) -> None:
        lifecycle = tx.applications.find(application_id).lifecycle
        over = apply(lifecycle, StageEvent(StageAction.ENDED, room.clock(), reason="撤销"), room.clock())
        tx.applications.put_lifecycle(application_id, over)

    await elsewhere.write(work)


async def unconfirmed(room: LicencesRoom, elsewhere: SqlTransactions, application_id: str) -> None:
    """The application comes to rest on another certificate than the one at hand."""

    def work(tx: Any) -> None:
        documents = tx.applications.find(application_id).documents
        confirmed = next(each for each in documents if each.document == "property_certificate")
        other = replace(confirmed, content_digest="00" * 32, series_digest="11" * 32)
        tx.applications.put_document(application_id, other)

    await elsewhere.write(work)


async def agreement_over(room: LicencesRoom, _: SqlTransactions, __: str) -> None:
    room.change_agreement(status=AgreementStatus.ENDED)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (withdrawn, AuthorisationMissing),
        (expired, AuthorisationMissing),
        (agreement_over, AgreementRefused),
    ],
    ids=["withdrawn", "expired", "agreement over"],
)
async def test_a_change_elsewhere_refuses_the_very_next_answer(
    room: LicencesRoom, application_id: str, asked: int, database_url: str, change: Change, refusal: type[GatewayError]
) -> None:
    with opened(database_url, room.clock) as elsewhere:
        await change(room, elsewhere, application_id)
    results = await asyncio.gather(*(room.ask(application_id) for _ in range(8)), return_exceptions=True)
    assert [type(each) for each in results] == [refusal] * 8
    entries = await room.entries("licence.disclosed")
    assert [each["result"] for each in entries] == ["done"] * asked + ["refused"] * 8
    assert len({frozenset(each["facts"]) for each in entries[asked:]}) == 1, "memory leaves no trace in a refusal"


async def test_what_the_applicant_confirmed_may_change_elsewhere(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    for _ in range(2):
        assert (await room.ask(application_id, "property_certificate")).verdict == "valid"
    with opened(database_url, room.clock) as elsewhere:
        await unconfirmed(room, elsewhere, application_id)
    with pytest.raises(ConfirmedCertificateGone):
        await room.ask(application_id, "property_certificate")


async def test_a_copy_forgotten_elsewhere_is_fetched_anew(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    asked = len(room.source.queries)
    with opened(database_url, room.clock) as elsewhere:
        await elsewhere.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code, "business_licence"))
    room.clock.advance(minutes=1)
    answer = await room.ask(application_id)
    assert len(room.source.queries) == asked + 1
    assert (answer.from_copy, answer.as_of) == (False, room.clock())


async def test_a_copy_put_elsewhere_is_what_the_next_answer_rests_on(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    later = room.clock.advance(minutes=2)
    with opened(database_url, room.clock) as elsewhere:

        def fetched_again(tx: Any) -> None:
            for copy in tx.certificate_copies.latest("business_licence", an_applicant().holder_code):
                tx.certificate_copies.put(replace(copy, fetched_at=later))

        await elsewhere.write(fetched_again)
    assert (await room.ask(application_id)).as_of == later


async def test_a_revocation_takes_effect_with_the_list_that_tells_of_it(
    room: LicencesRoom, application_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(province(), "statuses", [0, 1, *[0] * 14])
    assert (await room.ask(application_id)).verdict == "valid", "the list at hand does not say so yet"
    room.clock.advance(minutes=6)
    answer = await room.ask(application_id)
    assert (answer.verdict, answer.failed_check and answer.failed_check.check) == ("invalid", "status.revoked")
    assert not answer.fields


async def test_a_copy_too_old_to_be_fresh_is_not_answered_from(room: LicencesRoom, application_id: str) -> None:
    asked = len(room.source.queries)
    room.clock.advance(days=1, minutes=1)
    assert not (await room.ask(application_id)).from_copy
    assert len(room.source.queries) == asked + 1


async def test_what_was_fetched_while_the_application_is_remembered_spares_the_source(
    room: LicencesRoom, application_id: str
) -> None:
    room.clock.advance(days=1, minutes=-1)
    await room.ask(application_id)
    asked = len(room.source.queries)
    room.clock.advance(minutes=2)
    assert [(await room.ask(application_id)).from_copy for _ in range(4)] == [False, True, True, True]
    assert len(room.source.queries) == asked + 1


async def test_ages_go_on_counting(room: LicencesRoom, application_id: str) -> None:
    room.clock.advance(minutes=3)
    answer = await room.ask(application_id)
    ages = {each.name: each.age_seconds for each in answer.basis}
    assert ages["certificate"] == 180
    assert ages["chain"] == 0
    assert ages["status_list"] == 180 + 60


async def test_an_application_that_ended_elsewhere_is_closed(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    with opened(database_url, room.clock) as elsewhere:
        await ended(room, elsewhere, application_id)
    with pytest.raises(NoOpenStage):
        await room.ask(application_id)


async def test_no_answer_is_recorded_after_the_withdrawal_that_it_ran_beside(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    with opened(database_url, SetClock(room.clock())) as elsewhere:
        asking = [asyncio.create_task(room.ask(application_id)) for _ in range(40)]
        await asyncio.sleep(0)
        await withdrawn(room, elsewhere, application_id)
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(each) for each in results} <= {VerifiedLicence, AuthorisationMissing}
    late = await asyncio.gather(*(room.ask(application_id) for _ in range(8)), return_exceptions=True)
    assert [type(each) for each in late] == [AuthorisationMissing] * 8


async def test_a_dry_run_from_memory_tells_every_gate(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    request = VerifiedLicenceRequest(application_id=application_id, kind="business_licence", purpose=PURPOSE)
    fresh = await room.licences.explain(UTILITY, request)
    for _ in range(2):
        await room.licences.answer(utility_caller(), request)
    told = await room.licences.explain(UTILITY, request)
    assert [(each.name, each.verdict) for each in told.checks] == [(each.name, each.verdict) for each in fresh.checks]
    assert told.checks[0].name == Gate.CALLER
    room.change_agreement(valid_until=room.clock().date() - timedelta(days=2))
    refused = await room.licences.explain(UTILITY, request)
    assert [each.verdict for each in refused.checks if each.name in ("caller", "application")] == ["valid", "valid"]
    assert next(each for each in refused.checks if each.verdict == "invalid").name == "agreement"


@pytest.mark.usefixtures("application_id")
async def test_what_is_remembered_goes_when_its_time_is_over(room: LicencesRoom) -> None:
    assert (len(room.licences._memory._cases), len(room.certificates._remembered)) == (1, 1)
    room.licences.sweep_memory(room.clock.advance(minutes=4))
    assert (len(room.licences._memory._cases), len(room.certificates._remembered)) == (1, 1)
    room.licences.sweep_memory(room.clock.advance(minutes=1))
    assert (len(room.licences._memory._cases), len(room.certificates._remembered)) == (0, 0)


async def test_of_a_withdrawn_application_nothing_is_remembered(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    with opened(database_url, room.clock) as elsewhere:
        await withdrawn(room, elsewhere, application_id)
    with pytest.raises(AuthorisationMissing):
        await room.ask(application_id)
    assert (len(room.licences._memory._cases), len(room.certificates._remembered)) == (0, 0)


async def test_a_table_that_is_locked_for_a_moment_refuses_nobody(
    room: LicencesRoom, application_id: str, database_url: str
) -> None:
    """A rewrite of the table (``bandian keys reseal --sweep``) is waited for, by those alone who look at it."""
    engine = create_database_engine(database_url, pool_size=1)
    if engine.dialect.name != "postgresql":
        engine.dispose()
        return  # SQLite locks no table of its own
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.execute(text("LOCK TABLE certificate_copies IN ACCESS EXCLUSIVE MODE"))
        plain = [  # the first of them leads the batch, and waits for nothing
            asyncio.create_task(
                room.transactions.write(lambda tx: tx.records.append(RecordEntry("test.done", room.clock(), "gateway")))
            )
            for _ in range(3)
        ]
        asking = [asyncio.create_task(room.ask(application_id)) for _ in range(6)]
        await asyncio.sleep(1)
        transaction.rollback()
    engine.dispose()
    assert {each.verdict for each in await asyncio.gather(*asking)} == {"valid"}
    assert len(set(await asyncio.gather(*plain))) == 3
