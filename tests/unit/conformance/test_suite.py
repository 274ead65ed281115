"""Each check fails for a partner with that fault, and no other does; a sound partner passes them all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.caller import Role
from gateway.conformance.errors import ConformanceNotFor
from gateway.conformance.model import (
    Answer,
    CheckResult,
    ConformanceReport,
    Gathered,
    Outcome,
    Probe,
    Readiness,
    Verdict,
    readiness,
)
from gateway.conformance.suite import CHECKS, GUIDES, checks_of
from gateway.partners.errors import PartnerNotFound
from gateway.partners.model import Endpoint, KeyUse, PartnerStatus
from tests.support.conformance import CODE, FaultyDepartment, FaultyUtility, Suite
from tests.support.partners import a_partner, es256_key
from tests.support.storage import NOON
from tests.support.tiny_server import Answer as Sent
from tests.support.tiny_server import tiny_server

UTILITY_FAULTS = {
    "no_receipt": {"webhook.receipt", "status.known", "webhook.oversized"},
    "wrong_digest": {"webhook.receipt", "status.known", "webhook.oversized"},
    "other_key": {"webhook.receipt", "status.known", "webhook.oversized"},
    "second_effect": {"webhook.repeat"},
    "takes_anything": {
        "webhook.signature",
        "webhook.secret",
        "webhook.unknown_key",
        "webhook.altered",
        "webhook.stale",
    },
    "only_v1": {"webhook.unknown_key"},
    "only_v1a": {"webhook.secret"},
    "takes_stale": {"webhook.stale"},
    "crashes_on_refusal": {
        "webhook.signature",
        "webhook.secret",
        "webhook.unknown_key",
        "webhook.altered",
        "webhook.stale",
    },
    "unknown_type": {"webhook.unknown_type"},
    "status_forgets": {"status.known"},
    "status_invents": {"status.unknown"},
    "takes_oversized": {"webhook.oversized"},
    "falls_over": {"webhook.oversized"},
}
DEPARTMENT_FAULTS = {
    "other_permit": {"review.acknowledged", "review.oversized"},
    "second_effect": {"review.repeat"},
    "takes_anything": {"review.signature", "review.unknown_key", "review.altered"},
    "any_audience": {"review.audience"},
    "takes_oversized": {"review.oversized"},
    "other_key": {"outcome.signed"},
}


async def run_utility(fault: str) -> ConformanceReport:
    partner, suite = FaultyUtility(fault), Suite()
    with tiny_server(partner.respond) as server:
        suite.enrol(Role.UTILITY, partner.key.public_jwk, server.url + "/hook", server.url + "/events")
        return await suite.service().run(CODE, "officer:off_1")


async def run_department(fault: str) -> ConformanceReport:
    partner, suite = FaultyDepartment(fault), Suite()
    with tiny_server(partner.respond) as server:
        suite.enrol(Role.DEPARTMENT, partner.key.public_jwk, server.url + "/requests")
        return await suite.service().run(CODE, "officer:off_1")


@pytest.mark.parametrize("run", [run_utility, run_department])
async def test_who_does_as_the_guide_says_passes_every_check(run) -> None:
    report = await run("")
    assert {each.verdict for each in report.results} == {Verdict.PASSED}
    assert report.outcome is Outcome.PASSED


@pytest.mark.parametrize("fault", UTILITY_FAULTS)
async def test_a_utility_fails_what_it_does_wrong_and_nothing_else(fault: str) -> None:
    report = await run_utility(fault)
    assert set(report.failed) == UTILITY_FAULTS[fault]
    assert report.outcome is Outcome.FAILED


@pytest.mark.parametrize("fault", DEPARTMENT_FAULTS)
async def test_a_department_fails_what_it_does_wrong_and_nothing_else(fault: str) -> None:
    report = await run_department(fault)
    assert set(report.failed) == DEPARTMENT_FAULTS[fault]


async def test_a_department_that_shows_no_outcome_is_not_failed_for_it() -> None:
    report = await run_department("shows_no_outcome")
    assert not report.failed
    (outcome,) = [each for each in report.results if each.code == "outcome.signed"]
    assert outcome == CheckResult("outcome.signed", Verdict.SKIPPED, "no_test_outcome")


async def test_nobody_who_answers_is_a_third_outcome() -> None:
    partner, suite = FaultyUtility(), Suite()
    with tiny_server(partner.respond) as server:
        suite.enrol(Role.UTILITY, partner.key.public_jwk, server.url)
    report = await suite.service().run(CODE, "cli:root")
    assert report.failed == ("endpoint.answers",)
    assert report.outcome is Outcome.UNREACHED


async def test_a_redirect_is_not_followed() -> None:
    report = await run_utility("redirects")
    assert {"webhook.receipt", "webhook.signature"} <= set(report.failed)


@pytest.mark.parametrize("url", ["http://partner.example/hook", "https://169.254.169.254/hook"])
async def test_an_address_that_is_not_allowed_is_never_asked(url: str) -> None:
    partner, suite = FaultyUtility(), Suite()
    suite.enrol(Role.UTILITY, partner.key.public_jwk, url)
    report = await suite.service().run(CODE, "cli:root")
    assert report.failed == ("endpoint.address",)


async def test_who_waits_too_long_is_told_so_and_asked_no_more() -> None:
    import threading

    partner, suite, held = FaultyUtility(), Suite(timeout=timedelta(seconds=0.2)), threading.Event()

    def slow(_) -> Sent:
        held.wait(2)
        return Sent(200)

    with tiny_server(slow) as server:
        suite.enrol(Role.UTILITY, partner.key.public_jwk, server.url)
        report = await suite.service().run(CODE, "cli:root")
        held.set()
    assert {"endpoint.answers", "time.limit"} == set(report.failed)
    assert len(server.asked) == 1


async def test_a_run_is_kept_and_on_record_with_who_ran_it() -> None:
    partner, suite = FaultyUtility("only_v1"), Suite()
    with tiny_server(partner.respond) as server:
        suite.enrol(Role.UTILITY, partner.key.public_jwk, server.url)
        report = await suite.service().run(CODE, "officer:off_7")
    (entry,) = suite.reports.entries
    assert (entry.action, entry.actor, entry.subject) == ("conformance.run", "officer:off_7", CODE)
    assert entry.facts["failed"] == ["webhook.unknown_key"]
    assert suite.reports.kept == [report]


async def test_tests_cannot_be_taken_for_anything_real() -> None:
    partner, suite = FaultyUtility(), Suite()
    with tiny_server(partner.respond) as server:
        suite.enrol(Role.UTILITY, partner.key.public_jwk, server.url, server.url + "/events")
        await suite.service().run(CODE, "cli:root")
    sent = [each for each in server.asked if each.method == "POST"]
    assert all(each.headers["webhook-id"].startswith("cft_") for each in sent)
    assert all(b'"cn.bandian.conformance.' in each.body and b'"position"' not in each.body for each in sent)


async def test_who_receives_nothing_is_not_asked() -> None:
    suite = Suite()
    suite.directory.add("source-1", Role.SOURCE, "440000")
    with pytest.raises(ConformanceNotFor):
        await suite.service().run("source-1", "cli:root")
    with pytest.raises(PartnerNotFound):
        await suite.service().run("nobody", "cli:root")


def gathered(**changes: object) -> Gathered:
    own = {
        "partner": a_partner(),
        "keys": (),
        "endpoint": Endpoint("csg-guangzhou", "webhook", "https://h/", None),
        "address_fault": None,
        "at": NOON,
        "limit_s": 10.0,
    }
    return Gathered(**(own | changes))  # type: ignore[arg-type]


def held(algorithms: frozenset[str]):
    suite, key = Suite(), es256_key("k")
    suite.directory.add_key(CODE, key, KeyUse.ANY)
    (found,) = suite.directory.keys[CODE]
    return replace(found, verification=replace(found.verification, algorithms=algorithms))


FIRST = Answer(200, proven=True, elapsed_s=0.1, dated_at=NOON, at=NOON)
JUDGED = {
    "active": ("partner.active", {"partner": a_partner(status=PartnerStatus.SUSPENDED)}, "suspended"),
    "no key": ("key.current", {}, "no_key"),
    "alien": ("key.algorithm", {"keys": [held(frozenset({"RS512"}))]}, "algorithm.RS512"),
    "no endpoint": ("endpoint.registered", {"endpoint": None}, "no_endpoint"),
    "address": ("endpoint.address", {"address_fault": "endpoint_url"}, "endpoint_url"),
    "silent": ("endpoint.answers", {"answers": {Probe.FIRST: Answer(None, "no_answer.X")}}, "no_answer.X"),
    "slow": ("time.limit", {"answers": {Probe.FIRST: replace(FIRST, elapsed_s=10.1)}}, "too_slow"),
    "clock": (
        "clock.date",
        {"answers": {Probe.FIRST: replace(FIRST, dated_at=NOON - timedelta(seconds=61))}},
        "clock_off",
    ),
}


@pytest.mark.parametrize("case", JUDGED)
def test_what_is_judged_without_a_partner(case: str) -> None:
    code, changes, found = JUDGED[case]
    assert CHECKS[code].result(gathered(**changes)) == CheckResult(code, Verdict.FAILED, found)


def test_every_check_has_a_case_in_which_it_fails() -> None:
    failing = {code for codes in (*UTILITY_FAULTS.values(), *DEPARTMENT_FAULTS.values()) for code in codes}
    assert set(CHECKS) == failing | {code for code, _, _ in JUDGED.values()}


def test_a_suspended_partner_is_not_sent_to() -> None:
    report = CHECKS["endpoint.answers"].result(gathered())
    assert report.verdict is Verdict.SKIPPED


@pytest.mark.parametrize("role", GUIDES)
def test_every_check_says_all_in_both_languages_and_points_into_the_guide(role: Role) -> None:
    from pathlib import Path

    guide = Path(GUIDES[role]).read_text(encoding="utf-8")
    for check in checks_of(role):
        assert f"\n## {check.section}. " in guide
        for said in (check.title, check.asks, check.remedy):
            assert said.zh
            assert said.en
            assert said.zh != said.en


def report_of(*verdicts: Verdict, code: str = "webhook.receipt") -> ConformanceReport:
    return ConformanceReport("cfr_1", CODE, NOON, "cli:root", tuple(CheckResult(code, each) for each in verdicts))


def test_what_the_last_run_says_about_going_live() -> None:
    passed, bad = report_of(Verdict.PASSED, Verdict.SKIPPED), report_of(Verdict.FAILED)
    assert readiness(None, NOON) is Readiness.NEVER
    assert readiness(passed, NOON + timedelta(days=30)) is Readiness.READY
    assert readiness(passed, NOON + timedelta(days=30, seconds=1)) is Readiness.OLD
    assert readiness(bad, NOON) is Readiness.FAILED
    assert readiness(report_of(Verdict.FAILED, code="endpoint.answers"), NOON) is Readiness.FAILED
