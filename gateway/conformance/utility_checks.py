"""What a utility's webhook is asked (docs/integration/utility.md)."""

from collections.abc import Callable
from typing import Final

from gateway.caller import Role
from gateway.conformance.checks import (
    NOT_TRIED,
    PASSED,
    Check,
    Judged,
    Said,
    failed,
    first_is_proven,
    refuses,
    seen,
    withstands_oversized,
)
from gateway.conformance.model import Gathered, Probe, Verdict

_ONLY: Final = frozenset({Role.UTILITY})


def _repeat(gathered: Gathered) -> Judged:
    first, again = gathered.answered(Probe.FIRST), gathered.answered(Probe.REPEATED)
    if first is None or again is None or not first.proven:
        return NOT_TRIED
    if not again.proven:
        return failed(seen(again))
    return PASSED if again.repeated else failed("second_effect")


def _unknown_type(gathered: Gathered) -> Judged:
    answer = gathered.answered(Probe.UNKNOWN_TYPE)
    if answer is None:
        return NOT_TRIED
    return PASSED if answer.status is not None and answer.status < 500 else failed(seen(answer))


def _status(probe: Probe, good: Callable[[Gathered], bool]) -> Callable[[Gathered], Judged]:
    def judge(gathered: Gathered) -> Judged:
        if gathered.endpoint is not None and gathered.endpoint.status_url is None:
            return Verdict.SKIPPED, "no_status_url"
        answer = gathered.answered(probe)
        if answer is None:
            return NOT_TRIED
        return PASSED if good(gathered) else failed("accepted" if answer.proven else seen(answer))

    return judge


def _known(gathered: Gathered) -> bool:
    answer = gathered.answered(Probe.STATUS_KNOWN)
    return answer is not None and answer.proven


def _unknown(gathered: Gathered) -> bool:
    answer = gathered.answered(Probe.STATUS_UNKNOWN)
    return answer is not None and answer.status == 404


_BOTH_SIGNATURES: Final = Said(
    "请在解析之前核对 webhook-signature 中的 v1 与 v1a，两者都须成立；不符则答 401，不签回执。",
    "Check v1 and v1a of webhook-signature before parsing; both must hold. Else answer 401 and sign no receipt.",
)

