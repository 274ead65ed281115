"""Verified licences on both databases: each refusal by its check, recorded; and no field beyond the agreement."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text

from adapters.storage.authorisations import authorisations
from adapters.storage.engine import create_database_engine
from gateway.applications.errors import ApplicationUnknown, DocumentNotAllowed
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.authorisations.errors import AuthorisationMissing
from gateway.certificates.errors import NoECertificate
from gateway.certificates.ports import FetchedEnvelope, SourceQuery
from gateway.errors import GatewayError, Overloaded
from gateway.licences.errors import HolderNotAllowed, NoOpenStage, StageMoved
from gateway.partners.errors import AgreementRefused
from gateway.partners.model import AgreementStatus, PartnerStatus
from schemas.identifiers import make_unified_social_credit_code
from schemas.wire import format_instant
from tests.support.licences import (
    AGREED,
    OTHER_UTILITY,
    UTILITY,
    LicencesRoom,
    a_utility,
    an_agreement,
    an_applicant,
    province,
    refused,
)

DESIGNER = make_unified_social_credit_code("91440101", "TDMA0777")


async def submitted(room: LicencesRoom) -> str:
    return (await room.apply()).application.application_id


async def test_what_is_agreed_is_given_and_the_rest_is_named_as_withheld(room: LicencesRoom) -> None:
    answer = await room.ask(await submitted(room))
    assert answer.verdict == "valid"
    given = {*answer.fields, *answer.predicates}
    assert given == AGREED["business_licence"]
    assert {each.field for each in answer.withheld}.isdisjoint(given)
    assert "legal_representative" in {each.field for each in answer.withheld}
    (entry,) = await room.entries("licence.disclosed")
    assert set(entry["facts"]["fields"]) == given
    assert answer.record_id.endswith("-4"), "previewed, authorised, submitted, disclosed"


async def test_what_cannot_be_recorded_is_not_answered(room: LicencesRoom, database_url: str) -> None:
    application_id = await submitted(room)
    engine = create_database_engine(database_url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE record_entries RENAME TO hidden"))
    with pytest.raises(Overloaded) as refused:
        await room.ask(application_id)
    assert (refused.value.check, refused.value.retry_after) == ("record.not_written", 1)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO record_entries"))
    engine.dispose()
    assert await room.entries("licence.disclosed") == []
    assert (await room.ask(application_id)).verdict == "valid"


@pytest.mark.parametrize("fields", [["name"], ["holder", "valid_on"], ["valid_on"]])
async def test_what_is_asked_for_narrows_it(room: LicencesRoom, fields: list[str]) -> None:
    answer = await room.ask(await submitted(room), fields=fields)
    assert {*answer.fields, *answer.predicates} == set(fields)


async def test_a_region_may_agree_to_more_and_never_more_than_the_kind_discloses(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.change_agreement(grants=an_agreement(agreed={"business_licence": {"name", "nothing_of_the_kind"}}).grants)
    answer = await room.ask(application_id)
    assert {*answer.fields, *answer.predicates} == {"name"}


async def test_an_application_of_another_utility_does_not_exist_for_this_one(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.partners[OTHER_UTILITY] = a_utility(OTHER_UTILITY)
    room.partners.agreements[OTHER_UTILITY] = [an_agreement(OTHER_UTILITY)]
    theirs = await refused(room, ApplicationUnknown, "application.unknown", application_id, caller=OTHER_UTILITY)
    none = await refused(room, ApplicationUnknown, "application.unknown", "app_9999", caller=OTHER_UTILITY)
    assert str(theirs) == str(none)
    assert {entry["subject"] for entry in await room.entries("licence.disclosed")} == {None}
    assert room.source.queries
    assert await room.ask(application_id)


async def test_a_closed_application_gives_nothing_more(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.complete(application_id, "sign_up", "construction")
    await refused(room, NoOpenStage, "licence.closed", application_id)


async def test_an_ended_application_gives_nothing_more(room: LicencesRoom) -> None:
    made = (await room.apply()).application
    ended = apply(
        Lifecycle(made.customer_class, made.received_at),
        StageEvent(StageAction.ENDED, room.clock(), reason="用户撤回"),
        room.clock(),
    )
    await room.transactions.write(lambda tx: tx.applications.put_lifecycle(made.application_id, ended))
    await refused(room, NoOpenStage, "licence.closed", made.application_id)


@pytest.mark.parametrize("kind", ["resident_id", "project_approval", "design_qualification", "no_such_kind"])
async def test_a_document_that_the_table_does_not_allow_is_refused_by_its_clause(room: LicencesRoom, kind: str) -> None:
    application_id = await submitted(room)
    asked = len(room.source.queries)
    error = await refused(room, DocumentNotAllowed, "requirements.document_not_allowed", application_id, kind)
    assert error.clause == "第（六）条"
    assert len(room.source.queries) == asked, "a source was asked for what may not be had"


async def test_a_document_of_an_earlier_stage_is_not_asked_for_again(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.complete(application_id, "sign_up")
    await refused(room, DocumentNotAllowed, "requirements.document_not_allowed", application_id)


async def test_a_withdrawn_authorisation_ends_it_at_once(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.ask(application_id)
    await room.authorisations.withdraw(application_id, an_applicant().holder_digest)
    await refused(room, AuthorisationMissing, "authorisation.withdrawn", application_id)


async def test_an_expired_authorisation_is_none(room: LicencesRoom) -> None:
    until = room.clock() + timedelta(days=1)
    application_id = (await room.apply(authorised_until=until)).application.application_id
    room.clock.at = until - timedelta(seconds=1)
    assert (await room.ask(application_id)).verdict == "valid"
    room.clock.at = until
    await refused(room, AuthorisationMissing, "authorisation.expired", application_id)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"kinds": frozenset({"property_certificate"})}, "authorisation.kind"),
        ({"purposes": frozenset({"marketing"})}, "authorisation.purpose"),
        ({"utility": OTHER_UTILITY}, "authorisation.absent"),
    ],
)
async def test_an_authorisation_covers_utility_kind_and_purpose(
    room: LicencesRoom, changes: dict[str, Any], check: str
) -> None:
    made = await room.apply()
    narrower = replace(made.authorisation, **changes)

    def swap(tx: Any) -> None:
        tx.authorisations._statements.execute(delete(authorisations))
        tx.authorisations.add(narrower)

    await room.transactions.write(swap)
    await refused(room, AuthorisationMissing, check, made.application.application_id)


async def test_another_purpose_than_authorised_is_refused(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.agreements[UTILITY].append(an_agreement(purpose="marketing", agreement_id="agreement-2"))
    await refused(room, AuthorisationMissing, "authorisation.purpose", application_id, purpose="marketing")


@pytest.mark.parametrize(
    ("changes", "dimension"),
    [
        ({"status": AgreementStatus.ENDED}, "partner"),
        ({"status": AgreementStatus.DRAFT}, "partner"),
        ({"valid_from": date(2027, 1, 1)}, "dates"),
        ({"valid_until": date(2026, 11, 22)}, "dates"),
        ({"purpose": "something_else"}, "purpose"),
        ({"grants": an_agreement(agreed={"property_certificate": {"name"}}).grants}, "kind"),
        ({"regions": ("440300",)}, "region"),
        ({"stages": frozenset({"construction"})}, "stage"),
    ],
)
async def test_each_dimension_of_the_agreement_is_a_refusal(
    room: LicencesRoom, changes: dict[str, Any], dimension: str
) -> None:
    application_id = await submitted(room)
    room.change_agreement(**changes)
    asked = len(room.source.queries)
    await refused(room, AgreementRefused, f"agreement.{dimension}", application_id)
    assert len(room.source.queries) == asked


@pytest.mark.parametrize("fields", [["legal_representative"], ["name", "registered_address"], []])
async def test_a_field_beyond_the_agreement_refuses_the_whole_request(room: LicencesRoom, fields: list[str]) -> None:
    await refused(room, AgreementRefused, "agreement.fields", await submitted(room), fields=fields)


async def test_a_suspended_utility_has_no_agreement(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.partners[UTILITY] = replace(a_utility(), status=PartnerStatus.SUSPENDED)
    await refused(room, AgreementRefused, "agreement.partner", application_id)


async def test_the_last_day_of_an_agreement_counts_in_china(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.change_agreement(valid_until=date(2026, 11, 23))
    room.clock.at = room.clock().replace(hour=15, minute=59)
    assert (await room.ask(application_id)).verdict == "valid"
    room.clock.at = room.clock().replace(hour=16, minute=0)
    await refused(room, AgreementRefused, "agreement.dates", application_id)


async def test_nobody_elses_licence_can_be_asked_for(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    asked = len(room.source.queries)
    await refused(room, HolderNotAllowed, "licence.holder", application_id, holder_code=DESIGNER)
    assert len(room.source.queries) == asked


async def test_a_certificate_that_turned_bad_is_an_answer_without_fields(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.clock.advance(days=8)
    room.source.hold("business_licence", province().envelope(ZZYXQJZRQ="2026-11-25"))
    answer = await room.ask(application_id)
    assert answer.verdict == "invalid"
    assert answer.fields == {}
    assert answer.failed_check is not None
    (entry,) = await room.entries("licence.disclosed")
    assert (entry["facts"]["verdict"], entry["facts"]["fields"]) == ("invalid", [])


async def test_a_source_that_is_down_leaves_the_copy_and_then_it_cannot_be_known(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.clock.advance(hours=1)
    room.source.down = {query.type_code for query in room.source.queries}
    assert (await room.ask(application_id)).verdict == "valid"
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    answer = await room.ask(application_id)
    assert (answer.verdict, answer.fields) == ("indeterminate", {})
    assert answer.failed_check is not None
    assert answer.failed_check.check == "http.timeout"
    assert [basis.state for basis in answer.basis] == ["missing"]


async def test_nothing_found_is_a_refusal_and_recorded(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    room.source.hold("business_licence")
    with pytest.raises(NoECertificate):
        await room.ask(application_id)
    (entry,) = await room.entries("licence.disclosed")
    assert entry["result"] == "refused"


@pytest.mark.parametrize("kind", ["no_such_kind", "zhang_san_440106199001011234"])
async def test_what_a_utility_makes_up_does_not_enter_the_record(room: LicencesRoom, kind: str) -> None:
    application_id = await submitted(room)
    made_up = {"kind": kind, "purpose": "for_" + kind}
    await refused(
        room, DocumentNotAllowed, "requirements.document_not_allowed", application_id, kind, purpose=made_up["purpose"]
    )
    await refused(room, AuthorisationMissing, "authorisation.purpose", application_id, purpose=made_up["purpose"])
    first, second = (entry["facts"] for entry in await room.entries("licence.disclosed"))
    assert (first["kind"], first["purpose"]) == ("unknown", "unknown")
    assert (second["kind"], second["purpose"]) == ("business_licence", "unknown")


async def test_a_purpose_that_is_agreed_on_is_named_where_it_is_refused(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.partners.agreements[UTILITY].append(an_agreement(purpose="billing", agreement_id="agreement-2"))
    await refused(room, AuthorisationMissing, "authorisation.purpose", application_id, purpose="billing")
    (entry,) = await room.entries("licence.disclosed")
    assert entry["facts"]["purpose"] == "billing"


class Meanwhile:
    """A source that takes a minute, in which something happens."""

    def __init__(self, room: LicencesRoom, happens: Callable[[], Awaitable[object]]) -> None:
        self.code, self._room, self._happens, self._find = room.source.code, room, happens, room.source.find

    async def find(self, query: SourceQuery, at: datetime) -> Sequence[FetchedEnvelope]:
        found = await self._find(query, at)
        await self._happens()
        self._room.clock.advance(minutes=1)
        return found


async def asked_while(room: LicencesRoom, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    monkeypatch.setattr(room.source, "find", Meanwhile(room, happens).find)


async def test_a_disclosure_is_recorded_at_the_time_it_happens(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id, asked_at = await submitted(room), room.clock()

    async def nothing() -> None: ...

    await asked_while(room, monkeypatch, nothing)
    await room.ask(application_id)
    (entry,) = await room.entries("licence.disclosed")
    assert entry["at"] == format_instant(asked_at + timedelta(minutes=1))


async def test_an_authorisation_that_runs_out_meanwhile_discloses_nothing(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = room.clock() + timedelta(seconds=30)
    application_id = (await room.apply(authorised_until=until)).application.application_id

    async def nothing() -> None: ...

    await asked_while(room, monkeypatch, nothing)
    await refused(room, AuthorisationMissing, "authorisation.expired", application_id)


@pytest.mark.parametrize(
    ("stages", "error", "check"),
    [
        (["sign_up"], StageMoved, "licence.stage_moved"),
        (["sign_up", "construction"], NoOpenStage, "licence.closed"),
    ],
)
async def test_an_application_that_goes_on_meanwhile_discloses_nothing(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch, stages: list[str], error: type[GatewayError], check: str
) -> None:
    application_id = await submitted(room)
    await asked_while(room, monkeypatch, lambda: room.complete(application_id, *stages))
    await refused(room, error, check, application_id)


async def test_the_answer_says_which_level_answered_and_which_had_no_source(room: LicencesRoom) -> None:
    answer = await room.ask(await submitted(room))
    told = {basis.name: (basis.level, basis.fell_through) for basis in answer.basis}
    assert told["certificate"] == ("440000", ["440106", "440100"])
    assert told["status_list"] == (None, [])
