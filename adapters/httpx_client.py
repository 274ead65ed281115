"""`HttpClient` on httpx: what the lean client of a serving process is held to, and what respx stands in for."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import httpx

from adapters.http_client import USER_AGENT, ExchangeFailed, HttpLimits, HttpReply, HttpRequest, TryingClient
from gateway.clock import Clock, system_clock


class HttpxClient(TryingClient):
    """`HttpClient` on httpx. Redirects are not followed, proxies of the environment not used, bodies not unpacked."""

    def __init__(
        self,
        limits: HttpLimits | None = None,
        *,
        clock: Clock = system_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(limits, clock=clock, sleep=sleep, jitter=jitter)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(self._limits.attempt, connect=self._limits.connect),
            limits=httpx.Limits(max_connections=self._limits.connections),
            follow_redirects=False,
            trust_env=False,
            headers={"accept-encoding": "identity", "user-agent": USER_AGENT},
        )

    async def aclose(self) -> None:
        """As `HttpClient.aclose`."""
        await self._client.aclose()

    async def _exchange(self, request: HttpRequest) -> HttpReply:
        try:
            async with self._client.stream(
                request.method, request.url, headers=dict(request.headers), content=request.body or None
            ) as response:
                self.judge_head(response.status_code, response.headers)
                return HttpReply(
                    response.status_code, dict(response.headers), await _bounded(response, request.max_bytes)
                )
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.TransportError:
            raise ExchangeFailed("http.connection") from None
        except (httpx.InvalidURL, httpx.HTTPError, ValueError):
            raise ExchangeFailed("http.malformed", mendable=False) from None


async def _bounded(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise ExchangeFailed("http.oversize", mendable=False)
    return bytes(body)
