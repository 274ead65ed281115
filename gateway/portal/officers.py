"""Officers (工作人员): who they are, and which roles may see a page.

A route asks ``Annotated[Officer, Depends(OfficerOf(OfficerRole.AUTHORITY))]``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from fastapi import Request

from gateway.errors import Denied, Owner


class OfficerRole(StrEnum):
    """What an officer is here for."""

    OPERATOR = "operator"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    AUTHORITY = "authority"


@dataclass(frozen=True)
class Officer:
    """Somebody who signed in. ``subject`` is the identity provider's name for them, ``name`` what people call them."""

    subject: str
    name: str
    role: OfficerRole


@dataclass(kw_only=True, eq=False)
class SignInNotConfigured(Denied):
    """Officers cannot sign in to this installation."""

    kind: ClassVar[str] = "officer-sign-in-not-configured"
    title: ClassVar[str] = "尚未开通工作人员登录"


class OfficerOf:
    """A dependency: the signed-in officer, who has one of ``roles``. No role named: ``ValueError``."""

    def __init__(self, *roles: OfficerRole) -> None:
        if not roles:
            raise ValueError("a requirement names at least one role")
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Officer:
        """Raises ``SignInNotConfigured``: nobody can sign in yet, so nobody is let in."""
        raise SignInNotConfigured(
            check="officer.sign_in", owner=Owner.GATEWAY, remedy="请由运营方配置工作人员登录后再访问此页"
        )
