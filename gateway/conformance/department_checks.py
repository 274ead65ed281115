"""What a department's review-request endpoint is asked (docs/integration/department.md)."""

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

_ONLY: Final = frozenset({Role.DEPARTMENT})


def _repeat(gathered: Gathered) -> Judged:
    first, again = gathered.answered(Probe.FIRST), gathered.answered(Probe.REPEATED)
    if first is None or again is None or not first.proven:
        return NOT_TRIED
    if not again.proven:
        return failed(seen(again))
    return PASSED if again.reference == first.reference else failed("second_effect")


def _outcome(gathered: Gathered) -> Judged:
    first = gathered.answered(Probe.FIRST)
    if first is None or not first.proven:
        return NOT_TRIED
    if first.signed is None:
        return Verdict.SKIPPED, "no_test_outcome"
    return PASSED if first.signed else failed("outcome_signature")


_VERIFY: Final = Said(
    "请先以 /.well-known/jwks.json 中的公钥核对 JWS，不成立则答 401，不受理。",
    "Verify the JWS by a key of /.well-known/jwks.json first; answer 401 where it does not hold, and take nothing in.",
)

DEPARTMENT_CHECKS: Final = (
    Check(
        "review.acknowledged",
        Said("受理测试请求", "A test request is taken"),
        Said("以 2xx 应答，写明 permit_id 与本部门编号。", "It answers 2xx with permit_id and its own reference."),
        Said(
            "请按接口文档应答 JSON：permit_id 与请求相同，department_reference 为本部门编号。",
            "Answer JSON as the guide says: the request's permit_id, and your own department_reference.",
        ),
        "2",
        first_is_proven,
        _ONLY,
    ),
    Check(
        "review.repeat",
        Said("重复请求只受理一次", "A repeated request is one request"),
        Said("同一 jti 再次送达时答同一本部门编号。", "The same jti again is answered with the same reference."),
        Said("请以 jti 去重，再次送达时答原编号。", "Deduplicate by jti, and answer the reference of the first."),
        "2",
        _repeat,
        _ONLY,
    ),
    Check(
        "review.signature",
        Said("拒收签名错误的请求", "A wrong signature is refused"),
        Said("签名错误的请求以 4xx 拒收。", "A request whose signature is wrong is answered 4xx."),
        _VERIFY,
        "2",
        refuses(Probe.SIGNATURE),
        _ONLY,
    ),
    Check(
        "review.unknown_key",
        Said("拒收未知密钥签名的请求", "A request by an unknown key is refused"),
        Said(
            "由共享平台未公布的密钥签发的请求以 4xx 拒收。",
            "One signed by a key that the gateway does not publish gets 4xx.",
        ),
        _VERIFY,
        "2",
        refuses(Probe.UNKNOWN_KEY),
        _ONLY,
    ),
    Check(
        "review.altered",
        Said("拒收内容被改的请求", "An altered request is refused"),
        Said("签名之后改动内容的请求以 4xx 拒收。", "One whose claims were changed after signing gets 4xx."),
        _VERIFY,
        "2",
        refuses(Probe.ALTERED),
        _ONLY,
    ),
    Check(
        "review.audience",
        Said("拒收发给别人的请求", "Somebody else's request is refused"),
        Said("aud 不是本部门代码的请求以 4xx 拒收。", "A request whose aud is not the department's code gets 4xx."),
        Said(
            "请核对 aud 等于本部门代码，typ 为 review-request+jwt。",
            "See that aud is your code and typ is review-request+jwt.",
        ),
        "2",
        refuses(Probe.AUDIENCE),
        _ONLY,
    ),
    Check(
        "review.oversized",
        Said("拒收过大的请求", "An oversized request is refused"),
        Said(
            "512 KiB 的请求被 4xx 拒收或断开，随后照常受理。",
            "A body of 512 KiB gets 4xx or is cut off; the next is taken as ever.",
        ),
        Said(
            "请限制请求体的大小（请求不超过 64 KiB）并答 413。",
            "Bound the size of bodies (requests have at most 64 KiB); answer 413.",
        ),
        "2",
        withstands_oversized,
        _ONLY,
    ),
    Check(
        "outcome.signed",
        Said("审批结果签名正确", "Its outcomes are signed rightly"),
        Said(
            "应答测试请求时附上 test_outcome：对测试事项签发的 accepted 结果。",
            "It answers the test request with test_outcome: a signed outcome accepted of the test permit.",
        ),
        Said(
            "请以登记的密钥签发，typ 为 approval-outcome+jwt，iss 为本部门代码，aud 为请求的 iss。",
            "Sign with the registered key; typ approval-outcome+jwt, iss your code, aud the request's iss.",
        ),
        "3",
        _outcome,
        _ONLY,
    ),
)
