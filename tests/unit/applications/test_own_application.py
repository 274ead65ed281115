"""An application that ends – withdrawn by its applicant, or by the utility – and an authorisation that is renewed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from gateway.applications.errors import (
    ApplicationClosed,
    ApplicationUnknown,
    AuthorisationPeriodUnsound,
    PauseReasonMissing,
    StageEventContradicts,
)
from gateway.applications.own_application import OwnApplicationService
from gateway.authorisations.errors import AlreadyWithdrawn, AuthorisationMissing
from gateway.errors import Owner
from gateway.licences.errors import NoOpenStage
from gateway.progress.service import ProgressService
from schemas.events import ApplicationWithdrawn, EventType
from schemas.partner_api import EndingRequest, StageEventRequest
from tests.support.licences import OTHER_UTILITY, UTILITY, LicencesRoom, an_applicant, licences_room

HOLDER = an_applicant().holder_digest


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


@pytest.fixture
def own(room: LicencesRoom) -> OwnApplicationService:
    numbers = count(1)
    return OwnApplicationService(room.transactions, room.clock, lambda kind: f"{kind}_own{next(numbers)}", "共享平台")


def ending(at: datetime, reason: str = "用户变更用电地址", event_id: str = "end-1") -> EndingRequest:
    return EndingRequest(event_id=event_id, reason=reason, claimed_at=at)


async def progress(room: LicencesRoom, application_id: str) -> Any:
    service = ProgressService(room.transactions, room.stages._rules, room.clock)
    return await service.progress(application_id, HOLDER)


async def events(room: LicencesRoom) -> list[Any]:
    return await room.transactions.read(lambda tx: list(tx.deliveries.feed(UTILITY, 0, 10)))


async def test_withdrawn_it_is_closed_with_its_authorisation_and_the_utility_is_told(
    room: LicencesRoom, own: OwnApplicationService
) -> None:
    made = await room.apply()
    application_id = made.application.application_id
    at = room.clock.advance(hours=1)
    withdrawn = await own.withdraw(application_id, HOLDER)
    assert withdrawn.application.lifecycle.status == "withdrawn"
    seen = await progress(room, application_id)
    assert (seen.status, seen.closed_at, seen.authorisation_withdrawn_at) == ("withdrawn", at, at)
    *_, told = await events(room)
    assert told.type == EventType.APPLICATION_WITHDRAWN
    assert ApplicationWithdrawn.model_validate(told.data) == ApplicationWithdrawn(
        application_id=application_id, authorisation_id=made.authorisation.authorisation_id, withdrawn_at=at
    )
    for action in ("application.withdrawn", "authorisation.withdrawn"):
        (entry,) = await room.entries(action)
        assert (entry["result"], entry["actor"], entry["subject"]) == ("done", "applicant", application_id)


async def test_after_a_withdrawal_nothing_more_happens(room: LicencesRoom, own: OwnApplicationService) -> None:
    application_id = (await room.apply()).application.application_id
    await own.withdraw(application_id, HOLDER)
    event = StageEventRequest(event_id="e1", stage="sign_up", action="started", claimed_at=room.clock())
    with pytest.raises(ApplicationClosed):
        await room.stages.hear(UTILITY, application_id, event)
    with pytest.raises(ApplicationClosed):
        await room.stages.end(UTILITY, application_id, ending(room.clock()))
    with pytest.raises(NoOpenStage):
        await room.ask(application_id)
    with pytest.raises(ApplicationClosed) as again:
        await own.withdraw(application_id, HOLDER)
    assert again.value.owner is Owner.APPLICANT
    with pytest.raises(ApplicationClosed):
        await own.renew(application_id, HOLDER, room.clock() + timedelta(days=300))
    with pytest.raises(AlreadyWithdrawn):
        await room.authorisations.withdraw(application_id, HOLDER)
    assert len(await events(room)) == 2
    assert [each["result"] for each in await room.entries("application.withdrawn")] == ["done", "refused"]


async def test_a_withdrawal_after_that_of_the_authorisation_says_so_once(
    room: LicencesRoom, own: OwnApplicationService
) -> None:
    application_id = (await room.apply()).application.application_id
    await room.authorisations.withdraw(application_id, HOLDER)
    await own.withdraw(application_id, HOLDER)
    assert [each["result"] for each in await room.entries("authorisation.withdrawn")] == ["done"]


async def test_anothers_application_is_as_if_it_were_not_there(room: LicencesRoom, own: OwnApplicationService) -> None:
    application_id = (await room.apply()).application.application_id
    until = room.clock() + timedelta(days=300)
    for attempt in (
        own.withdraw(application_id, "somebody-else"),
        own.renew(application_id, "somebody-else", until),
        room.stages.end(OTHER_UTILITY, application_id, ending(room.clock())),
    ):
        with pytest.raises(ApplicationUnknown) as caught:
            await attempt
        assert caught.value.record_id
    for action in ("application.withdrawn", "authorisation.renewed", "application.ended"):
        assert [(each["result"], each["subject"]) for each in await room.entries(action)] == [("refused", None)]
    assert (await progress(room, application_id)).status == "waiting"


async def test_the_utility_ends_it_with_a_reason_that_the_applicant_reads(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    at = room.clock.advance(hours=2)
    ended = await room.stages.end(UTILITY, application_id, ending(at))
    assert (ended.status, ended.ended_at, ended.flags, ended.duplicate) == ("ended", at, [], False)
    seen = await progress(room, application_id)
    assert (seen.status, seen.closed_at, seen.closing_reason) == ("ended", at, "用户变更用电地址")
    (entry,) = await room.entries("application.ended")
    assert (entry["actor"], entry["subject"]) == (UTILITY, application_id)
    assert "用电地址" not in str(entry)
    with pytest.raises(NoOpenStage):
        await room.ask(application_id)


async def test_an_ending_that_comes_again_has_no_second_effect(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    request = ending(room.clock())
    first = await room.stages.end(UTILITY, application_id, request)
    room.clock.advance(hours=1)
    again = await room.stages.end(UTILITY, application_id, request)
    assert again == first.model_copy(update={"duplicate": True})
    with pytest.raises(StageEventContradicts):
        await room.stages.end(UTILITY, application_id, ending(request.claimed_at, "别的理由"))
    with pytest.raises(ApplicationClosed):
        await room.stages.end(UTILITY, application_id, ending(request.claimed_at, event_id="end-2"))


async def test_an_ending_without_a_reason_is_refused_and_its_event_id_stays_out_of_the_record(
    room: LicencesRoom,
) -> None:
    application_id = (await room.apply()).application.application_id
    with pytest.raises(PauseReasonMissing):
        await room.stages.end(UTILITY, application_id, ending(room.clock(), "  ", "zhang-san-440106199001011234"))
    (entry,) = await room.entries("application.ended")
    assert (entry["result"], entry["subject"]) == ("refused", application_id)
    assert "440106199001011234" not in str(entry)


async def test_an_authorisation_that_has_expired_is_renewed(room: LicencesRoom, own: OwnApplicationService) -> None:
    made = await room.apply(authorised_until=room.clock() + timedelta(days=2))
    application_id = made.application.application_id
    room.clock.advance(days=3)
    with pytest.raises(AuthorisationMissing):
        await room.ask(application_id)
    until = room.clock() + timedelta(days=90)
    renewed = await own.renew(application_id, HOLDER, until)
    assert (renewed.authorisation.until, renewed.authorisation.kinds) == (until, made.authorisation.kinds)
    assert (await room.ask(application_id)).verdict == "valid"
    assert (await progress(room, application_id)).authorised_until == until
    (entry,) = await room.entries("authorisation.renewed")
    assert (entry["subject"], entry["facts"]["until"]) == (application_id, until.isoformat())


@pytest.mark.parametrize("days", [-1, 0, 5, 30, 367])
async def test_a_renewal_ends_later_than_before_and_within_a_year(
    room: LicencesRoom, own: OwnApplicationService, days: int
) -> None:
    application_id = (await room.apply(authorised_until=room.clock() + timedelta(days=30))).application.application_id
    with pytest.raises(AuthorisationPeriodUnsound):
        await own.renew(application_id, HOLDER, room.clock() + timedelta(days=days))
    assert [each["result"] for each in await room.entries("authorisation.renewed")] == ["refused"]


async def test_a_withdrawn_authorisation_is_not_renewed(room: LicencesRoom, own: OwnApplicationService) -> None:
    application_id = (await room.apply()).application.application_id
    await room.authorisations.withdraw(application_id, HOLDER)
    with pytest.raises(AlreadyWithdrawn):
        await own.renew(application_id, HOLDER, room.clock() + timedelta(days=300))
    with pytest.raises(AuthorisationMissing):
        await room.ask(application_id)


async def copies(room: LicencesRoom) -> int:
    code = an_applicant().holder_code
    return len(await room.transactions.read(lambda tx: list(tx.certificate_copies.latest("business_licence", code))))


async def test_copies_go_with_the_last_application_that_rests_on_them(
    room: LicencesRoom, own: OwnApplicationService
) -> None:
    first = (await room.apply()).application.application_id
    second = (await room.apply()).application.application_id
    assert await copies(room) == 1
    await own.withdraw(first, HOLDER)
    assert not await own.forget_copies(HOLDER, an_applicant().holder_code)
    assert await copies(room) == 1
    await own.withdraw(second, HOLDER)
    assert await own.forget_copies(HOLDER, an_applicant().holder_code)
    assert await copies(room) == 0
