"""What ``bandian conformance`` prints of a report, and how it ends."""

import pytest

from gateway.caller import Role
from gateway.commands.conformance import EXIT_CODES, as_document, as_lines
from gateway.conformance.model import CheckResult, ConformanceReport, Outcome, Verdict
from tests.support.storage import NOON

REPORT = ConformanceReport(
    "cfr_1",
    "csg-foshan",
    NOON,
    "cli:root",
    (
        CheckResult("webhook.receipt", Verdict.PASSED),
        CheckResult("webhook.stale", Verdict.FAILED, "accepted"),
        CheckResult("status.known", Verdict.SKIPPED, "no_status_url"),
    ),
)


@pytest.mark.parametrize(("english", "remedy"), [(False, "5 分钟"), (True, "five minutes")])
def test_a_failed_check_comes_with_its_remedy_and_where_the_guide_says_so(english: bool, remedy: str) -> None:
    lines = as_lines(REPORT, Role.UTILITY, english=english)
    (at,) = [number for number, line in enumerate(lines) if "webhook.stale" in line]
    assert remedy in lines[at + 2]
    assert lines[at + 3].strip() == "docs/integration/utility.md §2"
    assert sum(line.startswith("    ") for line in lines) == 3


def test_json_has_every_check_with_its_verdict() -> None:
    told = as_document(REPORT, Role.UTILITY, english=True)
    assert told["outcome"] == "failed"
    assert [each["verdict"] for each in told["checks"]] == ["passed", "failed", "skipped"]
    assert told["checks"][1]["found"] == "accepted"


def test_it_ends_as_the_other_commands_do() -> None:
    assert EXIT_CODES == {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.UNREACHED: 3}
