"""What is compiled is kept, and a changed agreement, day or rule takes effect with the next question all the same."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from gateway.applications.dated_rows import RuleTable
from gateway.applications.disclosure_rules import DISCLOSURE_RULES, DisclosureRow
from gateway.applications.errors import NotRequiredAtStage
from gateway.applications.requirements import Document
from gateway.applications.stages import Stage
from gateway.certificates.ports import FetchedEnvelope, SourceQuery
from gateway.certificates.registry import KindRegistry
from gateway.licences import compiled as compiled_module
from gateway.licences.compiled import DisclosureCompiler, Question
from gateway.licences.gates import Gates
from gateway.partners.directory import DirectorySnapshot, PartnerDirectory
from gateway.partners.errors import AgreementRefused
from gateway.partners.model import AgreementStatus, SharingAgreement
from tests.support.licences import UTILITY, LicencesRoom, a_utility, an_agreement, an_applicant, refused

ON = date(2026, 11, 23)
QUESTION = Question(UTILITY, "grid_connection", "business_licence", Stage.ACCEPTANCE, "440106", ON, ON, None)


def snapshot(version: int, agreement: SharingAgreement) -> DirectorySnapshot:
    return DirectorySnapshot(version, {UTILITY: a_utility()}, {}, {UTILITY: [agreement]})


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that something was really compiled."""
    done: list[str] = []
    compile_disclosure = compiled_module.compile_disclosure

    def counted(kind: Any, *args: Any, **terms: Any) -> Any:
        done.append(kind.code)
        return compile_disclosure(kind, *args, **terms)

    monkeypatch.setattr(compiled_module, "compile_disclosure", counted)
    return done


def test_the_same_question_is_compiled_once(compilations: list[str]) -> None:
    compiler, known = DisclosureCompiler(KindRegistry.discover()), snapshot(1, an_agreement())
    first = compiler.compile(known, QUESTION, Gates())
    assert compiler.compile(known, QUESTION, Gates()) is first
    assert compilations == ["business_licence"]


@pytest.mark.parametrize(
    "changes",
    [
        {"on": date(2026, 11, 24)},
        {"received_on": date(2026, 11, 20)},
        {"stage": Stage.SIGN_UP},
        {"kind": "property_certificate"},
        {"region": "440103"},
        {"requested": frozenset({"name"})},
    ],
)
def test_each_word_of_the_question_counts(compilations: list[str], changes: dict[str, Any]) -> None:
    compiler, known = DisclosureCompiler(KindRegistry.discover()), snapshot(1, an_agreement())
    compiler.compile(known, QUESTION, Gates())
    compiler.compile(known, replace(QUESTION, **changes), Gates())
    assert len(compilations) == 2


def test_a_changed_agreement_takes_effect_at_once() -> None:
    compiler = DisclosureCompiler(KindRegistry.discover())
    before = compiler.compile(snapshot(1, an_agreement()), QUESTION, Gates())
    narrower = an_agreement(agreed={"business_licence": {"name"}})
    assert compiler.compile(snapshot(2, narrower), QUESTION, Gates()).disclosure.fields == ("name",)
    ended = an_agreement(status=AgreementStatus.ENDED)
    for _ in range(2):
        with pytest.raises(AgreementRefused):
            compiler.compile(snapshot(3, ended), QUESTION, Gates())
    assert compiler.compile(snapshot(4, an_agreement()), QUESTION, Gates()).disclosure == before.disclosure


def test_an_agreement_that_ran_out_overnight_is_not_remembered() -> None:
    compiler, known = DisclosureCompiler(KindRegistry.discover()), snapshot(1, an_agreement(valid_until=ON))
    compiler.compile(known, QUESTION, Gates())
    with pytest.raises(AgreementRefused):
        compiler.compile(known, replace(QUESTION, on=date(2026, 11, 24)), Gates())


def test_the_rule_of_the_day_of_receipt_judges() -> None:
    since = date(2026, 11, 23)
    row = DisclosureRow(
        "grid_connection",
        Stage.ACCEPTANCE,
        Document.BUSINESS_LICENCE,
        frozenset({"name"}),
        clause="粤函第一条",
        effective_from=since,
        region="44",
    )
    table: RuleTable[DisclosureRow] = DISCLOSURE_RULES.extended([row])
    compiler, known = DisclosureCompiler(KindRegistry.discover(), table), snapshot(1, an_agreement())
    today = compiler.compile(known, QUESTION, Gates())
    assert (today.disclosure.fields, today.clauses) == (("name",), ["第（七）条", "粤函第一条"])
    earlier = compiler.compile(known, replace(QUESTION, received_on=date(2026, 11, 22)), Gates())
    assert "holder" in earlier.disclosure.fields


