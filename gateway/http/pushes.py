"""Pushes that prove themselves: a compact JWS as the whole body, and no token."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from fastapi import HTTPException, Request
from limits import parse

from gateway.errors import GatewayError
from gateway.http.limits import RateLimits, address_of
from schemas.wire import MEDIA_JOSE

ResultT = TypeVar("ResultT")
UNPROVED: Final = parse("600/minute")
"""Of what proves nobody, from one address. Who proves themselves may push as much as they have to say."""


async def receive_push(
    request: Request,
    limits: RateLimits,
    use: str,
    receive: Callable[[bytes], Awaitable[ResultT]],
    unproved: tuple[type[GatewayError], ...],
) -> ResultT:
    """What ``receive`` makes of the raw body; a refusal that is one of ``unproved`` counts against the address.

    Raises ``RateLimited``, ``HTTPException`` 415 for another media type, and what ``receive`` raises.
    """

    async def read() -> ResultT:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != MEDIA_JOSE:
            raise HTTPException(415)
        return await receive(await request.body())

    return await counted_push(address_of(request), limits, use, read, unproved)


async def counted_push(
    address: str,
    limits: RateLimits,
    use: str,
    receive: Callable[[], Awaitable[ResultT]],
    unproved: tuple[type[GatewayError], ...],
) -> ResultT:
    """What ``receive`` makes of a push from ``address``; see ``receive_push``."""
    limits.require(UNPROVED, use, address)
    try:
        return await receive()
    except unproved:
        limits.count(UNPROVED, use, address)
        raise
