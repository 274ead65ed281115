"""What the door itself refuses."""

from dataclasses import dataclass
from typing import ClassVar

from gateway.errors import Conflict, Denied, GatewayError, Malformed, Owner, Rejected
from gateway.wording.phrases import Phrase


@dataclass(kw_only=True, eq=False)
class RateLimited(GatewayError):
    """Too many requests from one caller. ``retry_after`` is in seconds, ``limit`` what is allowed (``60/minute``)."""

    kind = "rate-limited"
    title = "请求过于频繁"

    retry_after: int
    limit: str | None = None


class BodyTooLarge(GatewayError):
    """The body is larger than the interface takes."""

    kind = "body-too-large"
    title = "请求体过大"


class RoleRefused(Denied):
    """The interface is for partners of another role or scope. RFC 6750 ``insufficient_scope``."""

    kind = "role-refused"
    title = "接入角色无权调用此接口"
    oauth_error: ClassVar[str] = "insufficient_scope"


class IdempotencyKeyMissing(Malformed):
    """A POST that creates came without a usable ``Idempotency-Key``."""

    kind = "idempotency-key-missing"
    title = "缺少幂等键"


class IdempotencyKeyReused(Rejected):
    """The key was used before for another request; the earlier answer is not given for this one."""

    kind = "idempotency-key-reused"
    title = "幂等键已用于不同的请求"


@dataclass(kw_only=True, eq=False)
class RequestInProgress(Conflict):
    """The same request is being worked on. ``retry_after`` is in seconds."""

    kind = "request-in-progress"
    title = "相同请求正在处理"

    retry_after: int = 1


def body_too_large(limit: int) -> BodyTooLarge:
    """The refusal of a body of more than ``limit`` bytes."""
    return BodyTooLarge(
        check="request.body_size", owner=Owner.CALLER, remedy=Phrase("请求体不得超过 {most} 字节", most=limit)
    )
