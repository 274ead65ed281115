"""The HTTP clients of a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from adapters.channels.posting import SEND_TIMEOUT, Outgoing
from adapters.http_client import HttpClient
from adapters.http_wire import WireClient


@asynccontextmanager
async def clients(
    delivery_timeout: timedelta = SEND_TIMEOUT,
) -> AsyncIterator[tuple[HttpClient, Outgoing]]:
    """The one HTTP client of each kind that a process has; ``delivery_timeout`` is how long a receiver may take."""
    http, outgoing = WireClient(), Outgoing(delivery_timeout)
    try:
        yield http, outgoing
    finally:
        await http.aclose()
        outgoing.close()
