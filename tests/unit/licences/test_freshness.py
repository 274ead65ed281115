"""Every answer says what it rests on and how old that is: fresh, stale, refused or missing; and what is down."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.registry import KindRegistry
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.chain_basis import chain_basis
from schemas.partner_api import SourceBasis, VerifiedLicence
from tests.support import x509_writer as x
from tests.support.licences import LicencesRoom, an_applicant
from tests.support.x509_writer import certificate_id, ocsp, root, single

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STATUS, MARKET_CRL = "/status/", "market-supervision.crl"


async def submitted(room: LicencesRoom) -> str:
    return (await room.apply()).application.application_id


def told(answer: VerifiedLicence) -> dict[str, SourceBasis]:
    """The bases by name; of several CRLs the first, which is the seal's own."""
    return {each.name: each for each in reversed(answer.basis)}


async def test_a_fresh_answer_names_each_thing_it_rests_on_with_source_age_and_limit(room: LicencesRoom) -> None:
    answer = await room.ask(await submitted(room))
    assert [each.name for each in answer.basis] == [
        "certificate",
        "chain",
        "crl",
        "crl",
        "status_list",
        "status_list.chain",
        "status_list.crl",
        "status_list.crl",
    ]
    assert {(each.state, each.source_down) for each in answer.basis} == {("fresh", False)}
    assert all(each.source and each.as_of and each.age_seconds is not None for each in answer.basis)
    by_name = told(answer)
    assert (by_name["status_list"].age_seconds, by_name["status_list"].limit_seconds) == (60, 86400)
    assert by_name["crl"].source is not None
    assert by_name["crl"].source.endswith(MARKET_CRL)
    assert (answer.from_copy, answer.source_down) == (True, False), "the intake fetched it a moment ago"


@pytest.mark.parametrize(
    ("age", "verdict", "state", "check"),
    [
        (6 * HOUR, "valid", "fresh", None),
        (7 * HOUR, "valid", "stale_permitted", None),
        (25 * HOUR, "indeterminate", "refused", "status.stale"),
    ],
)
async def test_the_age_of_the_status_list_decides(
    room: LicencesRoom, age: timedelta, verdict: str, state: str, check: str | None
) -> None:
    application_id = await submitted(room)
    room.clock.advance(days=2)
    room.status.list_age = age
    answer = await room.ask(application_id)
    assert (answer.verdict, told(answer)["status_list"].state) == (verdict, state)
    assert told(answer)["status_list"].age_seconds == age.total_seconds()
    assert (answer.failed_check and answer.failed_check.check) == check


@pytest.mark.parametrize(
    ("age", "verdict", "state"),
    [(DAY, "valid", "fresh"), (2 * DAY, "valid", "stale_permitted"), (4 * DAY, "indeterminate", "refused")],
)
async def test_the_age_of_a_crl_decides(room: LicencesRoom, age: timedelta, verdict: str, state: str) -> None:
    application_id = await submitted(room)
    room.clock.advance(days=6)
    room.status.crl_age = age
    answer = await room.ask(application_id)
    assert (answer.verdict, told(answer)["crl"].state) == (verdict, state)


@pytest.mark.parametrize(
    ("kind", "age", "state"),
    [
        ("business_licence", 2 * DAY, "stale_permitted"),
        ("business_licence", 8 * DAY, "refused"),
        ("property_certificate", 13 * HOUR, "stale_permitted"),
        ("property_certificate", 4 * DAY, "refused"),
    ],
)
async def test_a_source_that_is_down_is_said_and_its_copy_serves_as_long_as_the_kind_permits(
    room: LicencesRoom, kind: str, age: timedelta, state: str
) -> None:
    application_id = await submitted(room)
    room.source.down = {query.type_code for query in room.source.queries}
    room.clock.at += age
    answer = await room.ask(application_id, kind)
    certificate = told(answer)["certificate"]
    assert (answer.from_copy, answer.source_down, certificate.source_down) == (True, True, True)
    assert (certificate.state, certificate.age_seconds) == (state, age.total_seconds())
    assert (certificate.level, certificate.fell_through) == ("440000", ["440106", "440100"])
    assert answer.verdict == ("valid" if state == "stale_permitted" else "indeterminate")
    assert bool(answer.fields) is (answer.verdict == "valid")


