"""The worker process: delivers events and looks at certificates again until told to stop; what is begun is finished."""

import asyncio
import signal
from contextlib import nullcontext
from functools import partial

import structlog

from adapters.listening import Listener
from adapters.metrics_server import metrics_served
from gateway.bootstrap.certificates import build_certificates
from gateway.bootstrap.clients import clients
from gateway.bootstrap.foundation import lay_foundation
from gateway.bootstrap.loops import build_anchoring, build_notices, build_rechecks, build_relay
from gateway.clock import Clock, system_clock
from gateway.housekeeping import forgetting
from gateway.settings import Settings

log = structlog.get_logger()


async def run_worker(
    settings: Settings,
    listener: Listener | None = None,
    clock: Clock = system_clock,
) -> None:
    """Work until SIGTERM or SIGINT. At ``listener``, where there is one, its metrics can be looked at."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    foundation = lay_foundation(settings, clock)
    try:
        watched = nullcontext() if listener is None else metrics_served(listener, foundation.exposition)
        async with clients(settings.delivery_timeout) as (http, outgoing), watched:
            certificates = build_certificates(foundation, http)
            rechecks = build_rechecks(foundation, certificates, http)
            sweep_memory = partial(foundation.sweep_memory, certificates.sweep_memory)
            await foundation.rules.try_refresh()
            log.info("worker.started")
            await asyncio.gather(
                build_relay(foundation, outgoing).run(stop),
                rechecks.run(stop),
                foundation.supervisor.run("keys", foundation.keys.run, stop),
                foundation.supervisor.run("lag", foundation.lag.run, stop),
                foundation.supervisor.run("memory", partial(forgetting, sweep_memory), stop),
                foundation.supervisor.run("rules", foundation.rules.run, stop),
                build_anchoring(foundation, http).run(stop),
                build_notices(foundation, outgoing).run(stop),
            )
    finally:
        foundation.close()
    log.info("worker.stopped")
