"""What the JOSE door refuses. Rooms translate: a client assertion to ``Unauthenticated``, a seal to *invalid*."""

from gateway.errors import Owner, Rejected


class JoseRefused(Rejected):
    """A token or key failed the strict front check or its signature; ``check`` is stable and starts with ``jose.``."""

    kind = "jose-refused"
    title = "令牌或签名信封不可信"


def refused(check: str, remedy: str) -> JoseRefused:
    """A refusal that names the failed check; the remedy never quotes the input."""
    return JoseRefused(check=f"jose.{check}", owner=Owner.CALLER, remedy=remedy)
