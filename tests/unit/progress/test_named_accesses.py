"""A co-owner sees every access to what is about them, and nothing of what the applicant does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from adapters.storage.engine import create_database_engine
from adapters.storage.tables import metadata
from gateway.applications.confirmation import ReviewOpened
from gateway.applications.model import IntakeKind
from gateway.applications.own_application import OwnApplicationService
from gateway.applications.review_tasks import ReviewTask
from gateway.certificates.named_persons import person_digest
from gateway.errors import GatewayError
from gateway.progress.errors import ResidentOnly
from gateway.progress.named_accesses import NamedAccessService
from gateway.progress.service import ProgressService
from gateway.retention.policies import Kept, policies, shown_to_others
from gateway.retention.service import RetentionService
from schemas.applicant_api import Confirmation, NamedAccess
from schemas.identifiers import ECertificateIdentifier
from schemas.operator_api import SettlementRequest
from schemas.partner_api import VerifiedLicenceRequest
from tests.support.co_owners import (
    CO_OWNER,
    CO_OWNER_CODE,
    RIGHT,
    RIGHT_NUMBER,
    STRANGER,
    STRANGER_CODE,
    a_resident,
    hold_shared,
    seen_by,
    shared,
)
from tests.support.ecertificates import ENTERPRISE
from tests.support.licences import PURPOSE, SHOP, UTILITY, LicencesRoom, an_applicant, licences_room, province
from tests.support.raw_database import every_value
from tests.support.retention import PERIODS
from tests.support.storage import DIGESTS

GIVEN = ["location", "name", "property_unit_code"]


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        hold_shared(made)
        yield made


def every_row(database_url: str) -> dict[str, list[str]]:
    """What every table holds."""
    engine = create_database_engine(database_url, pool_size=1)
    with engine.connect() as connection:
        found = {each.name: sorted(map(repr, connection.execute(select(each)))) for each in metadata.sorted_tables}
    engine.dispose()
    return found


def a_retention(room: LicencesRoom) -> RetentionService:
    table = [each for each in policies(PERIODS, {}) if each.what is not Kept.STATUS_EVIDENCE]
    return RetentionService(room.transactions, table, room.clock)


async def apply(room: LicencesRoom) -> str:
    return (await room.apply()).application.application_id


async def test_each_access_is_told_with_who_when_what_why_and_by_which_clause(room: LicencesRoom) -> None:
    application_id = await apply(room)
    assert await seen_by(room) == [], "nobody has looked yet"
    at = room.clock.advance(minutes=5)
    await room.ask(application_id, kind=RIGHT)
    (access,) = await seen_by(room)
    assert access == NamedAccess(
        at=at,
        who=UTILITY,
        document=RIGHT,
        document_title="不动产权证书",
        certificate=RIGHT_NUMBER,
        purpose=PURPOSE,
        fields=GIVEN,
        titles=["坐落", "证照名称", "不动产单元号"],
        clause="第（七）条",
    )


async def test_nothing_in_it_leads_to_the_application_or_the_applicant(room: LicencesRoom) -> None:
    made = await room.apply()
    await room.ask(made.application.application_id, kind=RIGHT)
    (access,) = await seen_by(room)
    said = access.model_dump_json()
    (entry,) = await room.entries("licence.disclosed")
    mine = (
        await ProgressService(room.transactions, room.stages._rules, room.clock).progress(
            made.application.application_id, an_applicant().holder_digest
        )
    ).accesses
    for secret in (
        made.application.application_id,
        made.authorisation.authorisation_id,
        made.application.customer_class.value,
        str(entry["facts"]["stage"]),
        *(each.record_id for each in mine),
        entry["facts"]["envelope_sha256"],
        an_applicant().holder_name,
        ENTERPRISE,
        "held_by",
    ):
        assert secret not in said
    assert set(NamedAccess.model_fields) == {
        "at",
        "who",
        "document",
        "document_title",
        "certificate",
        "purpose",
        "fields",
        "titles",
        "clause",
    }


async def test_who_is_not_named_sees_nothing_and_the_holder_no_second_list(room: LicencesRoom) -> None:
    application_id = await apply(room)
    await room.ask(application_id, kind=RIGHT)
    assert await seen_by(room, STRANGER, STRANGER_CODE) == []
    assert await seen_by(room, CO_OWNER, "110*************13") == []
    room.source.hold(RIGHT, shared((STRANGER, STRANGER_CODE)))
    assert await seen_by(room, STRANGER, STRANGER_CODE) == [], "named since, but not in what was seen"


async def test_refusals_dry_runs_and_other_documents_are_the_applicants_alone(room: LicencesRoom) -> None:
    application_id = await apply(room)
    await room.ask(application_id, kind="business_licence")
    with pytest.raises(GatewayError):
        await room.ask(application_id, kind=RIGHT, fields=["owner_codes"])
    await room.licences.explain(
        UTILITY, VerifiedLicenceRequest(application_id=application_id, kind=RIGHT, purpose=PURPOSE)
    )
    await room.ask(application_id, kind=RIGHT, fields=["held_by"])
    assert await seen_by(room) == [], "whether the applicant is an owner is about the applicant"
    own = await ProgressService(room.transactions, room.stages._rules, room.clock).progress(
        application_id, an_applicant().holder_digest
    )
    assert len(own.accesses) == 3


async def test_a_certificate_that_was_not_given_was_not_seen(room: LicencesRoom) -> None:
    application_id = await apply(room)
    province().statuses[1] = 1
    try:
        room.clock.advance(hours=7)
        assert (await room.ask(application_id, kind=RIGHT)).verdict == "invalid"
    finally:
        province().statuses[1] = 0
    assert await seen_by(room) == []


async def test_how_many_applications_there_were_is_not_told(room: LicencesRoom) -> None:
    """The same accesses, for one application or for two of them, read the same."""
    first, second = await apply(room), await apply(room)
    await room.ask(first, kind=RIGHT)
    room.clock.advance(minutes=1)
    await room.ask(first, kind=RIGHT)
    once = await seen_by(room)
    room.clock.advance(minutes=1)
    await room.ask(second, kind=RIGHT)
    later, *before = await seen_by(room)
    assert before == once
    assert later.model_dump(exclude={"at"}) == once[0].model_dump(exclude={"at"})


async def test_a_newer_version_names_whom_it_names(room: LicencesRoom) -> None:
    """The register took a third person in after the confirmation: they see what was seen since, and not before."""
    application_id = await apply(room)
    await room.ask(application_id, kind=RIGHT)
    room.clock.advance(days=1)
    old = ECertificateIdentifier.parse(province().metadata(RIGHT)["ZZBS"])
    newer = str(ECertificateIdentifier.make(old.type_code, old.issuer, old.serial, version="002"))
    room.source.hold(RIGHT, shared((STRANGER, STRANGER_CODE), ZZBS=newer))
    await room.ask(application_id, kind=RIGHT)
    assert [each.at for each in await seen_by(room, STRANGER, STRANGER_CODE)] == [room.clock()]
    assert [each.at for each in await seen_by(room)] == [room.clock() - timedelta(days=1)], "no owner any more"


async def test_looking_leaves_no_trace(room: LicencesRoom, database_url: str) -> None:
    application_id = await apply(room)
    await room.ask(application_id, kind=RIGHT)
    service = ProgressService(room.transactions, room.stages._rules, room.clock)
    holder = an_applicant().holder_digest
    before, stored = await service.progress(application_id, holder), every_row(database_url)
    assert await seen_by(room)
    assert await seen_by(room, STRANGER, STRANGER_CODE) == []
    assert await service.progress(application_id, holder) == before
    assert every_row(database_url) == stored


async def test_an_enterprise_is_told_to_come_as_a_resident(room: LicencesRoom) -> None:
    service = NamedAccessService(
        room.transactions, room.certificates.kinds, DIGESTS, shown_to_others(PERIODS), room.clock
    )
    with pytest.raises(ResidentOnly) as refused:
        await service.of(an_applicant())
    assert "居民" in refused.value.remedy
    as_resident = await service.of(a_resident(CO_OWNER, CO_OWNER_CODE))
    assert as_resident.shown_days == 30


class TestReview:
    """An officer who compares certificates sees a co-owner's name: that is told, however the review ends."""

    @staticmethod
    async def looked_at(room: LicencesRoom) -> ReviewTask:
        """The register writes the applicant's name a little differently."""
        hold_shared(room, KZ_QLR=f"示例有限责任公司、{CO_OWNER}")
        view = await room.intakes.begin(an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP)
        made = await room.intakes.confirm(an_applicant(), view.intake_id, Confirmation(authorise=True))
        assert isinstance(made, ReviewOpened)
        assert await seen_by(room) == []
        room.clock.advance(minutes=1)
        looked = await room.reviews.look(made.task.task_id, "gd-4407", "operator-gd")
        assert CO_OWNER in [each.value for _, values in looked.shown for each in values], (
            "so that there is something to tell"
        )
        return made.task

    @pytest.mark.parametrize("decision", ["accepted", "rejected"])
    async def test_what_they_saw_is_told(self, room: LicencesRoom, decision: str) -> None:
        task = await self.looked_at(room)
        looked_at = room.clock()
        (seen,) = before = await seen_by(room)
        assert (seen.at, seen.who, seen.purpose, seen.clause) == (
            looked_at,
            "operator-gd",
            "consistency_review",
            "第（六）条",
        )
        assert {"持证主体", "权利人", "权利人证件号"} <= set(seen.fields)
        assert not [label for label in seen.fields if "姓名" in label or "核验" in label]
        assert task.task_id not in seen.model_dump_json()
        assert "gd-4407" not in seen.model_dump_json()
        settlement = SettlementRequest.model_validate(
            {"officer": "gd-4407", "decision": decision, "reason": "已核对工商登记，为同一主体", "no_interest": True}
        )
        room.clock.advance(minutes=1)
        await room.reviews.settle(task.task_id, settlement, "operator-gd")
        assert await seen_by(room) == before, "how it was settled is the applicant's affair"

    async def test_it_is_forgotten_after_the_same_time(self, room: LicencesRoom) -> None:
        task = await self.looked_at(room)
        looked_at = room.clock()
        intake = (await room.transactions.read(lambda tx: tx.reviews.find(task.task_id))).intake_id
        room.clock.advance(days=2)
        await room.intakes.drop(an_applicant(), intake)
        retention = a_retention(room)
        room.clock.at = looked_at + timedelta(days=30, seconds=-1)
        await retention.run()
        assert len(await seen_by(room)) == 1
        room.clock.at = looked_at + timedelta(days=30)
        assert await seen_by(room) == []
        room.clock.at = looked_at + timedelta(days=32)
        assert (await retention.run())["reviewed_others"] == 1
        assert await seen_by(room, shown_for=timedelta(days=999)) == []


