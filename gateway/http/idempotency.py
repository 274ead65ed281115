"""``Idempotency-Key`` on every POST that creates: the same request again gets the same answer, once made.

Source: draft-ietf-httpapi-idempotency-key-header. A key belongs to its caller and route. Only a success is kept (24 h);
a refusal frees the key, since nothing was created. When a process dies at work, its hold on the key lapses and a
repetition runs again: the room's own unique keys must make that harmless. Kept answers lie in the database sealed.
"""

import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final, Protocol

from fastapi import Depends, Header, Request, Response

from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import Owner
from gateway.http.errors import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInProgress
from gateway.http.observe import route_template
from gateway.http.services import services_of
from gateway.transaction import Transactions

KEPT_FOR: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r'(?P<quote>"?)(?P<key>[A-Za-z0-9_.:~+/=-]{8,128})(?P=quote)')
"""Bare, or as the draft's structured-field string."""


class KeptRequest(Protocol):
    """What lies under a key. ``status`` None: still being worked on by ``holder``."""

    @property
    def request_digest(self) -> str: ...
    @property
    def holder(self) -> str: ...
    @property
    def status(self) -> int | None: ...
    @property
    def media_type(self) -> str | None: ...
    @property
    def body(self) -> bytes | None: ...


class IdempotencyKeys(Protocol):
    """The table of keys, as the door uses it."""

    def reserve(
        self, scope: str, request_digest: str, holder: str, at: datetime, lease_until: datetime, expires_at: datetime
    ) -> KeptRequest:
        """What lies under ``scope`` now: the reservation of ``holder`` where it was free or its hold had lapsed."""
        ...

    def settle(self, scope: str, holder: str, status: int, media_type: str, body: bytes) -> None:
        """Keep the answer, if ``holder`` still holds the key."""
        ...

    def release(self, scope: str, holder: str) -> None:
        """Free the key, if ``holder`` still holds it and nothing was kept."""
        ...


class IdempotencyTransaction(Protocol):
    """The door's slice of the unit of work."""

    @property
    def idempotency(self) -> IdempotencyKeys: ...


class Idempotency:
    """The service behind ``OnceOnly``."""

    def __init__(self, transactions: Transactions[IdempotencyTransaction], clock: Clock, digests: KeyedDigest) -> None:
        self._transactions = transactions
        self._digests = digests
        self._clock = clock

    async def answer(self, scope: str, request_sha256: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """The answer kept under ``scope``, or that of ``work``, which is then kept if it is a success (2xx).

        ``request_sha256`` is kept as a keyed digest: what somebody sent could be guessed from a plain one.

        Raises ``IdempotencyKeyReused`` for another request, ``RequestInProgress`` while the first is at work.
        """
        holder, at = uuid.uuid4().hex, self._clock()
        request_digest = self._digests.of(Use.IDEMPOTENT_REQUEST, request_sha256)
        kept = await self._transactions.write(
            lambda tx: tx.idempotency.reserve(scope, request_digest, holder, at, at + LEASE, at + KEPT_FOR)
        )
        if kept.request_digest != request_digest:
            raise IdempotencyKeyReused(
                check="idempotency.key_reused", owner=Owner.CALLER, remedy="请为不同的请求使用不同的 Idempotency-Key"
            )
        if kept.status is not None:
            headers = {REPLAYED_HEADER: "true"}
            return Response(kept.body, kept.status, headers, kept.media_type)
        if kept.holder != holder:
            raise RequestInProgress(
                check="idempotency.in_progress", owner=Owner.CALLER, remedy="请稍候以同一 Idempotency-Key 重试"
            )
        try:
            response = await work()
        except BaseException:
            await self._transactions.write(lambda tx: tx.idempotency.release(scope, holder))
            raise
        await self._keep(scope, holder, response)
        return response

    async def _keep(self, scope: str, holder: str, response: Response) -> None:
        status, body = response.status_code, bytes(response.body)
        media_type = response.headers.get("content-type", "application/json")
        if 200 <= status < 300:
            await self._transactions.write(lambda tx: tx.idempotency.settle(scope, holder, status, media_type, body))
        else:
            await self._transactions.write(lambda tx: tx.idempotency.release(scope, holder))


class Once:
    """One request's claim to be done once; see ``OnceOnly``."""

    def __init__(self, idempotency: Idempotency, request: Request, key: str, body: bytes) -> None:
        self._idempotency = idempotency
        self._request = request
        self._key = key
        self._body = body

    async def answer(self, subject: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """Run ``work`` once for this key of ``subject`` (a partner's code, a session's id).

        Raises what ``Idempotency.answer`` raises.
        """
        scope = self._request.scope
        place = [scope["path"].encode(), scope["query_string"], self._request.headers.get("content-type", "").encode()]
        owner = [subject.encode(), scope["method"].encode(), route_template(scope).encode(), self._key.encode()]
        return await self._idempotency.answer(_digest(*owner), _digest(*place, self._body), work)


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(description="8–128 个字符；同一请求重试时保持不变", examples=["7c3f2a9e-4b1d-4f0e-9d55-0a1b2c3d4e5f"]),
    ] = None,
) -> Once:
    match = _KEY.fullmatch(idempotency_key) if idempotency_key is not None else None
    if match is None or len(request.headers.getlist("idempotency-key")) != 1:
        raise IdempotencyKeyMissing(
            check="idempotency.key_missing",
            owner=Owner.CALLER,
            remedy="请以 Idempotency-Key 请求头给出 8 至 128 个可见 ASCII 字符的键",
        )
    return Once(services_of(request.app).get(Idempotency), request, match["key"], await request.body())


OnceOnly = Annotated[Once, Depends(_once)]
"""A dependency of each POST that creates: ``return await once.answer(caller.partner_code, work)``."""


def _digest(*parts: bytes) -> str:
    """SHA-256 over the parts, each with its length, in hexadecimal."""
    return sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).hexdigest()
