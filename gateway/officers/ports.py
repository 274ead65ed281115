"""What the officers' room asks of the world and of the unit of work."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.officers.model import OfficerSession, SignIn
from gateway.records.ports import RecordAppender


@dataclass(frozen=True)
class OfficerClaims:
    """What the provider says: its name for the person, their name, and every role that it gives them."""

    subject: str = field(repr=False)
    name: str = field(repr=False)
    roles: tuple[str, ...]


class OfficerProvider(Protocol):
    """The officers' OpenID provider, spoken to as a confidential client with PKCE."""

    @property
    def issuer(self) -> str: ...

    async def authorization_url(self, state: str, nonce: str, code_challenge: str, at: datetime) -> str:
        """Where to send the officer. Raises ``PartnerUnavailable``."""
        ...

    async def claims(self, code: str, code_verifier: str, nonce: str, at: datetime) -> OfficerClaims:
        """What the ID token for ``code`` says, verified. Raises ``OfficerTokenRefused``, ``PartnerUnavailable``."""
        ...


class OfficerSessions(Protocol):
    """Sign-ins under way and sessions, found by digests of the secrets that belong to them."""

    def add_sign_in(self, sign_in: SignIn) -> None: ...

    def sign_in(self, state_digest: str) -> SignIn | None: ...

    def take_sign_in(self, state_digest: str) -> bool:
        """Remove it; False where it was gone. Of two that come back with one state, one finds it gone."""
        ...

    def add(self, session: OfficerSession) -> None: ...

    def put_seen(self, session: OfficerSession) -> None: ...

    def by_token(self, token_digest: str) -> OfficerSession | None: ...

    def remove(self, session_id: str) -> None: ...

    def clear(self, at: datetime) -> None:
        """Remove some of the sign-ins and sessions that ended before ``at``."""
        ...


class OfficersTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def officers(self) -> OfficerSessions: ...
    @property
    def records(self) -> RecordAppender: ...
