"""What a relying party sends: authorisation requests, token requests, client assertions. Refusals are OAuth's own.

Sources: RFC 6749 §4.1 and §5.2, RFC 7636 (PKCE, S256 only), RFC 7523 (``private_key_jwt``), OpenID Connect Core §3.1.
"""

import argparse
import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx

from mock_services.jose import KeySet, RemoteKeySet, TokenRefused, base64url, check_times, read_claims, read_header
from schemas.identity import ENTERPRISE_METHODS, RESIDENT_METHODS, VerificationMethod
from schemas.wire import Typ

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION_LIFETIME = timedelta(minutes=5)
_CLIENT_ASSERTION_TYPS = (Typ.CLIENT_ASSERTION, "JWT")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_OPAQUE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@dataclass(eq=False)
class OAuthError(Exception):
    """An error of RFC 6749; ``redirect_to`` is set where the relying party may be told through the browser."""

    error: str
    description: str
    status: int = 400
    redirect_uri: str | None = None
    state: str | None = None


@dataclass
class Client:
    """A registered relying party. Its keys come from ``jwks_uri``, or from ``keys`` read from a file at start."""

    client_id: str
    redirect_uris: tuple[str, ...]
    keys: KeySet | RemoteKeySet
    spent: dict[str, datetime] = field(default_factory=dict)
    """``jti`` of the assertions seen, each with the time after which it may be forgotten."""


def add_client_option(parser: argparse.ArgumentParser) -> None:
    """``--client``, which may be repeated; ``parse_client_option`` reads each."""
    parser.add_argument(
        "--client",
        action="append",
        default=[],
        metavar="id=…,redirect_uri=…,jwks_uri=…",
        help="a relying party (may be repeated); jwks=FILE instead of jwks_uri; redirect_uri may be repeated",
    )


def parse_client_option(text: str, http: httpx.AsyncClient) -> Client:
    """A client written as ``id=bandian,redirect_uri=…[,redirect_uri=…],jwks_uri=…`` (or ``jwks=FILE``).

    Raises ``ValueError``.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    values = {name: value for name, _, value in pairs if name != "redirect_uri"}
    redirects = tuple(value for name, _, value in pairs if name == "redirect_uri")
    if unknown := values.keys() - {"id", "jwks_uri", "jwks"}:
        raise ValueError(f"--client does not know {', '.join(sorted(unknown))}")
    if "id" not in values or not redirects or ("jwks_uri" in values) == ("jwks" in values):
        raise ValueError("--client needs id, at least one redirect_uri, and either jwks_uri or jwks")
    keys: KeySet | RemoteKeySet
    if "jwks" in values:
        keys = KeySet.parse(json.loads(Path(values["jwks"]).read_text("utf-8")))
    else:
        keys = RemoteKeySet(values["jwks_uri"], http)
    return Client(values["id"], redirects, keys)


@dataclass(frozen=True)
class AuthorizationRequest:
    """A checked authorisation request; ``methods`` are those offered, the hinted one first."""

    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    code_challenge: str
    methods: tuple[VerificationMethod, ...]


def read_authorization_request(
    parameters: Sequence[tuple[str, str]], clients: Mapping[str, Client]
) -> AuthorizationRequest:
    """Check ``GET /authorize``. Until client and redirect URI are known to be registered, nothing is redirected.

    Raises ``OAuthError``: without ``redirect_uri`` for an unknown client or URI, with it for everything after.
    """
    values = _single_values(parameters)
    client = clients.get(values.get("client_id", ""))
    if client is None:
        raise OAuthError("invalid_request", "client_id is not registered")
    redirect_uri = values.get("redirect_uri")
    if redirect_uri not in client.redirect_uris:
        raise OAuthError("invalid_request", "redirect_uri is not registered")
    state = values.get("state")

    def refused(error: str, description: str) -> OAuthError:
        return OAuthError(error, description, redirect_uri=redirect_uri, state=state)

    if values.get("response_type") != "code":
        raise refused("unsupported_response_type", "response_type must be code")
    if "openid" not in values.get("scope", "").split():
        raise refused("invalid_scope", "scope must contain openid")
    if not state:
        raise refused("invalid_request", "state is required")
    nonce = values.get("nonce", "")
    if not _OPAQUE.fullmatch(nonce):
        raise refused("invalid_request", "nonce is required: 1-128 characters of A-Za-z0-9_.:-")
    if values.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(values.get("code_challenge", "")):
        raise refused("invalid_request", "PKCE with S256 is required")
    methods = _methods(values.get("acr_values", ""))
    if not methods:
        raise refused("invalid_request", "acr_values names no method that is known here")
    return AuthorizationRequest(client.client_id, redirect_uri, state, nonce, values["code_challenge"], methods)


def _methods(acr_values: str) -> tuple[VerificationMethod, ...]:
    """The offered methods. A face is never the only way: a hint orders the residents' methods, it removes none."""
    known = {method.value: method for method in VerificationMethod}
    hinted = [known[value] for value in acr_values.split() if value in known]
    if not acr_values.split():
        return (*RESIDENT_METHODS, *ENTERPRISE_METHODS)
    if not hinted:
        return ()
    family = ENTERPRISE_METHODS if hinted[0] in ENTERPRISE_METHODS else RESIDENT_METHODS
    return tuple(dict.fromkeys([*(method for method in hinted if method in family), *family]))


