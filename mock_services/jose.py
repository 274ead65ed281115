"""Signing and checking compact JWS, as an integrator would write it on PyJWT: keys, key sets, one strict check.

Copy this file with ``utility/client.py`` into a system that is to talk to the gateway. It needs PyJWT, cryptography
and httpx. Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7638 (thumbprints), RFC 8725 (``typ`` per kind of token).
"""

import hashlib
import json
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

CLOCK_SKEW = timedelta(seconds=60)
MAX_TOKEN_CHARS = 64 * 1024
MAX_KEY_SET_BYTES = 256 * 1024
_FORBIDDEN_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "b64", "zip"})
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_JWS = PyJWS()


class TokenRefused(Exception):
    """A token is not what it should be; ``reason`` is a stable slug and never quotes the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def base64url(data: bytes) -> str:
    """base64url without padding, RFC 7515 §2."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """RFC 7638 SHA-256 thumbprint of an EC or OKP public key."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y") if name in jwk}
    return base64url(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


@dataclass(frozen=True)
class SigningKey:
    """An ES256 key pair with the ``kid`` by which others find its public half."""

    private: ec.EllipticCurvePrivateKey
    kid: str

    @classmethod
    def generate(cls) -> Self:
        """A new P-256 key; its ``kid`` is its thumbprint."""
        return cls._of(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """The key in the PEM file ``path``; the first start writes one that only its owner may read."""
        if path.exists():
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
            if not isinstance(private, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{path.name} holds no elliptic curve key")
            return cls._of(private)
        key = cls.generate()
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = key.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        return key

    @classmethod
    def _of(cls, private: ec.EllipticCurvePrivateKey) -> Self:
        return cls(private, thumbprint(ECAlgorithm.to_jwk(private.public_key(), as_dict=True)))

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public half, ready for a JWK set."""
        members = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**members, "kid": self.kid, "use": "sig", "alg": "ES256"}

    @property
    def bare_jwk(self) -> dict[str, Any]:
        """The public half and nothing else, as a DPoP proof's header carries it (RFC 9449 §4.2)."""
        return dict(ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True))

    def sign(self, typ: str, claims: Mapping[str, Any], **headers: Any) -> str:
        """Compact JWS over ``claims``; ``headers`` are added to ``typ`` and ``kid``, one that is None is left out."""
        members = {"typ": typ, "kid": self.kid, **headers}
        payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
        present = {name: value for name, value in members.items() if value is not None}
        return _JWS.encode(payload, self.private, "ES256", present)


VerifyingKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class KeySet:
    """Public keys of one party, by ``kid``: ES256 (P-256) and EdDSA (Ed25519) signature keys; others are left out."""

    keys: Mapping[str, VerifyingKey]

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Read a JWK set (RFC 7517 §5). Raises ``TokenRefused`` (``key-set``) if it is none."""
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise TokenRefused("key-set")
        found: dict[str, VerifyingKey] = {}
        for jwk in entries:
            if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or not isinstance(jwk.get("kid"), str):
                continue
            key = _public_key(jwk)
            if key is not None:
                found[jwk["kid"]] = key
        return cls(found)

    @property
    def ed25519(self) -> list[ed25519.Ed25519PublicKey]:
        """The Ed25519 keys, for signatures that name no ``kid`` (Standard Webhooks ``v1a``)."""
        return [key for key in self.keys.values() if isinstance(key, ed25519.Ed25519PublicKey)]


def _public_key(jwk: dict[str, Any]) -> VerifyingKey | None:
    algorithm: type[ECAlgorithm] | type[OKPAlgorithm]
    match jwk.get("kty"), jwk.get("crv"), jwk.get("alg"):
        case "EC", "P-256", None | "ES256":
            algorithm = ECAlgorithm
        case "OKP", "Ed25519", None | "EdDSA":
            algorithm = OKPAlgorithm
        case _:
            return None
    try:
        key = algorithm.from_jwk(jwk)
    except (PyJWTError, ValueError):
        return None
    return key if isinstance(key, VerifyingKey) else None


@dataclass
class RemoteKeySet:
    """A party's published JWK set: read once, and again when an unknown ``kid`` turns up (rotation), at most every
    ``min_interval``; in between, an unknown ``kid`` is simply unknown.
    """

    uri: str
    http: httpx.AsyncClient
    min_interval: timedelta = timedelta(seconds=5)
    _keys: KeySet = field(default_factory=lambda: KeySet({}))
    _read_at: datetime | None = None

    async def current(self, *, at: datetime) -> KeySet:
        """The set as last read. Raises ``httpx.HTTPError`` if it was never read and cannot be."""
        return self._keys if self._read_at else await self._read(at)

    async def having(self, kid: str, *, at: datetime) -> KeySet:
        """The set, read again if ``kid`` is not in it and the last reading is old enough."""
        keys = await self.current(at=at)
        if kid not in keys.keys and self._read_at and at - self._read_at >= self.min_interval:
            keys = await self._read(at)
        return keys

    async def _read(self, at: datetime) -> KeySet:
        response = await self.http.get(self.uri, headers={"Accept": "application/json"})
        response.raise_for_status()
        if len(response.content) > MAX_KEY_SET_BYTES:
            raise TokenRefused("key-set")
        self._keys, self._read_at = KeySet.parse(_json_object(response.content)), at
        return self._keys


def read_header(token: str) -> dict[str, Any]:
    """The protected header, not yet verified. Raises ``TokenRefused`` with ``shape``, ``header``."""
    if len(token) > MAX_TOKEN_CHARS or not _COMPACT.fullmatch(token):
        raise TokenRefused("shape")
    try:
        header: dict[str, Any] = _JWS.get_unverified_header(token)
    except (PyJWTError, ValueError):
        raise TokenRefused("header") from None
    if _FORBIDDEN_HEADERS & header.keys() or not isinstance(header.get("kid"), str):
        raise TokenRefused("header")
    return header


def read_claims(token: str, *, typs: Collection[str], keys: KeySet) -> dict[str, Any]:
    """The claims of a compact JWS whose ``typ`` is one of ``typs`` and whose key is in ``keys``; times not judged.

    Raises ``TokenRefused``: ``shape``, ``header``, ``typ``, ``unknown-key``, ``signature``, ``payload``.
    """
    header = read_header(token)
    if header.get("typ") not in typs:
        raise TokenRefused("typ")
    key = keys.keys.get(header["kid"])
    if key is None:
        raise TokenRefused("unknown-key")
    algorithm = "ES256" if isinstance(key, ec.EllipticCurvePublicKey) else "EdDSA"
    try:
        decoded = _JWS.decode_complete(token, key, algorithms=[algorithm])
    except (PyJWTError, ValueError, TypeError):
        raise TokenRefused("signature") from None
    return _json_object(decoded["payload"])


async def verify(
    token: str, *, typ: str, keys: RemoteKeySet, issuer: str, audience: str, at: datetime
) -> dict[str, Any]:
    """The claims of ``token``, signed by ``issuer`` for ``audience`` and not from the future.

    Raises ``TokenRefused`` as ``read_claims`` does, and ``issuer``, ``audience``, ``issued-in-future``, ``expired``.
    """
    header = read_header(token)
    claims = read_claims(token, typs={typ}, keys=await keys.having(header["kid"], at=at))
    if claims.get("iss") != issuer:
        raise TokenRefused("issuer")
    if claims.get("aud") != audience:
        raise TokenRefused("audience")
    check_times(claims, at=at)
    return claims


def check_times(claims: Mapping[str, Any], *, at: datetime) -> None:
    """``iat`` is a number and not later than now; ``exp``, if there, not passed. A minute of skew is allowed."""
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or issued > (at + CLOCK_SKEW).timestamp():
        raise TokenRefused("issued-in-future")
    if expires is not None and (type(expires) is not int or expires <= (at - CLOCK_SKEW).timestamp()):
        raise TokenRefused("expired")


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise TokenRefused("payload") from None
    if not isinstance(value, dict):
        raise TokenRefused("payload")
    return value
