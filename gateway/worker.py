"""The worker process: delivers what is in the outbox until it is told to stop, and then finishes what is in flight."""

import asyncio
import signal
from contextlib import AbstractAsyncContextManager, nullcontext

import structlog

from adapters.metrics_server import metrics_served
from gateway.bootstrap import Foundation, build_relay, clients, lay_foundation
from gateway.clock import Clock, system_clock
from gateway.settings import Settings

log = structlog.get_logger()


def _watched(foundation: Foundation) -> AbstractAsyncContextManager[None]:
    settings = foundation.settings
    if settings.worker_metrics_port is None:
        return nullcontext()
    return metrics_served(settings.host, settings.worker_metrics_port, foundation.metrics.exposition)


async def run_worker(settings: Settings, clock: Clock = system_clock) -> None:
    """Relay until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    foundation = lay_foundation(settings, clock)
    try:
        async with clients() as (_, session), _watched(foundation):
            log.info("worker.started")
            await asyncio.gather(build_relay(foundation, session).run(stop), foundation.keys.run(stop))
    finally:
        foundation.close()
    log.info("worker.stopped")