UTILITY_CHECKS: Final = (
    Check(
        "webhook.receipt",
        Said("签收测试事件", "A test event is receipted"),
        Said(
            "以 2xx 应答，并以登记的密钥对收到的原文签发回执。",
            "It answers 2xx with a receipt, signed by a registered key, over the very bytes that came.",
        ),
        Said(
            "请核对回执：typ、iss、aud、event_id、原文的 body_sha256，以及签名所用的登记密钥。",
            "See to the receipt: typ, iss, aud, event_id, body_sha256 of the body as it came, and the registered key.",
        ),
        "2",
        first_is_proven,
        _ONLY,
    ),
    Check(
        "webhook.repeat",
        Said("重复事件只生效一次", "A repeated event has one effect"),
        Said(
            "同一事件再次送达时再签回执，status 为 duplicate。",
            "The same event again gets a receipt again, whose status is duplicate.",
        ),
        Said(
            "请以事件编号去重，事件与其效果在同一事务中保存。",
            "Deduplicate by the event's id; keep event and effect in one transaction.",
        ),
        "2",
        _repeat,
        _ONLY,
    ),
    Check(
        "webhook.signature",
        Said("拒收签名错误的事件", "A wrong signature is refused"),
        Said(
            "两个签名都错的事件以 4xx 拒收，不签回执。",
            "With both signatures wrong it answers 4xx and signs no receipt.",
        ),
        _BOTH_SIGNATURES,
        "2",
        refuses(Probe.SIGNATURE),
        _ONLY,
    ),
    Check(
        "webhook.secret",
        Said("拒收共享密钥不符的事件", "A wrong shared secret is refused"),
        Said("v1 以另一密钥计算的事件以 4xx 拒收。", "With v1 made by another secret it answers 4xx."),
        _BOTH_SIGNATURES,
        "2",
        refuses(Probe.SECRET),
        _ONLY,
    ),
    Check(
        "webhook.unknown_key",
        Said("拒收未知密钥签名的事件", "An unknown key is refused"),
        Said(
            "v1a 由共享平台未公布的密钥签发的事件以 4xx 拒收。",
            "With v1a by a key that the gateway does not publish it answers 4xx.",
        ),
        Said(
            "请以 /.well-known/jwks.json 中的 Ed25519 公钥核对 v1a，只有 v1 成立不够。",
            "Check v1a by an Ed25519 key of /.well-known/jwks.json; v1 alone is not enough.",
        ),
        "2",
        refuses(Probe.UNKNOWN_KEY),
        _ONLY,
    ),
    Check(
        "webhook.altered",
        Said("拒收内容被改的事件", "An altered body is refused"),
        Said("签名之后改动一个字的事件以 4xx 拒收。", "With one letter changed after signing it answers 4xx."),
        Said(
            "请对收到的原始字节核对签名，不要解析后重新序列化。",
            "Check the signature over the raw bytes, not over what was parsed and written again.",
        ),
        "2",
        refuses(Probe.ALTERED),
        _ONLY,
    ),
    Check(
        "webhook.stale",
        Said("拒收过期的事件", "A stale time is refused"),
        Said(
            "webhook-timestamp 为一小时前的事件以 4xx 拒收。", "With a webhook-timestamp of an hour ago it answers 4xx."
        ),
        Said(
            "请拒收 webhook-timestamp 与当前时间相差超过 5 分钟的事件。",
            "Refuse what differs from now by more than five minutes.",
        ),
        "2",
        refuses(Probe.STALE),
        _ONLY,
    ),
    Check(
        "webhook.unknown_type",
        Said("未知类型的事件不致出错", "An unknown type does no harm"),
        Said(
            "签名正确而类型未知的事件，可收可拒，但不得 5xx。",
            "A signed event of an unknown type is taken or refused, never 5xx.",
        ),
        Said(
            "请对不认识的类型答 422，或签收后忽略；新类型会在日后出现。",
            "Answer 422 or take and ignore it; there will be new types.",
        ),
        "2",
        _unknown_type,
        _ONLY,
    ),
    Check(
        "status.known",
        Said("状态查询答复已收事件", "The status of a known event"),
        Said(
            "status_url 对刚签收的事件答 2xx 与签名回执。",
            "status_url answers 2xx and a signed receipt for the event just taken.",
        ),
        Said("请对已存事件就所存原文签发回执。", "Sign a receipt over the stored bytes of an event that is held."),
        "2",
        _status(Probe.STATUS_KNOWN, _known),
        _ONLY,
    ),
    Check(
        "status.unknown",
        Said("状态查询如实答复未收事件", "The status of an unknown event"),
        Said("status_url 对从未送出的事件答 404。", "status_url answers 404 for an event that was never sent."),
        Said(
            "请对没有的事件答 404，不要签发回执，也不要答 5xx。", "Answer 404 for what is not held: no receipt, no 5xx."
        ),
        "2",
        _status(Probe.STATUS_UNKNOWN, _unknown),
        _ONLY,
    ),
    Check(
        "webhook.oversized",
        Said("拒收过大的内容", "An oversized body is refused"),
        Said(
            "512 KiB 的事件被 4xx 拒收或断开，随后照常签收。",
            "A body of 512 KiB is answered 4xx or cut off; the next event is taken as ever.",
        ),
        Said(
            "请限制请求体的大小（事件不超过 256 KiB）并答 413。",
            "Bound the size of bodies (events have at most 256 KiB) and answer 413.",
        ),
        "2",
        withstands_oversized,
        _ONLY,
    ),
)
