"""`bandian inspect FILE`: a verification told to a person, Chinese first. Pure text; nothing is judged here."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.certificates.envelopes.ofd import Check, Limits, OfdSignatureReport, OfdVerification, Outcome, verify_ofd
from gateway.certificates.verdicts import Verdict
from gateway.clock import written_in_china
from gateway.crypto.errors import DerMalformed
from gateway.errors import GatewayError

EXIT_CODES: Final = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.INDETERMINATE: 3}
"""Process exit codes by verdict; 2 is left to wrong usage, as shells expect."""
MAX_FILE_BYTES: Final = Limits().archive
EXIT_REFUSED: Final = 4
"""The file could not be opened as an OFD document, so nothing was judged."""

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----")
_VERDICTS: Final = {
    Verdict.VALID: "有效",
    Verdict.INVALID: "无效",
    Verdict.INDETERMINATE: "无法判定",
}
_MARKS: Final = {
    Outcome.PASSED: "✓ 通过",
    Outcome.FAILED: "✗ 不符",
    Outcome.UNKNOWN: "? 未知",
    Outcome.NOT_APPLICABLE: "- 不适用",
}
_REASONS: Final = {
    "no trust anchor": "没有可信根证书",
    "digest mismatch": "文件内容与签名时的摘要不一致",
    "file missing": "被签名的文件不存在",
    "file damaged": "文件已损坏，无法解压",
    "path names two files": "路径同时指向两个文件",
    "digest method broken": "摘要算法已不安全",
    "digest method not supported": "摘要算法不受支持",
    "nothing is referenced": "签名没有保护任何文件",
    "signed value missing": "缺少签名值文件",
    "signed value malformed": "签名值文件结构不符合标准",
    "signature description changed": "签名描述文件在签名后被改动",
    "signature algorithm not supported": "签名算法不受支持",
    "signature algorithm differs from the one declared": "签名算法与签名描述文件所写不一致",
    "algorithm unavailable": "本机没有可用的国密密码库",
    "signer signature does not verify": "签章者签名验证未通过",
    "maker signature does not verify": "制章者签名验证未通过",
    "seal file differs from the seal used": "印章文件与签章所用印章不一致",
    "signer not listed in the seal": "签章者不在印章名单中",
    "signing time unknown": "签章时间无法确定",
    "signed in the future": "签章时间晚于核验时间",
    "signer certificate not valid at that time": "签章时间不在签章者证书有效期内",
    "maker certificate not valid at that time": "制章时间不在制章者证书有效期内",
    "seal not valid at signing time": "签章时间不在印章有效期内",
    "signer key may not sign": "签章者密钥不得用于签名",
    "maker key may not sign": "制章者密钥不得用于签名",
    "signer certificate not enclosed": "只有签名值，没有签名者的证书",
    "seal bound to nothing": "签名值不含印章，印章文件也不受签名保护",
    "found in another case": "文件名大小写与签名描述文件所写不同",
    "time stamp unreadable": "时间戳无法读取",
    "time stamp is for something else": "时间戳不是为该签名签发的",
    "time stamp signer not enclosed": "时间戳没有附带签发者的证书",
    "time stamp signature does not verify": "时间戳自身的签名验证未通过",
    "time stamp lies in the future": "时间戳的时间晚于核验时间",
    "signed after its own time stamp": "签章时间晚于其时间戳",
    "unknown critical extension": "证书含未知的关键扩展",
    "signature files missing or unreadable": "签名文件缺失或无法读取",
    "signatures not listed": "签名未列入签名清单",
    "not signed": "文件没有签名",
    "files not covered by a signature": "有文件不在任何签名的保护范围内",
    "issuer is not a certificate authority": "上级证书不是签发机构证书",
    "path length exceeded": "证书链超过允许的层级",
    "certificate not valid at that time": "证书当时不在有效期内",
    "trust anchor not valid at that time": "可信根证书当时不在有效期内",
    "certificate malformed": "证书结构不符合标准",
    "key may not be used so": "证书的密钥用途与此不符",
    "certificate key not usable": "证书的密钥无法用于核验",
    "certificate is for other purposes": "证书的扩展密钥用途与此不符",
    "name not permitted by the issuer": "证书的名称不在上级 CA 允许的范围内",
    "certificate names nobody": "证书没有主体名称",
    "certificate policy not met": "证书链不满足所要求的证书策略",
    "certificate revoked": "证书已被吊销",
    "certificate suspended": "证书已被暂停使用",
    "revocation not known": "未能取得可信的吊销状态",
    "certificate path not accepted": "证书链未被接受",
    "certificate signature algorithm not supported": "证书的签名算法不受支持",
    "certificate signature does not verify": "证书签名验证未通过",
    "path too long or too many candidates": "证书链过长或候选过多",
    "changed by a later signature": "因后续签名而改变",
}
_DECIDES_UNDER_ANCHOR: Final = "（仅在证书链可信时影响结论）"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What else was given, in DER: CA certificates that lead to an anchor, revocation lists, OCSP responses.

    Without lists and responses revocation is not judged; with either, an answer is demanded.
    """

    intermediates: Sequence[bytes] = ()
    crls: Sequence[bytes] = ()
    responses: Sequence[bytes] = ()


def inspect_file(
    data: bytes, anchors: Sequence[bytes], at: datetime, evidence: Evidence | None = None
) -> OfdVerification:
    """Verify the bytes of a file. ``anchors`` are DER. Raises what `verify_ofd` raises."""
    given = evidence or Evidence()
    return verify_ofd(
        data,
        anchors,
        at,
        intermediates=given.intermediates,
        crls=given.crls or None,
        status=given.responses or None,
    )


