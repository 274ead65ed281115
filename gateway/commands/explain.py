"""``bandian explain``: a request or a file judged by the code that serves, and told check by check."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from gateway.certificates.inspection import EXIT_CODES, MAX_FILE_BYTES
from gateway.certificates.verdicts import Verdict, worst
from gateway.clock import system_clock, written_in_china
from gateway.commands.session import actor, settings_or_exit, with_foundation
from gateway.licences.answers import source_basis
from gateway.licences.explanation import check_views
from gateway.licences.gates import step_results
from schemas.partner_api import ExplainedCheck, LicenceExplanation, SourceBasis, VerifiedLicenceRequest

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.certificates.kind import CertificateKind
    from gateway.certificates.verification import Verification
    from gateway.settings import Settings

_MARKS: Final = {"valid": "✓", "invalid": "✗", "indeterminate": "?", "not_judged": "-"}
_VERDICTS: Final = {"valid": "有效", "invalid": "无效", "indeterminate": "无法判定"}
_STATES: Final = {
    "fresh": "新鲜",
    "stale_permitted": "过时，仍在允许的时限内",
    "refused": "超过时限，不予采信",
    "missing": "未取得",
}
_BASES: Final = {
    "certificate": "证照副本",
    "chain": "证书链",
    "crl": "证书吊销列表",
    "ocsp": "证书在线状态",
    "status_list": "证照状态列表",
    "status_list.chain": "状态列表签发者的证书链",
    "status_list.crl": "状态列表签发者的证书吊销列表",
    "status_list.ocsp": "状态列表签发者的证书在线状态",
}
_SPANS: Final = ((86400, "天"), (3600, "小时"), (60, "分钟"), (1, "秒"))


def explain_request(utility: str, request: VerifiedLicenceRequest) -> int:
    """Judge ``request`` as if ``utility`` sent it now, print the checks, and answer the exit code."""

    async def work(foundation: "Foundation") -> LicenceExplanation:
        from gateway.bootstrap.certificates import build_certificates
        from gateway.bootstrap.clients import clients
        from gateway.bootstrap.rooms import build_licences

        async with clients() as (http, _):
            service = build_licences(foundation, build_certificates(foundation, http))
            return await service.explain(utility, request, actor())

    explanation = with_foundation(work)
    typer.echo(render_explanation(explanation, utility), nl=False)
    return EXIT_CODES[_verdict_of(explanation)]


def explain_file(path: Path, kind: str | None, at: datetime | None, holder_code: str | None, *, offline: bool) -> int:
    """Judge the e-certificate in a file, print the steps, and answer the exit code.

    ``at`` None is now. It needs the trust directory and, unless ``offline``, the addresses of status lists; no database
    and no keys.
    """
    import asyncio

    from gateway.commands.session import fail
    from gateway.errors import GatewayError
    from gateway.start_refusals import StartRefused, told_in_one_sentence

    settings = settings_or_exit()
    with path.open("rb") as stream:
        # One byte over the limit is enough to be refused.
        envelope = stream.read(MAX_FILE_BYTES + 1)
    try:
        with told_in_one_sentence():
            verification, known = asyncio.run(_examine(settings, envelope, kind, at, holder_code, offline))
    except StartRefused as error:
        raise fail(str(error)) from None
    except GatewayError as error:
        raise typer.BadParameter(f"{error.title}：{error.remedy}") from None
    typer.echo(render_verification(verification, known, path.name, offline=offline), nl=False)
    return EXIT_CODES[verification.verdict]


async def _examine(
    settings: "Settings",
    envelope: bytes,
    kind: str | None,
    at: datetime | None,
    holder_code: str | None,
    offline: bool,
) -> "tuple[Verification, CertificateKind]":
    from gateway.bootstrap.certificates import build_examiner
    from gateway.bootstrap.clients import clients

    async with clients() as (http, _):
        examiner = build_examiner(settings, http)
        found = await examiner.examine(
            envelope, at or system_clock(), kind=kind, holder_code=holder_code, offline=offline
        )
        return found, examiner.kinds.get(found.kind)


def render_verification(
    verification: "Verification", kind: "CertificateKind", name: str, *, offline: bool = False
) -> str:
    """The steps of one verification as text; times are China time with the zone named."""
    lines = [
        f"文件：{name}",
        f"证照类型：{kind.title}（{kind.code}）" + (f"，形式 {verification.form}" if verification.form else ""),
        f"核验时间：{written_in_china(verification.at)}",
        f"结论：{_VERDICTS[verification.verdict.value]}（{verification.verdict.value}）",
        *_check_lines(check_views(step_results(verification))),
        *_basis_lines([source_basis(each, verification.at) for each in verification.basis]),
    ]
    if offline:
        lines.append("未联网取证（--offline）：状态列表、吊销列表与在线状态均未取得，凡以其为据的步骤无法判定。")
    lines += [f"发现：{finding}" for finding in verification.findings]
    return _text(lines)


def render_explanation(explanation: LicenceExplanation, utility: str) -> str:
    """A dry run as text."""
    title = explanation.title or explanation.kind
    lines = [
        f"试运行：{utility} 为申请 {explanation.application_id} 索取{title}（{explanation.purpose}）",
        f"时间：{written_in_china(explanation.at)}",
        f"结论：{_conclusion(explanation)}",
        *_check_lines(explanation.checks),
    ]
    if explanation.outcome == "answered":
        given = "、".join(f"{each.title}（{each.name}）" for each in explanation.given)
        lines.append(f"将提供：{given or '无'}")
        by_reason: dict[str, list[str]] = {}
        for each in explanation.withheld:
            by_reason.setdefault(each.says, []).append(each.title)
        lines += [f"不提供（{says}）：{'、'.join(titles)}" for says, titles in by_reason.items()]
    lines += _basis_lines(explanation.basis)
    lines += [f"发现：{finding}" for finding in explanation.findings]
    lines.append(f"存证：{explanation.record_id}（licence.explained，未作任何提供）")
    return _text(lines)


def _conclusion(explanation: LicenceExplanation) -> str:
    if explanation.verdict is not None:
        return f"会答复：{_VERDICTS[explanation.verdict]}（{explanation.verdict}）"
    return "会被拒绝" if _verdict_of(explanation) is Verdict.INVALID else "暂时无法答复"


def _verdict_of(explanation: LicenceExplanation) -> Verdict:
    """Of the certificate, or of a refusal: the worst that a check came to."""
    if explanation.verdict is not None:
        return Verdict(explanation.verdict)
    return worst(Verdict(each.verdict) for each in explanation.checks if each.verdict != "not_judged")


def _check_lines(checks: Sequence[ExplainedCheck]) -> list[str]:
    lines = []
    for each in checks:
        line = f"{each.number:>3} {_MARKS[each.verdict]} {each.title}"
        if each.check:
            line += f" [{each.check}]"
        if each.owner or each.remedy:
            line += f" {each.owner or ''}：{each.remedy or ''}"
        if each.note:
            line += f" {each.note}"
        if each.clause:
            line += f"（{each.clause}）"
        lines.append(line)
    return lines


def _basis_lines(basis: Sequence[SourceBasis]) -> list[str]:
    return ["依据：", *(f"  {_basis(each)}" for each in basis)] if basis else ["依据：无"]


def _basis(basis: SourceBasis) -> str:
    told = [f"{_BASES.get(basis.name, basis.name)}：{_STATES[basis.state]}"]
    if basis.as_of is not None:
        told.append(f"截至 {written_in_china(basis.as_of)}，已 {_span(basis.age_seconds or 0)}")
    if basis.limit_seconds is not None:
        told.append(f"最长 {_span(basis.limit_seconds)}")
    if basis.source:
        told.append(f"来源 {basis.source}")
    if basis.level:
        passed = f"（{'、'.join(basis.fell_through)} 未设来源）" if basis.fell_through else ""
        told.append(f"层级 {basis.level}{passed}")
    if basis.source_down:
        told.append("来源最近一次未应答")
    return "；".join(told)


def _span(seconds: int) -> str:
    """The largest unit that fits, whole: ages are told to be judged at a glance."""
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "0 秒"


def _text(lines: Sequence[str]) -> str:
    """Names and addresses come from documents: control characters among them must not reach a terminal."""
    return "".join(
        "".join(character if character.isprintable() else "\ufffd" for character in line) + "\n" for line in lines
    )
