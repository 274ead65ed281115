"""Counts and durations for ``/metrics``. Labels are the interface's own words: no address, no identifier, no caller."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

ROUTE_KEY: Final = "bandian.route"
"""An ASGI endpoint outside FastAPI names its route template here, for the counts and the access log."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


MOST_CAUSES: Final = 400
"""Refusals are counted under this many names of checks; a further one is counted as ``other``."""


def known_method(method: str) -> str:
    """``method``, or ``OTHER`` for what a caller made up."""
    return method if method in METHODS else "OTHER"


class Refusal(NamedTuple):
    """Why a request was refused, in our own words."""

    kind: str
    check: str


REFUSED: ContextVar[Refusal | None] = ContextVar("bandian_refused", default=None)
"""What the problem document says that answers the request at hand."""


class HttpMetrics:
    """Requests by method, route template and status, refusals by cause. ``more`` answers what else a scrape shows."""

    more: Callable[[], Awaitable[bytes]] | None = None

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("bandian_http_requests", "Requests answered", labels, registry=self.registry)
        self._seconds = Histogram(
            "bandian_http_request_seconds",
            "Time from a request's arrival to its last byte",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "bandian_refusals", "Problem documents answered", ("kind", "check"), registry=self.registry
        )
        self._causes: set[Refusal] = set()
        self._kept: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.in_flight = Gauge("bandian_http_in_flight", "Requests being worked on", registry=self.registry)

    def observe(self, method: str, route: str, status: int, seconds: float, refused: Refusal | None = None) -> None:
        """Count one answered request; ``refused`` is what the problem said that was its answer."""
        method = known_method(method)
        key = (method, route, status)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(method, route),
            )
        requests, durations = kept
        requests.inc()
        durations.observe(seconds)
        if refused is not None:
            self._refusals.labels(*self._counted(refused)).inc()

    def _counted(self, refused: Refusal) -> Refusal:
        if refused not in self._causes and len(self._causes) >= MOST_CAUSES:
            return Refusal(refused.kind, "other")
        self._causes.add(refused)
        return refused

    async def endpoint(self, request: Request) -> Response:
        """``GET /metrics`` in the Prometheus text format."""
        request.scope[ROUTE_KEY] = "/metrics"
        more = await self.more() if self.more is not None else b""
        return Response(generate_latest(self.registry) + more, media_type=CONTENT_TYPE_LATEST)
