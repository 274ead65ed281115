"""What is refused to those who would work at the console."""

from gateway.errors import Denied, Indeterminate, Rejected, Unauthenticated


class OfficerSessionRequired(Unauthenticated):
    """Nobody is signed in, or the session has ended."""

    kind = "officer-session-required"
    title = "请先登录"


class OfficerRoleMissing(Denied):
    """The officer's role does not reach so far."""

    kind = "officer-role-missing"
    title = "您的角色无权使用此页面"


class SignInNotOwn(Denied):
    """Whoever returns from the provider is not who was sent there, or comes too late."""

    kind = "sign-in-not-own"
    title = "登录未能完成"


class OfficerTokenRefused(Rejected):
    """What the provider says of the officer does not hold."""

    kind = "officer-token-refused"
    title = "登录凭据无效"


class OfficerUnknown(Denied):
    """The provider knows the person, and names no role for the console, or several."""

    kind = "officer-unknown"
    title = "您没有可用的角色"


class SignInUndetermined(Indeterminate):
    """The provider sent the officer back without having established anything."""

    kind = "sign-in-undetermined"
    title = "登录未完成"