def read_form(body: bytes, content_type: str) -> dict[str, str]:
    """An ``application/x-www-form-urlencoded`` body, each name once. Raises ``OAuthError`` (``invalid_request``)."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=32)
    except ValueError:
        raise OAuthError("invalid_request", "the body is no form") from None
    return _single_values(pairs)


def _single_values(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise OAuthError("invalid_request", "a parameter is repeated")
    return values


def pkce_matches(verifier: str, challenge: str) -> bool:
    """RFC 7636 §4.6 with S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(base64url(hashlib.sha256(verifier.encode()).digest()), challenge)


async def authenticate_client(
    form: Mapping[str, str], clients: Mapping[str, Client], *, audiences: frozenset[str], at: datetime
) -> Client:
    """``private_key_jwt``: the client that signed ``client_assertion``; each ``jti`` is good once.

    Raises ``OAuthError`` (``invalid_client``, 401), or 503 ``temporarily_unavailable`` when its keys cannot be read.
    """
    assertion = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError("invalid_client", "private_key_jwt is required", 401)
    try:
        header = read_header(assertion)
        client = clients[_unverified_issuer(assertion)]
        keys = client.keys
        known = keys if isinstance(keys, KeySet) else await keys.having(header["kid"], at=at)
        claims = read_claims(assertion, typs=_CLIENT_ASSERTION_TYPS, keys=known)
        _check_assertion(claims, client, form.get("client_id"), audiences, at)
    except httpx.HTTPError:
        raise OAuthError("temporarily_unavailable", "the client's keys cannot be read", 503) from None
    except KeyError:
        raise OAuthError("invalid_client", "unknown-client", 401) from None
    except TokenRefused as error:
        raise OAuthError("invalid_client", error.reason, 401) from None
    return client


def _unverified_issuer(assertion: str) -> str:
    part = assertion.split(".")[1]
    try:
        claims: Any = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        raise TokenRefused("payload") from None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    if not isinstance(issuer, str):
        raise TokenRefused("issuer")
    return issuer


def _check_assertion(
    claims: Mapping[str, Any], client: Client, client_id: str | None, audiences: frozenset[str], at: datetime
) -> None:
    if claims.get("sub") != client.client_id or client_id not in (None, client.client_id):
        raise TokenRefused("subject")
    if claims.get("aud") not in audiences:
        raise TokenRefused("audience")
    check_times(claims, at=at)
    expires = claims.get("exp")
    if type(expires) is not int or expires - claims["iat"] > MAX_ASSERTION_LIFETIME.total_seconds():
        raise TokenRefused("lifetime")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not _OPAQUE.fullmatch(jti):
        raise TokenRefused("jti")
    client.spent = {known: until for known, until in client.spent.items() if until > at}
    if jti in client.spent:
        raise TokenRefused("replayed")
    client.spent[jti] = at + 2 * MAX_ASSERTION_LIFETIME
