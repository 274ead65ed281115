"""What an identity verification refuses."""

from dataclasses import dataclass, field

from gateway.errors import Conflict, Denied, Indeterminate, Malformed, Rejected, SubjectUnknown, Unauthenticated


class SessionRequired(Unauthenticated):
    """No verification session, or one that has ended."""

    kind = "session-required"
    title = "请先完成身份核验"


class SessionUnknown(SubjectUnknown):
    """No such verification session."""

    kind = "session-unknown"
    title = "没有这个核验会话"


class SessionSpent(Conflict):
    """The session was completed before; its state and code are used up."""

    kind = "session-spent"
    title = "核验会话已使用"


class CallbackNotOwn(Denied):
    """Whoever returns from the identity provider is not who was sent there."""

    kind = "callback-not-own"
    title = "核验结果与发起人不符"


class MethodNotOffered(Malformed):
    """The method does not exist for this kind of applicant."""

    kind = "method-not-offered"
    title = "不支持的核验方式"


@dataclass(kw_only=True, eq=False)
class VerificationFailed(Rejected):
    """The provider could not establish who this is; ``alternatives`` are the other methods that remain open."""

    kind = "verification-failed"
    title = "身份核验未通过"

    alternatives: list[str] = field(default_factory=list)


class VerificationUndetermined(Indeterminate):
    """The provider sent the applicant back without having established anything: the session stays open."""

    kind = "verification-undetermined"
    title = "身份核验未完成"


class AssertionRefused(Rejected):
    """The provider's assertion does not hold: signature, nonce, audience, expiry or single use."""

    kind = "assertion-refused"
    title = "身份核验凭据无效"
