"""``Idempotency-Key`` on every POST that creates: the same request again gets the same answer, once made.

Source: draft-ietf-httpapi-idempotency-key-header. A key belongs to its caller and route. Only a success is kept (24 h);
a refusal frees the key, since nothing was created. Kept answers lie in the database sealed.

Where a deed is one unit of work, key, deed and answer are one commit (``answer_with``): a process that dies leaves all
of them or none. Elsewhere (``answer``) the key is held while the work is done; when a process dies at it, its hold
lapses and a repetition runs again: the room's own unique keys must make that harmless.
"""

import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, Protocol, TypeVar

from fastapi import Depends, Header, Request, Response

from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import GatewayError, Owner
from gateway.http.errors import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInProgress
from gateway.http.observe import route_template
from gateway.http.services import services_of
from gateway.transaction import Beside, Transactions

ResultT = TypeVar("ResultT")
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

    def look(self, scope: str, request_digest: str, at: datetime) -> KeptRequest | None:
        """What lies under ``scope`` that stands in the way of this request, or answers it."""
        ...

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


class _Taken(Exception):
    def __init__(self, kept: KeptRequest) -> None:
        super().__init__()
        self.kept = kept


class Claim:
    """One request's claim to be done once, under the key of ``scope``."""

    def __init__(self, scope: str, request_digest: str, holder: str, at: datetime) -> None:
        self.scope, self.request_digest, self.holder, self._at = scope, request_digest, holder, at
        self._answer: Response | None = None

    @property
    def answer(self) -> Response:
        """What was kept. Raises ``LookupError`` before that."""
        if self._answer is None:
            raise LookupError("nothing was committed with this claim")
        return self._answer

    def with_answer(self, respond: Callable[[Any], Response]) -> Beside:
        """To be committed with the deed: the key, and ``respond``'s answer to what the deed made, if it is a success.

        Where another was first the deed is not done; ``answer_with`` then answers what that one did.
        """

        def beside(tx: IdempotencyTransaction, work: Callable[[], ResultT]) -> ResultT:
            kept = self.reserve(tx)
            if kept.holder != self.holder:
                raise _Taken(kept)
            made = work()
            response = self._answer = respond(made)
            if _is_success(response):
                body, media_type = bytes(response.body), _media_type_of(response)
                tx.idempotency.settle(self.scope, self.holder, response.status_code, media_type, body)
            else:
                tx.idempotency.release(self.scope, self.holder)
            return made

        return beside

    def look(self, tx: IdempotencyTransaction) -> KeptRequest | None:
        """See ``IdempotencyKeys.look``."""
        return tx.idempotency.look(self.scope, self.request_digest, self._at)

    def reserve(self, tx: IdempotencyTransaction) -> KeptRequest:
        """See ``IdempotencyKeys.reserve``."""
        at = self._at
        return tx.idempotency.reserve(self.scope, self.request_digest, self.holder, at, at + LEASE, at + KEPT_FOR)


class Idempotency:
    """The service behind ``OnceOnly``."""

    def __init__(self, transactions: Transactions[IdempotencyTransaction], clock: Clock, digests: KeyedDigest) -> None:
        self._transactions = transactions
        self._digests = digests
        self._clock = clock
        self._at_work: dict[str, str] = {}
        """Requests that ``answer_with`` is at work on in this process, by scope."""

    async def answer(self, scope: str, request_sha256: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """The answer kept under ``scope``, or that of ``work``, which is then kept if it is a success (2xx).

        ``request_sha256`` is kept as a keyed digest: what somebody sent could be guessed from a plain one.

        Raises ``IdempotencyKeyReused`` for another request, ``RequestInProgress`` while the first is at work.
        """
        claim = self._claim(scope, request_sha256)
        kept = await self._transactions.write(claim.reserve)
        if kept.holder != claim.holder:
            return _replayed(kept, claim)
        try:
            response = await work()
        except BaseException:
            await self._transactions.write(lambda tx: tx.idempotency.release(scope, claim.holder))
            raise
        await self._keep(scope, claim.holder, response)
        return response

    async def answer_with(
        self, scope: str, request_sha256: str, work: Callable[["Claim"], Awaitable[Response]]
    ) -> Response:
        """As ``answer``, where ``work`` commits the claim with its deed (``Claim.with_answer``): one commit, not three.

        Of two processes that are asked at the same time both may begin; one does it, and both answer the same.
        """
        claim = self._claim(scope, request_sha256)
        at_work = self._at_work.get(scope)
        if at_work is not None:
            raise _in_progress() if at_work == claim.request_digest else _reused()
        self._at_work[scope] = claim.request_digest
        try:
            kept = await self._transactions.read(claim.look)
            return await work(claim) if kept is None else _replayed(kept, claim)
        except _Taken as taken:
            return _replayed(taken.kept, claim)
        except GatewayError:
            # What was refused may have been so because another process did the same meanwhile.
            kept = await self._transactions.read(claim.look)
            if kept is None:
                raise
            return _replayed(kept, claim)
        finally:
            del self._at_work[scope]

    def _claim(self, scope: str, request_sha256: str) -> "Claim":
        digest = self._digests.of(Use.IDEMPOTENT_REQUEST, request_sha256)
        return Claim(scope, digest, uuid.uuid4().hex, self._clock())

    async def _keep(self, scope: str, holder: str, response: Response) -> None:
        status, body = response.status_code, bytes(response.body)
        media_type = _media_type_of(response)
        if _is_success(response):
            await self._transactions.write(lambda tx: tx.idempotency.settle(scope, holder, status, media_type, body))
        else:
            await self._transactions.write(lambda tx: tx.idempotency.release(scope, holder))


def _replayed(kept: KeptRequest, claim: Claim) -> Response:
    """What another holder of the key did. Raises ``IdempotencyKeyReused``, ``RequestInProgress``."""
    if kept.request_digest != claim.request_digest:
        raise _reused()
    if kept.status is None:
        raise _in_progress()
    return Response(kept.body, kept.status, {REPLAYED_HEADER: "true"}, kept.media_type)


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        check="idempotency.key_reused", owner=Owner.CALLER, remedy="请为不同的请求使用不同的 Idempotency-Key"
    )


def _in_progress() -> RequestInProgress:
    return RequestInProgress(
        check="idempotency.in_progress", owner=Owner.CALLER, remedy="请稍候以同一 Idempotency-Key 重试"
    )


def _is_success(response: Response) -> bool:
    return 200 <= response.status_code < 300


def _media_type_of(response: Response) -> str:
    return response.headers.get("content-type", "application/json")


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
        return await self._idempotency.answer(*self._named(subject), work)

    async def answer_with(self, subject: str, work: Callable[[Claim], Awaitable[Response]]) -> Response:
        """The same for ``work`` that commits the claim with its deed: see ``Idempotency.answer_with``."""
        return await self._idempotency.answer_with(*self._named(subject), work)

    def _named(self, subject: str) -> tuple[str, str]:
        """The scope of the key, and the digest of the request."""
        scope = self._request.scope
        place = [scope["path"].encode(), scope["query_string"], self._request.headers.get("content-type", "").encode()]
        owner = [subject.encode(), scope["method"].encode(), route_template(scope).encode(), self._key.encode()]
        return _digest(*owner), _digest(*place, self._body)


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
