"""An applicant sees their own applications, all of them, and nobody else's."""

from collections.abc import Iterator

import pytest

from gateway.applications.errors import ApplicationUnknown
from gateway.errors import GatewayError
from gateway.progress.service import ProgressService
from tests.support.licences import UTILITY, LicencesRoom, an_applicant, licences_room

MINE = an_applicant().holder_digest
ANOTHERS = "f" * 64


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


def progress_of(room: LicencesRoom) -> ProgressService:
    return ProgressService(room.transactions, room.stages._calendar, room.clock)


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
