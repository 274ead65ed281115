"""Our own port for HTTP: time-outs, bounded retry, size limits, one family of errors.

Nothing here logs an address, a header or a body: any of them may hold personal data. One client per process: the lean
one (``adapters.http_wire``), which is held to what the one on httpx does (``adapters.httpx_client``) by one conformance
suite over both.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

import structlog

from adapters.deadlines import Deadlines
from gateway.clock import Clock, system_clock
from gateway.errors import Owner, PartnerUnavailable

MAX_BODY_BYTES = 4 * 1024 * 1024
USER_AGENT = "bandian-gateway"
_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
_log = structlog.get_logger("http")


class HttpRequest(NamedTuple):
    """One request. ``idempotent`` says that sending it twice does no harm, and only then is it retried."""

    method: str
    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    idempotent: bool = False
    max_bytes: int = MAX_BODY_BYTES

    def __repr__(self) -> str:
        """Without what may be anybody's data."""
        return f"HttpRequest(method={self.method!r})"


class FixedHeaders(dict[str, str]):
    """Headers of requests of which nothing changes but the body: ``written`` is what a client made of them.

    By method and address: there are few addresses, and they name nobody.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self.written: dict[tuple[str, str], object] = {}


class HttpReply(NamedTuple):
    """One whole reply; header names in lower case. A status of 5xx, 3xx or 429 never gets this far."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Without what may be anybody's data."""
        return f"HttpReply(status={self.status})"

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class HttpClient(Protocol):
    """What adapters ask for."""

    async def send(self, request: HttpRequest, *, partner: str) -> HttpReply:
        """The reply of ``partner``. Raises ``PartnerUnavailable`` when none could be had within the limits."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Times in seconds. ``attempt`` bounds one try with its whole body, ``patience`` the longest wait between tries."""

    connect: float = 2.0
    attempt: float = 8.0
    patience: float = 2.0
    attempts: int = 3
    backoff: float = 0.1
    connections: int = 100


class TryingClient(ABC):
    """What every `HttpClient` does around one exchange: it bounds the time, tries again, and translates failures."""

    def __init__(
        self,
        limits: HttpLimits | None = None,
        *,
        clock: Clock = system_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits or HttpLimits()
        self._attempts = Deadlines(self._limits.attempt)
        self._clock, self._sleep, self._jitter = clock, sleep, jitter

    async def send(self, request: HttpRequest, *, partner: str) -> HttpReply:
        """As `HttpClient.send`. A ``Retry-After`` within the patience is waited for; a longer one ends the tries."""
        tries = self._limits.attempts if request.idempotent else 1
        for attempt in range(1, tries + 1):
            try:
                with self._attempts.one():
                    return await self._exchange(request)
            except TimeoutError:
                failure = _unavailable("http.timeout", partner)
            except ExchangeFailed as failed:
                failure = _unavailable(failed.check, partner, failed.retry_after)
                if not failed.mendable:
                    raise failure from None
            wait = self._wait(failure, attempt)
            _log.warning("partner_call_failed", partner=partner, check=failure.check, attempt=attempt, tries=tries)
            if attempt == tries or wait is None:
                raise failure
            await self._sleep(wait)
        raise AssertionError("every path above returns or raises")

    @abstractmethod
    async def _exchange(self, request: HttpRequest) -> HttpReply:
        """One exchange. Raises ``ExchangeFailed`` or ``TimeoutError``."""

    def judge_head(self, status: int, headers: Mapping[str, str]) -> None:
        """Whether a reply of that head is one for the adapter to read. Raises ``ExchangeFailed``."""
        if status in _RETRIED_STATUS:
            check = "http.throttled" if status in (429, 503) else "http.status"
            raise ExchangeFailed(check, retry_after=retry_after_seconds(headers.get("retry-after"), self._clock()))
        if 300 <= status < 400 or status >= 500:
            raise ExchangeFailed("http.status", mendable=False)
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise ExchangeFailed("http.encoding", mendable=False)

    def _wait(self, failure: PartnerUnavailable, attempt: int) -> float | None:
        if failure.retry_after is not None:
            return failure.retry_after if failure.retry_after <= self._limits.patience else None
        backoff = self._limits.backoff * float(2 ** (attempt - 1))
        return float(min(backoff, self._limits.patience) * self._jitter())


class ExchangeFailed(Exception):
    """One exchange that came to nothing: by which check, and whether another try may bring more."""

    def __init__(self, check: str, *, mendable: bool = True, retry_after: int | None = None) -> None:
        super().__init__(check)
        self.check, self.mendable, self.retry_after = check, mendable, retry_after


def retry_after_seconds(value: str | None, now: datetime) -> int | None:
    """``Retry-After`` in seconds from ``now``, never negative (RFC 9110 §10.2.3); None when absent or unreadable."""
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, round((moment - now).total_seconds()))


_REMEDIES = {
    "http.timeout": "协作单位未在时限内应答，请稍后再试",
    "http.connection": "与协作单位的连接失败，请稍后再试",
    "http.throttled": "协作单位要求稍后再试",
    "http.oversize": "协作单位的应答超过长度上限，请联系该单位",
}


def _unavailable(check: str, partner: str, retry_after: int | None = None) -> PartnerUnavailable:
    remedy = _REMEDIES.get(check, "协作单位的应答不符合约定，请联系该单位")
    return PartnerUnavailable(
        check=check, owner=Owner.GOVERNMENT, remedy=remedy, partner=partner, retry_after=retry_after
    )
