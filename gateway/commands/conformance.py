"""``bandian conformance``: the partner conformance suite, from the machine that the gateway runs on."""

import json
from typing import TYPE_CHECKING, Any, Final

import typer

from gateway.commands.session import actor, with_foundation
from gateway.conformance.model import ConformanceReport, Outcome, Verdict
from gateway.conformance.suite import CHECKS, GUIDES

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.caller import Role
    from gateway.conformance.checks import Said

EXIT_CODES: Final = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.UNREACHED: 3}
_VERDICTS: Final = {
    Verdict.PASSED: ("通过", "passed"),
    Verdict.FAILED: ("未通过", "FAILED"),
    Verdict.SKIPPED: ("未测", "skipped"),
}
_OUTCOMES: Final = {
    Outcome.PASSED: ("全部通过，可以上线。", "All passed: ready to go live."),
    Outcome.FAILED: ("有未通过的项目，请按办法处理后重测。", "Some checks failed: mend them and run it again."),
    Outcome.UNREACHED: ("对方没有应答，无法判定。", "Nobody answered: nothing is known."),
}


def run_conformance(code: str, *, as_json: bool, english: bool) -> int:
    """Run the suite, print the report, answer the exit code."""

    async def work(foundation: "Foundation") -> "tuple[ConformanceReport, Role]":
        from gateway.bootstrap.conformance import build_conformance

        report = await build_conformance(foundation).run(code, actor())
        return report, (await foundation.partners.whole(code)).partner.role

    report, role = with_foundation(work)
    if as_json:
        typer.echo(json.dumps(as_document(report, role, english=english), ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(as_lines(report, role, english=english)))
    return EXIT_CODES[report.outcome]


def as_lines(report: ConformanceReport, role: "Role", *, english: bool) -> list[str]:
    """A line a check; under one that failed what was asked, what mends it and where the guide says so."""
    lines = [f"{report.partner_code} · {report.report_id}"]
    for each in report.results:
        check = CHECKS[each.code]
        verdict = _VERDICTS[each.verdict][english]
        lines.append(
            f"[{verdict}] {each.code}\t{_told(check.title, english)}" + (f"\t{each.found}" if each.found else "")
        )
        if each.verdict is Verdict.FAILED:
            lines += [f"    {_told(said, english)}" for said in (check.asks, check.remedy)]
            lines.append(f"    {GUIDES[role]} §{check.section}")
    return [*lines, _OUTCOMES[report.outcome][english]]


def as_document(report: ConformanceReport, role: "Role", *, english: bool) -> dict[str, Any]:
    """The report as JSON says it."""
    return {
        "report_id": report.report_id,
        "partner": report.partner_code,
        "ran_at": report.ran_at.isoformat(),
        "ran_by": report.ran_by,
        "outcome": report.outcome.value,
        "checks": [
            {
                "code": each.code,
                "verdict": each.verdict.value,
                "found": each.found,
                "title": _told(CHECKS[each.code].title, english),
                "asks": _told(CHECKS[each.code].asks, english),
                "remedy": _told(CHECKS[each.code].remedy, english),
                "guide": f"{GUIDES[role]} §{CHECKS[each.code].section}",
            }
            for each in report.results
        ],
    }


def _told(said: "Said", english: bool) -> str:
    return said.en if english else said.zh
