"""The verification desk: interactions, attempts, lock-outs, codes. No HTTP and no keys here.

Face, SMS and counter are played by persona: what a person's attempt comes to is written beside the person.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode

from mock_services.identity_provider.oauth import AuthorizationRequest, OAuthError, pkce_matches
from mock_services.personas import IdentityOutcome
from schemas.identity import (
    ENTERPRISE_METHODS,
    ProviderFailure,
    VerificationAttempt,
    VerificationMethod,
    VerificationStep,
    VerifiedEnterprise,
    VerifiedPerson,
)

MAX_ATTEMPTS = 3
LOCK_TIME = timedelta(minutes=5)
INTERACTION_LIFETIME = timedelta(minutes=10)
CODE_LIFETIME = timedelta(seconds=60)
ACCESS_TOKEN_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Subject:
    """A persona as the desk sees it. Methods not in ``plays`` do not know the person: a mismatch.

    ``mandated_by`` is who signed the authorisation under which an agent acts (经办授权), if anybody did.
    """

    name: str
    person: VerifiedPerson
    enterprise: VerifiedEnterprise | None
    plays: Mapping[VerificationMethod, IdentityOutcome]
    mandated_by: VerifiedPerson | None = None


class People(Protocol):
    """Who may stand at the desk."""

    def find(self, name: str) -> Subject | None: ...
    def names(self, method: VerificationMethod) -> list[tuple[str, str]]: ...


@dataclass
class Interaction:
    """One visit: from ``/authorize`` to a redirect."""

    interaction_id: str
    request: AuthorizationRequest
    opened_at: datetime
    closed: bool = False


@dataclass
class Grant:
    """A verification that succeeded, with the code that stands for it once."""

    code: str
    request: AuthorizationRequest
    subject: Subject
    method: VerificationMethod
    verified_at: datetime
    access_token: str
    redeemed: bool = False
    revoked: bool = False


@dataclass
class Desk:
    """State of the provider, in memory. ``token`` makes unguessable names; ``issuer`` goes into each redirect."""

    people: People
    issuer: str
    token: Callable[[], str] = lambda: secrets.token_urlsafe(24)
    interactions: dict[str, Interaction] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    failures: dict[tuple[str, VerificationMethod], list[datetime]] = field(default_factory=dict)

    def open(self, request: AuthorizationRequest, at: datetime) -> Interaction:
        """A new interaction; what has grown old is forgotten."""
        self._forget(at)
        interaction = Interaction(self.token(), request, at)
        self.interactions[interaction.interaction_id] = interaction
        return interaction

    def find(self, interaction_id: str) -> Interaction:
        """The open interaction. Raises ``OAuthError`` (404) when there is none, or no more."""
        interaction = self.interactions.get(interaction_id)
        if interaction is None or interaction.closed:
            raise OAuthError("invalid_request", "there is no such interaction, or it has ended", 404)
        return interaction

    def attempt(self, interaction_id: str, attempt: VerificationAttempt, at: datetime) -> VerificationStep:
        """Judge one attempt. Three failures lock this person's method for ``LOCK_TIME``; others stay open.

        Raises ``OAuthError``: 404 unknown interaction, 400 a method that was not offered.
        """
        interaction = self.find(interaction_id)
        if attempt.method not in interaction.request.methods:
            raise OAuthError("invalid_request", "this method was not offered")
        if at - interaction.opened_at > INTERACTION_LIFETIME:
            return self._refuse(interaction, ProviderFailure.TIME_OUT)
        key = (attempt.subject, attempt.method)
        failures = [failed_at for failed_at in self.failures.get(key, []) if at - failed_at < LOCK_TIME]
        if len(failures) >= MAX_ATTEMPTS:
            return self._refuse(interaction, ProviderFailure.LOCKED)
        subject = self.people.find(attempt.subject)
        match _play(subject, attempt.method):
            case IdentityOutcome.MATCH if subject is not None:
                self.failures.pop(key, None)
                return self._accept(interaction, subject, attempt.method, at)
            case IdentityOutcome.TIME_OUT:
                return self._refuse(interaction, ProviderFailure.TIME_OUT)
            case IdentityOutcome.LOCKED:
                return self._refuse(interaction, ProviderFailure.LOCKED)
            case found:
                self.failures[key] = [*failures, at]
                failure = ProviderFailure.MISMATCH
                if found is IdentityOutcome.LIVENESS_FAILED:
                    failure = ProviderFailure.LIVENESS_FAILED
        left = MAX_ATTEMPTS - len(self.failures[key])
        if left == 0:
            return self._refuse(interaction, ProviderFailure.LOCKED)
        return VerificationStep(status="retry", failure=failure, attempts_left=left)

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str, at: datetime) -> Grant:
        """The grant of ``code``, once. A second use revokes what the first one gave (RFC 6749 §4.1.2).

        Raises ``OAuthError`` (``invalid_grant``).
        """
        grant = self.grants.get(code)
        if grant is None or grant.request.client_id != client_id:
            raise OAuthError("invalid_grant", "the code is not known")
        if grant.redeemed:
            grant.revoked = True
            raise OAuthError("invalid_grant", "the code was used before; what it gave is revoked")
        if at - grant.verified_at > CODE_LIFETIME:
            raise OAuthError("invalid_grant", "the code has expired")
        if grant.request.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri is not the one that was asked with")
        grant.redeemed = True
        if not pkce_matches(verifier, grant.request.code_challenge):
            grant.revoked = True
            raise OAuthError("invalid_grant", "code_verifier does not match")
        return grant

    def grant_of(self, access_token: str, at: datetime) -> Grant:
        """The grant that ``access_token`` stands for. Raises ``OAuthError`` (``invalid_token``, 401)."""
        for grant in self.grants.values():
            alive = grant.redeemed and not grant.revoked and at - grant.verified_at < ACCESS_TOKEN_LIFETIME
            if secrets.compare_digest(grant.access_token.encode(), access_token.encode()) and alive:
                return grant
        raise OAuthError("invalid_token", "the access token is not valid", 401)

    def reset(self) -> None:
        """Forget everything, lock-outs too."""
        self.interactions.clear()
        self.grants.clear()
        self.failures.clear()

    def _accept(
        self, interaction: Interaction, subject: Subject, method: VerificationMethod, at: datetime
    ) -> VerificationStep:
        grant = Grant(self.token(), interaction.request, subject, method, at, self.token())
        self.grants[grant.code] = grant
        interaction.closed = True
        return VerificationStep(
            status="redirect", redirect_to=redirect(self.issuer, interaction.request, {"code": grant.code})
        )

    def _refuse(self, interaction: Interaction, failure: ProviderFailure) -> VerificationStep:
        interaction.closed = True
        answer = {"error": "access_denied", "error_description": failure.value}
        return VerificationStep(
            status="redirect", redirect_to=redirect(self.issuer, interaction.request, answer), failure=failure
        )

    def _forget(self, at: datetime) -> None:
        old = at - 2 * INTERACTION_LIFETIME
        self.interactions = {name: one for name, one in self.interactions.items() if one.opened_at > old}
        self.grants = {code: grant for code, grant in self.grants.items() if grant.verified_at > old}


def _play(subject: Subject | None, method: VerificationMethod) -> IdentityOutcome:
    if subject is None or (method in ENTERPRISE_METHODS and subject.enterprise is None):
        return IdentityOutcome.MISMATCH
    return subject.plays.get(method, IdentityOutcome.MISMATCH)


def redirect(issuer: str, request: AuthorizationRequest, answer: Mapping[str, str]) -> str:
    """The relying party's redirect URI with ``answer``, ``state`` and ``iss`` (RFC 9207)."""
    return redirect_uri_with(request.redirect_uri, {**answer, "state": request.state, "iss": issuer})


def redirect_uri_with(uri: str, parameters: Mapping[str, str]) -> str:
    """``uri`` with ``parameters`` added to its query."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"
