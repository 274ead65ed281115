"""What the identity room asks of the world and of the unit of work."""

from datetime import datetime
from typing import Protocol

from gateway.identity.model import VerificationSession
from gateway.partners.ports import SpentTokens
from gateway.records.ports import RecordAppender
from schemas.identity import VerificationMethod


class IdentityProvider(Protocol):
    """An OpenID provider, spoken to as a confidential client with PKCE."""

    @property
    def issuer(self) -> str: ...
    @property
    def client_id(self) -> str: ...

    async def authorization_url(
        self, state: str, nonce: str, code_challenge: str, method: VerificationMethod, at: datetime
    ) -> str:
        """Where to send the applicant. Raises ``PartnerUnavailable``."""
        ...

    async def redeem(self, code: str, code_verifier: str, at: datetime) -> str:
        """The ID token for a code. Raises ``PartnerUnavailable``, or ``AssertionRefused`` when the code is refused."""
        ...

    async def read_assertion(self, token: str, nonce: str, at: datetime) -> dict[str, object]:
        """The claims of an ID token whose signature, issuer, audience, times and nonce hold.

        Raises ``AssertionRefused``, or ``PartnerUnavailable`` when the provider's keys cannot be had.
        """
        ...


class SessionRepository(Protocol):
    """Verification sessions, found by digests of the secrets that belong to them."""

    def add(self, session: VerificationSession) -> None: ...
    def put(self, session: VerificationSession) -> None: ...
    def by_state(self, state_digest: str) -> VerificationSession | None: ...
    def by_token(self, token_digest: str) -> VerificationSession | None: ...
    def remove(self, session_id: str) -> None: ...


class IdentityTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def sessions(self) -> SessionRepository: ...
    @property
    def spent_tokens(self) -> SpentTokens: ...
    @property
    def records(self) -> RecordAppender: ...