class TestTime:
    """What is shown goes by the age of the access, what is kept with the applicant's data; the one before the other."""

    @staticmethod
    async def rows(room: LicencesRoom) -> int:
        actions = ("licence.disclosed", "review.looked_at", "application.submitted")
        digest = person_digest(CO_OWNER_CODE, DIGESTS)
        return len(await room.transactions.read(lambda tx: list(tx.named_persons.entries_naming(digest, actions))))

    async def test_a_withdrawal_changes_nothing_of_what_is_shown(self, room: LicencesRoom) -> None:
        application_id, still_open = await apply(room), await apply(room)
        for each in (application_id, still_open):
            await room.ask(each, kind=RIGHT)
        own = OwnApplicationService(room.transactions, room.clock, lambda kind: f"{kind}_x", "共享平台")
        shown = [await seen_by(room)]
        await own.withdraw(application_id, an_applicant().holder_digest)
        retention = a_retention(room)
        asked = room.clock()
        for after in (timedelta(), timedelta(days=30, seconds=-1)):
            room.clock.at = asked + after
            await retention.run()
            shown.append(await seen_by(room))
        assert [len(each) for each in shown] == [2, 2, 2]
        assert shown[0] == shown[1] == shown[2]
        room.clock.at = asked + timedelta(days=30)
        assert await seen_by(room) == [], "both at once, though one application is still open"
        before = await self.rows(room)
        assert (await retention.run())["withdrawn_parties"] == 1
        assert await self.rows(room) < before
        assert await seen_by(room, shown_for=timedelta(days=999)) == shown[0][:1]

    async def test_the_shorter_of_the_two_periods_counts(self) -> None:
        assert shown_to_others(PERIODS) == timedelta(days=30)
        assert shown_to_others(replace(PERIODS, parties_days=7)) == timedelta(days=7)

    async def test_what_was_dropped_was_never_kept(self, room: LicencesRoom, database_url: str) -> None:
        view = await room.intakes.begin(an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP)
        kept = person_digest(CO_OWNER_CODE, DIGESTS).encode()
        assert kept not in b"\0".join(every_value(database_url)), "while it waits it is sealed"
        await room.intakes.drop(an_applicant(), view.intake_id)
        assert kept not in b"\0".join(every_value(database_url))
        await apply(room)
        assert kept in b"\0".join(every_value(database_url)), "so that it would be seen here"
