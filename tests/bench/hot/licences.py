"""Paths 1a and 1b: ``POST /v1/verified-licences`` with a proof of possession, the copy at hand."""

import json
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any

import httpx
import orjson
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mock_services.jose import SigningKey
from tests.bench.hot.stand import KIND, Prepared, Stand
from tests.bench.hot.tokens import Holder, Mint

PATH = "/v1/verified-licences"
FIELDS = ["name", "holder", "valid_on"]
CLIENTS = 8


class LicenceRequests:
    """Requests for the licences of prepared applications, by clients of one utility.

    ``fresh_tokens`` gives each request a token of its own, so that none was seen before.
    """

    def __init__(self, stand: Stand, mint: Mint, granted: str, *, fresh_tokens: bool) -> None:
        self._stand, self._mint, self._fresh = stand, mint, fresh_tokens
        self._holders = []
        for _ in range(CLIENTS):
            key = SigningKey.generate()
            self._holders.append(Holder(mint.token(key.kid), key, stand.gateway + PATH))
        self._bodies = [_body(each) for each in stand.applications]
        self._asked = 0

    async def make(self, count: int) -> Sequence[bytes]:
        """The next ``count`` requests, application after application."""
        made = []
        for holder in self._holders:
            holder.show(self._mint.token(holder.key.kid))
        for _ in range(count):
            holder = self._holders[self._asked % CLIENTS]
            if self._fresh:
                holder.show(self._mint.token(holder.key.kid))
            body = self._bodies[self._asked % len(self._bodies)]
            self._asked += 1
            made.append(
                b"POST %b HTTP/1.1\r\nhost: gateway\r\nauthorization: DPoP %b\r\ndpop: %b\r\n"
                b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (PATH.encode(), holder.token, holder.proof(), len(body), body)
            )
        return made


def _body(application: Prepared) -> bytes:
    asked = {
        "application_id": application.application_id,
        "kind": KIND,
        "purpose": "grid_connection",
        "fields": FIELDS,
    }
    return orjson.dumps(asked)


async def mint(stand: Stand, http: httpx.AsyncClient) -> tuple[Mint, str]:
    """A mint after a token that was really granted."""
    granted = await stand.granted_token(http, SigningKey.generate())
    return Mint(granted, stand.token_key()), granted


def limit_work(stand: Stand, answered: bytes, leaf: bytes, *, cache_tokens: bool) -> dict[str, Any]:
    """What ``limit`` is told: the same keys, and an answer and an entry as the gateway really made them."""
    header, claims, _ = answered.split(b".")
    return {
        "does": "licence",
        "token_key": stand.token_key()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "answer_key": stand.gateway_key("answer")
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
        "header": json_of(header),
        "claims": {**json_of(claims), "jti": uuid.uuid4().hex},
        "entry": json.loads(leaf),
        "cache_tokens": cache_tokens,
    }


def claims_of(answer: bytes) -> dict[str, Any]:
    """What a signed answer says."""
    claims: dict[str, Any] = json_of(answer.split(b".")[1])
    return claims


def json_of(part: bytes) -> Any:
    """What a part of a compact JWS says."""
    return json.loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
