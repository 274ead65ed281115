"""Verification sessions and who they established."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from schemas.identity import (
    ActingRole,
    ApplicantKind,
    ProviderFailure,
    VerificationMethod,
    methods_of,
)

OPEN_FOR = timedelta(minutes=30)
"""How long an applicant may take at the identity provider."""
VERIFIED_FOR = timedelta(hours=2)
"""How long a verified session lets its holder apply and look."""


_OF_THE_SESSION = ("assertion", "session_id")


class SessionStatus(StrEnum):
    """Where a session stands."""

    OPEN = "open"
    VERIFIED = "verified"
    FAILED = "failed"


@dataclass(frozen=True)
class VerifiedApplicant:
    """Who was established. ``holder_code`` is the enterprise's 统一社会信用代码, or the resident's 公民身份号码.

    ``authorisation`` is what an agent (经办人) presented for their authority, as the provider passed it on; not judged.
    ``assertion`` is what the provider signed, word for word, in the session ``session_id``; both rest with the session,
    and not in what is stored here.
    """

    applicant_kind: ApplicantKind
    method: VerificationMethod
    holder_name: str = field(repr=False)
    holder_code: str = field(repr=False)
    person_name: str = field(repr=False)
    person_code: str = field(repr=False)
    role: ActingRole | None
    holder_digest: str
    authorisation: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)
    session_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For storage; ``from_json`` reads it."""
        return {name: value for name, value in self.__dict__.items() if name not in _OF_THE_SESSION}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "VerifiedApplicant":
        """What ``to_json`` wrote."""
        return cls(
            **{
                **stored,
                "applicant_kind": ApplicantKind(stored["applicant_kind"]),
                "method": VerificationMethod(stored["method"]),
                "role": ActingRole(stored["role"]) if stored["role"] else None,
            }
        )


@dataclass(frozen=True)
class VerificationSession:
    """One visit to the identity provider. ``token_digest`` is of the secret that only the applicant holds."""

    session_id: str
    applicant_kind: ApplicantKind
    method: VerificationMethod
    state_digest: str
    token_digest: str
    nonce: str
    code_verifier: str = field(repr=False)
    opened_at: datetime
    expires_at: datetime
    status: SessionStatus = SessionStatus.OPEN
    failure: ProviderFailure | None = None
    applicant: VerifiedApplicant | None = None
    assertion: str | None = field(default=None, repr=False)

    @property
    def alternatives(self) -> tuple[VerificationMethod, ...]:
        """The other ways that remain open to this applicant."""
        return tuple(method for method in methods_of(self.applicant_kind) if method is not self.method)
