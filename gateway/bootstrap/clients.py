"""The HTTP clients of a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp

from adapters.channels.posting import SEND_TIMEOUT, open_session
from adapters.http_client import HttpClient
from adapters.http_wire import WireClient


@asynccontextmanager
async def clients(
    delivery_timeout: timedelta = SEND_TIMEOUT,
) -> AsyncIterator[tuple[HttpClient, aiohttp.ClientSession]]:
    """The one HTTP client of each kind that a process has; ``delivery_timeout`` is how long a receiver may take."""
    http, session = WireClient(), open_session(delivery_timeout)
    try:
        yield http, session
    finally:
        await http.aclose()
        await session.close()