async def test_without_a_copy_a_source_that_is_down_is_missing_and_named(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    await room.transactions.write(lambda tx: tx.certificate_copies.forget(an_applicant().holder_code))
    room.source.down = {query.type_code for query in room.source.queries}
    answer = await room.ask(application_id)
    (missing,) = answer.basis
    assert (answer.verdict, answer.from_copy, answer.source_down) == ("indeterminate", False, True)
    assert (missing.name, missing.state, missing.source, missing.level) == (
        "certificate",
        "missing",
        "gd-platform",
        "440000",
    )
    assert missing.source_down


async def test_a_status_source_that_goes_down_is_said_while_its_last_list_still_serves(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.status.down = {STATUS}
    room.clock.advance(hours=1)
    answer = await room.ask(application_id)
    status = told(answer)["status_list"]
    assert (answer.verdict, status.state, status.source_down, status.age_seconds) == ("valid", "fresh", True, 3660)
    room.clock.advance(hours=7)
    answer = await room.ask(application_id)
    assert (answer.verdict, told(answer)["status_list"].state) == ("valid", "stale_permitted")
    room.clock.advance(hours=20)
    answer = await room.ask(application_id)
    assert answer.failed_check is not None
    assert (answer.verdict, answer.failed_check.check) == ("indeterminate", "status.stale")
    room.status.down = set()
    room.clock.advance(minutes=1)
    answer = await room.ask(application_id)
    assert (answer.verdict, told(answer)["status_list"].source_down) == ("valid", False)


async def test_a_status_list_that_was_never_had_is_missing_and_never_revoked(room: LicencesRoom) -> None:
    room.status.down = {STATUS}
    application_id = await _applied_before_the_outage(room)
    answer = await room.ask(application_id)
    status = told(answer)["status_list"]
    assert answer.failed_check is not None
    assert (answer.verdict, answer.failed_check.check) == ("indeterminate", "status.unavailable")
    assert (status.state, status.source_down, status.as_of) == ("missing", True, None)
    assert status.source is not None
    assert STATUS in status.source


async def test_a_crl_address_that_is_down_is_said_where_it_counts(room: LicencesRoom) -> None:
    application_id = await submitted(room)
    room.status.down = {MARKET_CRL}
    room.clock.advance(hours=1)
    answer = await room.ask(application_id)
    down = [each.source for each in answer.basis if each.source_down]
    assert answer.verdict == "valid"
    assert [source and source.rsplit("/", 1)[1] for source in down] == [MARKET_CRL]


async def _applied_before_the_outage(room: LicencesRoom) -> str:
    """An application whose evidence was never had by the gatherer that answers now."""
    down, room.status.down = room.status.down, set()
    application_id = await submitted(room)
    room.status.down = down
    evidence: Any = room.licences._certificates._evidence
    for cache in (evidence._lists, evidence._crls):
        cache._entries._kept.clear()
    return application_id


def test_an_ocsp_answer_is_told_with_its_age_and_whether_its_responder_is_down() -> None:
    authority = root()
    issuer = authority.issue_ca("CA")
    seal = issuer.issue("章", x.SEAL, x.ocsp_at("http://ocsp.example/a"))
    response = ocsp(issuer, single(certificate_id(seal, issuer)))
    limit = FreshnessLimit(DAY, 3 * DAY)
    result = verify_chain(
        seal.certificate,
        [issuer.certificate],
        [authority.certificate],
        x.AT,
        crls=[x.crl(authority)],
        status=[response],
        crl_limit=limit,
    )
    chain, answer, *_ = chain_basis(result, x.AT, frozenset({"http://ocsp.example/a"}))
    assert (chain.name, chain.source, chain.as_of) == ("chain", result.path[-1].subject_text, x.AT)
    assert (answer.name, answer.source, answer.down, answer.state) == ("ocsp", "http://ocsp.example/a", True, "fresh")


def test_a_chain_without_an_anchor_is_missing() -> None:
    authority = root()
    seal = authority.issue("章", x.SEAL)
    (chain,) = chain_basis(verify_chain(seal.certificate, [], [root("另一根").certificate], x.AT), x.AT)
    assert (chain.state, chain.as_of, chain.source) == ("missing", None, None)


def test_each_kinds_limits_run_from_fresh_to_permitted_and_a_property_ages_fastest() -> None:
    kinds = KindRegistry.discover().by_code
    permitted = {code: kind.policy.source.permitted for code, kind in kinds.items()}
    assert permitted["property_certificate"] == permitted["design_qualification"] == 3 * DAY
    assert permitted["business_licence"] == permitted["resident_id"] == permitted["project_approval"] == 7 * DAY
    assert kinds["property_certificate"].policy.source.fresh == 12 * HOUR
