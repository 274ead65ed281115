"""A proof that several processes might be shown is spent with the answer that stands, or before anything is judged."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from adapters.storage.transactions import SqlTransactions
from gateway.errors import GatewayError
from gateway.partners.dpop import DpopProof
from gateway.partners.errors import ProofRefused
from gateway.partners.proof_use import SharedProofUse
from schemas.partner_api import VerifiedLicenceRequest
from tests.support.licences import PURPOSE, LicencesRoom, utility_caller
from tests.support.storage import opened
from tests.unit.licences.test_memory import withdrawn


def use_of(transactions: SqlTransactions, room: LicencesRoom, token_id: str = "jti-1") -> SharedProofUse:
    return SharedProofUse(transactions, DpopProof("thumbprint", token_id, room.clock()), room.clock())


def request_of(application_id: str) -> VerifiedLicenceRequest:
    return VerifiedLicenceRequest(application_id=application_id, kind="business_licence", purpose=PURPOSE)


async def an_application(room: LicencesRoom, asked: int) -> str:
    application_id = (await room.apply()).application.application_id
    for _ in range(asked):
        await room.ask(application_id)
    return application_id


async def spent_elsewhere(elsewhere: SqlTransactions, room: LicencesRoom, token_id: str = "jti-1") -> bool:
    """Whether another process finds it spent, and spends it where it was not."""
    try:
        await use_of(elsewhere, room, token_id).spend()
    except ProofRefused:
        return True
    return False


def counted_writes(room: LicencesRoom, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    writes, write = list[Any](), room.transactions.write

    async def noted(work: Any) -> Any:
        writes.append(work)
        return await write(work)

    monkeypatch.setattr(room.transactions, "write", noted)
    return writes


async def test_one_commit_spends_the_proof_and_records_the_answer(
    room: LicencesRoom, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await an_application(room, asked=2)
    writes = counted_writes(room, monkeypatch)
    assert await room.licences.answer(utility_caller(), request_of(application_id), use_of(room.transactions, room))
    assert len(writes) == 1
    with opened(database_url, room.clock) as elsewhere:
        assert await spent_elsewhere(elsewhere, room)
        assert not await spent_elsewhere(elsewhere, room, "jti-2")


@pytest.mark.parametrize("asked", [0, 1, 2])
async def test_one_that_was_spent_elsewhere_gets_no_answer_and_leaves_no_entry(
    room: LicencesRoom, database_url: str, asked: int
) -> None:
    application_id = await an_application(room, asked)
    before = await room.entries("licence.disclosed")
    with opened(database_url, room.clock) as elsewhere:
        assert not await spent_elsewhere(elsewhere, room)
    with pytest.raises(ProofRefused) as refusal:
        await room.licences.answer(utility_caller(), request_of(application_id), use_of(room.transactions, room))
    assert refusal.value.check == "dpop.replayed"
    assert await room.entries("licence.disclosed") == before


@pytest.mark.parametrize("asked", [0, 2])
async def test_it_is_spent_also_where_the_answer_is_a_refusal(
    room: LicencesRoom, database_url: str, asked: int
) -> None:
    application_id = await an_application(room, asked)
    with opened(database_url, room.clock) as elsewhere:
        await withdrawn(room, elsewhere, application_id)
        with pytest.raises(GatewayError, match="authorisation"):
            await room.licences.answer(utility_caller(), request_of(application_id), use_of(room.transactions, room))
        assert await spent_elsewhere(elsewhere, room)


async def test_of_many_at_once_each_proof_is_good_for_one_answer(room: LicencesRoom, database_url: str) -> None:
    applications = [await an_application(room, asked=2) for _ in range(2)]
    proofs = [f"jti-{number}" for number in range(40)]

    async def answered(number: int, token_id: str) -> bool:
        use = use_of(room.transactions, room, token_id)
        try:
            await room.licences.answer(utility_caller(), request_of(applications[number % 2]), use)
        except ProofRefused:
            return False
        return True

    with opened(database_url, room.clock) as elsewhere:
        both = await asyncio.gather(
            *(answered(number, token_id) for number, token_id in enumerate(proofs)),
            *(spent_elsewhere(elsewhere, room, token_id) for token_id in reversed(proofs)),
        )
    here, refused_there = both[: len(proofs)], list(reversed(both[len(proofs) :]))
    assert here == refused_there
    assert len(await room.entries("licence.disclosed")) == 4 + sum(here)


async def test_what_lapsed_may_be_spent_again(room: LicencesRoom) -> None:
    await use_of(room.transactions, room).spend()
    room.clock.advance(seconds=timedelta(minutes=2).total_seconds())
    await use_of(room.transactions, room).spend()
    with pytest.raises(ProofRefused):
        await use_of(room.transactions, room).spend()
