"""A notice is there exactly when its fact is, on both databases; and only its owner reads it."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.applications.errors import ApplicationUnknown, StageReentered
from gateway.applications.own_application import OwnApplicationService
from gateway.notices.model import NoticeKind
from gateway.notices.service import NoticeService
from gateway.records.entries import RecordEntry
from schemas.partner_api import StageEventRequest
from tests.support.licences import UTILITY, LicencesRoom, an_applicant, licences_room

HOLDER = an_applicant().holder_digest


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


def started(room: LicencesRoom, event_id: str = "e-1") -> StageEventRequest:
    return StageEventRequest(event_id=event_id, stage="sign_up", action="started", claimed_at=room.clock())


async def kinds(room: LicencesRoom, application_id: str) -> list[NoticeKind]:
    told = await NoticeService(room.transactions, room.clock).of_application(application_id, HOLDER)
    return [each.kind for each in told]


async def stage_of(room: LicencesRoom, application_id: str) -> str:
    application = await room.transactions.read(lambda tx: tx.applications.find(application_id))
    assert application is not None
    return application.lifecycle.progress()[0].stage.value


async def test_each_fact_has_one_notice_and_what_came_twice_or_was_refused_has_no_more(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    assert await kinds(room, application_id) == [NoticeKind.RECEIVED]
    room.clock.advance(minutes=1)
    stage = await stage_of(room, application_id)
    event = started(room).model_copy(update={"stage": stage})
    await room.stages.hear(UTILITY, application_id, event)
    assert (await room.stages.hear(UTILITY, application_id, event)).duplicate
    with pytest.raises(StageReentered):
        await room.stages.hear(UTILITY, application_id, event.model_copy(update={"event_id": "e-2"}))
    assert await kinds(room, application_id) == [NoticeKind.STAGE_STARTED, NoticeKind.RECEIVED]


async def test_a_unit_that_fails_leaves_neither_fact_nor_notice(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id

    def fails(tx: Any) -> None:
        tx.records.append(RecordEntry("application.ended", room.clock(), UTILITY, application_id))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await room.transactions.write(fails)
    assert await kinds(room, application_id) == [NoticeKind.RECEIVED]


async def test_a_withdrawal_is_acknowledged(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    room.clock.advance(minutes=1)
    own = OwnApplicationService(room.transactions, room.clock, lambda kind: f"{kind}_own", "共享平台")
    await own.withdraw(application_id, HOLDER)
    assert (await kinds(room, application_id))[0] is NoticeKind.WITHDRAWN


async def test_anothers_notices_are_as_if_they_were_not_there(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    for wrong, holder in ((application_id, "f" * 64), ("app_none", HOLDER)):
        with pytest.raises(ApplicationUnknown):
            await NoticeService(room.transactions, room.clock).of_application(wrong, holder)
