"""``/metrics`` and ``/healthz`` of a process that serves nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from socket import socket

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST


@asynccontextmanager
async def metrics_served(listener: socket, exposition: Callable[[], Awaitable[bytes]]) -> AsyncIterator[None]:
    """Answer at ``listener`` inside the block, and close it."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=1024)
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", alive)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
