"""What is found, and how it is told in Chinese and in English."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PROVED, STATED, WITHHELD, UNKNOWN, WRONG = "proved", "stated", "withheld", "unknown", "wrong"
MARKS: Final = {PROVED: "✓", STATED: "·", WITHHELD: "–", UNKNOWN: "?", WRONG: "✗"}

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "unreadable": ("无法读取：{why}", "cannot be read: {why}"),
    "archive": ("压缩包不是规定的样子：{why}", "the archive is not as it was written: {why}"),
    "manifest": (
        "清单由网关密钥 {key} 于 {at} 签名，{files} 个文件逐一相符",
        "the manifest is signed by the gateway's key {key} at {at}; its {files} files are as it lists them",
    ),
    "manifest.wrong": ("清单不可信：{why}", "the manifest cannot be believed: {why}"),
    "file.digest": ("文件内容与清单不符", "the file is not the one that the manifest lists"),
    "file.name": ("文件名与其内容的摘要不符", "the file is not the one after whose digest it is named"),
    "file.missing": ("清单所列文件不在包内", "the file that the manifest lists is not in the bundle"),
    "file.absent": ("包内应有此文件", "a bundle has this file"),
    "file.extra": ("文件不在清单中", "the manifest does not list this file"),
    "file.unused": ("不认识的文件，未作核验", "a file of a kind unknown here; nothing was checked"),
    "file.format": ("文件格式不符：{why}", "the file is malformed: {why}"),
    "record": ("存证 {entry}：{at} {actor} {action}（{result}）", "record {entry}: {at} {actor} {action} ({result})"),
    "record.wrong": ("存证 {entry} 不成立：{why}", "record {entry} does not hold: {why}"),
    "record.other": ("存证 {entry} 属于另一申请", "record {entry} belongs to another application"),
    "record.nowitness": (
        "未给出见证方公钥：不能排除网关向不同的人出示不同的存证",
        "no witness is named in DIR: that everybody was shown the same record is not claimed",
    ),
    "record.time": (
        "存证 {entry} 的时间 {at} 不成立：{who} 于 {seen} 已见到它",
        "the time {at} of record {entry} is contradicted: {who} saw it there at {seen}",
    ),
    "record.grown": (
        "日志 {log} 在包内的各个大小（{sizes}）前后一致，只增不改",
        "log {log} only grew from one size in this bundle to the next ({sizes})",
    ),
    "record.apart": (
        "未能证明日志 {log} 由 {old} 增长到 {new}：{why}",
        "that log {log} grew from {old} to {new} is not proved: {why}",
    ),
    "record.forked": (
        "日志 {log} 的 {new} 不是由 {old} 增长而来：{why}",
        "log {log} did not grow from {old} to {new}: {why}",
    ),
    "checkpoint.forked": (
        "大小同为 {size} 的检查点有不同的根：存证被分叉",
        "two checkpoints of size {size} have different roots: the record was forked",
    ),
    "checkpoint": ("检查点（{size}）由 {key} 签名", "the checkpoint ({size}) is signed by {key}"),
    "checkpoint.unsigned": ("检查点没有可信密钥的签名", "no key in checkpoints.vkeys signed the checkpoint"),
    "checkpoint.wrong": ("检查点签名 {key} 不正确", "the signature of {key} on the checkpoint is wrong"),
    "witness": ("见证方 {key} 于 {at} 联署检查点（{size}）", "witness {key} cosigned the checkpoint ({size}) at {at}"),
    "witness.none": ("没有一个所列见证方联署此检查点", "none of the witnesses in DIR cosigned this checkpoint"),
    "stamp": (
        "时间戳机构 {who} 于 {at} 见到检查点（{size}）；未查其证书的吊销状态",
        "the authority {who} stamped the checkpoint ({size}) at {at}; whether its certificate was revoked is not asked",
    ),
    "stamp.unjudged": (
        "检查点（{size}）有 {count} 个时间戳，DIR 没有时间戳机构的根证书，未作核验",
        "the checkpoint ({size}) has {count} time stamps, and DIR no roots of authorities: they were not checked",
    ),
    "stamp.wrong": (
        "检查点（{size}）的时间戳不成立：{why}",
        "a time stamp of the checkpoint ({size}) does not hold: {why}",
    ),
    "application": (
        "申请 {id}：{utility}，{clazz}，与提交时的存证一致",
        "application {id}: {utility}, {clazz}, as recorded when it was submitted",
    ),
    "application.wrong": ("申请概况与存证不符：{why}", "the application's account differs from the record: {why}"),
    "application.status": ("网关称：申请处于 {status}", "the gateway says: the application is {status}"),
    "application.nosubmission": ("没有提交申请的存证", "there is no record entry of the submission"),
    "authorisation": (
        "授权 {id} 的原文与存证的摘要一致：{text}",
        "the words of authorisation {id} are those whose digest was recorded: {text}",
    ),
    "authorisation.wrong": ("授权与存证不符：{why}", "the authorisation differs from the record: {why}"),
    "authorisation.absent": (
        "没有给出授权的存证",
        "there is no record entry of an authorisation",
    ),
    "authorisation.nowords": (
        "存证 {entry} 所指的授权原文不在包内",
        "the words of the authorisation in record {entry} are not in the bundle",
    ),
    "identity": (
        "身份凭据由 {issuer} 签发，方式 {method}，核验于 {at}",
        "the identity assertion is {issuer}'s, by {method}, verified at {at}",
    ),
    "identity.wrong": ("身份凭据不成立：{why}", "the identity assertion does not hold: {why}"),
    "identity.audience": (
        "身份凭据签发给谁未能证明：identity-provider.json 没有 audience",
        "for whom the assertion was issued is not proved: identity-provider.json has no audience",
    ),
    "identity.absent": ("没有身份凭据：{why}", "there is no identity assertion: {why}"),
    "certificate": (
        "{kind}（{title}）于 {at} 有效：签章、证书链、吊销与状态均独立核实",
        "{kind} ({title}) was valid at {at}: seal, chain, revocation and status checked independently",
    ),
    "certificate.wrong": ("{kind} 不成立（{at}）：{why}", "{kind} does not hold ({at}): {why}"),
    "certificate.unknown": ("{kind} 未能证明（{at}）：{why}", "{kind} is not proved ({at}): {why}"),
    "certificate.many": (
        "判定多达 {count} 项，只核验了前面的",
        "{count} judgements are more than are looked at; only the first were",
    ),
    "certificate.holder": (
        "{kind} 的持证主体不是身份凭据中的人或企业",
        "the holder of {kind} is nobody of whom the identity assertion speaks",
    ),
    "certificate.otherwhen": (
        "存证称 {kind} 于 {at} 有效，包内的判定不是那时作出的",
        "the record says that {kind} was valid at {at}; no judgement in the bundle is of that time",
    ),
    "certificate.verdict": ("网关判定 {kind} 为 {verdict}（{check}）", "the gateway judged {kind} {verdict} ({check})"),
    "certificate.absent": (
        "{kind} 的证照原件不在包内（{why}），存证只有其摘要 {digest}",
        "the envelope of {kind} is not in the bundle ({why}); the record has its digest {digest}",
    ),
    "certificate.unclear": (
        "存证 {entry} 所列的一份材料无法辨认",
        "a document that record {entry} lists cannot be told",
    ),
    "certificate.unbound": ("{kind} 的判定没有对应的存证", "no record entry speaks of this judgement of {kind}"),
    "declared": ("{kind} 由申请人自行提供（容缺），未经核验", "{kind} was declared by the applicant and not verified"),
    "disclosed": (
        "存证称：{at} 向 {who} 提供 {kind} 的 {fields}，判定 {verdict}",
        "the record says: at {at} {who} was given {fields} of {kind}, judged {verdict}",
    ),
    "outcome": (
        "{department} 的审批结果 {outcome}，原件签名成立，收于 {at}",
        "{department}'s outcome {outcome} bears its signature and was received at {at}",
    ),
    "outcome.wrong": (
        "{department} 的审批结果 {outcome} 不成立：{why}",
        "{department}'s outcome {outcome} does not hold: {why}",
    ),
    "outcome.absent": (
        "{department} 的审批结果 {outcome} 的原件不在包内（{why}）",
        "{department}'s outcome {outcome} is not in the bundle ({why})",
    ),
    "contract": (
        "供用电合同 {contract}（第 {version} 版）于 {at} 签订，核验方式 {method}：网关签名的声明与存证一致",
        "contract {contract} (version {version}) was signed at {at}, by {method}: the gateway's statement is on record",
    ),
    "contract.document": (
        "合同 {contract} 的文本（{digest}）正是存证与声明所指的一份",
        "the document of contract {contract} ({digest}) is the one of the record and the statement",
    ),
    "contract.assertion": (
        "{issuer} 为合同 {contract} 签发的身份凭据，方式 {method}；所指即申请人，绑定的正是这份文本",
        "{issuer} verified the applicant by {method} for contract {contract} alone: its assertion names this document",
    ),
    "contract.wrong": ("合同 {contract} 不成立：{why}", "contract {contract} does not hold: {why}"),
    "contract.unknown": ("合同 {contract} 未能证明：{why}", "contract {contract} is not proved: {why}"),
    "contract.absent": (
        "合同 {contract} 的 {what} 不在包内（{why}）",
        "the {what} of contract {contract} is not in the bundle ({why})",
    ),
    "contract.before": (
        "存证称：合同 {contract} 于 {at} 签订；此包为第 1 版，不含合同文本与声明",
        "the record says: contract {contract} was signed at {at}; a bundle of version 1 holds neither document nor "
        "statement",
    ),
    "contract.said": (
        "存证称：{at} {who} {action} 合同 {contract}（第 {version} 版）",
        "the record says: at {at} {who} {action} contract {contract} (version {version})",
    ),
    "receipt": (
        "{destination} 签收事件 {event}；内容与序号未核对",
        "{destination} signed for event {event}; neither its content nor its place in the sequence was compared",
    ),
    "receipt.body": (
        "{destination} 签收事件 {event}（第 {sequence} 件），所签正是此内容",
        "{destination} signed for event {event} (number {sequence}), with this very content",
    ),
    "receipt.nobody": (
        "{destination} 签收事件 {event}，其内容不在包内（{why}）",
        "{destination} signed for event {event}; its content is not in the bundle ({why})",
    ),
    "receipt.wrong": (
        "{destination} 对事件 {event} 的回执不成立：{why}",
        "{destination}'s receipt for event {event} does not hold: {why}",
    ),
    "receipt.absent": (
        "{destination} 对事件 {event} 的回执不在包内（{why}）",
        "{destination}'s receipt for event {event} is not in the bundle ({why})",
    ),
    "receipt.unsigned": (
        "{destination} 对事件 {event} 的应答不带签名：只有网关的说法",
        "{destination}'s answer to event {event} is not signed: it is the gateway's word alone",
    ),
    "delivery.open": (
        "事件 {event} 尚未送达 {destination}（{state}）",
        "event {event} has not been delivered to {destination} ({state})",
    ),
    "delivery.unlisted": (
        "存证中向 {destination} 投递的事件 {event} 不在包内",
        "event {event} for {destination}, of which the record speaks, is not in the bundle",
    ),
    "delivery.hole": (
        "发往 {destination} 的事件缺第 {sequence} 件",
        "number {sequence} of the events for {destination} is missing",
    ),
    "attempts": (
        "网关称：向 {destination} 投递 {event} 共 {count} 次",
        "the gateway says: {count} attempts to deliver {event} to {destination}",
    ),
    "withheld": (
        "{count} 项 {what} 已隐去（不含个人信息的版本）",
        "{count} of {what} left out (a bundle without personal data)",
    ),
    "withheld.whole": (
        "{count} 项 {what} 被隐去，而清单称此包完整",
        "{count} of {what} left out as personal data, of a bundle that is said to have them",
    ),
    "reason": (
        "{actor} 在存证 {entry} 中所记的理由正是：{text}",
        "the reason of {actor} in record {entry} is this one: {text}",
    ),
    "reason.wrong": (
        "存证 {entry} 的理由不成立：{why}",
        "the reason of record {entry} does not hold: {why}",
    ),
    "reason.absent": (
        "存证 {entry} 的理由不在包内（{why}）",
        "the reason of record {entry} is not in the bundle ({why})",
    ),
    "much": (
        "超出核验上限（{what}：{limit}），其余未作核验",
        "more than is looked at ({what}: {limit}); nothing further was checked",
    ),
    "fault": ("核验程序自身出错（{why}），结论不可用", "this verifier failed ({why}): nothing is concluded"),
    "stage": (
        "存证称：环节 {stage} {action}，供电企业申报 {claimed}，按 {counted} 计",
        "the record says: stage {stage} {action}; the utility said {claimed}, counted from {counted}",
    ),
    "limits": (
        "不能由此证明：没有别的存证、没有别的送达；存证所记之事与时间属实（存证只证明网关当时这样记下，"
        "时间的上限是见证方联署的时间）；网关的说法（·）只表明网关这样说",
        "not provable from any bundle: that no other entry or delivery exists; that what an entry says, and its time, "
        "are true (it was written so, before a witness cosigned it); what is marked · is the gateway's word",
    ),
    "summary": (
        "证明 {proved}，未能证明 {unknown}，错误 {wrong}，隐去 {withheld}",
        "proved {proved}, not proved {unknown}, wrong {wrong}, left out {withheld}",
    ),
}
"""Each statement in Chinese and in English."""


@dataclass(frozen=True)
class Finding:
    """One statement: ``mark`` is one of `MARKS`, ``code`` names its words, ``where`` the file of the bundle."""

    mark: str
    code: str
    where: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def text(self, lang: str) -> str:
        """The statement in ``zh`` or ``en``; characters that do not print are replaced."""
        words = WORDS[self.code][0 if lang == "zh" else 1].format_map({k: _quoted(v) for k, v in self.facts.items()})
        where = f" [{self.where}]" if self.where else ""
        return printable(f"{MARKS[self.mark]} {words}{where}")


def _quoted(fact: object) -> str:
    """A fact in a statement: on one line, in no way that a terminal could show as another statement."""
    if not isinstance(fact, str | int | float | None):
        return "…"
    try:
        text = str(fact)
    except ValueError:  # more digits than Python writes
        return "…"
    text = text if len(text) <= MAX_TOLD else f"{text[:MAX_TOLD]}…"
    return re.sub(r"\s+", " ", text).translate(_NO_MARKS)


MAX_TOLD: Final = 4000
"""Characters of a fact."""
_NO_MARKS: Final = dict.fromkeys(map(ord, (*"✓✗✔✘☑☒✅❎❌✖✕×√🗸🗴🗹🗷", "\u2800")), "�")


def printable(text: str) -> str:
    """What was tampered with may hold anything, and is shown on a terminal."""
    return "".join(each if each.isprintable() else "�" for each in text)
