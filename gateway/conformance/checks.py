"""The checks: a row each, with what is asked of the partner, how a failure is mended, and what decides. Pure.

``CHECKS`` puts together what all partners are asked (here) with ``utility_checks`` and ``department_checks``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.caller import Role
from gateway.conformance.model import ANSWERS_CODE, Answer, CheckResult, Gathered, Probe, Verdict
from gateway.crypto.jws import SUPPORTED_ALGORITHMS
from gateway.partners.model import KeyUse

CLOCK_TOLERANCE: Final = timedelta(seconds=60)
"""As much as a receipt's ``iat`` may differ from our time."""
Judged = tuple[Verdict, str]
BOTH: Final = frozenset({Role.UTILITY, Role.DEPARTMENT})
SIGNS: Final = {Role.UTILITY: KeyUse.RECEIPT, Role.DEPARTMENT: KeyUse.OUTCOME}
"""What a partner of each role must be able to sign."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Check:
    """``section`` is where the integration guide of the role says it; ``judge`` decides by what was gathered."""

    code: str
    title: Said
    asks: Said
    remedy: Said
    section: str
    judge: Callable[[Gathered], Judged]
    roles: frozenset[Role] = BOTH

    def result(self, gathered: Gathered) -> CheckResult:
        """This check's verdict."""
        return CheckResult(self.code, *self.judge(gathered))


PASSED: Final = (Verdict.PASSED, "")
NOT_TRIED: Final = (Verdict.SKIPPED, "not_tried")


def failed(found: str) -> Judged:
    """It failed, with what was seen."""
    return Verdict.FAILED, found


def seen(answer: Answer) -> str:
    """What an answer shows that is not what was asked for."""
    return answer.found or ("no_answer" if answer.status is None else f"status_{answer.status}")


def first_is_proven(gathered: Gathered) -> Judged:
    """The first test was answered with what only the partner's key could have made."""
    first = gathered.answered(Probe.FIRST)
    if first is None or first.status is None:
        return NOT_TRIED
    return PASSED if first.proven else failed(seen(first))


def refuses(probe: Probe) -> Callable[[Gathered], Judged]:
    """A judge: what should not be taken was answered 4xx, and without a receipt."""

    def judge(gathered: Gathered) -> Judged:
        answer = gathered.answered(probe)
        if answer is None:
            return NOT_TRIED
        if answer.status == 429:
            return Verdict.SKIPPED, "status_429"
        if answer.proven:
            return failed("accepted")
        if answer.status is not None and 400 <= answer.status < 500:
            return PASSED
        return failed("no_answer" if answer.status is None else f"status_{answer.status}")

    return judge


def withstands_oversized(gathered: Gathered) -> Judged:
    """What is far too large is refused (or the connection cut), and the next is taken as ever."""
    answer, after = gathered.answered(Probe.OVERSIZED), gathered.answered(Probe.AFTERWARDS)
    if answer is None or after is None:
        return NOT_TRIED
    if answer.found == "timeout":
        return failed("timeout")
    if answer.proven or (answer.status is not None and not 400 <= answer.status < 500):
        return failed("accepted" if answer.proven else f"status_{answer.status}")
    return PASSED if after.proven else failed(f"afterwards.{seen(after)}")


def _active(gathered: Gathered) -> Judged:
    return PASSED if gathered.partner.active else failed("suspended")


def _key_current(gathered: Gathered) -> Judged:
    use = SIGNS[gathered.partner.role]
    return PASSED if any(each.registered.usable(use, gathered.at) for each in gathered.keys) else failed("no_key")


def _algorithm(gathered: Gathered) -> Judged:
    use = SIGNS[gathered.partner.role]
    current = [each.verification for each in gathered.keys if each.registered.usable(use, gathered.at)]
    if not current:
        return NOT_TRIED
    alien = sorted(name for key in current for name in key.algorithms - SUPPORTED_ALGORITHMS)
    return failed(f"algorithm.{alien[0]}") if alien else PASSED


def _registered(gathered: Gathered) -> Judged:
    return PASSED if gathered.endpoint is not None else failed("no_endpoint")


def _address(gathered: Gathered) -> Judged:
    if gathered.endpoint is None:
        return NOT_TRIED
    return PASSED if gathered.address_fault is None else failed(gathered.address_fault)


