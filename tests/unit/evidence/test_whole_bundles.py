"""Whoever had everything is told to the applicant, and to a co-owner, who does not see from it when it ended."""

from datetime import timedelta

import pytest

from gateway.applications.own_application import OwnApplicationService
from gateway.evidence.verify_evidence import read_archive
from gateway.progress.service import ProgressService
from gateway.retention.policies import Kept, policies
from gateway.retention.service import RetentionService
from schemas.ecertificates import TYPE_CODES
from tests.support.co_owners import hold_shared, seen_by
from tests.support.databases import Databases
from tests.support.ecertificates import ENTERPRISE
from tests.support.evidence import evidence_room
from tests.support.licences import an_applicant
from tests.support.retention import PERIODS

HOLDER = an_applicant()


async def test_whoever_had_everything_is_told_to_the_applicant_and_to_a_co_owner(databases: Databases) -> None:
    async with evidence_room(databases.sqlite()) as room:
        hold_shared(room.room)
        application_id = (await room.room.apply()).application.application_id
        await room.anchored()
        progress = ProgressService(room.room.transactions, room.room.stages._rules, room.room.clock)
        for redacted in (True, False):
            await room.service.for_operator(application_id, "cli:operator", redacted=redacted)
            await room.anchored()
        given = await room.service.for_applicant(application_id, HOLDER, redacted=False)
        (access,) = (await progress.progress(application_id, HOLDER.holder_digest)).accesses
        assert (access.who, access.document_title, access.purpose) == ("cli:operator", "证据包", "evidence")
        assert access.titles == ["全部证照原文、身份核验结果与申请人信息"]
        (seen,) = await seen_by(room.room)
        assert (seen.who, seen.document, seen.titles) == (
            "cli:operator",
            "property_certificate",
            ["整份证照，含姓名和证件号码"],
        )
        (envelope,) = room.room.source.held[TYPE_CODES["property_certificate"], ENTERPRISE]
        assert envelope in read_archive(given.archive).values(), "it is there, with what it says of everybody"


@pytest.mark.parametrize("ended", [True, False], ids=["withdrawn", "open"])
async def test_when_the_application_ended_does_not_show(databases: Databases, ended: bool) -> None:
    """A bundle that was had 20 days after the withdrawal is shown for its 30 days, as if nothing had been withdrawn."""
    async with evidence_room(databases.sqlite()) as made:
        room = made.room
        hold_shared(room)
        application_id = (await room.apply()).application.application_id
        await room.ask(application_id, kind="property_certificate")
        table = [each for each in policies(PERIODS, {}) if each.what is not Kept.STATUS_EVIDENCE]
        retention = RetentionService(room.transactions, table, room.clock)
        begun = room.clock()
        if ended:
            own = OwnApplicationService(room.transactions, room.clock, lambda kind: f"{kind}_x", "共享平台")
            await own.withdraw(application_id, HOLDER.holder_digest)
        room.clock.at = begun + timedelta(days=20)
        await made.anchored()
        await made.service.for_operator(application_id, "cli:operator", redacted=False)
        shown = []
        for days in (20, 29, 30, 49, 50, 60):
            room.clock.at = begun + timedelta(days=days)
            gone = await retention.run()
            shown.append([each.who for each in await seen_by(room)])
            if ended:
                assert gone.get("withdrawn_parties", 0) == (1 if days == 30 else 0)
                assert gone.get("withdrawn_others", 0) == (1 if days == 60 else 0)
        assert shown == [["cli:operator", "csg-guangzhou"]] * 2 + [["cli:operator"]] * 2 + [[]] * 2
        left = await seen_by(room, shown_for=timedelta(days=999))
        assert len(left) == (0 if ended else 2), "and then nothing leads to it"
