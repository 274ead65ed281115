"""Two gateways over one PostgreSQL: one intake, confirmed at both at the same moment, is one application."""

import asyncio
from threading import Barrier

import pytest

from adapters.storage.applications import SqlIntakes
from gateway.applications.errors import IntakeUnknown
from gateway.applications.model import IntakeKind
from gateway.applications.submission import Submitted
from schemas.applicant_api import Confirmation
from tests.support.databases import Databases
from tests.support.licences import SHOP, an_applicant, licences_room

BOTH_HAVE_READ_WITHIN_S = 20


async def test_an_intake_confirmed_at_two_gateways_at_once_is_one_application(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_read = Barrier(2, timeout=BOTH_HAVE_READ_WITHIN_S)
    find = SqlIntakes.find

    def find_and_wait(self, *wanted):
        body = find(self, *wanted)
        both_have_read.wait()
        return body

    with databases.postgresql() as url, licences_room(url) as one, licences_room(url) as two:
        for _ in range(100):
            two.intakes._make_id("another gateway's ids are others")
        applicant = an_applicant()
        view = await one.intakes.begin(applicant, IntakeKind.ONE_CERTIFICATE, SHOP)
        monkeypatch.setattr(SqlIntakes, "find", find_and_wait)
        answers = await asyncio.gather(
            *(room.intakes.confirm(applicant, view.intake_id, Confirmation(authorise=True)) for room in (one, two)),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {Submitted, IntakeUnknown}
        mine = await one.transactions.read(lambda tx: tx.applications.of_holder(applicant.holder_digest, 10))
        assert len(mine) == 1
