"""Counts and durations for ``/metrics``. Labels are the interface's own words: no address, no identifier, no caller."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from itertools import accumulate, groupby
from typing import Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

ROUTE_KEY: Final = "bandian.route"
"""An ASGI endpoint outside FastAPI names its route template here, for the counts and the access log."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BOUNDS: Final = [*map(str, _BUCKETS), "+Inf"]


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


class _Answered:
    """What was answered to one method, route and status: ``by_bucket`` counts those of each duration apart."""

    __slots__ = ("by_bucket", "seconds")

    def __init__(self) -> None:
        self.by_bucket = [0] * (len(_BUCKETS) + 1)
        self.seconds = 0.0


class HttpMetrics(Collector):
    """Requests by method, route template and status, refusals by cause. ``more`` answers what else a scrape shows.

    The event loop's alone, so that counting is adding, without the locks that the library's own counters take.
    """

    more: Callable[[], Awaitable[bytes]] | None = None

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.in_flight = 0
        """Requests being worked on."""
        self._answered: dict[tuple[str, str, int], _Answered] = {}
        self._refusals: Counter[Refusal] = Counter()
        self.registry.register(self)

    def observe(self, method: str, route: str, status: int, seconds: float, refused: Refusal | None = None) -> None:
        """Count one answered request; ``refused`` is what the problem said that was its answer."""
        key = (method, route, status)
        answered = self._answered.get(key)
        if answered is None:
            answered = self._answered[key] = _Answered()
        answered.by_bucket[bisect_left(_BUCKETS, seconds)] += 1
        answered.seconds += seconds
        if refused is not None:
            known = refused in self._refusals or len(self._refusals) < MOST_CAUSES
            self._refusals[refused if known else Refusal(refused.kind, "other")] += 1

    def collect(self) -> Iterator[Metric]:
        """What the library asks for at each scrape."""
        requests = CounterMetricFamily(
            "bandian_http_requests", "Requests answered", labels=("method", "route", "status")
        )
        for (method, route, status), answered in self._answered.items():
            requests.add_metric((method, route, str(status)), sum(answered.by_bucket))
        yield requests
        durations = HistogramMetricFamily(
            "bandian_http_request_seconds",
            "Time from a request's arrival to its last byte",
            labels=("method", "route"),
        )
        for labels, routes in groupby(sorted(self._answered), key=lambda key: key[:2]):
            of_route = [self._answered[key] for key in routes]
            counts = accumulate(map(sum, zip(*(each.by_bucket for each in of_route), strict=True)))
            buckets = [(bound, float(count)) for bound, count in zip(_BOUNDS, counts, strict=True)]
            durations.add_metric(labels, buckets, sum(each.seconds for each in of_route))
        yield durations
        refusals = CounterMetricFamily("bandian_refusals", "Problem documents answered", labels=("kind", "check"))
        for refusal, count in self._refusals.items():
            refusals.add_metric(refusal, count)
        yield refusals
        yield GaugeMetricFamily("bandian_http_in_flight", "Requests being worked on", self.in_flight)

    async def endpoint(self, request: Request) -> Response:
        """``GET /metrics`` in the Prometheus text format."""
        request.scope[ROUTE_KEY] = "/metrics"
        more = await self.more() if self.more is not None else b""
        return Response(generate_latest(self.registry) + more, media_type=CONTENT_TYPE_LATEST)
