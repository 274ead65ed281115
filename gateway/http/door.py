"""Hangs the door: problem documents, limits, headers, log line and counts, in their right order."""

from collections.abc import Sequence

from fastapi import FastAPI

from gateway.http.app import HttpApp
from gateway.http.express import ExpressLane, ExpressRoute, ExpressRoutes, ExpressTemplate, Refusals
from gateway.http.headers import SecurityHeaders, security_headers
from gateway.http.limits import MAX_BODY_BYTES, BodyLimit
from gateway.http.metrics import HttpMetrics
from gateway.http.observe import Observation, Observer
from gateway.http.openapi import describe_problems
from gateway.http.problems import install_problem_handlers


def hang_door(
    app: FastAPI,
    metrics: HttpMetrics,
    *,
    https: bool,
    max_body_bytes: int = MAX_BODY_BYTES,
    express: Sequence[ExpressRoute] = (),
    express_templates: Sequence[ExpressTemplate] = (),
) -> None:
    """Prepare ``app`` before it serves: everything that goes in or out passes here.

    From the outside in: the lane of ``express`` routes and of those with parameters, before an ``HttpApp``; security
    headers, observer, body limit, all routes. ``https`` tells whether callers use TLS.
    """
    install_problem_handlers(app)
    describe_problems(app)
    observer, headers = Observer(metrics), security_headers(https=https)
    app.add_middleware(Refusals)
    app.add_middleware(BodyLimit, limit=max_body_bytes)
    app.add_middleware(Observation, observer=observer)
    app.add_middleware(SecurityHeaders, headers=headers)
    if isinstance(app, HttpApp):
        routes = ExpressRoutes({route.path: route for route in express}, express_templates)
        app.lane = ExpressLane(app, app.past_the_lane, routes, observer, headers, max_body_bytes)
    app.add_route("/metrics", metrics.endpoint, methods=["GET"], include_in_schema=False)
