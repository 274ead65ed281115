"""Error families. They carry facts, never an HTTP status and never personal data.

Each refusal says which check failed, who owns it and how it is mended, with the clause where a rule refused.
``gateway.http.problems`` turns a family into a status (RFC 9457); a room adds its own errors by subclassing a family.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Owner(StrEnum):
    """Whose turn it is to mend what failed."""

    GOVERNMENT = "政府"
    UTILITY = "供电企业"
    APPLICANT = "申请人"
    CALLER = "调用方"
    GATEWAY = "共享平台"


@dataclass(kw_only=True, eq=False)
class GatewayError(Exception):
    """Base of everything the gateway refuses.

    ``check`` is the stable name of the failed check (``certificate.expired``), ``remedy`` one sentence for a person,
    ``clause`` the rule that refused, written as ``第（六）条``. Subclasses add typed facts, never personal data: every
    field they declare is told to the caller as ``facts`` of the problem document, plain values and lists of text.
    ``record_id`` names the refusal's own entry in the record, once it was recorded.
    """

    kind: ClassVar[str] = "error"
    title: ClassVar[str] = "请求未能完成"

    check: str
    owner: Owner
    remedy: str
    clause: str | None = None
    record_id: str | None = None

    def __str__(self) -> str:
        clause = f" [{self.clause}]" if self.clause else ""
        return f"{self.kind}: {self.check}{clause}: {self.remedy}"


class Malformed(GatewayError):
    """The bytes are not what the interface takes; nothing was judged."""

    kind = "malformed"
    title = "请求格式不正确"


class Unauthenticated(GatewayError):
    """Who is calling could not be proved."""

    kind = "unauthenticated"
    title = "未能确认调用方身份"


class Denied(GatewayError):
    """The caller is known and may not do this."""

    kind = "denied"
    title = "无权进行此操作"


class Rejected(GatewayError):
    """Understood, judged, and refused: a rule or a verification says no."""

    kind = "rejected"
    title = "请求不符合规定"


class Indeterminate(GatewayError):
    """It could not be known. Never turned into yes, and never into revoked."""

    kind = "indeterminate"
    title = "暂时无法核验"


class NotFound(GatewayError):
    """No such thing, or none that this caller may know of."""

    kind = "not-found"
    title = "未找到"


class SubjectUnknown(NotFound):
    """The very thing that a request is about does not exist, or not for this caller.

    Its name is whatever the caller made up, so a refusal's record entry leaves it out; under every other refusal the
    subject is known, and the entry belongs to it.
    """

    kind = "subject-unknown"
    title = "未找到所指的事项"


class Conflict(GatewayError):
    """What is asked contradicts what is already so."""

    kind = "conflict"
    title = "与现有状态冲突"


@dataclass(kw_only=True, eq=False)
class PartnerUnavailable(GatewayError):
    """A neighbour (source, department, utility, identity provider) did not answer as agreed.

    ``partner`` is its code; ``retry_after`` is in seconds, as the neighbour asked or None.
    """

    kind = "partner-unavailable"
    title = "协作单位暂不可用"

    partner: str
    retry_after: int | None = None


@dataclass(kw_only=True, eq=False)
class Overloaded(GatewayError):
    """The gateway cannot take more, or cannot record: nothing was done. ``retry_after`` is in seconds."""

    kind = "overloaded"
    title = "共享平台繁忙"

    retry_after: int = 1