def load_anchors(data: bytes) -> tuple[bytes, ...]:
    """The DER certificates in an anchor file: one in DER, or any number in PEM. Raises `DerMalformed`."""
    refusal = DerMalformed(check="anchor.certificate", remedy="信任锚或证书文件不是 PEM 或 DER 证书")
    return _blocks(data, "CERTIFICATE", refusal)


def load_crls(data: bytes) -> tuple[bytes, ...]:
    """The DER revocation lists in a file: one in DER, or any number in PEM. Raises `DerMalformed`."""
    return _blocks(data, "X509 CRL", DerMalformed(remedy="吊销列表文件不是 PEM 或 DER"))


def _blocks(data: bytes, label: str, refusal: DerMalformed) -> tuple[bytes, ...]:
    if b"-----BEGIN" not in data:
        return (data,)
    try:
        found = tuple(
            base64.b64decode(b"".join(body.split()), validate=True)
            for name, body in _PEM.findall(data)
            if name == label.encode()
        )
    except binascii.Error:
        found = ()
    if not found:
        raise refusal
    return found


def exit_code(report: OfdVerification) -> int:
    """The process exit code for a verdict."""
    return EXIT_CODES[report.verdict]


def render_inspection(report: OfdVerification, name: str = "") -> str:
    """The report as text, one line per check; times are China time with the zone named."""
    lines = [f"文件：{name}"] if name else []
    lines.append(f"核验时间：{written_in_china(report.at)}")
    lines.append(f"结论：{_verdict(report.verdict, report.reason)}")
    lines.append(f"密码学完整性：{'完好（intact）' if report.intact else '未能确认完好（not intact）'}")
    if report.failed_files:
        lines.append(f"问题文件：{'、'.join(report.failed_files)}")
    lines.extend(_check(check) for check in report.checks)
    for number, signature in enumerate(report.signatures, 1):
        lines += ["", *_signature(number, len(report.signatures), signature)]
    lines += ["", f"未被保护的文件：{'、'.join(report.uncovered) if report.uncovered else '无'}"]
    lines += [f"说明：{note}" for note in report.notes]
    return "\n".join(map(_printable, lines)) + "\n"


def render_refusal(error: GatewayError, name: str = "") -> str:
    """A refusal as text: what failed, and how it is mended."""
    head = f"文件：{name}\n" if name else ""
    return f"{head}结论：未核验（{error.title}）\n原因：{error.remedy} [{error.check}]\n"


def _signature(number: int, total: int, report: OfdSignatureReport) -> list[str]:
    lines = [f"签名 {number}/{total}  {report.path}" + ("" if report.listed else "（未列入签名清单）")]
    lines.append(f"  结论：{_verdict(report.verdict, report.reason)}")
    form = {"Seal": "电子签章", "Sign": "数字签名"}.get(report.kind, report.kind)
    lines.append(
        f"  形式：{form} {report.form or '（未能识别）'}，摘要 {report.digest_method}，签名算法 {report.method}"
    )
    if report.signed_at:
        lines.append(f"  签章时间：{written_in_china(report.signed_at)}（签章者自述）")
    elif report.signed_at_text:
        lines.append(f"  签章时间：{report.signed_at_text}（签名描述文件所写，未注明时区）")
    for signer in report.signers:
        lines.append(f"  签章者：{signer.subject}（序列号 {signer.serial}）")
        lines.append(f"  签发机构：{signer.issuer}")
        lines.append(f"  证书有效期：{written_in_china(signer.not_before)} 至 {written_in_china(signer.not_after)}")
    if report.seal:
        seal = report.seal
        lines.append(f"  印章：{seal.name}（{seal.seal_id}，V{seal.version}，{seal.vendor}）")
        lines.append(f"  制章者：{seal.maker}")
        lines.append(f"  印章有效期：{written_in_china(seal.valid_from)} 至 {written_in_china(seal.valid_until)}")
    covered = [reference.path for reference in report.references if reference.outcome is Outcome.PASSED]
    lines.append(f"  摘要一致的文件（{len(covered)}/{len(report.references)}）：{'、'.join(covered) or '无'}")
    for reference in report.references:
        if reference.outcome is not Outcome.PASSED:
            lines.append(f"    {_MARKS[reference.outcome]}  {reference.path}：{_reason(reference.reason)}")
    undecided = report.reason if report.verdict is Verdict.INDETERMINATE else ""
    lines.extend("  " + _check(check, undecided) for check in report.checks)
    return lines


def _check(check: Check, undecided: str = "") -> str:
    line = f"  {_MARKS[check.outcome]}  {check.title}"
    told = "；".join(part for part in (_reason(check.reason), check.detail) if part)
    if told:
        line += f"：{told}"
    if check.files and check.outcome is not Outcome.PASSED:
        line += f" [{'、'.join(check.files)}]"
    if undecided and check.outcome is Outcome.FAILED:
        line += _DECIDES_UNDER_ANCHOR
    return line


def _verdict(verdict: Verdict, reason: str) -> str:
    english = f"{verdict.value}: {reason}" if reason else verdict.value
    chinese = _VERDICTS[verdict] + (f"：{_REASONS.get(reason, reason)}" if reason else "")
    return f"{chinese}（{english}）"


def _reason(reason: str) -> str:
    return _REASONS.get(reason, reason)


def _printable(line: str) -> str:
    """Names come from the document: control characters among them must not reach a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