def _answers(gathered: Gathered) -> Judged:
    first = gathered.answered(Probe.FIRST)
    if first is None:
        return NOT_TRIED
    return failed(seen(first)) if first.status is None else PASSED


def _in_time(gathered: Gathered) -> Judged:
    answers = gathered.answers.values()
    if not any(each.status is not None or each.found == "timeout" for each in answers):
        return NOT_TRIED
    slow = any(each.found == "timeout" or each.elapsed_s > gathered.limit_s for each in answers)
    return failed("too_slow") if slow else PASSED


def _clock(gathered: Gathered) -> Judged:
    pairs = [(each.dated_at, each.at) for each in gathered.answers.values() if each.status is not None]
    if not pairs:
        return NOT_TRIED
    dated = [(told, at) for told, at in pairs if told is not None and at is not None]
    if not dated:
        return Verdict.SKIPPED, "no_date"
    return failed("clock_off") if any(abs(told - at) > CLOCK_TOLERANCE for told, at in dated) else PASSED


COMMON: Final = (
    Check(
        "partner.active",
        Said("单位已启用", "The partner is active"),
        Said("单位已登记且未被停用。", "It is registered and not suspended."),
        Said(
            "请运营方在本页恢复启用，再重新测试。", "An operator lifts the suspension on this page; then run it again."
        ),
        "1",
        _active,
    ),
    Check(
        "key.current",
        Said("有可用的签名公钥", "A key for its signatures is in force"),
        Said(
            "登记了用于签发回执或审批结果的公钥，且现在有效。",
            "A public key for receipts or outcomes is registered and in force now.",
        ),
        Said(
            "请登记公钥：供电企业用途为 receipt 或 any，审批部门为 outcome 或 any。",
            "Register a public key: for receipt or any (utilities), for outcome or any (departments).",
        ),
        "1",
        _key_current,
    ),
    Check(
        "key.algorithm",
        Said("签名算法在许可之列", "The key's algorithm is allowed"),
        Said(
            "公钥只用于 ES256、ES384、EdDSA、PS256、RS256 或 SM2-SM3。",
            "The key is for ES256, ES384, EdDSA, PS256, RS256 or SM2-SM3 alone.",
        ),
        Said("请换用许可的算法生成密钥并登记。", "Make a key of an allowed algorithm and register it."),
        "1",
        _algorithm,
    ),
    Check(
        "endpoint.registered",
        Said("已登记接收地址", "An address is registered"),
        Said(
            "登记了 webhook（供电企业）或 department（审批部门）通道。",
            "A webhook or department channel is registered.",
        ),
        Said(
            "请运营方登记接收地址；只用 NATS 或拉取的单位可写明理由上线。",
            "An operator registers it; who receives over NATS or by the feed alone goes live with a reason.",
        ),
        "1",
        _registered,
    ),
    Check(
        "endpoint.address",
        Said("接收地址安全", "The address is safe"),
        Said(
            "地址为 https 绝对地址，不含账号、查询串，不指向链路本地或元数据地址。",
            "It is an absolute https address without user or query, and no link-local or metadata address.",
        ),
        Said("请登记最终的 https 地址。", "Register the final https address."),
        "1",
        _address,
    ),
    Check(
        ANSWERS_CODE,
        Said("接收地址有应答", "The address answers"),
        Said(
            "连得上、TLS 证书有效、有 HTTP 应答。", "It can be reached, its TLS certificate holds, and it answers HTTP."
        ),
        Said(
            "请检查服务是否启动、网络与防火墙、TLS 证书链与域名。",
            "See that the service runs, and to network, firewall, certificate chain and host name.",
        ),
        "2",
        _answers,
    ),
    Check(
        "time.limit",
        Said("在时限内应答", "It answers in time"),
        Said("每次请求都在送达时限内应答。", "Every request is answered within the time limit of deliveries."),
        Said("请先落库再应答，把后续处理放到应答之后。", "Store it, answer, and do the rest after the answer."),
        "2",
        _in_time,
    ),
    Check(
        "clock.date",
        Said("时钟准确", "Its clock is right"),
        Said(
            "应答的 Date 与共享平台相差不超过 60 秒。", "The answer's Date differs from our time by 60 seconds at most."
        ),
        Said(
            "请以 NTP 校准服务器时钟；回执的签发时间也依赖它。",
            "Set the clock by NTP; the time in receipts rests on it, too.",
        ),
        "2",
        _clock,
    ),
)
