"""What the projects room refuses: pushes of platforms, and what utilities say of their leads."""

from gateway.errors import Conflict, Malformed, NotFound, SubjectUnknown, Unauthenticated


class PlatformUnknown(NotFound):
    """No engineering-project approval platform of that code takes part."""

    kind = "platform-unknown"
    title = "未找到该工程建设项目审批平台"


class PushNotAuthentic(Unauthenticated):
    """The signature, key, audience or age of a push does not prove that the platform sent it to us."""

    kind = "push-not-authentic"
    title = "项目推送的签名未能通过验证"


class PushUnreadable(Malformed):
    """The platform signed it, and it is not what the exchange says."""

    kind = "push-unreadable"
    title = "项目推送格式不正确"


class PushContradicts(Conflict):
    """The same version of the same project was pushed before with another content."""

    kind = "push-contradicts"
    title = "项目推送与已收到的版本矛盾"


class LeadUnknown(SubjectUnknown):
    """No such lead, or none of this utility's."""

    kind = "lead-unknown"
    title = "未找到该用电需求线索"


class LeadClosed(Conflict):
    """The lead was retracted, or the project is connected."""

    kind = "lead-closed"
    title = "该用电需求线索已结束"
