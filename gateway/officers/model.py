"""Officers (工作人员) and their sessions. Values only."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

SIGN_IN_OPEN_FOR = timedelta(minutes=10)
"""How long somebody may take at the provider."""
IDLE_FOR = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
"""A working day; then whoever is there signs in again."""
SEEN_EVERY = timedelta(minutes=1)
"""How much later than noted an officer may have been here last: not every click writes it down."""


class OfficerRole(StrEnum):
    """What an officer may do. ``AUDITOR`` reads and changes nothing; ``AUTHORITY`` is of the energy authority."""

    OPERATOR = "operator"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    AUTHORITY = "authority"

    @property
    def chinese_title(self) -> str:
        """The role as people read it."""
        return _TITLES[self]


_TITLES = {
    OfficerRole.OPERATOR: "运营人员",
    OfficerRole.REVIEWER: "核查人员",
    OfficerRole.AUDITOR: "审计人员（只读）",
    OfficerRole.AUTHORITY: "能源主管部门",
}


@dataclass(frozen=True)
class Officer:
    """Who is signed in. ``subject`` is a pseudonym, the same at every sign-in; the record holds it, never ``name``."""

    subject: str
    name: str = field(repr=False)
    role: OfficerRole

    @property
    def actor(self) -> str:
        """How record entries name this officer."""
        return f"officer:{self.subject}"


@dataclass(frozen=True)
class SignIn:
    """A sign-in under way. ``browser_digest`` is of the secret that only the browser holds which was sent away.

    ``back`` is the path of ours to which the officer wanted to go.
    """

    state_digest: str
    browser_digest: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    back: str
    expires_at: datetime


@dataclass(frozen=True)
class OfficerSession:
    """A signed-in officer. ``token_digest`` is of the secret in the browser's cookie, which is kept nowhere."""

    session_id: str
    token_digest: str
    subject: str
    name: str = field(repr=False)
    role: OfficerRole
    signed_in_at: datetime
    seen_at: datetime

    @property
    def officer(self) -> Officer:
        return Officer(self.subject, self.name, self.role)

    @property
    def ends_at(self) -> datetime:
        """When it ends unless the officer does something before."""
        return min(self.seen_at + IDLE_FOR, self.signed_in_at + LONGEST)

    def seen(self, at: datetime) -> "OfficerSession":
        """After something was done at ``at``; the same where that is hardly later than what is noted."""
        return replace(self, seen_at=at) if at - self.seen_at >= SEEN_EVERY else self
