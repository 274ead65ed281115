"""An applicant sees their own applications, all of them, and nobody else's."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.applications.errors import ApplicationUnknown
from gateway.authorisations.service import AuthorisationService
from gateway.delivery.ports import ClaimRoom, DeliveryState, Receipt, Settlement
from gateway.errors import GatewayError
from gateway.identity.errors import SessionRequired
from gateway.identity.model import SessionStatus, VerificationSession, VerifiedApplicant
from gateway.identity.sessions import digest_of
from gateway.progress.service import ProgressService
from gateway.records.entries import digest
from tests.support.licences import UTILITY, LicencesRoom, an_applicant, licences_room
from tests.support.storage import opened

MINE = an_applicant().holder_digest
ANOTHERS = "f" * 64


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


def progress_of(room: LicencesRoom) -> ProgressService:
    return ProgressService(room.transactions, room.stages._rules, room.clock)


async def test_anothers_application_is_as_if_it_were_not_there(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    service = progress_of(room)
    refusals = []
    for wanted, holder in ((application_id, ANOTHERS), ("app_none", MINE)):
        with pytest.raises(ApplicationUnknown) as caught:
            await service.progress(wanted, holder)
        refusals.append((caught.value.check, caught.value.remedy))
    assert refusals[0] == refusals[1]
    assert await service.applications(ANOTHERS) == []
    assert [each.application_id for each in await service.applications(MINE)] == [application_id]


async def test_who_looked_is_told_and_who_was_refused_too(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    other_id = (await room.apply()).application.application_id
    await room.ask(application_id, fields=["name"])
    with pytest.raises(GatewayError):
        await room.ask(application_id, kind="construction_qualification")
    await room.ask(other_id)
    given, refused = (await progress_of(room).progress(application_id, MINE)).accesses
    assert (given.who, given.result, given.document, given.fields) == (UTILITY, "done", "business_licence", ["name"])
    assert (given.document_title, given.titles) == ("营业执照", ["证照名称"])
    told = {each.title: each.says for each in given.withheld}
    assert (told["企业名称"], told["住所"]) == ("本次未索取", "数据共享协议未约定")
    assert (refused.result, refused.document, refused.clause) == ("refused", "construction_qualification", "第（六）条")


async def test_a_withdrawal_is_followed_until_the_utility_has_signed_for_it(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    service = progress_of(room)
    assert (await service.progress(application_id, MINE)).withdrawal is None
    await AuthorisationService(room.transactions, room.clock, lambda kind: f"{kind}_1").withdraw(application_id, MINE)
    told = (await service.progress(application_id, MINE)).withdrawal
    assert told is not None
    assert (told.told_at, told.acknowledged_at, told.stuck) == (room.clock(), None, False)
    await _settle_all(room, DeliveryState.DELIVERED)
    signed = (await service.progress(application_id, MINE)).withdrawal
    assert signed is not None
    assert (signed.acknowledged_at, signed.receipt_sha256) == (room.clock(), digest("signed by the utility"))


async def test_a_withdrawal_that_cannot_be_delivered_is_told(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    await AuthorisationService(room.transactions, room.clock, lambda kind: f"{kind}_1").withdraw(application_id, MINE)
    await _settle_all(room, DeliveryState.DEAD)
    told = (await progress_of(room).progress(application_id, MINE)).withdrawal
    assert told is not None
    assert (told.stuck, told.acknowledged_at, told.receipt_sha256) == (True, None, None)


async def _settle_all(room: LicencesRoom, state: DeliveryState) -> None:
    """As the relay does, one event of an application after the other."""
    receipt = Receipt("signed by the utility", duplicate=False) if state is DeliveryState.DELIVERED else None
    now = room.clock()
    while True:
        claimed = await room.transactions.write(
            lambda tx: tx.deliveries.claim("relay", now, now + timedelta(minutes=1), ClaimRoom(10, 10))
        )
        if not claimed:
            return
        settled = [
            Settlement(each.event.event_id, each.attempt, now, now, state, "accepted", 200, receipt) for each in claimed
        ]
        await room.transactions.write(lambda tx, settled=settled: tx.deliveries.settle("relay", *settled))


async def test_who_holds_the_secret_sees_how_their_own_stands(room: LicencesRoom) -> None:
    """As by two reads, but for who looked at what."""
    application_id = (await room.apply()).application.application_id
    await room.ask(application_id, fields=["name"])
    service, applicant = progress_of(room), an_applicant()
    await room.transactions.write(lambda tx: tx.sessions.add(session_of(room, applicant, "secret")))
    who, standing = await service.standing(application_id, "secret")
    whole = await service.progress(application_id, MINE)
    assert len(whole.accesses) == 1
    assert standing == whole.model_copy(update={"accesses": []})
    assert (who.holder_digest, who.session_id, who.assertion) == (MINE, "ses_1", "the assertion")
    for wanted, secret, refused in (
        (application_id, "another", SessionRequired),
        ("app_none", "secret", ApplicationUnknown),
    ):
        with pytest.raises(refused):
            await service.standing(wanted, secret)


async def test_a_session_that_another_process_closed_or_that_is_over_shows_nothing(
    room: LicencesRoom, database_url: str
) -> None:
    application_id = (await room.apply()).application.application_id
    service, applicant = progress_of(room), an_applicant()
    session = session_of(room, applicant, "secret")
    await room.transactions.write(lambda tx: tx.sessions.add(session))
    await service.standing(application_id, "secret")
    with opened(database_url, room.clock) as another:
        await another.write(lambda tx: tx.sessions.remove("ses_1"))
    with pytest.raises(SessionRequired):
        await service.standing(application_id, "secret")
    stranger = replace(applicant, holder_digest=ANOTHERS)
    await room.transactions.write(lambda tx: tx.sessions.add(replace(session, applicant=stranger)))
    with pytest.raises(ApplicationUnknown):
        await service.standing(application_id, "secret")
    room.clock.at = session.expires_at
    with pytest.raises(SessionRequired):
        await service.standing(application_id, "secret")


def session_of(room: LicencesRoom, applicant: VerifiedApplicant, secret: str) -> VerificationSession:
    return VerificationSession(
        session_id="ses_1",
        applicant_kind=applicant.applicant_kind,
        method=applicant.method,
        state_digest="state",
        token_digest=digest_of(secret),
        nonce="nonce",
        code_verifier="verifier",
        opened_at=room.clock(),
        expires_at=room.clock() + timedelta(hours=2),
        status=SessionStatus.VERIFIED,
        applicant=applicant,
        assertion="the assertion",
    )
