"""供用电合同, over both databases: offered once, signed by its applicant alone with a verification made for it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.applications.errors import ApplicationClosed, ApplicationUnknown
from gateway.applications.lifecycle import StageAction
from gateway.contracts.errors import (
    ContractContradicts,
    ContractDocumentMalformed,
    ContractNotInClass,
    ContractNotOpen,
    ContractUnknown,
    SignatureNotFresh,
)
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.errors import GatewayError
from gateway.records.entries import digest
from gateway.retention.policies import Kept, RetentionPolicy
from schemas.contracts import ContractDeclined, ContractOnPaper, ContractSignature, ContractSigned
from schemas.events import EventType
from schemas.wire import Typ
from tests.support.approvals import UTILITY, a_small_application, the_applicant
from tests.support.contracts import (
    A_PDF,
    HOLDER,
    SECRET_REASON,
    ContractsRoom,
    a_zero_application,
    an_offer,
    contracts_room,
)
from tests.support.partners import ISSUER
from tests.support.storage import NOON


@pytest.fixture
async def room(database_url: str) -> Iterator[ContractsRoom]:
    with contracts_room(database_url) as made:
        await made.approvals.receive_application(a_zero_application())
        yield made


async def refused(call, error: type[GatewayError], check: str) -> None:
    with pytest.raises(error) as caught:
        await call
    assert (type(caught.value), caught.value.check) == (error, check)


async def test_signed_with_a_verification_for_it_and_the_utility_is_told(room: ContractsRoom) -> None:
    contract = await room.offered()
    session = await room.verified(contract)
    assert (await room.service.ready("app_1", session)).contract_id == contract.contract_id
    signed = await room.service.sign("app_1", session, contract.contract_id, contract.sha256)
    assert (signed.state, signed.settled_at) == ("signed", NOON)
    (event,) = await room.approvals.events(UTILITY)
    told = ContractSigned.model_validate(event.data)
    assert (event.type, event.subject, event.sequence) == (EventType.CONTRACT_SIGNED, "app_1", 1)
    assert (told.contract_sha256, told.statement) == (contract.sha256, signed.statement)
    policy = JwsPolicy(typ=frozenset({Typ.CONTRACT_SIGNATURE}), issuer=ISSUER, audience=frozenset({UTILITY}))
    said = ContractSignature.model_validate(verify_jws(told.statement, [room.key.public()], policy, NOON).claims)
    assert (said.contract_sha256, said.contract_id) == (contract.sha256, contract.contract_id)
    assert said.assertion_sha256 == digest("signed.by.provider")
    assert session.nonce.endswith("." + said.subject_sha256)
    assert (said.verified_by, said.role) == ("e_licence", "agent")
    *_, entry = await room.approvals.entries()
    assert (entry["action"], entry["actor"], entry["subject"]) == ("contract.signed", "applicant", "app_1")
    assert entry["facts"]["statement_sha256"] == digest(told.statement)
    assert contract.sha256 not in str(await room.approvals.entries()), "a digest of what can be guessed would tell it"


async def test_signed_twice_it_is_signed_once(room: ContractsRoom) -> None:
    contract = await room.offered()
    session = await room.verified(contract)
    first = await room.service.sign("app_1", session, contract.contract_id, contract.sha256)
    room.approvals.clock.advance(hours=5)
    assert await room.service.sign("app_1", session, contract.contract_id, contract.sha256) == first
    assert len(await room.approvals.events(UTILITY)) == 1


async def test_only_a_fresh_verification_for_this_very_contract_signs(room: ContractsRoom) -> None:
    contract = await room.offered()
    session = await room.verified(contract)
    another = await room.verified(await room.offered(event_id="ev-2", version=2))
    newest = await room.service.standing("app_1", HOLDER)
    assert newest is not None
    wrong = {
        "unbound": replace(session, nonce="plain"),
        "for_the_former_version": session,
        "nothing_but_the_digest": replace(another, nonce=another.nonce.partition(".")[2]),
        "nobody_verified": replace(another, assertion=None),
    }
    for name, each in wrong.items():
        with pytest.raises(SignatureNotFresh):
            await room.service.sign("app_1", each, newest.contract_id, newest.sha256)
        assert (await room.service.standing("app_1", HOLDER)).state == "offered", name
    old = replace(another, opened_at=NOON - timedelta(minutes=31))
    await refused(
        room.service.sign("app_1", old, newest.contract_id, newest.sha256),
        SignatureNotFresh,
        "contract.verification_too_old",
    )
    stranger = replace(another, applicant=the_applicant("1" * 64))
    await refused(
        room.service.sign("app_1", stranger, newest.contract_id, newest.sha256),
        ApplicationUnknown,
        "application.unknown",
    )
    await refused(
        room.service.sign("app_1", another, newest.contract_id, "0" * 64), ContractContradicts, "contract.document"
    )
    assert await room.approvals.events(UTILITY) == []
    assert [e["result"] for e in await room.approvals.entries() if e["action"] == "contract.signed"] == ["refused"] * 7


async def test_a_repeated_offer_has_no_second_effect_and_a_changed_one_is_refused(room: ContractsRoom) -> None:
    first, known = await room.service.offer(UTILITY, "app_1", an_offer())
    again, known_again = await room.service.offer(UTILITY, "app_1", an_offer())
    assert (first, known, known_again) == (again, False, True)
    await refused(room.service.offer(UTILITY, "app_1", an_offer(version=2)), ContractContradicts, "contract.event")
    await refused(
        room.service.offer(UTILITY, "app_1", an_offer(event_id="ev-2")), ContractContradicts, "contract.version"
    )
    second = await room.offered(event_id="ev-2", version=2)
    await refused(
        room.service.sign("app_1", await room.verified(second), first.contract_id, first.sha256),
        ContractNotOpen,
        "contract.replaced",
    )
    assert (await room.service.document("app_1", HOLDER)) == (second, A_PDF)


async def test_who_may_offer_what_and_when(room: ContractsRoom) -> None:
    service, clock = room.service, room.approvals.clock
    await refused(service.offer("csg-foshan", "app_1", an_offer()), ApplicationUnknown, "application.unknown")
    for until in (NOON, NOON + timedelta(days=181)):
        await refused(
            service.offer(UTILITY, "app_1", an_offer(valid_until=until)),
            ContractDocumentMalformed,
            "contract.valid_until",
        )
    await room.approvals.receive_application(a_small_application("app_2"))
    await refused(service.offer(UTILITY, "app_2", an_offer()), ContractNotInClass, "contract.class")
    contract = await room.offered()
    session = await room.verified(contract)
    await room.happens(StageAction.STARTED)
    await room.happens(StageAction.COMPLETED)
    late = an_offer(event_id="ev-2", version=2)
    await refused(service.offer(UTILITY, "app_1", late), ContractNotOpen, "contract.stage_over")
    sign = service.sign("app_1", session, contract.contract_id, contract.sha256)
    await refused(sign, ContractNotOpen, "contract.stage_over")
    await room.happens(StageAction.WITHDRAWN, None)
    await refused(service.offer(UTILITY, "app_1", late), ApplicationClosed, "application.closed")
    clock.advance(days=11)
    assert (await service.standing("app_1", HOLDER)).state == "expired"


async def test_declined_with_a_reason_that_the_utility_reads_and_the_record_does_not(room: ContractsRoom) -> None:
    contract = await room.offered()
    declined = await room.service.decline("app_1", HOLDER, contract.contract_id, SECRET_REASON)
    assert declined == await room.service.decline("app_1", HOLDER, contract.contract_id, None)
    (event,) = await room.approvals.events(UTILITY)
    assert ContractDeclined.model_validate(event.data).reason == SECRET_REASON
    assert SECRET_REASON not in str(await room.approvals.entries())
    with pytest.raises(ContractNotOpen) as caught:
        await room.verified(contract)
    assert caught.value.check == "contract.declined"
    await room.offered(event_id="ev-2", version=2)
    assert (await room.service.standing("app_1", HOLDER)).state == "offered"


async def test_paper_is_as_good_also_after_no_and_after_the_offer_ran_out(room: ContractsRoom) -> None:
    contract, told = await room.offered(), ContractOnPaper(event_id="ev-9", version=1)
    room.approvals.clock.advance(days=11)
    settled, known = await room.service.on_paper(UTILITY, "app_1", told)
    assert (settled.state, known) == ("signed_on_paper", False)
    assert (await room.service.on_paper(UTILITY, "app_1", told))[1]
    unknown = ContractOnPaper(event_id="ev-9", version=3)
    await refused(room.service.on_paper(UTILITY, "app_1", unknown), ContractUnknown, "contract.unknown")
    await refused(
        room.service.offer(UTILITY, "app_1", an_offer(event_id="ev-2", version=2, valid_until=NOON + timedelta(20))),
        ContractNotOpen,
        "contract.signed_on_paper",
    )
    await refused(
        room.service.decline("app_1", HOLDER, contract.contract_id, None), ContractNotOpen, "contract.signed_on_paper"
    )


async def test_what_it_says_goes_with_the_applicants_data_and_that_it_was_signed_stays(room: ContractsRoom) -> None:
    contract = await room.offered()
    session = await room.verified(contract)
    signed = await room.service.sign("app_1", session, contract.contract_id, contract.sha256)
    await room.happens(StageAction.ENDED, None, "无法办理")
    policy = RetentionPolicy(Kept.PARTIES, "", "", timedelta(), "")
    await room.approvals.transactions.write(lambda tx: tx.removal.remove(policy, NOON, NOON, 10))
    left = await room.service.standing("app_1", HOLDER)
    assert left == signed.model_copy(update={"document_kept": False})
    await refused(room.service.document("app_1", HOLDER), ContractUnknown, "contract.unknown")