def test_little_is_kept_however_many_ask(compilations: list[str]) -> None:
    compiler = DisclosureCompiler(KindRegistry.discover(), size=2)
    known = snapshot(1, an_agreement())
    for region in ("440103", "440104", "440105", "440103"):
        compiler.compile(known, replace(QUESTION, region=region), Gates())
    assert len(compilations) == 4


# in the room --------------------------------------------------------------------------------------------------------


async def submitted(room: LicencesRoom) -> str:
    return (await room.apply()).application.application_id


async def test_of_what_was_agreed_only_what_the_stage_needs_is_given(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    agreed = {"name", "holder", "registered_address", "enterprise_type", "valid_on"}
    room.change_agreement(grants=an_agreement(agreed={"business_licence": agreed}).grants)
    answer = await room.ask(application_id)
    assert {*answer.fields, *answer.predicates} == {"name", "holder", "valid_on"}
    reasons = {each.field: each.reason for each in answer.withheld}
    assert (reasons["registered_address"], reasons["enterprise_type"]) == ("not_required", "not_required")
    (entry,) = await room.entries("licence.disclosed")
    assert "第（六）条" in entry["facts"]["clauses"]
    assert any(each.startswith("not_required:") for each in entry["facts"]["withheld"])


async def test_what_the_stage_does_not_need_is_refused_when_it_is_asked_for(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.change_agreement(grants=an_agreement(agreed={"business_licence": {"name", "registered_address"}}).grants)
    asked = len(room.source.queries)
    error = await refused(
        room, NotRequiredAtStage, "disclosure.not_required", application_id, fields=["registered_address"]
    )
    assert error.clause == "第（六）条"
    assert len(room.source.queries) == asked, "a source was asked for what may not be had"


async def asked_while(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[object] | object]
) -> None:
    """From now on, something happens while the certificate is fetched."""
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    find = room.source.find

    async def find_meanwhile(query: SourceQuery, at: datetime) -> Sequence[FetchedEnvelope]:
        found = await find(query, at)
        happens()
        return found

    monkeypatch.setattr(room.source, "find", find_meanwhile)


async def test_an_agreement_that_ends_while_the_certificate_is_fetched_gives_nothing(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await submitted(room)
    await asked_while(room, monkeypatch, lambda: room.change_agreement(status=AgreementStatus.ENDED))
    await refused(room, AgreementRefused, "agreement.partner", application_id)


async def test_an_agreement_that_is_narrowed_meanwhile_gives_what_it_now_allows(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await submitted(room)
    narrower = an_agreement(agreed={"business_licence": {"name"}}).grants
    await asked_while(room, monkeypatch, lambda: room.change_agreement(grants=narrower, agreement_id="agreement-2"))
    answer = await room.ask(application_id)
    assert {*answer.fields, *answer.predicates} == {"name"}
    (entry,) = await room.entries("licence.disclosed")
    assert (entry["facts"]["fields"], entry["facts"]["agreements"]) == (["name"], ["agreement-2"])


async def test_a_field_asked_for_by_name_that_is_no_longer_agreed_refuses_the_request(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await submitted(room)
    narrower = an_agreement(agreed={"business_licence": {"name"}}).grants
    await asked_while(room, monkeypatch, lambda: room.change_agreement(grants=narrower))
    await refused(room, AgreementRefused, "agreement.fields", application_id, fields=["holder"])


async def test_an_agreement_that_runs_out_at_midnight_meanwhile_gives_nothing(
    room: LicencesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    application_id = await submitted(room)
    room.change_agreement(valid_until=ON)
    room.clock.at = room.clock().replace(hour=15, minute=59, second=30)
    await asked_while(room, monkeypatch, lambda: room.clock.advance(minutes=1))
    await refused(room, AgreementRefused, "agreement.dates", application_id)


async def test_the_directory_of_the_unit_is_read_anew_only_when_its_version_moved(room: LicencesRoom) -> None:
    """The real directory: one row while nothing changed, everything once it did."""
    directory, loads = PartnerDirectory(room.transactions), []

    def as_of(tx: Any, known: DirectorySnapshot) -> DirectorySnapshot:
        partners = tx.partners.partners
        tx.partners.partners = lambda: (loads.append(1), partners())[1]
        return directory.as_of(tx, known)

    known = await directory.snapshot()
    assert await room.transactions.write(lambda tx: as_of(tx, known)) is known
    assert not loads
    await room.transactions.write(lambda tx: (tx.partners.add_partner(a_utility()), tx.partners.advance_version()))
    current = await room.transactions.write(lambda tx: as_of(tx, known))
    assert (current.version, list(current.partners), len(loads)) == (known.version + 1, [UTILITY], 1)
